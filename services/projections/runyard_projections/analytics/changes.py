"""What a batch of events says of executions and jobs, as far as figures need it, and what is known of those not over yet.

Nothing here depends on what is stored. What does (when the execution began that ends, on which agent the job ran) is put
together in `settle.py`.
"""

from dataclasses import dataclass, field
from datetime import datetime

from runyard_shared.contracts.values import ExecutionStatus, JobStatus


@dataclass(slots=True)
class OpenExecution:
    """One that has begun, until it and all its jobs have ended: jobs of a cancelled one end after it."""

    tenant_id: str
    workflow_id: str
    started_at: datetime
    ended: bool = False
    open_jobs: int = 0


@dataclass(slots=True)
class ExecutionChange:
    """`begun` if it starts in this batch. `open_jobs`: scheduled ones less those that ended."""

    begun: OpenExecution | None = None
    status: ExecutionStatus | None = None
    ended_at: datetime | None = None
    open_jobs: int = 0


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

    def execution(self, execution_id: str) -> ExecutionChange:
        change = self.executions.get(execution_id)
        if change is None:
            change = self.executions[execution_id] = ExecutionChange()
        return change

    def job(self, execution_id: str, job_id: str) -> JobChange:
        change = self.jobs.get(job_id)
        if change is None:
            change = self.jobs[job_id] = JobChange(execution_id)
        return change
