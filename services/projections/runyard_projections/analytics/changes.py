"""What a batch of events says of executions and jobs, as far as figures need it, and what is known of those not over yet.

Nothing here depends on what is stored. What does (when the execution began that ends, on which agent the job ran) is put
together in `settle.py`.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime

from runyard_shared.contracts.feed import Recorded
from runyard_shared.contracts.values import ExecutionStatus, JobStatus


@dataclass(slots=True)
class OpenExecution:
    """One that has begun, until it has ended and nothing of it is `outstanding`: jobs that have not ended, and iterations,
    which may begin and schedule jobs when their execution was cancelled already."""

    tenant_id: str
    workflow_id: str
    trigger_type: str
    started_at: datetime
    ended: bool = False
    outstanding: int = 0


@dataclass(slots=True)
class ExecutionChange:
    """`begun` if it starts in this batch. `outstanding`: jobs and iterations that were scheduled less those that ended."""

    tenant_id: str
    begun: OpenExecution | None = None
    status: ExecutionStatus | None = None
    ended_at: datetime | None = None
    outstanding: int = 0


@dataclass(slots=True)
class JobChange:
    """`placed`: it got an agent in this batch, or lost it. `duration_ms`: None if no agent measured one."""

    execution_id: str
    placed: bool = False
    agent: str | None = None
    started_at: datetime | None = None
    status: JobStatus | None = None
    ended_at: datetime | None = None
    duration_ms: int | None = None


@dataclass(slots=True)
class Changes:
    """By tenant and workflow its latest name; by id executions and jobs that events name."""

    workflows: dict[tuple[str, str], str] = field(default_factory=dict)
    executions: dict[str, ExecutionChange] = field(default_factory=dict)
    jobs: dict[str, JobChange] = field(default_factory=dict)

    def execution(self, row: Recorded) -> ExecutionChange:
        """That of the event: an iteration's has the execution that users see as its correlation."""
        execution_id = row.correlation_id or row.stream_id
        change = self.executions.get(execution_id)
        if change is None:
            change = self.executions[execution_id] = ExecutionChange(row.tenant_id)
        return change

    def job(self, row: Recorded, job_id: str) -> JobChange:
        change = self.jobs.get(job_id)
        if change is None:
            change = self.jobs[job_id] = JobChange(row.correlation_id or row.stream_id)
        return change

    def forget(self, execution_ids: AbstractSet[str]) -> None:
        """Leaves out these executions and their jobs."""
        for execution_id in execution_ids:
            del self.executions[execution_id]
        self.jobs = {job_id: job for job_id, job in self.jobs.items() if job.execution_id not in execution_ids}
