"""Which durable timers a decision sets and clears: derived from its events, so that no decision can forget one."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from runyard_shared.contracts import events
from runyard_shared.contracts.base import Event
from runyard_shared.eventstore.store import ClearAllTimers, ClearTimer, SetTimer, TimerChange

from runyard_orchestrator.execution.evolve import EXECUTION_TIMEOUT, delay_timer, retry_timer
from runyard_orchestrator.execution.state import ExecutionState


def timer_changes(before: frozenset[str], after: ExecutionState, new: Iterable[Event], now: datetime) -> list[TimerChange]:
    """What to write with `new`, which led from the open timers `before` to the state `after`."""
    if not before and not after.timers:
        return []
    if not after.timers:
        return [ClearAllTimers()]
    due: dict[str, datetime] = {}
    for event in new:
        match event:
            case events.RetryScheduled():
                due[retry_timer(event.node_id)] = datetime.fromisoformat(event.due_at)
            case events.NodeWaiting():
                due[delay_timer(event.node_id)] = datetime.fromisoformat(event.until)
            case events.ExecutionStarted(timeout_seconds=seconds) if seconds:
                due[EXECUTION_TIMEOUT] = now + timedelta(seconds=seconds)
            case _:
                pass
    changes: list[TimerChange] = [ClearTimer(timer_id) for timer_id in sorted(before - after.timers)]
    changes += [SetTimer(timer_id, due[timer_id]) for timer_id in sorted(after.timers) if timer_id in due]
    return changes
