"""What an agent can do: one module for each action type, found by the entry points `runyard.actions`."""
