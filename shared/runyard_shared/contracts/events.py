"""Every domain event, by topic. Topics and field names are promises; golden files hold them.

The time of an event is the `recorded_at` of its log row, not a field.
"""

from typing import Any, ClassVar

from runyard_shared.contracts.base import Contract, Event
from runyard_shared.contracts.values import ApprovalStatus, ErrorInfo, ExecutionStatus, NodeStatus, Parent, StreamSeal, Trigger

# --- workflow: one stream for each workflow


class WorkflowCreated(Event, frozen=True, kw_only=True):
    """A workflow exists, with its first draft. `source` is the text as it was given, `format` yaml or json."""

    topic: ClassVar[str] = "workflow.created"
    name: str
    document: dict[str, Any]
    source: str
    format: str
    by: str


class WorkflowDrafted(Event, frozen=True, kw_only=True):
    """The draft was replaced."""

    topic: ClassVar[str] = "workflow.drafted"
    name: str
    document: dict[str, Any]
    source: str
    format: str
    by: str


class WorkflowPublished(Event, frozen=True, kw_only=True):
    """The draft became the immutable version `version` (from 1), and the one that runs."""

    topic: ClassVar[str] = "workflow.published"
    version: int
    document: dict[str, Any]
    source: str
    format: str
    by: str


class WorkflowActivated(Event, frozen=True, kw_only=True):
    topic: ClassVar[str] = "workflow.activated"
    by: str


class WorkflowDeactivated(Event, frozen=True, kw_only=True):
    topic: ClassVar[str] = "workflow.deactivated"
    by: str


class WorkflowRolledBack(Event, frozen=True, kw_only=True):
    """Version `version`, published earlier, is again the one that runs."""

    topic: ClassVar[str] = "workflow.rolled_back"
    version: int
    by: str


class WorkflowArchived(Event, frozen=True, kw_only=True):
    topic: ClassVar[str] = "workflow.archived"
    by: str


# --- triggers: one stream for each incident event and each instant of a schedule: the trigger record (R51)


class TriggerMatch(Contract, frozen=True, kw_only=True):
    """What an incident event meant for one trigger of one workflow: the execution it starts, or `reason` why none.

    `trigger` is its place in the document's list, from 0. `reads`: the paths its condition read and their values, long ones
    cut.
    """

    workflow_id: str
    workflow_name: str
    version: int
    trigger: int
    execution_id: str | None = None
    reason: str = ""
    reads: dict[str, Any] = {}


class IncidentReceived(Event, frozen=True, kw_only=True):
    """`event` is incident.created and the like; `incident` as it was sent. One match for each incident trigger that names the
    event, of the versions that run."""

    topic: ClassVar[str] = "incident.received"
    event: str
    incident: dict[str, Any]
    matches: list[TriggerMatch] = []
    by: str


class ScheduleFired(Event, frozen=True, kw_only=True):
    """The instant `scheduled_at` (RFC 3339) of a schedule came: it starts `execution_id`, or none because of `reason`
    (overlap, missed, superseded). `cancels`: executions of the same schedule that have to give way."""

    topic: ClassVar[str] = "schedule.fired"
    workflow_id: str
    workflow_name: str
    version: int
    trigger: int
    cron: str
    timezone: str
    scheduled_at: str
    execution_id: str | None = None
    reason: str = ""
    cancels: list[str] = []


class TriggerRefused(Event, frozen=True, kw_only=True):
    """The execution that a trigger record announced could not begin: `code` and `reason` are the refusal's."""

    topic: ClassVar[str] = "trigger.refused"
    workflow_id: str
    execution_id: str
    code: str
    reason: str


# --- execution: one stream for each execution, its jobs included


class ExecutionStarted(Event, frozen=True, kw_only=True):
    """A trigger created the execution; `inputs` have their defaults filled in.

    A subworkflow's has a `parent`, `parent_execution_id` being the execution that users see, and `depth` from 1. A re-run has
    `rerun_of`, and `from_node` if results were reused.

    `traceparent`, where it is traced: the W3C trace context of what began it (a request, the parent execution), or its own.
    """

    topic: ClassVar[str] = "execution.started"
    workflow_id: str
    workflow_name: str
    version: int
    trigger: Trigger
    inputs: dict[str, Any]
    started_by: str
    parent_execution_id: str | None = None
    parent: Parent | None = None
    depth: int = 0
    rerun_of: str | None = None
    from_node: str | None = None
    timeout_seconds: float = 0
    traceparent: str | None = None


class NodeReused(Event, frozen=True, kw_only=True):
    """A re-run took over how a node ended in the execution it repeats: `status` is completed, failed or skipped."""

    topic: ClassVar[str] = "node.reused"
    node_id: str
    status: NodeStatus
    port: str | None = None
    output: Any = None
    error: ErrorInfo | None = None


class NodeWaiting(Event, frozen=True, kw_only=True):
    """A node was entered and waits by itself until `until` (RFC 3339): a delay."""

    topic: ClassVar[str] = "node.waiting"
    node_id: str
    until: str
    warnings: list[str] = []


class NodeCompleted(Event, frozen=True, kw_only=True):
    """A node ended well and takes the edges of `port` (all of its edges for a parallel node: `port` null).

    `output` is what templates see as `nodes.<id>.output`; for a condition or switch the value its expression gave; null for an
    action, whose output is that of its last job. `reads`: of a condition or switch, the paths it read and their values,
    long ones cut.
    `warnings`: paths that did not resolve, ready to read.
    """

    topic: ClassVar[str] = "node.completed"
    node_id: str
    port: str | None = None
    output: Any = None
    reads: dict[str, Any] = {}
    warnings: list[str] = []


class NodeFailed(Event, frozen=True, kw_only=True):
    """A node failed for good. `port`: the edges taken (`error`; `success` when `critical: false`), null if none: critical."""

    topic: ClassVar[str] = "node.failed"
    revision: ClassVar[int] = 2
    node_id: str
    error: ErrorInfo
    port: str | None = None

    @staticmethod
    def upcast_v1_v2(data: dict[str, Any]) -> dict[str, Any]:
        """The first revision repeated the `output` of the node's last job, which is in that job's own event."""
        return {name: value for name, value in data.items() if name != "output"}


class NodeSkipped(Event, frozen=True, kw_only=True):
    """Every edge into the node was skipped; so are all edges out of it."""

    topic: ClassVar[str] = "node.skipped"
    node_id: str


class NodeCancelled(Event, frozen=True, kw_only=True):
    """The execution ended while the node was outstanding; none of its edges is taken."""

    topic: ClassVar[str] = "node.cancelled"
    node_id: str


class RetryScheduled(Event, frozen=True, kw_only=True):
    """Attempt `attempt` (from 2) of an action node will be scheduled at `due_at` (RFC 3339)."""

    topic: ClassVar[str] = "job.retry_scheduled"
    node_id: str
    attempt: int
    max_attempts: int
    due_at: str
    delay_seconds: float


class JobScheduled(Event, frozen=True, kw_only=True):
    """A job waits for an agent; attempt 1 enters the node. `params` are rendered, and never hold a secret.

    `queue_expires_at` (RFC 3339): until when an agent must have started it, if there is a limit. `traceparent`: of the job's
    span, where it is traced.
    """

    topic: ClassVar[str] = "job.scheduled"
    job_id: str
    node_id: str
    attempt: int
    action: str
    params: dict[str, Any]
    pool: str
    agent: str | None = None
    tags: list[str] = []
    connection: str | None = None
    timeout_seconds: float = 0
    queue_expires_at: str | None = None
    warnings: list[str] = []
    traceparent: str | None = None


class JobDispatched(Event, frozen=True, kw_only=True):
    """The job was sent to an agent under the lease number `dispatch` (from 1) and has not started within about a second.

    A job that starts at once has no such event: its `job.started` says when it was dispatched.
    """

    topic: ClassVar[str] = "job.dispatched"
    job_id: str
    dispatch: int
    agent: str


class JobRequeued(Event, frozen=True, kw_only=True):
    """The agent of lease `dispatch` was lost before the job started; the job waits for another."""

    topic: ClassVar[str] = "job.requeued"
    job_id: str
    dispatch: int
    reason: str


class JobStarted(Event, frozen=True, kw_only=True):
    """The job runs on `agent` under lease `dispatch`, which was made at `dispatched_at` (RFC 3339)."""

    topic: ClassVar[str] = "job.started"
    job_id: str
    dispatch: int
    agent: str
    dispatched_at: str | None = None


class JobCompleted(Event, frozen=True, kw_only=True):
    """Exit code 0 or HTTP 2xx. `duration_ms` is the agent's own, monotonic, measure."""

    topic: ClassVar[str] = "job.completed"
    job_id: str
    dispatch: int
    output: dict[str, Any]
    duration_ms: int
    seals: list[StreamSeal] = []


class JobFailed(Event, frozen=True, kw_only=True):
    topic: ClassVar[str] = "job.failed"
    job_id: str
    dispatch: int
    error: ErrorInfo
    output: dict[str, Any] = {}
    duration_ms: int = 0
    seals: list[StreamSeal] = []


class JobTimedOut(Event, frozen=True, kw_only=True):
    """The job ran over its `timeoutSeconds` and was stopped on the agent."""

    topic: ClassVar[str] = "job.timed_out"
    job_id: str
    dispatch: int
    error: ErrorInfo
    output: dict[str, Any] = {}
    duration_ms: int = 0
    seals: list[StreamSeal] = []


class JobCancelRequested(Event, frozen=True, kw_only=True):
    """The dispatcher is asked to withdraw the job; with `force` also to stop it where it runs.

    `queue_timeout_seconds`: set when it is because the job waited longer than that for an agent.
    """

    topic: ClassVar[str] = "job.cancel_requested"
    job_id: str
    force: bool = False
    queue_timeout_seconds: float = 0


class JobCancelled(Event, frozen=True, kw_only=True):
    """The job will not run (`dispatch` 0), or was stopped on its agent."""

    topic: ClassVar[str] = "job.cancelled"
    job_id: str
    reason: str
    dispatch: int = 0
    output: dict[str, Any] = {}
    duration_ms: int = 0
    seals: list[StreamSeal] = []


class JobReportIgnored(Event, frozen=True, kw_only=True):
    """A report came for an earlier lease or an ended job (R40), or from an `agent` that does not hold the lease: kept, and
    without effect."""

    topic: ClassVar[str] = "job.report_ignored"
    job_id: str
    dispatch: int
    report: str
    detail: str
    agent: str | None = None


# forEach: each iteration is a stream of its own, whose events have the execution's id as their `correlation_id`


class ForEachEntered(Event, frozen=True, kw_only=True):
    """A forEach node was entered: an iteration for each of `items`. `scope`: what the body reads of its surroundings."""

    topic: ClassVar[str] = "foreach.entered"
    node_id: str
    items: list[Any]
    scope: dict[str, Any] = {}


class IterationsScheduled(Event, frozen=True, kw_only=True):
    """The iterations from index `first` on begin, each in the stream named."""

    topic: ClassVar[str] = "foreach.iterations_scheduled"
    node_id: str
    first: int
    stream_ids: list[str]


class IterationEnded(Event, frozen=True, kw_only=True):
    """An iteration ended: completed with an `output`, failed with an `error`, or cancelled."""

    topic: ClassVar[str] = "foreach.iteration_ended"
    node_id: str
    index: int
    status: ExecutionStatus
    output: Any = None
    error: ErrorInfo | None = None


class IterationStarted(Event, frozen=True, kw_only=True):
    """First event of an iteration's stream. `path` names it among all of its execution: `each[3]`, `outer[1].each[0]`.

    `body` is the forEach node, under those that enclose it: `outer.each`. `traceparent`: as of an execution.
    """

    topic: ClassVar[str] = "iteration.started"
    execution_id: str
    parent: Parent
    path: str
    body: str
    item: Any
    scope: dict[str, Any]
    workflow_id: str
    workflow_name: str
    version: int
    started_by: str
    depth: int = 0
    traceparent: str | None = None


class IterationCompleted(Event, frozen=True, kw_only=True):
    """`output`: that of the body's last node that ran; by node id if there are several."""

    topic: ClassVar[str] = "iteration.completed"
    parent: Parent
    output: Any = None


class IterationFailed(Event, frozen=True, kw_only=True):
    topic: ClassVar[str] = "iteration.failed"
    parent: Parent
    error: ErrorInfo


class IterationCancelled(Event, frozen=True, kw_only=True):
    topic: ClassVar[str] = "iteration.cancelled"
    parent: Parent
    by: str = ""
    reason: str = ""
    force: bool = False


# subworkflow


class SubworkflowScheduled(Event, frozen=True, kw_only=True):
    """Execution `execution_id` of another workflow (its name or id) is to start, at `depth` below the outermost one."""

    topic: ClassVar[str] = "subworkflow.scheduled"
    node_id: str
    execution_id: str
    workflow: str
    inputs: dict[str, Any]
    started_by: str
    depth: int
    warnings: list[str] = []


class SubworkflowEnded(Event, frozen=True, kw_only=True):
    """The child ended, or could not be started (`failed`). `output`: `{executionId, status, variables}`."""

    topic: ClassVar[str] = "subworkflow.ended"
    node_id: str
    execution_id: str
    status: ExecutionStatus
    output: dict[str, Any] = {}
    error: ErrorInfo | None = None


class ChildrenCancelRequested(Event, frozen=True, kw_only=True):
    """The streams of iterations or subworkflows that are to be cancelled with this one."""

    topic: ClassVar[str] = "children.cancel_requested"
    stream_ids: list[str]
    reason: str
    force: bool = False


# approval: what the approvals service decided, as the execution was told; these come also after the execution ended


class ApprovalRequested(Event, frozen=True, kw_only=True):
    """The branch waits for people. `message` is rendered. Numbers as in the document. `traceparent`: of the approval's span,
    where it is traced."""

    topic: ClassVar[str] = "approval.requested"
    approval_id: str
    node_id: str
    message: str
    approvers: list[str] = []
    min_approvals: int = 1
    prevent_self_approval: bool = False
    timeout_seconds: float = 0
    expires_at: str | None = None
    remind_after_seconds: float = 0
    escalate_after_seconds: float = 0
    escalate_to: list[str] = []
    channels: list[str] | None = None
    workflow_name: str
    started_by: str
    warnings: list[str] = []
    traceparent: str | None = None


class ApprovalVoted(Event, frozen=True, kw_only=True):
    """One of several people approved; `approvals` so far."""

    topic: ClassVar[str] = "approval.voted"
    approval_id: str
    node_id: str
    by: str
    note: str
    via: str
    approvals: int
    min_approvals: int


class ApprovalReminded(Event, frozen=True, kw_only=True):
    topic: ClassVar[str] = "approval.reminded"
    approval_id: str
    node_id: str


class ApprovalEscalated(Event, frozen=True, kw_only=True):
    """From now on these may answer as well."""

    topic: ClassVar[str] = "approval.escalated"
    approval_id: str
    node_id: str
    to: list[str]


class ApprovalNotified(Event, frozen=True, kw_only=True):
    """A channel was told of `purpose` (requested, reminder, escalation), or could not be: `error`, after `attempts`."""

    topic: ClassVar[str] = "approval.notified"
    approval_id: str
    node_id: str
    channel: str
    purpose: str
    attempts: int = 1
    error: str | None = None


class ApprovalCancelRequested(Event, frozen=True, kw_only=True):
    """The execution needs no answer any more."""

    topic: ClassVar[str] = "approval.cancel_requested"
    approval_id: str
    node_id: str
    reason: str


class ApprovalResolved(Event, frozen=True, kw_only=True):
    """The one decision: approved, rejected, expired or cancelled."""

    topic: ClassVar[str] = "approval.resolved"
    approval_id: str
    node_id: str
    status: ApprovalStatus
    responded_by: str | None = None
    note: str = ""
    via: str | None = None
    responded_at: str


# how executions end


class ExecutionFailing(Event, frozen=True, kw_only=True):
    """A critical failure: nothing new starts, running jobs run to their end, then the execution fails with `error`."""

    topic: ClassVar[str] = "execution.failing"
    error: ErrorInfo


class ExecutionCompleted(Event, frozen=True, kw_only=True):
    """A child's has its `parent`, and its `variables` for it."""

    topic: ClassVar[str] = "execution.completed"
    parent: Parent | None = None
    variables: dict[str, Any] = {}


class ExecutionFailed(Event, frozen=True, kw_only=True):
    topic: ClassVar[str] = "execution.failed"
    error: ErrorInfo
    parent: Parent | None = None


class ExecutionCancelled(Event, frozen=True, kw_only=True):
    """Cancelled at once (R41); reports of jobs still running are recorded after this."""

    topic: ClassVar[str] = "execution.cancelled"
    by: str
    reason: str = ""
    force: bool = False
    parent: Parent | None = None


# --- agent: one stream for each agent, in the dispatcher's log


class AgentRegistered(Event, frozen=True, kw_only=True):
    """An agent connected with a new session: its process (re)started."""

    topic: ClassVar[str] = "agent.registered"
    name: str
    session_id: str
    pool: str
    tags: list[str]
    capacity: int
    version: str
    actions: list[str]


class AgentOnline(Event, frozen=True, kw_only=True):
    """An agent that was offline is heard again, in the same session."""

    topic: ClassVar[str] = "agent.online"
    name: str
    session_id: str


class AgentOffline(Event, frozen=True, kw_only=True):
    topic: ClassVar[str] = "agent.offline"
    name: str
    session_id: str
    reason: str


class AgentCreated(Event, frozen=True, kw_only=True):
    """An agent may enrol with the key that its maker was shown."""

    topic: ClassVar[str] = "agent.created"
    name: str
    pool: str
    tags: list[str]
    by: str


class AgentEnrolled(Event, frozen=True, kw_only=True):
    """A process of the agent was let in. `key`: fingerprint of its public key. `transport`: amqp or https."""

    topic: ClassVar[str] = "agent.enrolled"
    name: str
    key: str
    transport: str


class AgentChanged(Event, frozen=True, kw_only=True):
    topic: ClassVar[str] = "agent.changed"
    name: str
    pool: str
    tags: list[str]
    by: str


class AgentKeyRotated(Event, frozen=True, kw_only=True):
    topic: ClassVar[str] = "agent.key_rotated"
    name: str
    by: str


class AgentRevoked(Event, frozen=True, kw_only=True):
    topic: ClassVar[str] = "agent.revoked"
    name: str
    by: str


class AgentDrained(Event, frozen=True, kw_only=True):
    """From now on it gets nothing new."""

    topic: ClassVar[str] = "agent.drained"
    name: str
    by: str


class AgentResumed(Event, frozen=True, kw_only=True):
    topic: ClassVar[str] = "agent.resumed"
    name: str
    by: str


# pool and connection: one stream for each, in the dispatcher's log


class PoolCreated(Event, frozen=True, kw_only=True):
    topic: ClassVar[str] = "pool.created"
    name: str
    description: str
    by: str


class PoolDeleted(Event, frozen=True, kw_only=True):
    topic: ClassVar[str] = "pool.deleted"
    name: str
    by: str


class PoolPaused(Event, frozen=True, kw_only=True):
    topic: ClassVar[str] = "pool.paused"
    name: str
    reason: str
    by: str


class PoolResumed(Event, frozen=True, kw_only=True):
    topic: ClassVar[str] = "pool.resumed"
    name: str
    by: str


class ConnectionCreated(Event, frozen=True, kw_only=True):
    """`secrets`: the names of those that were given; their values are in no event."""

    topic: ClassVar[str] = "connection.created"
    name: str
    kind: str
    config: dict[str, Any]
    secrets: list[str]
    pools: list[str]
    by: str


class ConnectionChanged(Event, frozen=True, kw_only=True):
    """`secrets`: the names of those it has now; `changed`: of those that were given anew."""

    topic: ClassVar[str] = "connection.changed"
    name: str
    config: dict[str, Any]
    secrets: list[str]
    changed: list[str]
    pools: list[str]
    by: str


class ConnectionEnabled(Event, frozen=True, kw_only=True):
    topic: ClassVar[str] = "connection.enabled"
    name: str
    by: str


class ConnectionDisabled(Event, frozen=True, kw_only=True):
    topic: ClassVar[str] = "connection.disabled"
    name: str
    by: str


class ConnectionDeleted(Event, frozen=True, kw_only=True):
    topic: ClassVar[str] = "connection.deleted"
    name: str
    by: str


class ConnectionTested(Event, frozen=True, kw_only=True):
    topic: ClassVar[str] = "connection.tested"
    name: str
    agent: str
    ok: bool
    message: str
    by: str


def _by_topic(base: type[Event]) -> dict[str, type[Event]]:
    return {cls.topic: cls for cls in base.__subclasses__() if cls.__module__ == __name__}


EVENT_TYPES: dict[str, type[Event]] = _by_topic(Event)
"""Every event class of this module by its topic."""

EXECUTION_ENDS = frozenset({ExecutionCompleted.topic, ExecutionFailed.topic, ExecutionCancelled.topic})
"""The topics with which an execution's status becomes final."""
ITERATION_ENDS = frozenset({IterationCompleted.topic, IterationFailed.topic, IterationCancelled.topic})
"""The same of an iteration's stream."""
