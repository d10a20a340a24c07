"""Executions with their nodes and jobs, their list, how many there are, and their log."""

from typing import Annotated, Literal

from msgspec import Meta
from runyard_shared.contracts.values import ErrorInfo, ExecutionStatus, JobStatus, NodeStatus, Trigger

from runyard_gateway.answers.approvals import ApprovalRow
from runyard_gateway.answers.body import Body, Cursor, Id, Instant, Item, Json, Position
from runyard_gateway.execution_log import LogEntry


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
    error: Annotated[ErrorInfo | None, Meta(description="Why it failed, or is about to")]
    waiting: list[WaitingRow]
    waiting_total: int


class RunningNode(Body):
    """A node of an active execution of which agents have `jobs`. `detail` says it in words."""

    node_id: str
    node_name: str
    jobs: int
    agent: Annotated[str | None, Meta(description="Null: several agents")]
    since: Annotated[Instant | None, Meta(description="Since the first of these jobs")]
    detail: str


class ExecutionRow(Execution):
    """`running`: what agents have of it, at most 20 nodes, those first that have run for longest."""

    jobs: JobCounts
    running: list[RunningNode]


class JobLine(Body):
    """A job without what it answered."""

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
    error: ErrorInfo | None


class JobRow(JobLine):
    output: Json


class JobOfExecution(JobLine):
    """A job, and the execution it is of."""

    execution_id: Id
    workflow_id: Id
    workflow_name: str
    execution_started_at: Instant


class HeldJobs(Body):
    """What an agent has, or the agents of a pool, at most 200 of `total`: those first that it has had for longest.

    One that was sent just now is counted, and may be listed a moment later.
    """

    items: list[JobOfExecution]
    total: int


class WaitingJob(JobOfExecution):
    """A job that no agent has yet, and why."""

    waiting_since: Instant
    reason: str


class WhyJobsWait(Body):
    """`since`: when the first of them began to wait."""

    reason: str
    jobs: int
    since: Instant


class WaitingJobs(Body):
    """At most 200 of `total`, those first that have waited for longest; `reasons` are those of all of them."""

    items: list[WaitingJob]
    total: int
    reasons: list[WhyJobsWait]


class PoolJobs(Body):
    """`waiting`: those that ask for this pool, also if they ask for an agent by its name."""

    held: HeldJobs
    waiting: WaitingJobs


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


class ApprovalContext(Body):
    """What to know before deciding (R23). `nodes`: of the execution, outside of iterations, what had ended when this was asked,
    in that order."""

    trigger: Trigger
    variables: Annotated[Json, Meta(description="`inputs`, and the `vars` that nodes have set")]
    nodes: list[NodeRow]


class ApprovalDetail(ApprovalRow):
    context: ApprovalContext


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
