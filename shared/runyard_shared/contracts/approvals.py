"""Orders from the orchestrator (its relay) to the approvals service, at the inbox partition of the approval."""

from runyard_shared.contracts.base import Message


class RequestApproval(Message, frozen=True, kw_only=True):
    """Ask people. Sent at least once; a known approval is left as it is.

    `execution_id`: the stream that asks and is reported to. `root_execution_id`: the execution that users see.
    `requested_at`: RFC 3339; deadlines count from it. `traceparent`: of the approval's span, where it is traced.
    """

    tenant_id: str
    approval_id: str
    execution_id: str
    root_execution_id: str
    node_id: str
    workflow_name: str
    started_by: str
    message: str
    requested_at: str
    approvers: list[str] = []
    min_approvals: int = 1
    prevent_self_approval: bool = False
    timeout_seconds: float = 0
    remind_after_seconds: float = 0
    escalate_after_seconds: float = 0
    escalate_to: list[str] = []
    channels: list[str] | None = None
    traceparent: str | None = None


class CancelApproval(Message, frozen=True, kw_only=True):
    """The execution needs no answer any more. Answered with `ApprovalResolved`, whatever was decided."""

    tenant_id: str
    approval_id: str
    reason: str


ApprovalOrder = RequestApproval | CancelApproval
