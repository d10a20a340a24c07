"""Which durable timers an append sets and clears: what the state has now, against what it had before."""

from collections.abc import Mapping
from datetime import datetime

from runyard_shared.eventstore.store import ClearAllTimers, ClearTimer, SetTimer, TimerChange

from runyard_orchestrator.execution.state import ExecutionState


def timer_changes(before: Mapping[str, datetime], after: ExecutionState) -> list[TimerChange]:
    """What to write with the events that led from the timers `before` to the state `after`."""
    if not before and not after.timers:
        return []
    if not after.timers:
        return [ClearAllTimers()]
    changes: list[TimerChange] = [ClearTimer(timer_id) for timer_id in sorted(before.keys() - after.timers.keys())]
    changes += [SetTimer(timer_id, due) for timer_id, due in sorted(after.timers.items()) if before.get(timer_id) != due]
    return changes
