"""The durable timers of an approval, set and cleared in the append of the events that call for it."""

from collections.abc import Sequence
from datetime import datetime

from runyard_shared.contracts.base import Event
from runyard_shared.eventstore.store import ClearAllTimers, ClearTimer, SetTimer, TimerChange

from runyard_approvals.approval import events
from runyard_approvals.approval.lifecycle import Deadline, Purpose
from runyard_approvals.approval.state import ApprovalState, Delivery


def timer_changes(state: ApprovalState, new: Sequence[Event], now: datetime) -> list[TimerChange]:
    """`state` is that after the `new` events. A resolved approval has no timers, so nothing of it is late for ever."""
    if state.resolved is not None:
        return [ClearAllTimers()]
    changes: dict[str, TimerChange] = {}
    for event in new:
        changes |= {change.timer_id: change for change in _of_event(event, now)}
    return list(changes.values())


def _of_event(event: Event, now: datetime) -> list[SetTimer | ClearTimer]:
    match event:
        case events.ApprovalOpened():
            deadlines = {
                Deadline.EXPIRE: event.expires_at,
                Deadline.REMIND: event.remind_at,
                Deadline.ESCALATE: event.escalate_at,
            }
            timers = [SetTimer(name, datetime.fromisoformat(at)) for name, at in deadlines.items() if at is not None]
            return [*timers, *_deliveries(Purpose.REQUESTED, event.notify, now)]
        case events.ApprovalReminded():
            return [ClearTimer(Deadline.REMIND), *_deliveries(Purpose.REMINDER, event.notify, now)]
        case events.ApprovalEscalated():
            return [ClearTimer(Deadline.ESCALATE), *_deliveries(Purpose.ESCALATION, event.notify, now)]
        case events.DeliveryFailed():
            return [SetTimer(_timer(event), datetime.fromisoformat(event.retry_at))]
        case events.ApprovalNotified():
            return [ClearTimer(_timer(event))]
        case _:
            return []


def _deliveries(purpose: Purpose, channels: Sequence[str], now: datetime) -> list[SetTimer]:
    return [SetTimer(Delivery(purpose, channel).timer_id, now) for channel in channels]


def _timer(event: events.DeliveryFailed | events.ApprovalNotified) -> str:
    return Delivery(Purpose(event.purpose), event.channel).timer_id
