"""The event store: one append-only log for each service, in that service's PostgreSQL schema."""
