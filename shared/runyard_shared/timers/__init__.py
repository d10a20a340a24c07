"""Durable timers: set and cleared in the transaction of the events, delivered at least once when due."""

from runyard_shared.timers.delivery import to_inbox
from runyard_shared.timers.timers import DueTimer, Timers

__all__ = ["DueTimer", "Timers", "to_inbox"]
