"""What the API answers: one msgspec type for each body. Handlers fill them and the OpenAPI document is generated from them.

Nothing is left out on the wire: what does not apply is null. `Json` fields hold a value as it is stored, or its raw text.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from runyard_shared.contracts.values import ApprovalStatus, ErrorInfo, ExecutionStatus, JobStatus, NodeStatus, Trigger
from runyard_shared.public_events import PublicEvent

from runyard_gateway.execution_log import LogEntry
from runyard_gateway.graph import EdgeStatus
from runyard_gateway.permissions import Permission
from runyard_gateway.shown_once import ShownOnce

Id = Annotated[str, Meta(description="A UUIDv7", extra_json_schema={"format": "uuid"})]
Instant = Annotated[str, Meta(description="RFC 3339, UTC, milliseconds", extra_json_schema={"format": "date-time"})]
Position = Annotated[int, Meta(description="A position in the log")]
Json = Annotated[Any, Meta(description="Any JSON value")]
Item = Annotated[str | None, Meta(description="The iteration of a forEach, such as each[3]; null outside of one")]
Cursor = Annotated[str | None, Meta(description="Give it as `cursor` for the next page; null on the last one")]


class Body(msgspec.Struct, rename="camel", kw_only=True):
    """Base of all answers."""


# --- executions


class JobCounts(Body):
    """Retries are jobs too."""

    completed: int
    total: int


class WaitingRow(Body):
    """One thing an active execution waits for. `detail` says it in words."""

    reason: Literal["agent", "retry", "delay", "approval", "subworkflow", "jobs"]
    node_id: str | None
    node_name: str | None
    item: Item
    since: Instant | None
    until: Annotated[Instant | None, Meta(description="Null: nobody knows, or never")]
    detail: str
    job_id: Id | None
    approval_id: Id | None
    child_execution_id: Id | None


class Execution(Body):
    """`durationMs` runs until now while the execution is active; `pausedMs`, a part of it, while it is paused.

    `waiting` has at most 20 of `waitingTotal`, oldest first; none once the execution has finished.
    """

    execution_id: Id
    workflow_id: Id
    workflow_name: str
    version: int
    status: ExecutionStatus
    trigger: Trigger
    started_at: Instant
    finished_at: Instant | None
    duration_ms: int
    paused_ms: int
    pending_approvals: int
    parent_execution_id: Annotated[Id | None, Meta(description="Of a subworkflow: the execution that waits for it")]
    rerun_of: Annotated[Id | None, Meta(description="Of a re-run: the execution that it repeats")]
    waiting: list[WaitingRow]
    waiting_total: int


class ExecutionRow(Execution):
    jobs: JobCounts


class JobRow(Body):
    job_id: Id
    node_id: str
    node_name: str
    item: Item
    action_type: str
    attempt: Annotated[int, Meta(description="From 1")]
    status: JobStatus
    agent: str | None
    queued_at: Instant
    dispatched_at: Instant | None
    started_at: Instant | None
    finished_at: Instant | None
    duration_ms: int | None
    output: Json
    error: ErrorInfo | None


class Progress(Body):
    """Of the items of a forEach."""

    total: int
    completed: int
    failed: int
    cancelled: int
    running: int


class NodeRow(Body):
    node_id: str
    name: str
    type: str
    status: NodeStatus
    started_at: Instant | None
    finished_at: Instant | None
    output: Json
    progress: Annotated[Progress | None, Meta(description="Of a forEach that was entered")]


class Rerun(Body):
    execution_id: Id
    status: ExecutionStatus
    started_at: Instant


class Child(Body):
    """The execution of a subworkflow node."""

    execution_id: Id
    node_id: str | None
    workflow_name: str
    status: ExecutionStatus


class ApprovalVote(Body):
    """An approval before the deciding answer."""

    by: str
    at: Instant
    note: str = ""
    via: str = ""


class ApprovalNotification(Body):
    """A channel was told, or could not be told: `error`."""

    channel: str
    purpose: Annotated[str, Meta(description="requested, reminder or escalation")]
    error: str | None = None
    attempts: int = 1
    at: Instant | None = None


class ApprovalRow(Body):
    """`approvers` and `escalatedTo`: names and `role:` names; empty `approvers`: anyone with automation:execute."""

    approval_id: Id
    execution_id: Id
    item: Item
    workflow_id: Id
    workflow_name: str
    node_id: str
    node_name: str
    message: str
    status: ApprovalStatus
    approvers: list[str]
    min_approvals: int
    prevent_self_approval: bool
    votes: Annotated[list[ApprovalVote], Meta(description="Approvals before the deciding answer")]
    requested_at: Instant
    expires_at: Annotated[Instant | None, Meta(description="Null: never")]
    escalated_to: list[str]
    escalated_at: Instant | None
    reminded_at: Instant | None
    responded_by: str | None
    response_note: str | None
    responded_via: Annotated[str | None, Meta(description="web, mobile, api or link")]
    responded_at: Instant | None
    notifications: list[ApprovalNotification]
    started_by: str


class ApprovalList(Body):
    items: list[ApprovalRow]
    next_cursor: Cursor


class ApprovalAnswered(Body):
    """`status` is pending while more people have to approve."""

    approval_id: Id
    status: ApprovalStatus
    responded_by: str | None
    response_note: str | None
    responded_via: str | None
    responded_at: Instant | None
    approvals: Annotated[int, Meta(description="People who have approved so far")]
    min_approvals: int


class Channel(Body):
    """`kind`: what it reaches, such as mailto, slack or json."""

    channel_id: Id
    name: str
    kind: str
    enabled: bool


class ChannelRow(Channel):
    created_at: Instant


class ChannelList(Body):
    items: list[ChannelRow]
    next_cursor: Cursor


class ChannelTested(Body):
    delivered: bool
    error: str | None


class ExecutionDetail(Execution):
    """`variables`: `inputs`, and the `vars` that nodes have set. `asOf`: the log position that all of this stands for."""

    banner: Annotated[str, Meta(description="The state in words; while it waits, for what")]
    variables: Json
    nodes: list[NodeRow]
    jobs: Annotated[list[JobRow], Meta(description="The first 200, in the order in which they were queued")]
    jobs_cursor: Annotated[str | None, Meta(description="Give it as `cursor` to …/jobs for the others; null: there are none")]
    job_counts: JobCounts
    approvals: Annotated[list[ApprovalRow], Meta(description="The first 200, in the order in which they were asked")]
    approvals_cursor: Annotated[
        str | None, Meta(description="Give it as `cursor` to /approvals?executionId=… for the others; null: there are none")
    ]
    error: ErrorInfo | None
    started_by: str
    from_node: Annotated[str | None, Meta(description="Of a re-run from a node: what is not downstream of it was reused")]
    reruns: Annotated[list[Rerun], Meta(description="The newest 100 re-runs of this, oldest first")]
    children: Annotated[list[Child], Meta(description="The newest 100 executions of its subworkflow nodes, oldest first")]
    as_of: Position


class ExecutionList(Body):
    items: list[ExecutionRow]
    next_cursor: Cursor


class Count(Body):
    """`count` things, or more than that if it is not `exact`."""

    count: int
    exact: bool


class StatusCount(Count):
    status: ExecutionStatus


class ExecutionCounts(Body):
    """For badges: counted up to a limit where there may be many."""

    statuses: Annotated[
        list[StatusCount], Meta(description="Every status, that of the filter left aside; active ones are exact")
    ]
    pending_approvals: Annotated[Count, Meta(description="Those that wait for me, of all workflows")]


class JobList(Body):
    items: list[JobRow]
    next_cursor: Cursor


class ExecutionLog(Body):
    items: list[LogEntry]
    next_cursor: Cursor
    first_error: Annotated[LogEntry | None, Meta(description="The first line that is an error; only on the first page")]


class GraphEdgeState(Body):
    from_node: Annotated[str, Meta(description="The node it leaves")] = msgspec.field(name="from")
    port: Annotated[str | None, Meta(description="Null: taken whenever its node completes")]
    to: str
    status: EdgeStatus | None


class GraphNodeState(Body):
    """A node of a forEach's `body` has no one state, and its edges have none, unless the graph was asked for one `item`."""

    node_id: str
    name: str
    type: str
    status: NodeStatus | None
    progress: Progress | None
    body: "GraphBody | None"


class GraphBody(Body):
    """The nodes and edges of a forEach; its source is called `item`."""

    nodes: list[GraphNodeState]
    edges: list[GraphEdgeState]


class ExecutionGraph(Body):
    """The published version that runs, with the state of each node and edge."""

    workflow_id: Id
    version: int
    nodes: list[GraphNodeState]
    edges: list[GraphEdgeState]
    as_of: Position


class RunStarted(Body):
    execution_id: Id
    position: Position


class BulkProblem(Body):
    code: str
    detail: str


class BulkCancelResult(Body):
    execution_id: Id
    outcome: Annotated[Literal["cancelled"] | None, Meta(description="Null: see `problem`")]
    problem: BulkProblem | None


class BulkRerunResult(Body):
    execution_id: Id
    new_execution_id: Annotated[Id | None, Meta(description="Null: see `problem`")]
    problem: BulkProblem | None


class Bulk(Body):
    """`more`: the filter finds executions beyond the limit; the same call again takes them."""

    matched: int
    accepted: int
    more: bool
    position: Position


class BulkCancelled(Bulk):
    results: list[BulkCancelResult]


class BulkRerunDone(Bulk):
    results: list[BulkRerunResult]


class Cancelled(Body):
    execution_id: Id
    status: ExecutionStatus
    position: Position


# --- workflows


class Draft(Body):
    """`source` is the text exactly as it was given."""

    document: Json
    source: str
    format: Literal["yaml", "json"]
    revision: Annotated[int, Meta(description="Counts the drafts of the workflow from 1; the ETag")]
    saved_at: Instant
    saved_by: str


class WorkflowRow(Body):
    """`publishedVersion` is the one that runs, `latestVersion` the highest."""

    workflow_id: Id
    name: str
    active: bool
    archived: bool
    published_version: int | None
    latest_version: int | None
    created_at: Instant
    created_by: str
    updated_at: Instant


class WorkflowDetail(WorkflowRow):
    draft: Draft


class WorkflowList(Body):
    items: list[WorkflowRow]
    next_cursor: Cursor


class DraftSaved(Body):
    """Also the answer to a new workflow, whose document is its first draft."""

    workflow_id: Id
    name: str
    active: bool
    archived: bool
    published_version: int | None
    draft: Draft
    position: Position


class Problem(Body):
    path: str
    message: str


class ImportedWorkflow(Body):
    """What became of one document: all that was asked for, or nothing and the reasons."""

    file: Annotated[str | None, Meta(description="Its name in the archive")]
    name: Annotated[str | None, Meta(description="Null where the document has none that can be used")]
    outcome: Literal["created", "updated", "unchanged", "refused"]
    workflow_id: Annotated[Id | None, Meta(description="Null for one that a dry run would make")]
    revision: Annotated[int | None, Meta(description="Of the draft")]
    published_version: int | None
    active: bool | None
    code: Annotated[str | None, Meta(description="Why it was refused, stable")]
    detail: str | None
    problems: list[Problem]


class WorkflowsImported(Body):
    items: list[ImportedWorkflow]
    created: int
    updated: int
    unchanged: int
    refused: int
    position: Position


class Validation(Body):
    """`warnings` stop no publish: what will not do what its author seems to expect."""

    valid: bool
    errors: list[Problem]
    warnings: list[Problem]


class Published(Body):
    """`warnings` as for a validation."""

    workflow_id: Id
    version: int
    warnings: list[Problem]
    position: Position


class WorkflowChanged(Body):
    workflow_id: Id
    name: str
    active: bool
    archived: bool
    published_version: int | None
    position: Position


class VersionRow(Body):
    workflow_id: Id
    version: int
    running: Annotated[bool, Meta(description="Whether new executions run this version")]
    published_at: Instant
    published_by: str


class VersionDetail(VersionRow):
    document: Json
    source: str
    format: Literal["yaml", "json"]


class VersionList(Body):
    items: list[VersionRow]
    next_cursor: Cursor


class Difference(Body):
    """One place where two documents differ; `before` is null for what was added, `after` for what was removed."""

    kind: Literal["added", "removed", "changed"]
    path: str
    before: Json
    after: Json


class VersionDiff(Body):
    workflow_id: Id
    version: int
    against: int
    differences: list[Difference]


# --- triggers


class IncidentExecution(Body):
    execution_id: Id
    workflow_id: Id


class IncidentSkipped(Body):
    """A workflow whose trigger names the event; `reason`: why it was not started."""

    workflow_id: Id
    workflow_name: str
    reason: str


class IncidentReceived(Body):
    """`recordId`: of the trigger record, which has the same and more."""

    record_id: Id
    executions: list[IncidentExecution]
    skipped: list[IncidentSkipped]
    position: Position


class ScheduledTime(Body):
    at: Instant
    local: Annotated[str, Meta(description="In the time zone of the schedule, with its offset from UTC")]
    remark: Annotated[str | None, Meta(description="Where the clocks are changed: what that does to this time")]


class SchedulePreview(Body):
    items: list[ScheduledTime]


class ScheduleRow(Body):
    """A schedule of the version that runs. `trigger`: its place in the document, from 0."""

    workflow_id: Id
    workflow_name: str
    version: int
    trigger: int
    cron: str
    timezone: str
    overlap: str
    catch_up: str
    active: bool
    next: Annotated[ScheduledTime | None, Meta(description="Null while the workflow is not active")]
    last_scheduled_at: Instant | None
    last_execution_id: Id | None


class ScheduleList(Body):
    items: list[ScheduleRow]
    next_cursor: Cursor


class TriggerRecordRow(Body):
    """An instant of a schedule (`scheduledAt`), or an event of an incident for one trigger of one workflow. `trigger`: its
    place in the document, from 0. `reads`: the paths that the condition read and their values."""

    record_id: Id
    workflow_id: Id
    workflow_name: str
    version: int
    type: Literal["cron", "incident"]
    trigger: int
    event: str | None
    incident_id: str | None
    scheduled_at: Instant | None
    received_at: Instant
    outcome: Literal["started", "skipped", "refused"]
    execution_id: Id | None
    reason: Annotated[str, Meta(description="Why nothing was started; empty if something was")]
    reads: Json
    incident: Annotated[Json, Meta(description="As it was sent; null for a schedule")]
    position: Position


class TriggerRecordList(Body):
    items: list[TriggerRecordRow]
    next_cursor: Cursor


# --- webhooks


class WebhookReceived(Body):
    execution_id: Annotated[Id | None, Meta(description="Null for a delivery that only tries whether we are there")]


class WebhookRow(Body):
    """`keyBegins`: of the key in its address, to tell it from others. `webhookId`: of the trigger in the document."""

    hook_id: Id
    workflow_id: Id
    webhook_id: str
    description: str
    auth: Literal["bearer", "hmac"]
    preset: Literal["generic", "github", "alertmanager"]
    max_age_seconds: int | None
    key_begins: str
    enabled: bool
    created_at: Instant
    created_by: str
    rotated_at: Instant | None
    old_secret_until: Annotated[Instant | None, Meta(description="While the secret before the last rotation is taken too")]


class WebhookSecretMade(WebhookRow):
    secret: ShownOnce


class WebhookMade(WebhookSecretMade):
    key: ShownOnce
    url: Annotated[str, Meta(description="Where to send to; it has the key in it")]


class WebhookList(Body):
    items: list[WebhookRow]
    next_cursor: Cursor


# --- agents, events, the rest


class AgentRow(Body):
    """`status`: new (has not enrolled with its key yet), online, draining (online, and gets nothing new), offline or revoked.
    `reason`: why it is not online. `health` is 0 to 100."""

    agent_id: Id
    name: str
    pool: str
    tags: list[str]
    actions: Annotated[list[str], Meta(description="The action types it offers")]
    version: str
    status: Literal["new", "online", "offline", "draining", "revoked"]
    drained: Annotated[bool, Meta(description="It gets nothing new until it is resumed, online or not")]
    reason: str | None
    health: int
    running: Annotated[int, Meta(description="Jobs it holds")]
    capacity: Annotated[int, Meta(description="Jobs it may hold at once; 0 before it first came")]
    transport: Annotated[str | None, Meta(description="amqp, https or local; null before it first came")]
    key_fingerprint: Annotated[str | None, Meta(description="Of the public key it enrolled with")]
    created_at: Instant
    registered_at: Instant | None
    last_heartbeat_at: Instant | None


class AgentList(Body):
    items: list[AgentRow]
    next_cursor: Cursor


class AgentKeyMade(Body):
    """`command` starts the agent with its key, on a machine where runyard-agent is installed."""

    agent_id: Id
    name: str
    key: ShownOnce
    command: str


class AgentMade(AgentKeyMade):
    pool: str
    tags: list[str]


class OwnAgent(Body):
    """What an agent's key is of."""

    agent_id: Id
    tenant_id: str
    name: str
    pool: str
    status: str
    server_time: Instant


class PoolRow(Body):
    """`capacity`: of its online agents. `waiting`: jobs that wait for it."""

    name: str
    description: str
    paused: bool
    paused_by: str | None
    pause_reason: str | None
    agents: int
    online: int
    capacity: int
    running: int
    waiting: int


class PoolList(Body):
    items: list[PoolRow]
    next_cursor: Cursor


class ConnectionTest(Body):
    """The last one."""

    ok: bool
    message: str
    agent: str
    at: Instant


class Connection(Body):
    """`secrets`: the names of those it has. `pools`: which may use it; empty for all."""

    connection_id: Id
    name: str
    kind: str
    config: Json
    secrets: list[str]
    pools: list[str]
    enabled: bool


class ConnectionRow(Connection):
    description: str
    created_at: Instant
    updated_at: Instant
    tested: ConnectionTest | None


class ConnectionList(Body):
    items: list[ConnectionRow]
    next_cursor: Cursor


class ConnectionTested(Body):
    """`message` is for people."""

    ok: bool
    message: str
    agent: str
    duration_ms: int


class ConnectionType(Body):
    """`config` and `secrets`: JSON Schemas of what a connection of this kind has."""

    kind: str
    config: dict[str, Any]
    secrets: dict[str, Any]


class ConnectionTypeList(Body):
    items: list[ConnectionType]


class ActionTypeRow(Body):
    """`params` and `output`: JSON Schemas. `connections`: the kinds it can use. `builtIn`: it came with Runyard; others are
    announced by agents."""

    type: str
    description: str
    params: dict[str, Any]
    output: dict[str, Any]
    connections: list[str]
    needs_connection: bool
    built_in: bool


class ActionTypeList(Body):
    items: list[ActionTypeRow]


class EventList(Body):
    items: list[PublicEvent]
    next_cursor: Annotated[Cursor, Meta(description="Also after a page with few events or none, where the log goes on")]
    position: Annotated[int, Meta(description="So far the log was looked through: go on with it as `after`")]


class UserRow(Body):
    """`permissions`: what its roles give. `oidcSubject`: the claim `sub` of whoever signs in as this user."""

    name: str
    roles: list[str]
    permissions: list[Permission]
    disabled: Annotated[bool, Meta(description="While it is, no key, token or session of the user is taken")]
    email: str | None
    display_name: str | None
    oidc_subject: str | None
    created_at: Instant


class UserList(Body):
    items: list[UserRow]
    next_cursor: Cursor


class ApiKeyRow(Body):
    """`scopes`: what the key is limited to, of what its user may do; null for no limit."""

    key_id: Id
    user: str
    name: str
    scopes: list[Permission] | None
    created_at: Instant
    expires_at: Instant | None
    revoked_at: Instant | None
    last_used_at: Annotated[Instant | None, Meta(description="To the minute")]


class ApiKeyMade(ApiKeyRow):
    key: ShownOnce


class ApiKeyList(Body):
    items: list[ApiKeyRow]
    next_cursor: Cursor


class RoleRow(Body):
    """`isLabel`: nobody defined it; it gives no permission, and approvers may be chosen by it."""

    name: str
    permissions: list[Permission]
    built_in: bool
    is_label: bool
    users: Annotated[int, Meta(description="Who have it here; groups of an identity provider are not counted")]


class RoleList(Body):
    items: list[RoleRow]


class TenantRow(Body):
    """`timeZone`: days of analytics are days there, unless a request names another."""

    tenant_id: str
    name: str
    time_zone: str
    disabled: Annotated[bool, Meta(description="While it is, no key, token or session of the tenant is taken")]
    created_at: Instant


class TenantMade(TenantRow):
    """With its first administrator."""

    user: str
    key_id: Id
    key: ShownOnce


class TenantList(Body):
    items: list[TenantRow]
    next_cursor: Cursor


class SignInMethods(Body):
    """`oidc`: where a browser goes to sign in at the identity provider; null if there is none."""

    api_key: bool
    oidc: str | None


class SessionDetail(Body):
    """Who is signed in. `csrfToken` goes with every command as the header X-CSRF-Token; it and `expiresAt` are null for
    whoever did not come by cookie."""

    name: str
    tenant_id: str
    roles: list[str]
    permissions: list[Permission]
    csrf_token: str | None
    expires_at: Annotated[Instant | None, Meta(description="At the latest; earlier if it is not used")]


class AuditRow(Body):
    """One command. `credentialType`: what it was let in by; `credentialId`: the id of the key or the session, the subject of
    the token. `outcome` unknown: the gateway died before it had an answer. `code`: of the problem, if there was one."""

    audit_id: Id
    actor: str
    credential_type: Literal["admin_token", "api_key", "session", "token", "agent_key", "none"]
    credential_id: str | None
    source: Annotated[str, Meta(description="The address it came from")]
    operation: Annotated[str, Meta(description="`operationId` in /openapi.json")]
    target: Annotated[str | None, Meta(description="The ids and names in the path")]
    outcome: Literal["done", "refused", "failed", "unknown"]
    status: int | None
    code: str | None
    started_at: Instant
    duration_ms: int | None


class AuditList(Body):
    items: list[AuditRow]
    next_cursor: Cursor


class Me(Body):
    name: str
    tenant_id: str
    roles: list[str]
    permissions: list[Permission]


# --- analytics

Rate = Annotated[float | None, Meta(description="completed / (completed + failed), 0 to 1; null for none")]
Milliseconds = Annotated[int | None, Meta(description="Of those that have ended; null for none")]


class Figures(Body):
    """`total` are executions that started in the range, `active` those of them that have not ended yet. `GET /executions`
    with the same `from` and `to` lists them, with `status` those of one kind."""

    total: int
    active: int
    completed: int
    failed: int
    cancelled: int
    success_rate: Rate
    average_duration_ms: Milliseconds


class AnalyticsAnswer(Body):
    """`asOf`: the log position that all of this stands for."""

    from_: Annotated[Instant, Meta(description="Included")] = msgspec.field(name="from")
    to: Annotated[Instant, Meta(description="Not included")]
    timezone: str
    as_of: Position


class AnalyticsSummary(Figures):
    """The percentiles are at most 1.6 % off. `asOf` as elsewhere."""

    from_: Annotated[Instant, Meta(description="Included")] = msgspec.field(name="from")
    to: Annotated[Instant, Meta(description="Not included")]
    timezone: str
    as_of: Position
    workflow_id: Id | None
    p50_duration_ms: Milliseconds
    p95_duration_ms: Milliseconds
    active_workflows: Annotated[int, Meta(description="Workflows that may run now: published and active")]


class TrendItem(Figures):
    from_: Instant = msgspec.field(name="from")
    to: Instant
    local: Annotated[str, Meta(description="`from` as clocks in the time zone show it, with the offset they had")]


class AnalyticsTrends(AnalyticsAnswer):
    """`items` cover the range without gaps, empty ones included; the first and the last may be parts of an interval."""

    workflow_id: Id | None
    interval: Literal["hour", "day", "week"]
    items: list[TrendItem]


class WorkflowFigures(Figures):
    workflow_id: Id
    workflow_name: Annotated[str, Meta(description="When it was last executed")]


class AnalyticsWorkflows(AnalyticsAnswer):
    items: list[WorkflowFigures]


class AgentFigures(Body):
    """Jobs that have ended, of the executions that started in the range; each retry is a job. `failed` and `timeout` count
    against `successRate`."""

    agent: Annotated[str | None, Meta(description="Its name; null for jobs that ended without having reached one")]
    jobs: int
    completed: int
    failed: int
    timeout: int
    cancelled: int
    busy_ms: Annotated[int, Meta(description="Sum of how long they ran")]
    success_rate: Annotated[float | None, Meta(description="completed / (completed + failed + timeout); null for none")]


class AnalyticsAgents(AnalyticsAnswer):
    items: list[AgentFigures]


class Health(Body):
    """`parts`: what this service needs, each null when fine, else what is the matter. `notes`: what does not keep it from being
    ready: by read model, how far that is behind, and why."""

    status: Literal["ok", "unavailable"]
    parts: dict[str, str | None]
    notes: dict[str, str]


# --- read models and retention


class ReadModelDifference(Body):
    """A table whose rows are not what the log gives. `keys`: of the first rows that differ, are missing or are too many."""

    table: str
    rows: int
    expected: int
    keys: list[str]


class ReadModelRebuild(Body):
    """The last one. `failure`: why it came to nothing."""

    position: Annotated[int, Meta(description="How far in the log it has come")]
    head: Annotated[int, Meta(description="The end of the log, as far as it knows")]
    started_by: str
    started_at: Instant | None
    finished_at: Annotated[Instant | None, Meta(description="Null while it works")]
    failure: str | None


class ReadModelChecksum(ReadModelRebuild):
    """The last one. `differences`: empty if all rows are what the log gives; null unless it came to its end."""

    differences: list[ReadModelDifference] | None


class Projection(Body):
    """A read model. `reason`: in words, why the status is not ok."""

    name: str
    status: Literal["ok", "behind", "rebuilding", "broken"]
    reason: str | None
    position: Position
    head: Annotated[int, Meta(description="The end of the log")]
    lag_events: int
    lag_seconds: Annotated[float, Meta(description="Age of the oldest event that is not in it")]
    as_of: Annotated[Instant | None, Meta(description="Time of the last event that is in it")]
    updated_at: Annotated[Instant, Meta(description="The last sign of life of whoever keeps it up to date")]
    rebuild: ReadModelRebuild | None
    checksum: ReadModelChecksum | None


class ProjectionList(Body):
    items: list[Projection]


class ReadModelNames(Body):
    """The read models it began with."""

    names: list[str]


class ArchivedMonth(Body):
    """Executions that began in this month (UTC) are in the archive, and no longer here."""

    month: Annotated[str, Meta(description="Such as 2026-03")]
    events: int
    first_position: Position
    last_position: Position
    archived_at: Instant


class ArchivedAudit(Body):
    """Commands of this month (UTC) are in the archive, and no longer in the audit log."""

    month: Annotated[str, Meta(description="Such as 2026-03")]
    entries: int
    archived_at: Instant


class ExpiredMonth(Body):
    """A month whose time is over, and what it waits for."""

    month: Annotated[str, Meta(description="Such as 2026-03")]
    reason: str
    looked_at: Instant


class Retention(Body):
    """How long data is kept after its end. `archived`, `archivedAudit`: newest first."""

    history_months: Annotated[int | None, Meta(description="Then executions are archived; null: never")]
    output_days: Annotated[int | None, Meta(description="Then output of jobs is dropped; 0: never; null: as the installation")]
    default_output_days: Annotated[int | None, Meta(description="What the installation does; 0: never; null: not known yet")]
    audit_months: Annotated[int | None, Meta(description="Then the audit log is archived; null: never")]
    changed_at: Instant | None
    changed_by: str | None
    archived: list[ArchivedMonth]
    archived_audit: list[ArchivedAudit]
    waiting: list[ExpiredMonth]


class ProblemDocument(Body):
    """RFC 9457. Some problems have further members."""

    type: str
    title: str
    status: int
    detail: str
    code: Annotated[str, Meta(description="Stable, snake_case")]
    errors: list[Problem] = []
