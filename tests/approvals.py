"""given / when / then for approvals, and the orders and answers that come to the service."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from runyard_approvals.approval import decide
from runyard_approvals.approval.decide import Answer, Attempt, Circumstances, Retries
from runyard_approvals.approval.events import ApprovalOpened
from runyard_approvals.approval.evolve import begin, evolve
from runyard_approvals.approval.lifecycle import Deadline, Purpose
from runyard_approvals.approval.state import ApprovalState, Delivery
from runyard_approvals.approval.timers import timer_changes
from runyard_shared.clock import rfc3339
from runyard_shared.contracts.approvals import CancelApproval, RequestApproval
from runyard_shared.contracts.base import Event
from runyard_shared.errors import Refusal
from runyard_shared.eventstore.store import ClearAllTimers, ClearTimer, SetTimer
from runyard_shared.ids import new_id

APPROVAL = "019d0000-0000-7000-8000-00000000000a"
EXECUTION = "019d0000-0000-7000-8000-000000000001"
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def request(approval_id: str = APPROVAL, *, at: datetime = EPOCH, **fields: Any) -> RequestApproval:
    """What the orchestrator orders; `carol` started the execution."""
    given: dict[str, Any] = {
        "tenant_id": "default",
        "execution_id": EXECUTION,
        "root_execution_id": EXECUTION,
        "node_id": "ask",
        "workflow_name": "Clean the disk",
        "started_by": "carol",
        "message": "May we?",
        "requested_at": rfc3339(at),
    }
    return RequestApproval(approval_id=approval_id, **(given | fields))


class Approval:
    """One approval under test. Every step checks that replaying the history gives the live state, and keeps the timers."""

    def __init__(
        self,
        *,
        channels: dict[str, bool] | None = None,
        channels_of_node: list[str] | None = None,
        retries: Retries | None = None,
        **fields: Any,
    ) -> None:
        self.now = EPOCH
        self.channels = channels or {}
        self.retries = retries or Retries()
        self.timers: dict[str, datetime] = {}
        self.history: list[tuple[Event, datetime]] = []
        first, *others = decide.open_approval(request(channels=channels_of_node, **fields), self.circumstances)
        assert isinstance(first, ApprovalOpened)
        self.state: ApprovalState = begin(APPROVAL, "default", first)
        self.history.append((first, self.now))
        self._keep(others, first)

    @property
    def circumstances(self) -> Circumstances:
        return Circumstances(self.now, self.channels, self.retries)

    @property
    def topics(self) -> list[str]:
        return [event.topic for event, _ in self.history]

    def answers(self, by: str, decision: str = "approved", **fields: Any) -> list[Event]:
        """As the service does: what has expired by now has expired before the answer. Raises `Refusal`."""
        given = Answer(**({"request_id": new_id()} | fields), by=by, decision=decision)
        expired = self._keep(decide.expire(self.state, self.now))
        return expired + self._keep(decide.answer(self.state, given))

    def refusal(self, by: str, decision: str = "approved", **fields: Any) -> Refusal:
        """The refusal of an answer, which must not change anything."""
        before = self.state
        try:
            self.answers(by, decision, **fields)
        except Refusal as refusal:
            assert self.state == before
            return refusal
        raise AssertionError(f"{by} was not refused")

    def cancelled(self, reason: str = "the execution was cancelled") -> list[Event]:
        order = CancelApproval(tenant_id="default", approval_id=APPROVAL, reason=reason)
        return self._keep(decide.cancel(self.state, order, self.now))

    def due(self, deadline: Deadline) -> list[Event]:
        """Its timer fires, now."""
        return self._keep(decide.deadline_due(self.state, deadline, self.circumstances))

    def after(self, seconds: float, deadline: Deadline) -> list[Event]:
        self.now += timedelta(seconds=seconds)
        return self.due(deadline)

    def attempted(self, purpose: Purpose, channel: str, error: str | None = None, *, hopeless: bool = False) -> list[Event]:
        attempt = Attempt(Delivery(purpose, channel), error, hopeless)
        return self._keep(decide.attempted(self.state, attempt, self.circumstances))

    def _keep(self, new: list[Event], *first: Event) -> list[Event]:
        for event in new:
            self.state = evolve(self.state, event, self.now)
            self.history.append((event, self.now))
        self._set_timers([*first, *new])
        (opened, _), *rest = self.history
        assert isinstance(opened, ApprovalOpened)
        replayed = begin(APPROVAL, "default", opened)
        for event, at in rest:
            replayed = evolve(replayed, event, at)
        assert replayed == self.state
        assert self.state.version == len(self.history)
        return new

    def _set_timers(self, new: Sequence[Event]) -> None:
        if not new:
            return
        for change in timer_changes(self.state, new, self.now):
            match change:
                case SetTimer():
                    self.timers[str(change.timer_id)] = change.due_at
                case ClearTimer():
                    self.timers.pop(change.timer_id, None)
                case ClearAllTimers():
                    self.timers.clear()
