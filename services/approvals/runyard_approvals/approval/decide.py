"""What happens to an approval, as events. Pure: state, what happened and the circumstances in, events out, or a `Refusal`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from runyard_shared.clock import rfc3339, to_milliseconds
from runyard_shared.contracts.approvals import CancelApproval, RequestApproval
from runyard_shared.contracts.base import Event
from runyard_shared.contracts.values import ApprovalStatus
from runyard_shared.errors import Conflict, FieldProblem, Forbidden, Invalid

from runyard_approvals.approval import events
from runyard_approvals.approval.lifecycle import ANSWERS, Deadline, Purpose
from runyard_approvals.approval.state import ApprovalState, Delivery


@dataclass(frozen=True)
class Retries:
    """How often a message is sent to a channel that fails. Each pause is 4 times as long as the one before."""

    attempts: int = 5
    first_pause_seconds: float = 5.0
    longest_pause_seconds: float = 600.0

    def pause_after(self, attempt: int) -> float:
        """Seconds after the attempt of that number, from 1."""
        return min(self.first_pause_seconds * 4.0 ** (attempt - 1), self.longest_pause_seconds)


@dataclass(frozen=True)
class Circumstances:
    """`channels`: the tenant's, by name, and whether each is enabled."""

    now: datetime
    channels: Mapping[str, bool] = field(default_factory=dict)
    retries: Retries = Retries()


@dataclass(frozen=True)
class Answer:
    """What somebody says. `link`: the one-time code of the signed link they hold, which makes up for not being known."""

    request_id: str
    by: str
    decision: str
    note: str = ""
    via: str = "api"
    roles: tuple[str, ...] = ()
    link: str | None = None


@dataclass(frozen=True)
class Attempt:
    """How it went to tell a channel. `hopeless`: there is no sense in another attempt."""

    delivery: Delivery
    error: str | None = None
    hopeless: bool = False


def open_approval(order: RequestApproval, circumstances: Circumstances) -> list[Event]:
    """The first events of an approval."""
    notify, unknown = _to_notify(order.channels, Purpose.REQUESTED, order.execution_id, circumstances)
    opened = events.ApprovalOpened(
        execution_id=order.execution_id,
        root_execution_id=order.root_execution_id,
        node_id=order.node_id,
        workflow_name=order.workflow_name,
        started_by=order.started_by,
        message=order.message,
        requested_at=order.requested_at,
        approvers=order.approvers,
        min_approvals=order.min_approvals,
        prevent_self_approval=order.prevent_self_approval,
        expires_at=_after(order, order.timeout_seconds),
        remind_at=_after(order, order.remind_after_seconds),
        escalate_at=_after(order, order.escalate_after_seconds) if order.escalate_to else None,
        escalate_to=order.escalate_to,
        channels=order.channels,
        notify=notify,
        traceparent=order.traceparent,
    )
    return [opened, *unknown]


def answer(state: ApprovalState, given: Answer) -> list[Event]:
    """Refused: `invalid_answer`, `self_approval`, `not_an_approver`, `already_resolved`, `already_answered`.

    The same request once more is no second answer. `expire` first: this does not look at the time.
    """
    if _is_known(state, given.request_id):
        return []
    _check_words(given)
    if given.link is None:
        _check_person(state, given)
    check_pending(state, given.link)
    if any(vote.by == given.by for vote in state.votes):
        raise Conflict("already_answered", f"{given.by} has approved this already; {_missing(state)}")
    approvals = state.approvals + (given.decision == ApprovalStatus.APPROVED)
    if given.decision == ApprovalStatus.APPROVED and approvals < state.opened.min_approvals:
        return [
            events.ApprovalVoted(
                execution_id=state.opened.execution_id,
                by=given.by,
                note=given.note,
                via=given.via,
                approvals=approvals,
                request_id=given.request_id,
            )
        ]
    return [
        events.ApprovalResolved(
            execution_id=state.opened.execution_id,
            status=ApprovalStatus(given.decision),
            approvals=approvals,
            by=given.by,
            note=given.note,
            via=given.via,
            request_id=given.request_id,
            link=given.link,
        )
    ]


def check_pending(state: ApprovalState, link: str | None = None) -> None:
    """Raises `already_resolved`, and says who decided and when. `link`: the one-time code of whoever wants to know."""
    resolved, at = state.resolved, state.resolved_at
    if resolved is None or at is None:
        return
    words = {
        ApprovalStatus.EXPIRED: f"nobody decided in time: this expired at {rfc3339(at)}",
        ApprovalStatus.CANCELLED: f"the execution needs no answer any more: it was cancelled at {rfc3339(at)}",
    }
    detail = words.get(resolved.status, f"{resolved.by} has {resolved.status.value} this at {rfc3339(at)}")
    if link is not None and resolved.link == link:
        detail = f"this link was used at {rfc3339(at)}: {resolved.status.value}. A link works once"
    raise Conflict("already_resolved", detail, respondedBy=resolved.by, respondedAt=rfc3339(at), decision=resolved.status.value)


def cancel(state: ApprovalState, order: CancelApproval, now: datetime) -> list[Event]:
    """Nothing if it is resolved: the report of that is on its way, or has arrived."""
    if state.resolved is not None:
        return []
    return expire(state, now) or [_resolved(state, ApprovalStatus.CANCELLED, order.reason)]


def expire(state: ApprovalState, now: datetime) -> list[Event]:
    """The expiry, if it is time."""
    return [_resolved(state, ApprovalStatus.EXPIRED)] if _is_due(state, state.opened.expires_at, now) else []


def deadline_due(state: ApprovalState, deadline: Deadline, circumstances: Circumstances) -> list[Event]:
    """What a timer does; nothing if it comes too early, again, or after the decision."""
    opened, now = state.opened, circumstances.now
    match deadline:
        case Deadline.EXPIRE:
            return expire(state, now)
        case Deadline.REMIND if not state.reminded and _is_due(state, opened.remind_at, now):
            notify, unknown = _to_notify(opened.channels, Purpose.REMINDER, opened.execution_id, circumstances)
            return [events.ApprovalReminded(execution_id=opened.execution_id, notify=notify), *unknown]
        case Deadline.ESCALATE if not state.escalated and _is_due(state, opened.escalate_at, now):
            notify, unknown = _to_notify(opened.channels, Purpose.ESCALATION, opened.execution_id, circumstances)
            escalated = events.ApprovalEscalated(execution_id=opened.execution_id, to=opened.escalate_to, notify=notify)
            return [escalated, *unknown]
        case _:
            return []


def attempted(state: ApprovalState, attempt: Attempt, circumstances: Circumstances) -> list[Event]:
    """What an attempt to tell a channel comes to. A resolved approval asks nobody any more, so nothing is tried again."""
    delivery = attempt.delivery
    if delivery not in state.outstanding:
        return []
    attempts = state.outstanding[delivery] + 1
    again = state.resolved is None and not attempt.hopeless and attempts < circumstances.retries.attempts
    if attempt.error is not None and again:
        retry_at = circumstances.now + timedelta(seconds=circumstances.retries.pause_after(attempts))
        return [
            events.DeliveryFailed(
                purpose=delivery.purpose,
                channel=delivery.channel,
                attempts=attempts,
                error=attempt.error,
                retry_at=rfc3339(retry_at),
            )
        ]
    return [
        events.ApprovalNotified(
            execution_id=state.opened.execution_id,
            purpose=delivery.purpose,
            channel=delivery.channel,
            attempts=attempts,
            error=attempt.error,
        )
    ]


def _is_known(state: ApprovalState, request_id: str) -> bool:
    decided = state.resolved is not None and state.resolved.request_id == request_id
    return decided or any(vote.request_id == request_id for vote in state.votes)


def _check_words(given: Answer) -> None:
    problems: list[FieldProblem] = []
    if given.decision not in ANSWERS:
        problems.append(FieldProblem("decision", f"must be approved or rejected, not {given.decision!r}"))
    ways = ("link",) if given.link is not None else ("web", "mobile", "api")
    if given.via not in ways:
        problems.append(FieldProblem("via", f"must be {' or '.join(ways)}, not {given.via!r}"))
    if problems:
        raise Invalid("invalid_answer", "; ".join(f"{each.path} {each.message}" for each in problems), tuple(problems))


def _check_person(state: ApprovalState, given: Answer) -> None:
    opened = state.opened
    if opened.prevent_self_approval and given.by == opened.started_by:
        raise Forbidden("self_approval", f"{given.by} started this execution, and somebody else must decide")
    wanted = state.approvers
    if wanted and given.by not in wanted and not any(f"role:{role}" in wanted for role in given.roles):
        raise Forbidden("not_an_approver", f"{given.by} may not decide this; ask {', '.join(wanted)}")


def _missing(state: ApprovalState) -> str:
    missing = state.opened.min_approvals - state.approvals
    return f"{missing} more {'person' if missing == 1 else 'people'} must approve"


def _resolved(state: ApprovalState, status: ApprovalStatus, note: str = "") -> events.ApprovalResolved:
    return events.ApprovalResolved(execution_id=state.opened.execution_id, status=status, approvals=state.approvals, note=note)


def _is_due(state: ApprovalState, at: str | None, now: datetime) -> bool:
    return state.resolved is None and at is not None and datetime.fromisoformat(at) <= now


def _after(order: RequestApproval, seconds: float) -> str | None:
    if seconds <= 0:
        return None
    return rfc3339(to_milliseconds(datetime.fromisoformat(order.requested_at) + timedelta(seconds=seconds)))


def _to_notify(
    wanted: Iterable[str] | None, purpose: Purpose, execution_id: str, circumstances: Circumstances
) -> tuple[list[str], list[Event]]:
    """The channels to be told, and an event for each of those that cannot be."""
    known = circumstances.channels
    if wanted is None:
        return sorted(name for name, enabled in known.items() if enabled), []
    names = list(dict.fromkeys(wanted))
    failures: list[Event] = [
        events.ApprovalNotified(
            execution_id=execution_id,
            purpose=purpose,
            channel=name,
            attempts=0,
            error=f"the channel {name!r} is disabled; enable it in the settings"
            if name in known
            else f"there is no channel {name!r}; make it in the settings, or correct the name in the workflow",
        )
        for name in names
        if not known.get(name)
    ]
    return [name for name in names if known.get(name)], failures
