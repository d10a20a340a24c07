"""What the gateway asks the orchestrator, approvals and the dispatcher to do, and what they answer. Sent to the inbox partition
of the stream concerned; to the dispatcher, to `DISPATCHER_COMMANDS`."""

from typing import Any, Final

from runyard_shared.contracts.actions import ActionType
from runyard_shared.contracts.base import Contract, Message
from runyard_shared.contracts.values import Trigger


class CreateWorkflow(Message, frozen=True, kw_only=True):
    """Reply result: `{workflowId, name, ...}` (the draft)."""

    workflow_id: str
    document: dict[str, Any]
    source: str
    format: str


class SaveDraft(Message, frozen=True, kw_only=True):
    """Replace the draft. `if_revision`: only if that is its number, counted from 1 with `CreateWorkflow`; else
    refused with `draft_changed` (412) and `revision`, `savedBy`, `savedAt` of the one there is now. Reply result: as
    `CreateWorkflow`, with these three."""

    workflow_id: str
    if_revision: int | None = None
    document: dict[str, Any]
    source: str
    format: str


class Catalog(Contract, frozen=True, kw_only=True):
    """What a workflow may refer to in its tenant, as the gateway read it: pools and agents by name, connections with their
    kinds, and the action types that agents announced beyond the built-in ones."""

    pools: list[str] = []
    agents: list[str] = []
    connections: dict[str, str] = {}
    actions: list[ActionType] = []


class ValidateWorkflow(Message, frozen=True, kw_only=True):
    """Checks the draft as a publish would; with a `document` that one, and then there need be no workflow of the id.

    Reply result: `{valid, errors: [{path, message}], warnings: [{path, message}]}`.
    """

    workflow_id: str
    catalog: Catalog
    document: dict[str, Any] | None = None


class PublishWorkflow(Message, frozen=True, kw_only=True):
    """Reply result: `{version, warnings}`. Refused with all problems at once."""

    workflow_id: str
    catalog: Catalog


class ImportWorkflow(Message, frozen=True, kw_only=True):
    """Make a workflow, or (if there is one of the id) replace its draft, and then `publish` and `activate` it: in one append,
    so that a refusal leaves nothing behind.

    Reply result: as `SaveDraft`, with `changed`. Refused as those four are; with `workflow_name_taken` and the `workflowId` of
    its owner, which the document can be sent to then. `dry_run`: the reply is the same, and nothing happens.
    """

    workflow_id: str
    document: dict[str, Any]
    source: str
    format: str
    publish: bool = False
    activate: bool = False
    catalog: Catalog
    dry_run: bool = False


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
    """Reply result: `{executionId}`. The same `idempotency_key` gives the first answer again (R1). `traceparent`: the W3C trace
    context of the request, where it is traced."""

    execution_id: str
    workflow_id: str
    variables: dict[str, Any]
    trigger: Trigger
    idempotency_key: str | None = None
    traceparent: str | None = None


class CancelExecution(Message, frozen=True, kw_only=True):
    execution_id: str
    reason: str = ""
    force: bool = False


class RerunExecution(Message, frozen=True, kw_only=True):
    """Start `execution_id` as a re-run of `rerun_of`: with `from_node` of the version that ran, reusing the results of every
    node that is not downstream of it; else of the version published now. `variables` replace inputs of the same name;
    the trigger is that of the first. `traceparent`: as of `StartExecution`.

    Reply result: `{executionId}`.
    """

    execution_id: str
    rerun_of: str
    from_node: str | None = None
    variables: dict[str, Any] = {}
    idempotency_key: str | None = None
    traceparent: str | None = None


class ReceiveIncident(Message, frozen=True, kw_only=True):
    """An event of an incident, for every incident trigger of the tenant. `receipt_id` becomes the stream of the trigger record.
    The same `idempotency_key`, or without one the same event and incident within 5 minutes, gives the first answer again.

    Reply result: `{receiptId, executions: [{executionId, workflowId}], skipped: [{workflowId, workflowName, reason}]}`.
    """

    receipt_id: str
    event: str
    incident: dict[str, Any]
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
    shown again; None keeps that of a channel that is there already. Reply result: `{channelId, name, kind, enabled}`.
    Refused with `channel_not_found` (404) if there is none to keep."""

    channel_id: str
    name: str
    url: str | None
    enabled: bool = True


class DeleteChannel(Message, frozen=True, kw_only=True):
    channel_id: str


class TestChannel(Message, frozen=True, kw_only=True):
    """Send a test message now. Reply result: `{delivered, error}`."""

    channel_id: str


class ListChannels(Message, frozen=True, kw_only=True):
    """Reply result: `{items: [{channelId, name, kind, enabled, createdAt}]}`."""

    channel_id: str = ""


# --- to the dispatcher


class CreateAgent(Message, frozen=True, kw_only=True):
    """A new agent, offline until it enrols with its key; or a revoked one of that name, anew. `key_hash`: SHA-256 (hex) of the
    key, which only whoever asked has seen.

    Reply result: `{agentId, name, pool, tags}`. Refused with `agent_exists` (409), `unknown_pool` (422).
    """

    agent_id: str
    name: str
    pool: str
    tags: list[str]
    key_hash: str


class EnrolAgent(Message, frozen=True, kw_only=True):
    """An agent's process asks to be let in. The request's `actor` is the agent itself.

    `public_key`: X25519, 32 bytes. `transport`: amqp, https, local (an agent within the process of the server), or auto for
    whatever the installation offers first. Reply result: an `Enrolment` as JSON. Refused with `agent_unknown` (401: key changed
    or revoked), `agent_connected` (409: another process, with another key pair, is online), `no_broker_accounts` (422: only
    https is offered here).
    """

    agent_id: str
    key_hash: str
    public_key: bytes
    version: str
    transport: str = "auto"


class ChangeAgent(Message, frozen=True, kw_only=True):
    """What is None stays. Reply result: as `CreateAgent`."""

    agent_id: str
    pool: str | None = None
    tags: list[str] | None = None


class RotateAgentKey(Message, frozen=True, kw_only=True):
    """The old key, and what was made of it, is cut off at once; the agent is offline until it enrols with the new one."""

    agent_id: str
    key_hash: str


class RevokeAgent(Message, frozen=True, kw_only=True):
    """Cut off at once and for good: its running jobs count as lost."""

    agent_id: str


class DrainAgent(Message, frozen=True, kw_only=True):
    """It finishes what it has and gets nothing new."""

    agent_id: str


class ResumeAgent(Message, frozen=True, kw_only=True):
    agent_id: str


class CreatePool(Message, frozen=True, kw_only=True):
    """The pool `default` always exists. Refused with `pool_exists` (409)."""

    pool: str
    description: str = ""


class DeletePool(Message, frozen=True, kw_only=True):
    """Refused with `pool_in_use` (409) while an agent is in it or a job waits for it, `pool_is_default` (409)."""

    pool: str


class PausePool(Message, frozen=True, kw_only=True):
    """Nothing new is sent to its agents; `reason` is shown wherever a job waits for it."""

    pool: str
    reason: str = ""


class ResumePool(Message, frozen=True, kw_only=True):
    pool: str


class SaveConnection(Message, frozen=True, kw_only=True):
    """Make a connection, or (`new` false) replace it but for its kind. `config` has been checked against its kind.

    `sealed_secrets`: by name, each a box for the dispatcher's public key; names that are absent keep what they had, None
    removes. `pools`: which may use it; empty for all. Reply result: `{connectionId, name, kind, config, secrets: [names],
    pools, enabled}`. Refused with `connection_exists` (409), `unknown_pool` (422), `stale_sealing_key` (409: seal again),
    `no_master_key` (503).
    """

    connection_id: str
    new: bool
    name: str
    kind: str
    config: dict[str, Any]
    sealed_secrets: dict[str, bytes | None]
    pools: list[str]
    description: str = ""


class EnableConnection(Message, frozen=True, kw_only=True):
    connection_id: str


class DisableConnection(Message, frozen=True, kw_only=True):
    """Jobs that wait for it fail at once, and so does every new one (R52)."""

    connection_id: str


class DeleteConnection(Message, frozen=True, kw_only=True):
    connection_id: str


class TestConnection(Message, frozen=True, kw_only=True):
    """Have an online agent that may use it try it out; `agent` names which, else the healthiest.

    Reply result: `{ok, message, agent, durationMs}`. Refused with `no_agent_online` (409), `connection_disabled` (409).
    """

    connection_id: str
    agent: str | None = None


# --- to the projections


class RebuildReadModels(Message, frozen=True, kw_only=True):
    """Make read models anew from the log, in the background, while readers go on; `names` empty for all.

    Reply result: `{names}` once it has begun. Refused with `rebuild_under_way` (409), `unknown_projection` (422).
    """

    names: list[str] = []


class CheckReadModels(Message, frozen=True, kw_only=True):
    """Compare every row of these read models with a replay of the log, in the background; `names` empty for all.

    Reply result: `{names}` once it has begun. Refused as `RebuildReadModels`.
    """

    names: list[str] = []


class SetRetention(Message, frozen=True, kw_only=True):
    """For how long the tenant's data is kept: history and audit log for months after their end, before they are archived, None
    for ever; output of jobs for days, 0 for ever, None as the installation does.

    Reply result: `{historyMonths, outputDays, auditMonths}`. Refused with `no_archive_directory` (409) if months are given and
    there is no place for archives.
    """

    history_months: int | None
    output_days: int | None = None
    audit_months: int | None = None


class SettleParkedMessage(Message, frozen=True, kw_only=True):
    """Note what became of a parked message: it was `retried` (sent again, before this) or `dropped`. `parked_at`: as it was
    read; one that was parked again since is left as it is.

    Reply result: `{outcome}`, null for one that was parked again. Refused with `parked_message_not_found` (404),
    `parked_message_settled` (409).
    """

    message_id: str
    parked_at: str
    outcome: str


# --- to the dispatcher and to approvals


class RotateSecrets(Message, frozen=True, kw_only=True):
    """Protect with the newest key what an older one protects, at most `limit` secrets of it: to be repeated until none remain.

    Reply result: `{changed, current, remaining, unreadable: [words]}`. Refused with `no_master_key` (400), `other_master_key`
    (409).
    """

    limit: int


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
    | ImportWorkflow
    | ActivateWorkflow
    | DeactivateWorkflow
    | RollBackWorkflow
    | ArchiveWorkflow
    | StartExecution
    | CancelExecution
    | RerunExecution
    | ReceiveIncident
    | AnswerApproval
    | ShowApprovalLink
    | AnswerApprovalLink
    | SaveChannel
    | DeleteChannel
    | TestChannel
    | ListChannels
    | CreateAgent
    | EnrolAgent
    | ChangeAgent
    | RotateAgentKey
    | RevokeAgent
    | DrainAgent
    | ResumeAgent
    | CreatePool
    | DeletePool
    | PausePool
    | ResumePool
    | SaveConnection
    | EnableConnection
    | DisableConnection
    | DeleteConnection
    | TestConnection
    | RebuildReadModels
    | CheckReadModels
    | SetRetention
    | SettleParkedMessage
    | RotateSecrets
)

SECRETS: Final = {"SaveChannel": ("url",), "ShowApprovalLink": ("token",), "AnswerApprovalLink": ("token",)}
"""By command: what it carries in the open and nobody may be shown, by its name on the wire. All other secrets travel sealed."""


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
