"""What a batch of events changes in the rows of executions and what belongs to them, each row at most once.

Nothing here depends on what is stored: an event adds to a counter or a list, sets a field for the first time, or replaces it.
So events are folded without reading a row, and it makes no difference to the rows how the log is cut into batches. The one
thing that needs to know what went before is whether an execution is paused: `steps` has what `pauses.py` needs for that.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from runyard_shared.contracts.feed import Recorded

from runyard_projections.executions.pauses import Step


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
    parent_node_id: str | None
    depth: int
    rerun_of: str | None
    from_node: str | None
    timeout_seconds: float
    started_at: datetime


@dataclass(slots=True)
class ExecutionChange:
    """`new` if the execution starts in this batch. The counters are added to the row's; the rest is set once.

    `approvals_moved`: an approval of it was asked for or decided in this batch.
    """

    execution_id: str
    tenant_id: str = ""
    position: int = 0
    new: NewExecution | None = None
    status: str | None = None
    failing_at: datetime | None = None
    finished_at: datetime | None = None
    jobs_total: int = 0
    jobs_completed: int = 0
    jobs_live: int = 0
    pending_approvals: int = 0
    error: str | None = None
    cancellation: str | None = None
    approvals_moved: bool = False
    steps: list[Step] = field(default_factory=list)

    def end(self, status: str, at: datetime) -> None:
        """The first end stays: a finished execution never goes back."""
        if self.finished_at is None:
            self.status = status
            self.finished_at = at


@dataclass(slots=True)
class NewJob:
    """What a job is from its scheduling on. `stream_id`: the iteration's, if it is in one."""

    stream_id: str | None
    node_id: str
    action: str
    pool: str
    attempt: int
    queued_at: datetime
    queue_expires_at: datetime | None


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
    stream_id: str
    node_id: str
    status: str = "running"
    job_id: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    port: str | None = None
    waiting: str | None = None
    waiting_since: datetime | None = None
    output: str | None = None
    error: str | None = None
    position: int = 0


@dataclass(slots=True)
class ForEachChange:
    """How far a forEach node came: `total` if it was entered in this batch; the counters are added to the row's."""

    execution_id: str
    stream_id: str
    node_id: str
    total: int | None = None
    scheduled: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0


@dataclass(slots=True)
class NewIteration:
    """What an iteration is from its start on."""

    parent_stream_id: str
    node_id: str
    index: int
    path: str
    item: str
    started_at: datetime


@dataclass(slots=True)
class IterationChange:
    """`new` if the iteration starts in this batch; otherwise it ends in it."""

    execution_id: str
    stream_id: str
    new: NewIteration | None = None
    status: str = "running"
    finished_at: datetime | None = None
    output: str | None = None
    error: str | None = None


@dataclass(slots=True)
class NewApproval:
    """What an approval is from its request on. `approvers`: a list, as JSON."""

    tenant_id: str
    stream_id: str
    node_id: str
    workflow_name: str
    started_by: str
    message: str
    approvers: str
    min_approvals: int
    prevent_self_approval: bool
    requested_at: datetime
    expires_at: datetime | None


@dataclass(slots=True)
class ApprovalChange:
    """`new` if it was asked for in this batch. What is in `given_votes` and `sent`, JSON each, comes after what the row has;
    what is None changes nothing. `escalated_to`: a list, as JSON."""

    execution_id: str
    approval_id: str
    new: NewApproval | None = None
    status: str | None = None
    given_votes: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    escalated_to: str | None = None
    escalated_at: datetime | None = None
    reminded_at: datetime | None = None
    responded_by: str | None = None
    response_note: str | None = None
    responded_via: str | None = None
    responded_at: datetime | None = None
    position: int = 0

    @property
    def votes(self) -> str:
        return f"[{','.join(self.given_votes)}]"

    @property
    def notifications(self) -> str:
        return f"[{','.join(self.sent)}]"


@dataclass(slots=True)
class Changes:
    """The changed rows of a batch by identity: of an execution, a job, an iteration, an approval; of a node its stream and id.

    `nodes` are those of executions themselves, `iteration_nodes` those of iterations.
    """

    executions: dict[str, ExecutionChange] = field(default_factory=dict)
    jobs: dict[str, JobChange] = field(default_factory=dict)
    nodes: dict[tuple[str, str], NodeChange] = field(default_factory=dict)
    iteration_nodes: dict[tuple[str, str], NodeChange] = field(default_factory=dict)
    foreachs: dict[tuple[str, str], ForEachChange] = field(default_factory=dict)
    iterations: dict[str, IterationChange] = field(default_factory=dict)
    approvals: dict[str, ApprovalChange] = field(default_factory=dict)

    def execution(self, row: Recorded) -> ExecutionChange:
        """That of the event: an iteration's has the execution that users see as its correlation."""
        execution_id = row.correlation_id or row.stream_id
        change = self.executions.get(execution_id)
        if change is None:
            change = self.executions[execution_id] = ExecutionChange(execution_id, row.tenant_id)
        return change

    def job(self, execution_id: str, job_id: str) -> JobChange:
        change = self.jobs.get(job_id)
        if change is None:
            change = self.jobs[job_id] = JobChange(execution_id, job_id)
        return change

    def node(self, execution_id: str, stream_id: str, node_id: str) -> NodeChange:
        nodes = self.nodes if stream_id == execution_id else self.iteration_nodes
        change = nodes.get((stream_id, node_id))
        if change is None:
            change = nodes[stream_id, node_id] = NodeChange(execution_id, stream_id, node_id)
        return change

    def foreach(self, execution_id: str, stream_id: str, node_id: str) -> ForEachChange:
        change = self.foreachs.get((stream_id, node_id))
        if change is None:
            change = self.foreachs[stream_id, node_id] = ForEachChange(execution_id, stream_id, node_id)
        return change

    def iteration(self, execution_id: str, stream_id: str) -> IterationChange:
        change = self.iterations.get(stream_id)
        if change is None:
            change = self.iterations[stream_id] = IterationChange(execution_id, stream_id)
        return change

    def approval(self, execution_id: str, approval_id: str) -> ApprovalChange:
        change = self.approvals.get(approval_id)
        if change is None:
            change = self.approvals[approval_id] = ApprovalChange(execution_id, approval_id)
        return change

    def forget(self, execution_ids: Collection[str]) -> None:
        """As if nothing of these executions were in the batch."""
        rows: tuple[dict[Any, Any], ...] = (
            self.executions, self.jobs, self.nodes, self.iteration_nodes, self.foreachs, self.iterations, self.approvals
        )  # fmt: skip
        for changes in rows:
            for key in [key for key, change in changes.items() if change.execution_id in execution_ids]:
                del changes[key]


Fold: TypeAlias = Callable[[Changes, ExecutionChange, Recorded, Any], None]
"""What one kind of event does; gets the change of its execution, the row of the log and the event."""
