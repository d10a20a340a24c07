"""What the gateway asks the orchestrator to do, and what it answers. Sent to the inbox partition of the stream concerned."""

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
