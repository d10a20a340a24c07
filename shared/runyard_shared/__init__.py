"""The language all Runyard services speak: contracts, event store, messaging, timers, clock, ids, errors."""
