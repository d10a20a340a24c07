"""Every domain event, by topic. Topics and field names are promises; golden files hold them.

The time of an event is the `recorded_at` of its log row, not a field.
"""

from typing import Any, ClassVar

from runyard_shared.contracts.base import Event
from runyard_shared.contracts.values import ErrorInfo, StreamSeal, Trigger

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


# --- execution: one stream for each execution, its jobs included


class ExecutionStarted(Event, frozen=True, kw_only=True):
    """A trigger created the execution; `inputs` have their defaults filled in."""

    topic: ClassVar[str] = "execution.started"
    workflow_id: str
    workflow_name: str
    version: int
    trigger: Trigger
    inputs: dict[str, Any]
    started_by: str
    parent_execution_id: str | None = None
    rerun_of: str | None = None
    timeout_seconds: float = 0


class NodeWaiting(Event, frozen=True, kw_only=True):
    """A node was entered and waits by itself until `until` (RFC 3339): a delay."""

    topic: ClassVar[str] = "node.waiting"
    node_id: str
    until: str
    warnings: list[str] = []


class NodeCompleted(Event, frozen=True, kw_only=True):
    """A node ended well and takes the edges of `port` (all of its edges for a parallel node: `port` null).

    `output` is what templates see as `nodes.<id>.output`; for a condition or switch the value its expression gave; null for an
    action, whose output is that of its last job.
    `warnings`: paths that did not resolve, ready to read.
    """

    topic: ClassVar[str] = "node.completed"
    node_id: str
    port: str | None = None
    output: Any = None
    warnings: list[str] = []


class NodeFailed(Event, frozen=True, kw_only=True):
    """A node failed for good. `port`: the edges taken (`error`; `success` when `critical: false`), null if none: critical."""

    topic: ClassVar[str] = "node.failed"
    node_id: str
    error: ErrorInfo
    port: str | None = None


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
    """A job waits for an agent; attempt 1 enters the node. `params` are rendered, and never hold a secret."""

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
    warnings: list[str] = []


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
    """The dispatcher is asked to withdraw the job; with `force` also to stop it where it runs."""

    topic: ClassVar[str] = "job.cancel_requested"
    job_id: str
    force: bool = False


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
    """A report came for an earlier lease or an ended job (R40): kept, and without effect."""

    topic: ClassVar[str] = "job.report_ignored"
    job_id: str
    dispatch: int
    report: str
    detail: str


class ExecutionFailing(Event, frozen=True, kw_only=True):
    """A critical failure: nothing new starts, running jobs run to their end, then the execution fails with `error`."""

    topic: ClassVar[str] = "execution.failing"
    error: ErrorInfo


class ExecutionCompleted(Event, frozen=True, kw_only=True):
    topic: ClassVar[str] = "execution.completed"


class ExecutionFailed(Event, frozen=True, kw_only=True):
    topic: ClassVar[str] = "execution.failed"
    error: ErrorInfo


class ExecutionCancelled(Event, frozen=True, kw_only=True):
    """Cancelled at once (R41); reports of jobs still running are recorded after this."""

    topic: ClassVar[str] = "execution.cancelled"
    by: str
    reason: str = ""
    force: bool = False


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


def _by_topic(base: type[Event]) -> dict[str, type[Event]]:
    return {cls.topic: cls for cls in base.__subclasses__()}


EVENT_TYPES: dict[str, type[Event]] = _by_topic(Event)
"""Every event class by its topic."""

EXECUTION_ENDS = frozenset({ExecutionCompleted.topic, ExecutionFailed.topic, ExecutionCancelled.topic})
"""The topics with which an execution's status becomes final."""
