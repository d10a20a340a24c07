"""What the API answers: one msgspec type for each body. Handlers fill them and the OpenAPI document is generated from them.

Nothing is left out on the wire: what does not apply is null. `Json` fields hold a value as it is stored, or its raw text.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from runyard_shared.contracts.values import ErrorInfo, ExecutionStatus, JobStatus, NodeStatus, Trigger

from runyard_gateway.execution_log import LogEntry
from runyard_gateway.graph import EdgeStatus
from runyard_gateway.permissions import Permission
from runyard_gateway.public_event import PublicEvent

Id = Annotated[str, Meta(description="A UUIDv7", extra_json_schema={"format": "uuid"})]
Instant = Annotated[str, Meta(description="RFC 3339, UTC, milliseconds", extra_json_schema={"format": "date-time"})]
Position = Annotated[int, Meta(description="A position in the log")]
Json = Annotated[Any, Meta(description="Any JSON value")]
Cursor = Annotated[str | None, Meta(description="Give it as `cursor` for the next page; null on the last one")]


class Body(msgspec.Struct, rename="camel", kw_only=True):
    """Base of all answers."""


# --- executions


class JobCounts(Body):
    """Retries are jobs too."""

    completed: int
    total: int


class Execution(Body):
    """`durationMs` runs until now while the execution is active."""

    execution_id: Id
    workflow_id: Id
    workflow_name: str
    version: int
    status: ExecutionStatus
    trigger: Trigger
    started_at: Instant
    finished_at: Instant | None
    duration_ms: int
    pending_approvals: int


class ExecutionRow(Execution):
    jobs: JobCounts


class JobRow(Body):
    job_id: Id
    node_id: str
    node_name: str
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


class NodeRow(Body):
    node_id: str
    name: str
    type: str
    status: NodeStatus
    started_at: Instant | None
    finished_at: Instant | None
    output: Json


class ExecutionDetail(Execution):
    """`variables`: `inputs`, and the `vars` that nodes have set. `asOf`: the log position that all of this stands for."""

    banner: Annotated[str, Meta(description="The state in words; while it waits, for what")]
    variables: Json
    nodes: list[NodeRow]
    jobs: Annotated[list[JobRow], Meta(description="In the order in which they were queued")]
    job_counts: JobCounts
    approvals: list[Json]
    error: ErrorInfo | None
    started_by: str
    parent_execution_id: Id | None
    rerun_of: Id | None
    as_of: Position


class ExecutionList(Body):
    items: list[ExecutionRow]
    next_cursor: Cursor


class ExecutionLog(Body):
    items: list[LogEntry]
    next_cursor: Cursor


class GraphNodeState(Body):
    node_id: str
    name: str
    type: str
    status: NodeStatus


class GraphEdgeState(Body):
    from_node: Annotated[str, Meta(description="The node it leaves")] = msgspec.field(name="from")
    port: Annotated[str | None, Meta(description="Null: taken whenever its node completes")]
    to: str
    status: EdgeStatus


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
    saved_at: Annotated[Instant | None, Meta(description="Null in the answer that saved it")]
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


class Validation(Body):
    valid: bool
    errors: list[Problem]


class Published(Body):
    workflow_id: Id
    version: int
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


# --- agents, events, the rest


class AgentRow(Body):
    """`reason`: why it is offline. `health` is 0 to 100."""

    agent_id: Id
    name: str
    pool: str
    tags: list[str]
    actions: Annotated[list[str], Meta(description="The action types it offers")]
    version: str
    status: Literal["online", "offline"]
    reason: str | None
    health: int
    running: Annotated[int, Meta(description="Jobs it holds")]
    capacity: int
    registered_at: Instant
    last_heartbeat_at: Instant


class AgentList(Body):
    items: list[AgentRow]
    next_cursor: Cursor


class EventList(Body):
    items: list[PublicEvent]
    next_cursor: Cursor


class UserRow(Body):
    """`permissions`: what the built-in ones among the roles give."""

    name: str
    roles: list[str]
    permissions: list[Permission]
    disabled: Annotated[bool, Meta(description="While it is, no key of the user is taken")]
    created_at: Instant


class UserList(Body):
    items: list[UserRow]
    next_cursor: Cursor


class ApiKeyRow(Body):
    key_id: Id
    user: str
    created_at: Instant
    expires_at: Instant | None
    revoked_at: Instant | None
    last_used_at: Annotated[Instant | None, Meta(description="To the minute")]


class ApiKeyMade(ApiKeyRow):
    key: Annotated[str, Meta(description="Shown here and never again")]


class ApiKeyList(Body):
    items: list[ApiKeyRow]
    next_cursor: Cursor


class Me(Body):
    name: str
    tenant_id: str
    roles: list[str]
    permissions: list[Permission]


class Health(Body):
    """`parts`: what this service needs, each null when fine, else what is the matter."""

    status: Literal["ok", "unavailable"]
    parts: dict[str, str | None]


class ProblemDocument(Body):
    """RFC 9457. Some problems have further members."""

    type: str
    title: str
    status: int
    detail: str
    code: Annotated[str, Meta(description="Stable, snake_case")]
    errors: list[Problem] = []
