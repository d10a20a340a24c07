"""Read models: what the event log says, as rows that are quick to read. They can always be made again from the log."""
