"""What the gateway asks the orchestrator and approvals to do, and what they answer. Sent to the inbox partition of the stream
concerned."""

from typing import Any

from runyard_shared.contracts.base import Contract, Message
from runyard_shared.contracts.values import Trigger


class CreateWorkflow(Message, frozen=True, kw_only=True):
    """Reply result: `{workflowId, name, ...}` (the draft)."""

    workflow_id: str
    document: dict[str, Any]
    source: str
    format: str


class SaveDraft(Message, frozen=True, kw_only=True):
    workflow_id: str
    document: dict[str, Any]
    source: str
    format: str


class ValidateWorkflow(Message, frozen=True, kw_only=True):
    """Checks the draft as a publish would. Reply result: `{valid, errors: [{path, message}]}`."""

    workflow_id: str


class PublishWorkflow(Message, frozen=True, kw_only=True):
    """Reply result: `{version}`. Refused with all problems at once."""

    workflow_id: str


class ActivateWorkflow(Message, frozen=True, kw_only=True):
    workflow_id: str


class DeactivateWorkflow(Message, frozen=True, kw_only=True):
    workflow_id: str


class RollBackWorkflow(Message, frozen=True, kw_only=True):
    workflow_id: str
    version: int


class ArchiveWorkflow(Message, frozen=True, kw_only=True):
    workflow_id: str


class StartExecution(Message, frozen=True, kw_only=True):
    """Reply result: `{executionId}`. The same `idempotency_key` gives the first answer again (R1)."""

    execution_id: str
    workflow_id: str
    variables: dict[str, Any]
    trigger: Trigger
    idempotency_key: str | None = None


class CancelExecution(Message, frozen=True, kw_only=True):
    execution_id: str
    reason: str = ""
    force: bool = False


class RerunExecution(Message, frozen=True, kw_only=True):
    """Start `execution_id` as a re-run of `rerun_of`: with `from_node` of the version that ran, reusing the results of every
    node that is not downstream of it; else of the version published now. `variables` replace inputs of the same name;
    the trigger is that of the first.

    Reply result: `{executionId}`.
    """

    execution_id: str
    rerun_of: str
    from_node: str | None = None
    variables: dict[str, Any] = {}
    idempotency_key: str | None = None


# --- to the approvals service, at the inbox partition of the approval


class AnswerApproval(Message, frozen=True, kw_only=True):
    """`decision`: approved or rejected. `roles`: of whoever answers (the request's `actor`). `via`: web, mobile, api.

    Reply result: the approval as `{approvalId, status, respondedBy, responseNote, respondedVia, respondedAt, approvals,
    minApprovals}`. Refused with `not_an_approver` (403), `already_resolved` or `already_answered` (409), `approval_not_found`.
    """

    approval_id: str
    decision: str
    note: str = ""
    via: str = "api"
    roles: list[str] = []


class ShowApprovalLink(Message, frozen=True, kw_only=True):
    """What a signed link would decide, for its confirmation page; changes nothing.

    Reply result: `{approvalId, workflowName, message, status, expiresAt, approver}`.
    """

    approval_id: str
    token: str


class AnswerApprovalLink(Message, frozen=True, kw_only=True):
    """As `AnswerApproval`, by whom the signed link was made for, via `link`."""

    approval_id: str
    token: str
    decision: str
    note: str = ""


class SaveChannel(Message, frozen=True, kw_only=True):
    """Make or replace a notification channel. `url` is a secret (it has passwords in it): it is stored encrypted and never
    shown again. Reply result: `{channelId, name, kind, enabled}`."""

    channel_id: str
    name: str
    url: str
    enabled: bool = True


class DeleteChannel(Message, frozen=True, kw_only=True):
    channel_id: str


class TestChannel(Message, frozen=True, kw_only=True):
    """Send a test message now. Reply result: `{delivered, error}`."""

    channel_id: str


class ListChannels(Message, frozen=True, kw_only=True):
    """Reply result: `{items: [{channelId, name, kind, enabled, createdAt}]}`."""

    channel_id: str = ""


class TimerDue(Message, frozen=True, kw_only=True):
    """A durable timer of the stream fell due. Sent by the service's own timer loop."""

    stream_id: str
    timer_id: str
    payload: dict[str, Any] = {}


Command = (
    CreateWorkflow
    | SaveDraft
    | ValidateWorkflow
    | PublishWorkflow
    | ActivateWorkflow
    | DeactivateWorkflow
    | RollBackWorkflow
    | ArchiveWorkflow
    | StartExecution
    | CancelExecution
    | RerunExecution
    | AnswerApproval
    | ShowApprovalLink
    | AnswerApprovalLink
    | SaveChannel
    | DeleteChannel
    | TestChannel
    | ListChannels
)


class Request(Message, frozen=True, kw_only=True):
    """A command with who sent it and where the answer goes (a mailbox; null: no answer wanted)."""

    request_id: str
    tenant_id: str
    actor: str
    command: Command
    reply_to: str | None = None


class Problem(Contract, frozen=True, kw_only=True):
    """A refusal on the wire; the gateway makes an RFC 9457 document of it."""

    code: str
    detail: str
    status: int
    errors: list[dict[str, str]] = []
    extra: dict[str, Any] = {}


class Reply(Message, frozen=True, kw_only=True):
    """Exactly one of `result` and `problem`. `position`: the log position of the commit, to read your own write."""

    request_id: str
    result: dict[str, Any] | None = None
    position: int | None = None
    problem: Problem | None = None
