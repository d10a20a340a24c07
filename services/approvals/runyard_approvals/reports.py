"""What the execution is told of its approval: at most one report for each event, in log order."""

from collections.abc import Iterable

from runyard_shared.clock import rfc3339
from runyard_shared.contracts import reports
from runyard_shared.contracts.feed import Recorded
from runyard_shared.eventstore.mapper import EventMapper
from runyard_shared.messaging.topology import orchestrator_inbox

from runyard_approvals.approval import events
from runyard_approvals.approval.events import APPROVAL_EVENTS

MAPPER = EventMapper(APPROVAL_EVENTS)


def reports_of(recorded: Recorded) -> Iterable[tuple[str, reports.AnyApprovalReport]]:
    """(queue, report) pairs for one event: the relay's route."""
    report = _report(recorded)
    return () if report is None else ((orchestrator_inbox(report.execution_id), report),)


def _report(recorded: Recorded) -> reports.AnyApprovalReport | None:
    tenant_id, approval_id = recorded.tenant_id, recorded.stream_id
    match MAPPER.decode(recorded):
        case events.ApprovalVoted() as voted:
            return reports.ApprovalVoted(
                tenant_id=tenant_id,
                execution_id=voted.execution_id,
                approval_id=approval_id,
                by=voted.by,
                note=voted.note,
                via=voted.via,
                approvals=voted.approvals,
            )
        case events.ApprovalReminded(execution_id=execution_id):
            return reports.ApprovalReminded(tenant_id=tenant_id, execution_id=execution_id, approval_id=approval_id)
        case events.ApprovalEscalated(execution_id=execution_id, to=to):
            return reports.ApprovalEscalated(tenant_id=tenant_id, execution_id=execution_id, approval_id=approval_id, to=to)
        case events.ApprovalNotified() as notified:
            return reports.ApprovalNotified(
                tenant_id=tenant_id,
                execution_id=notified.execution_id,
                approval_id=approval_id,
                channel=notified.channel,
                purpose=notified.purpose,
                attempts=notified.attempts,
                error=notified.error,
            )
        case events.ApprovalResolved() as resolved:
            return reports.ApprovalResolved(
                tenant_id=tenant_id,
                execution_id=resolved.execution_id,
                approval_id=approval_id,
                status=resolved.status,
                responded_at=rfc3339(recorded.recorded_at),
                responded_by=resolved.by,
                note=resolved.note,
                via=resolved.via,
            )
        case _:
            return None
