"""approval: waits for people. The approvals service collects their answers and reports the one decision; here it is written
down, also after the execution has ended, and followed if the node still waits for it."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from runyard_shared.clock import rfc3339
from runyard_shared.contracts import events, reports
from runyard_shared.contracts.commands import Catalog
from runyard_shared.contracts.values import ApprovalStatus, ErrorInfo, NodeStatus
from runyard_shared.contracts.workflow import ApprovalNode
from runyard_shared.ids import derived_id
from runyard_shared.trace_context import within

from runyard_orchestrator.execution.state import ApprovalState, ExecutionState, NodeState
from runyard_orchestrator.execution.transitions import replace
from runyard_orchestrator.nodes.base import NodeType, Problems
from runyard_orchestrator.workflow.expressions import as_text

if TYPE_CHECKING:
    from runyard_orchestrator.execution.walk import Walk
    from runyard_orchestrator.workflow.graph import GraphNode


def _changed(state: ExecutionState, approval_id: str, **changes: Any) -> None:
    state.approvals[approval_id] = replace(state.approvals[approval_id], **changes)


def _requested(state: ExecutionState, event: events.ApprovalRequested, _graph: Any) -> None:
    state.approvals[event.approval_id] = ApprovalState(event.node_id, event.min_approvals)
    state.nodes[event.node_id] = NodeState(NodeStatus.WAITING)


def _voted(state: ExecutionState, event: events.ApprovalVoted, _graph: Any) -> None:
    _changed(state, event.approval_id, votes=event.approvals)


def _reminded(state: ExecutionState, event: events.ApprovalReminded, _graph: Any) -> None:
    _changed(state, event.approval_id, reminded=True)


def _escalated(state: ExecutionState, event: events.ApprovalEscalated, _graph: Any) -> None:
    _changed(state, event.approval_id, escalated=True)


def _notified(state: ExecutionState, event: events.ApprovalNotified, _graph: Any) -> None:
    notified = (*state.approvals[event.approval_id].notified, (event.channel, event.purpose))
    _changed(state, event.approval_id, notified=notified)


def _cancel_requested(_state: ExecutionState, _event: events.ApprovalCancelRequested, _graph: Any) -> None:
    """The approval stays open until the approvals service has answered."""


def _resolved(state: ExecutionState, event: events.ApprovalResolved, _graph: Any) -> None:
    _changed(state, event.approval_id, status=event.status)


class Approval(NodeType[ApprovalNode]):
    ports = ("approved", "rejected")
    applies = {
        events.ApprovalRequested: _requested,
        events.ApprovalVoted: _voted,
        events.ApprovalReminded: _reminded,
        events.ApprovalEscalated: _escalated,
        events.ApprovalNotified: _notified,
        events.ApprovalCancelRequested: _cancel_requested,
        events.ApprovalResolved: _resolved,
    }

    def template_of(self, spec: ApprovalNode) -> Any:
        return spec.message

    def template_field(self) -> str:
        return "message"

    def sample_output(self, spec: ApprovalNode, catalog: Catalog) -> dict[str, Any]:
        return dict.fromkeys(("decision", "respondedBy", "responseNote", "respondedVia", "respondedAt"), "1")

    def problems(self, spec: ApprovalNode, path: str, catalog: Catalog) -> Problems:
        named = [approver for approver in spec.approvers if not approver.startswith("role:")]
        if spec.approvers and len(named) == len(spec.approvers) and spec.min_approvals > len({*named, *spec.escalate_to}):
            yield f"{path}.minApprovals", f"asks for {spec.min_approvals} people, but only {len(set(named))} may answer"
        if spec.escalate_to and not spec.escalate_after_seconds:
            yield f"{path}.escalateAfterSeconds", "is needed with escalateTo: when to escalate"
        if spec.escalate_after_seconds and not spec.escalate_to:
            yield f"{path}.escalateTo", "is needed with escalateAfterSeconds: whom to ask then"
        for field, seconds in (
            ("remindAfterSeconds", spec.remind_after_seconds),
            ("escalateAfterSeconds", spec.escalate_after_seconds),
        ):
            if spec.timeout_seconds and seconds >= spec.timeout_seconds:
                yield f"{path}.{field}", f"must be less than timeoutSeconds ({spec.timeout_seconds:g})"

    def enter(self, walk: "Walk", node_id: str, node: "GraphNode") -> None:
        spec = node.spec
        if not isinstance(spec, ApprovalNode):
            raise TypeError(f"{node_id} is not an approval")
        warnings: list[str] = []
        message = walk.render(node_id, node.template, warnings)
        if isinstance(message, ErrorInfo):
            walk.fail(node_id, message)
            return
        state = walk.state
        approval_id = derived_id(walk.now, state.execution_id, node_id, "approval")
        walk.emit(
            events.ApprovalRequested(
                approval_id=approval_id,
                node_id=node_id,
                message=as_text(message),
                approvers=spec.approvers,
                min_approvals=spec.min_approvals,
                prevent_self_approval=spec.prevent_self_approval,
                timeout_seconds=spec.timeout_seconds,
                expires_at=rfc3339(walk.now + timedelta(seconds=spec.timeout_seconds)) if spec.timeout_seconds else None,
                remind_after_seconds=spec.remind_after_seconds,
                escalate_after_seconds=spec.escalate_after_seconds,
                escalate_to=spec.escalate_to,
                channels=spec.channels,
                workflow_name=state.workflow_name,
                started_by=state.started_by,
                warnings=warnings,
                traceparent=within(state.traceparent, approval_id),
            )
        )

    def give_up(self, walk: "Walk", node_id: str, reason: str, *, force: bool) -> None:
        super().give_up(walk, node_id, reason, force=force)
        for approval_id, approval in list(walk.state.approvals.items()):
            if approval.node_id == node_id and approval.status == ApprovalStatus.PENDING:
                walk.emit(events.ApprovalCancelRequested(approval_id=approval_id, node_id=node_id, reason=reason))


def report_on_approval(walk: "Walk", report: reports.AnyApprovalReport) -> None:
    """Write down what is new, and go on if it is the decision."""
    approval = walk.state.approvals.get(report.approval_id)
    if approval is None:
        raise TypeError(f"execution {walk.state.execution_id} has no approval {report.approval_id}")
    ids = {"approval_id": report.approval_id, "node_id": approval.node_id}
    match report:
        case reports.ApprovalVoted() if report.approvals > approval.votes:
            walk.emit(
                events.ApprovalVoted(
                    **ids,
                    by=report.by,
                    note=report.note,
                    via=report.via,
                    approvals=report.approvals,
                    min_approvals=approval.min_approvals,
                )
            )
        case reports.ApprovalReminded() if not approval.reminded:
            walk.emit(events.ApprovalReminded(**ids))
        case reports.ApprovalEscalated() if not approval.escalated:
            walk.emit(events.ApprovalEscalated(**ids, to=report.to))
        case reports.ApprovalNotified() if (report.channel, report.purpose) not in approval.notified:
            walk.emit(
                events.ApprovalNotified(
                    **ids, channel=report.channel, purpose=report.purpose, attempts=report.attempts, error=report.error
                )
            )
        case reports.ApprovalResolved() if approval.status == ApprovalStatus.PENDING:
            _resolve(walk, approval, report)
        case _:
            pass


def _resolve(walk: "Walk", approval: ApprovalState, report: reports.ApprovalResolved) -> None:
    node_id = approval.node_id
    walk.emit(
        events.ApprovalResolved(
            approval_id=report.approval_id,
            node_id=node_id,
            status=report.status,
            responded_by=report.responded_by,
            note=report.note,
            via=report.via,
            responded_at=report.responded_at,
        )
    )
    if walk.state.nodes[node_id].status != NodeStatus.WAITING:
        return
    port = "approved" if report.status == ApprovalStatus.APPROVED else "rejected"
    if port == "rejected" and not walk.graph.nodes[node_id].has_port(port):
        walk.fail(node_id, _rejection(node_id, report))
        return
    output = {
        "decision": report.status.value,
        "respondedBy": report.responded_by or "",
        "responseNote": report.note,
        "respondedVia": report.via or "",
        "respondedAt": report.responded_at,
    }
    walk.complete(node_id, port, output=output)


def _rejection(node_id: str, report: reports.ApprovalResolved) -> ErrorInfo:
    match report.status:
        case ApprovalStatus.EXPIRED:
            reason, message = "approval_expired", "nobody decided in time, and no edge leads on from a rejection"
        case ApprovalStatus.CANCELLED:
            reason, message = "approval_cancelled", f"the approval was cancelled: {report.note}"
        case _:
            note = f": {report.note}" if report.note else ""
            reason = "approval_rejected"
            message = f"{report.responded_by or 'somebody'} rejected it{note}; no edge leads on from a rejection"
    return ErrorInfo(reason=reason, message=message, node_id=node_id)
