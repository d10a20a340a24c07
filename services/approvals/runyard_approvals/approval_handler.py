"""What happens to approvals: orders, answers and timers of one approval become one append."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from runyard_shared.clock import Clock, rfc3339
from runyard_shared.contracts import commands
from runyard_shared.contracts.approvals import CancelApproval, RequestApproval
from runyard_shared.contracts.base import Event
from runyard_shared.contracts.commands import Request, TimerDue
from runyard_shared.errors import NotFound, Refusal, VersionConflict
from runyard_shared.eventstore.store import EventStore
from runyard_shared.messaging.answers import Answer, Outcome, answers_to, problem_of

from runyard_approvals.approval import decide
from runyard_approvals.approval.decide import Attempt, Circumstances, Retries
from runyard_approvals.approval.events import ApprovalOpened, ApprovalResolved
from runyard_approvals.approval.evolve import begin, evolve
from runyard_approvals.approval.lifecycle import DEADLINES
from runyard_approvals.approval.state import ApprovalState, Delivery
from runyard_approvals.approval.timers import timer_changes
from runyard_approvals.links import Links, check_holds
from runyard_approvals.notifications.channels import Channels
from runyard_approvals.repository import Approvals

ApprovalItem = Request | TimerDue | RequestApproval | CancelApproval | Attempt
Deliver = Callable[[str, str, Delivery], None]
"""Is offered a message that is to be sent: tenant, approval, delivery. Does not wait."""
_CONFLICTS_BEFORE_GIVING_UP = 10
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Decided:
    """What the items of one approval come to, before it is written."""

    state: ApprovalState | None
    version: int
    circumstances: Circumstances
    events: list[Event] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    due: list[Delivery] = field(default_factory=list)

    def add(self, new: list[Event]) -> None:
        for event in new:
            if self.state is None:
                raise TypeError(f"{event.topic} of an approval that there is not")
            self.state = evolve(self.state, event, self.circumstances.now)
        self.events += new


class ApprovalHandler:
    def __init__(
        self,
        store: EventStore,
        approvals: Approvals,
        channels: Channels,
        links: Links,
        clock: Clock,
        deliver: Deliver,
        retries: Retries,
    ) -> None:
        self._store = store
        self._approvals = approvals
        self._channels = channels
        self._links = links
        self._clock = clock
        self._deliver = deliver
        self._retries = retries

    async def handle(self, approval_id: str, items: Sequence[ApprovalItem]) -> list[Answer]:
        """Load, decide, append, until no other writer is first. `Refusal` of anything but a request is raised."""
        for _ in range(_CONFLICTS_BEFORE_GIVING_UP):
            state = await self._approvals.load(approval_id)
            channels = await self._channels_for(items, state)
            decided = self._decide(approval_id, items, state, channels)
            try:
                await self._append(approval_id, decided)
            except VersionConflict:
                _log.debug("another process was first, deciding again", approval_id=approval_id)
                continue
            _say(approval_id, decided)
            if decided.state is not None:
                for delivery in decided.due:
                    self._deliver(decided.state.tenant_id, approval_id, delivery)
            # no position: that of this log says nothing to readers of the orchestrator's
            return answers_to(decided.outcomes, None)
        raise VersionConflict(approval_id, -1)

    async def attempted(self, approval_id: str, attempt: Attempt) -> None:
        """Writes down how telling a channel went."""
        await self.handle(approval_id, [attempt])

    async def _append(self, approval_id: str, decided: _Decided) -> None:
        state = decided.state
        if not decided.events or state is None:
            return
        now = decided.circumstances.now
        await self._store.append(
            approval_id,
            decided.version,
            decided.events,
            tenant_id=state.tenant_id,
            at=now,
            correlation_id=state.opened.root_execution_id,
            timers=timer_changes(state, decided.events, now),
        )

    async def _channels_for(self, items: Sequence[ApprovalItem], state: ApprovalState | None) -> dict[str, bool]:
        """The tenant's channels, if any item may call for a message."""
        for item in items:
            if isinstance(item, RequestApproval) and state is None:
                return await self._channels.enabled_by_name(item.tenant_id)
            if isinstance(item, TimerDue) and item.timer_id in DEADLINES and state is not None:
                return await self._channels.enabled_by_name(state.tenant_id)
        return {}

    def _decide(
        self, approval_id: str, items: Sequence[ApprovalItem], state: ApprovalState | None, channels: dict[str, bool]
    ) -> _Decided:
        circumstances = Circumstances(self._clock.now(), channels, self._retries)
        decided = _Decided(state, state.version if state is not None else 0, circumstances)
        for item in items:
            if not isinstance(item, Request):
                self._apply(decided, approval_id, item)
                continue
            try:
                outcome = self._answer(decided, approval_id, item)
            except Refusal as refusal:
                decided.outcomes.append((item, problem_of(refusal)))
            else:
                decided.outcomes.append((item, outcome))
        return decided

    def _apply(self, decided: _Decided, approval_id: str, item: TimerDue | RequestApproval | CancelApproval | Attempt) -> None:
        state = decided.state
        if isinstance(item, RequestApproval):
            if state is None:
                first, *others = decide.open_approval(item, decided.circumstances)
                if isinstance(first, ApprovalOpened):
                    decided.state = begin(approval_id, item.tenant_id, first)
                    decided.events.append(first)
                    decided.add(others)
            return
        if state is None:
            raise _not_found(approval_id)
        match item:
            case CancelApproval():
                decided.add(decide.cancel(state, item, decided.circumstances.now))
            case Attempt():
                decided.add(decide.attempted(state, item, decided.circumstances))
            case TimerDue(timer_id=timer_id) if timer_id in DEADLINES:
                decided.add(decide.deadline_due(state, DEADLINES[timer_id], decided.circumstances))
            case TimerDue(timer_id=timer_id):
                delivery = Delivery.of_timer(timer_id)
                if state.resolved is None and delivery in state.outstanding:
                    decided.due.append(delivery)

    def _answer(self, decided: _Decided, approval_id: str, request: Request) -> dict[str, Any]:
        state, now = decided.state, decided.circumstances.now
        match request.command:
            case commands.ShowApprovalLink(token=token):
                link = self._links.read(approval_id, token)
                if state is None:
                    raise _not_found(approval_id)
                decide.check_pending(state, link.nonce)
                check_holds(link, now)
                return _shown(state, link.approver)
            case commands.AnswerApprovalLink() as command:
                link = self._links.read(approval_id, command.token)
                if state is None:
                    raise _not_found(approval_id)
                if state.resolved is None:
                    check_holds(link, now)
                given = decide.Answer(
                    request.request_id, link.approver, command.decision, command.note, via="link", link=link.nonce
                )
            case commands.AnswerApproval() as command:
                if state is None or state.tenant_id != request.tenant_id:
                    raise _not_found(approval_id)
                given = decide.Answer(
                    request.request_id, request.actor, command.decision, command.note, command.via, tuple(command.roles)
                )
            case other:
                raise TypeError(f"{type(other).__name__} is not for an approval")
        decided.add(decide.expire(state, now))
        decided.add(decide.answer(decided.state or state, given))
        return _row(decided.state or state)


def _say(approval_id: str, decided: _Decided) -> None:
    state = decided.state
    if state is None:
        return
    names = {"tenant_id": state.tenant_id, "execution_id": state.opened.root_execution_id, "approval_id": approval_id}
    for event in decided.events:
        if isinstance(event, ApprovalOpened):
            _log.info("approval requested", **names, node_id=event.node_id)
        elif isinstance(event, ApprovalResolved):
            _log.info("approval decided", **names, status=event.status.value, actor=event.by, via=event.via)


def _not_found(approval_id: str) -> NotFound:
    return NotFound("approval_not_found", f"there is no approval {approval_id}")


def _row(state: ApprovalState) -> dict[str, Any]:
    resolved, at = state.resolved, state.resolved_at
    return {
        "approvalId": state.approval_id,
        "status": state.status.value,
        "respondedBy": resolved.by if resolved is not None else None,
        "responseNote": resolved.note if resolved is not None else None,
        "respondedVia": resolved.via if resolved is not None else None,
        "respondedAt": rfc3339(at) if at is not None else None,
        "approvals": state.approvals,
        "minApprovals": state.opened.min_approvals,
    }


def _shown(state: ApprovalState, approver: str) -> dict[str, Any]:
    return {
        "approvalId": state.approval_id,
        "workflowName": state.opened.workflow_name,
        "message": state.opened.message,
        "status": state.status.value,
        "expiresAt": state.opened.expires_at,
        "approver": approver,
    }
