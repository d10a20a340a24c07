"""What the orchestrator measures: executions and jobs, as their events are written. By what happened and never by workflow, of
which there may be thousands; figures for each workflow are in the read models."""

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import cache
from typing import Any, Final

from prometheus_client import Counter, Histogram
from runyard_shared.contracts import events
from runyard_shared.contracts.base import Event
from runyard_shared.contracts.values import ExecutionStatus, JobStatus
from runyard_shared.metrics import REGISTRY, STEP_SECONDS

from runyard_orchestrator.execution.state import ExecutionState

_LONG: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14400, 86400)

EXECUTIONS_STARTED: Final = Counter(
    "runyard_executions_started",
    "Executions that began, by what started them: manual (also the API and the command line), webhook, cron, incident, and "
    "those of subworkflows under what started the first.",
    ("trigger",),
    registry=REGISTRY,
)
EXECUTIONS_ENDED: Final = Counter(
    "runyard_executions_ended",
    "Executions that ended, by status: completed, failed, cancelled.",
    ("status",),
    registry=REGISTRY,
)
EXECUTION_SECONDS: Final = Histogram(
    "runyard_execution_seconds",
    "From the start of an execution to its end, with all it waited for, by status.",
    ("status",),
    buckets=_LONG,
    registry=REGISTRY,
)
JOBS_SCHEDULED: Final = Counter(
    "runyard_jobs_scheduled",
    "Jobs that were to be run, by type of action; each attempt of a node is one.",
    ("action",),
    registry=REGISTRY,
)
JOBS_ENDED: Final = Counter(
    "runyard_jobs_ended",
    "Jobs that ended, by type of action and by status: completed, failed, timeout, cancelled.",
    ("action", "status"),
    registry=REGISTRY,
)
JOB_RUN_SECONDS: Final = Histogram(
    "runyard_job_run_seconds",
    "How long jobs ran, by type of action, measured by their agents; those that never ran are left out.",
    ("action",),
    buckets=_LONG,
    registry=REGISTRY,
)
JOBS_REQUEUED: Final = Counter(
    "runyard_jobs_requeued",
    "Jobs whose agent was lost before they started: they are given to another.",
    registry=REGISTRY,
)
JOBS_RETRIED: Final = Counter(
    "runyard_jobs_retried",
    "Attempts after the first that were set for later, because an action node failed and has attempts left.",
    registry=REGISTRY,
)
_START: Final = STEP_SECONDS.labels("start")
_of_trigger: Final = cache(EXECUTIONS_STARTED.labels)
_scheduled_of: Final = cache(JOBS_SCHEDULED.labels)
_ended_of: Final = cache(JOBS_ENDED.labels)
_run_seconds_of: Final = cache(JOB_RUN_SECONDS.labels)
"""Looking a series up by its labels costs more than counting."""


def written(state: ExecutionState, happened: Iterable[Event], at: datetime) -> None:
    """Events that were written at that time, and the state after them."""
    for event in happened:
        count = _COUNTED.get(type(event))
        if count is not None:
            count(state, event, at)


def _started(state: ExecutionState, event: Any, at: datetime) -> None:
    _of_trigger(event.trigger.type).inc()


def _ended(status: ExecutionStatus) -> Callable[[ExecutionState, Any, datetime], None]:
    ended, seconds = EXECUTIONS_ENDED.labels(status.value), EXECUTION_SECONDS.labels(status.value)

    def count(state: ExecutionState, event: Any, at: datetime) -> None:
        ended.inc()
        seconds.observe(max(0.0, (at - state.started_at).total_seconds()))

    return count


def _job_scheduled(state: ExecutionState, event: Any, at: datetime) -> None:
    _scheduled_of(event.action).inc()


def _job_started(state: ExecutionState, event: Any, at: datetime) -> None:
    if event.dispatched_at is not None:
        _START.observe(max(0.0, (at - datetime.fromisoformat(event.dispatched_at)).total_seconds()))


def _job_ended(status: JobStatus) -> Callable[[ExecutionState, Any, datetime], None]:
    def count(state: ExecutionState, event: Any, at: datetime) -> None:
        job = state.jobs.get(event.job_id)
        action = "" if job is None else job.action
        _ended_of(action, status.value).inc()
        if event.duration_ms or status is JobStatus.COMPLETED:
            _run_seconds_of(action).observe(event.duration_ms / 1000)

    return count


_COUNTED: Final[dict[type[Event], Callable[[ExecutionState, Any, datetime], None]]] = {
    events.ExecutionStarted: _started,
    events.ExecutionCompleted: _ended(ExecutionStatus.COMPLETED),
    events.ExecutionFailed: _ended(ExecutionStatus.FAILED),
    events.ExecutionCancelled: _ended(ExecutionStatus.CANCELLED),
    events.JobScheduled: _job_scheduled,
    events.JobStarted: _job_started,
    events.JobRequeued: lambda state, event, at: JOBS_REQUEUED.inc(),
    events.RetryScheduled: lambda state, event, at: JOBS_RETRIED.inc(),
    events.JobCompleted: _job_ended(JobStatus.COMPLETED),
    events.JobFailed: _job_ended(JobStatus.FAILED),
    events.JobTimedOut: _job_ended(JobStatus.TIMEOUT),
    events.JobCancelled: _job_ended(JobStatus.CANCELLED),
}
