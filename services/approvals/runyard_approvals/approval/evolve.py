"""Events to state: the same code for what was just decided and for what is read back from the log."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from runyard_shared.contracts.base import Event

from runyard_approvals.approval import events
from runyard_approvals.approval.lifecycle import Purpose
from runyard_approvals.approval.state import ApprovalState, Delivery, Vote


def begin(approval_id: str, tenant_id: str, opened: events.ApprovalOpened) -> ApprovalState:
    """The state after the first event."""
    return ApprovalState(approval_id, tenant_id, opened, outstanding=_with({}, Purpose.REQUESTED, opened.notify))


def evolve(state: ApprovalState, event: Event, at: datetime) -> ApprovalState:
    """The state after one more event, recorded at `at`. An unknown event raises."""
    changes: dict[str, Any]
    match event:
        case events.ApprovalVoted():
            changes = {"votes": (*state.votes, Vote(event.by, event.request_id))}
        case events.ApprovalReminded():
            changes = {"reminded": True, "outstanding": _with(state.outstanding, Purpose.REMINDER, event.notify)}
        case events.ApprovalEscalated():
            changes = {"escalated": True, "outstanding": _with(state.outstanding, Purpose.ESCALATION, event.notify)}
        case events.DeliveryFailed():
            changes = {"outstanding": state.outstanding | {Delivery(Purpose(event.purpose), event.channel): event.attempts}}
        case events.ApprovalNotified():
            done = Delivery(Purpose(event.purpose), event.channel)
            changes = {"outstanding": {each: tried for each, tried in state.outstanding.items() if each != done}}
        case events.ApprovalResolved():
            changes = {"resolved": event, "resolved_at": at}
        case _:
            raise TypeError(f"an approval does not know the event {event.topic or type(event).__name__}")
    return replace(state, version=state.version + 1, **changes)


def _with(outstanding: dict[Delivery, int], purpose: Purpose, channels: Iterable[str]) -> dict[Delivery, int]:
    return outstanding | {Delivery(purpose, channel): 0 for channel in channels}
