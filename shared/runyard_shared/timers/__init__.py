"""Durable timers: set and cleared in the transaction of the events, delivered at least once when due."""
