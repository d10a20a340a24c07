"""The `runyard` command: a client of the HTTP API, and of nothing else."""
