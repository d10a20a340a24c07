"""Changes and what was known before them, put together: what is to be counted, and what has to be known from now on. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from runyard_projections.analytics.changes import Changes, ExecutionChange, JobChange, OpenExecution
from runyard_projections.analytics.rollups import (
    ExecutionCounts,
    JobCounts,
    Place,
    Quarter,
    in_all_widths,
    quarter_of,
    with_all_workflows,
)
from runyard_projections.projection import ProjectionBroken

NO_AGENT: Final = ""
"""Of a job that ended without ever having reached one."""
_MILLISECOND: Final = timedelta(milliseconds=1)

Placed: TypeAlias = tuple[str, datetime | None]
"""The agent of a job that has not ended, and when it began to run."""


@dataclass(slots=True)
class Outcome:
    """`executions` and `jobs` are to be added to the stored ones; what is `open` and `placed` replaces the stored, and what is
    `over` and `released` is no longer stored."""

    executions: dict[Place, ExecutionCounts] = field(default_factory=dict)
    jobs: dict[Place, JobCounts] = field(default_factory=dict)
    open: dict[str, OpenExecution] = field(default_factory=dict)
    over: list[str] = field(default_factory=list)
    placed: dict[str, Placed] = field(default_factory=dict)
    released: list[str] = field(default_factory=list)


def settle(changes: Changes, opened: Mapping[str, OpenExecution], placed: Mapping[str, Placed]) -> Outcome:
    """`opened` and `placed`: what is stored of the executions and jobs of the changes. Raises `ProjectionBroken`."""
    outcome = Outcome()
    known: dict[str, OpenExecution] = {}
    executions: dict[Quarter, ExecutionCounts] = {}
    for execution_id, change in changes.executions.items():
        execution = change.begun or opened.get(execution_id)
        if execution is None:
            raise ProjectionBroken(f"an event names the execution {execution_id}, which did not begin or was over")
        known[execution_id] = execution
        if change.begun is not None or change.status is not None:
            quarter = (execution.tenant_id, execution.workflow_id, execution.trigger_type, quarter_of(execution.started_at))
            if quarter not in executions:
                executions[quarter] = ExecutionCounts()
            _count(executions[quarter], execution, change)
        _remember(outcome, execution_id, execution, change)
    jobs: dict[Quarter, JobCounts] = {}
    for job_id, job in changes.jobs.items():
        if job.status is not None:
            execution = known[job.execution_id]
            agent, duration_ms = _ran(job, placed.get(job_id))
            quarter = (execution.tenant_id, execution.workflow_id, agent, quarter_of(execution.started_at))
            if quarter not in jobs:
                jobs[quarter] = JobCounts()
            jobs[quarter].end(job.status, duration_ms)
        elif job.agent is not None:
            outcome.placed[job_id] = (job.agent, job.started_at)
        else:
            outcome.released.append(job_id)
    outcome.executions = in_all_widths(ExecutionCounts, with_all_workflows(ExecutionCounts, executions))
    outcome.jobs = in_all_widths(JobCounts, with_all_workflows(JobCounts, jobs))
    return outcome


def _count(counts: ExecutionCounts, execution: OpenExecution, change: ExecutionChange) -> None:
    if change.begun is not None:
        counts.started += 1
    if change.status is not None and change.ended_at is not None and not execution.ended:
        counts.end(change.status, (change.ended_at - execution.started_at) // _MILLISECOND)


def _remember(outcome: Outcome, execution_id: str, execution: OpenExecution, change: ExecutionChange) -> None:
    ended = execution.ended or change.status is not None
    outstanding = execution.outstanding + change.outstanding
    if ended and outstanding <= 0:
        if change.begun is None:
            outcome.over.append(execution_id)
    elif change.begun is not None or (ended, outstanding) != (execution.ended, execution.outstanding):
        outcome.open[execution_id] = replace(execution, ended=ended, outstanding=outstanding)


def _ran(job: JobChange, before: Placed | None) -> tuple[str, int]:
    """On which agent, and for how long: as the agent measured it, else from its start to its end."""
    agent, started_at = job.agent, job.started_at
    if before is not None and not job.placed:
        agent, started_at = before
    if job.duration_ms is not None:
        return agent or NO_AGENT, job.duration_ms
    if started_at is None or job.ended_at is None:
        return agent or NO_AGENT, 0
    return agent or NO_AGENT, (job.ended_at - started_at) // _MILLISECOND
