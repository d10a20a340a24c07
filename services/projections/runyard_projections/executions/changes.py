"""What a batch of events changes in the rows of executions, jobs and nodes, each row at most once.

Nothing here depends on what is stored: an event adds to a counter, sets a field for the first time, or replaces it. So events
are folded without reading a row, and it makes no difference to the rows how the log is cut into batches.
"""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(slots=True)
class NewExecution:
    """What an execution is from its start on."""

    tenant_id: str
    workflow_id: str
    workflow_name: str
    version: int
    trigger_type: str
    trigger: str
    inputs: str
    started_by: str
    parent_execution_id: str | None
    rerun_of: str | None
    timeout_seconds: float
    started_at: datetime


@dataclass(slots=True)
class ExecutionChange:
    """`new` if the execution starts in this batch. The counters are added to the row's; the rest is set once."""

    execution_id: str
    position: int = 0
    new: NewExecution | None = None
    status: str | None = None
    failing_at: datetime | None = None
    finished_at: datetime | None = None
    jobs_total: int = 0
    jobs_completed: int = 0
    jobs_live: int = 0
    error: str | None = None
    cancellation: str | None = None

    def end(self, status: str, at: datetime) -> None:
        """The first end stays: a finished execution never goes back."""
        if self.finished_at is None:
            self.status = status
            self.finished_at = at


@dataclass(slots=True)
class NewJob:
    """What a job is from its scheduling on."""

    node_id: str
    action: str
    pool: str
    attempt: int
    queued_at: datetime


@dataclass(slots=True)
class JobChange:
    """`new` if the job was scheduled in this batch. `status` always replaces the row's. `released`: it lost its lease in this
    batch, so that `agent` and `dispatched_at` replace the row's even when None; anything else that is None changes nothing."""

    execution_id: str
    job_id: str
    new: NewJob | None = None
    status: str = "pending"
    released: bool = False
    agent: str | None = None
    dispatched_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    duration_ms: int | None = None
    output: str | None = None
    error: str | None = None


@dataclass(slots=True)
class NodeChange:
    """The state after the batch's last event of the node, replacing the row's, but for `started_at` (the row's stays) and
    `job_id` (None changes nothing)."""

    execution_id: str
    node_id: str
    status: str = "running"
    job_id: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    port: str | None = None
    waiting: str | None = None
    output: str | None = None
    error: str | None = None
    position: int = 0


@dataclass(slots=True)
class Changes:
    """The changed rows of a batch by identity (of an execution; of a job; of execution and node)."""

    executions: dict[str, ExecutionChange] = field(default_factory=dict)
    jobs: dict[str, JobChange] = field(default_factory=dict)
    nodes: dict[tuple[str, str], NodeChange] = field(default_factory=dict)

    def execution(self, execution_id: str) -> ExecutionChange:
        change = self.executions.get(execution_id)
        if change is None:
            change = self.executions[execution_id] = ExecutionChange(execution_id)
        return change

    def job(self, execution_id: str, job_id: str) -> JobChange:
        change = self.jobs.get(job_id)
        if change is None:
            change = self.jobs[job_id] = JobChange(execution_id, job_id)
        return change

    def node(self, execution_id: str, node_id: str) -> NodeChange:
        change = self.nodes.get((execution_id, node_id))
        if change is None:
            change = self.nodes[execution_id, node_id] = NodeChange(execution_id, node_id)
        return change
