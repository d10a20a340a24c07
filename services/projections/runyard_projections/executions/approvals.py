"""The events of approvals; they may come after their execution has ended.

event               execution               approval                        node
------------------  ----------------------  ------------------------------  ------------------
approval.requested  pending_approvals + 1   new, pending                    waiting (approval)
approval.voted                              one more of its votes
approval.notified                           one more of its notifications
approval.reminded                           reminded_at
approval.escalated                          escalated_at, escalated_to
approval.resolved   pending_approvals - 1   its final status, by whom
"""

from datetime import datetime
from typing import Final

from runyard_shared.clock import rfc3339
from runyard_shared.contracts import events
from runyard_shared.contracts.feed import Recorded
from runyard_shared.contracts.values import ApprovalStatus, NodeStatus

from runyard_projections.executions.changes import ApprovalChange, Changes, ExecutionChange, Fold, NewApproval
from runyard_projections.executions.nodes import enter, waiting
from runyard_projections.executions.pauses import Move
from runyard_projections.text import json_text, storable


def _requested(changes: Changes, execution: ExecutionChange, row: Recorded, event: events.ApprovalRequested) -> None:
    approval = _approval(changes, execution, row, event.approval_id)
    approval.status = ApprovalStatus.PENDING
    approval.new = NewApproval(
        row.tenant_id,
        row.stream_id,
        storable(event.node_id),
        storable(event.workflow_name),
        storable(event.started_by),
        storable(event.message),
        _names(event.approvers),
        event.min_approvals,
        event.prevent_self_approval,
        row.recorded_at,
        None if event.expires_at is None else datetime.fromisoformat(event.expires_at),
    )
    node = enter(changes, execution, row, event.node_id, NodeStatus.WAITING)
    waiting(node, "approval", row.recorded_at, until=event.expires_at, approvalId=event.approval_id)
    execution.pending_approvals += 1
    execution.approvals_moved = True
    execution.steps.append((Move.APPROVAL_ASKED, row.recorded_at, None))


def _voted(changes: Changes, execution: ExecutionChange, row: Recorded, event: events.ApprovalVoted) -> None:
    vote = {"by": event.by, "note": event.note, "via": event.via, "at": rfc3339(row.recorded_at)}
    _approval(changes, execution, row, event.approval_id).given_votes.append(json_text(vote))


def _notified(changes: Changes, execution: ExecutionChange, row: Recorded, event: events.ApprovalNotified) -> None:
    notification = {
        "channel": event.channel,
        "purpose": event.purpose,
        "error": event.error,
        "attempts": event.attempts,
        "at": rfc3339(row.recorded_at),
    }
    _approval(changes, execution, row, event.approval_id).sent.append(json_text(notification))


def _reminded(changes: Changes, execution: ExecutionChange, row: Recorded, event: events.ApprovalReminded) -> None:
    _approval(changes, execution, row, event.approval_id).reminded_at = row.recorded_at


def _escalated(changes: Changes, execution: ExecutionChange, row: Recorded, event: events.ApprovalEscalated) -> None:
    approval = _approval(changes, execution, row, event.approval_id)
    approval.escalated_at = row.recorded_at
    approval.escalated_to = _names(event.to)


def _resolved(changes: Changes, execution: ExecutionChange, row: Recorded, event: events.ApprovalResolved) -> None:
    approval = _approval(changes, execution, row, event.approval_id)
    approval.status = event.status
    approval.responded_by = None if event.responded_by is None else storable(event.responded_by)
    approval.response_note = storable(event.note)
    approval.responded_via = None if event.via is None else storable(event.via)
    approval.responded_at = datetime.fromisoformat(event.responded_at)
    execution.pending_approvals -= 1
    execution.approvals_moved = True
    execution.steps.append((Move.APPROVAL_DECIDED, row.recorded_at, None))


def _approval(changes: Changes, execution: ExecutionChange, row: Recorded, approval_id: str) -> ApprovalChange:
    approval = changes.approval(execution.execution_id, approval_id)
    approval.position = row.position
    return approval


def _names(names: list[str]) -> str:
    return json_text([storable(name) for name in names])


APPLY: Final[dict[str, Fold]] = {
    events.ApprovalRequested.topic: _requested,
    events.ApprovalVoted.topic: _voted,
    events.ApprovalNotified.topic: _notified,
    events.ApprovalReminded.topic: _reminded,
    events.ApprovalEscalated.topic: _escalated,
    events.ApprovalResolved.topic: _resolved,
}
