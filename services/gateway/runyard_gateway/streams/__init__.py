"""Server-Sent Events: the log as it happens. From the store first, then live, without a gap or a repetition."""
