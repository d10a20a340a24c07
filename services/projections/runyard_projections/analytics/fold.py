"""Events in, changes out. Pure. The time of everything is the `recorded_at` of its event.

    event                         execution                    job
    ----------------------------  ---------------------------  -------------------------------
    execution.started             begun
    execution.completed …         its final status, once
    foreach.iterations_scheduled  outstanding + n
    iteration.completed …         outstanding - 1
    job.scheduled                 outstanding + 1
    job.dispatched                                             has an agent
    job.requeued                                               has none
    job.started                                                has an agent, runs
    job.completed, failed,        outstanding - 1              its final status, how long it ran
      timed_out, cancelled

Jobs of iterations are those of the execution that users see; an iteration is no execution. All other events that the log may
hold say nothing of figures; one that nobody knows raises.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

from runyard_shared.contracts import events
from runyard_shared.contracts.events import EVENT_TYPES, ITERATION_ENDS
from runyard_shared.contracts.feed import Recorded
from runyard_shared.contracts.values import ExecutionStatus, JobStatus
from runyard_shared.eventstore.mapper import EventMapper, UnknownTopic

from runyard_projections.analytics.changes import Changes, JobChange, OpenExecution
from runyard_projections.text import storable

_Apply: TypeAlias = Callable[[Changes, Recorded, Any], None]


def fold(recorded: Iterable[Recorded], mapper: EventMapper) -> Changes:
    """The changes of consecutive events. Raises `UnknownTopic`, or `msgspec.ValidationError` for data of another shape."""
    changes = Changes()
    for row in recorded:
        topic = row.topic
        apply = _APPLY.get(topic)
        if apply is not None:
            apply(changes, row, mapper.decode(row))
        elif topic == _SCHEDULED:
            changes.execution(row).outstanding += 1
        elif topic in ITERATION_ENDS:
            changes.execution(row).outstanding -= 1
        elif topic in _ENDS:
            _ended(changes, row, _ENDS[topic])
        elif topic not in EVENT_TYPES:
            raise UnknownTopic(f"the projection analytics does not know {topic!r} (position {row.position})")
    return changes


def _started(changes: Changes, row: Recorded, event: events.ExecutionStarted) -> None:
    changes.workflows[row.tenant_id, event.workflow_id] = storable(event.workflow_name)
    changes.execution(row).begun = OpenExecution(
        row.tenant_id, event.workflow_id, storable(event.trigger.type), row.recorded_at
    )


def _ended(changes: Changes, row: Recorded, status: ExecutionStatus) -> None:
    execution = changes.execution(row)
    if execution.status is None:
        execution.status = status
        execution.ended_at = row.recorded_at


def _iterations_scheduled(changes: Changes, row: Recorded, event: events.IterationsScheduled) -> None:
    changes.execution(row).outstanding += len(event.stream_ids)


def _job_dispatched(changes: Changes, row: Recorded, event: events.JobDispatched) -> None:
    job = changes.job(row, event.job_id)
    job.placed = True
    job.agent = storable(event.agent)


def _job_requeued(changes: Changes, row: Recorded, event: events.JobRequeued) -> None:
    job = changes.job(row, event.job_id)
    job.placed = True
    job.agent = None


def _job_started(changes: Changes, row: Recorded, event: events.JobStarted) -> None:
    job = changes.job(row, event.job_id)
    job.placed = True
    job.agent = storable(event.agent)
    job.started_at = row.recorded_at


def _job_completed(changes: Changes, row: Recorded, event: events.JobCompleted) -> None:
    _end_job(changes, row, event.job_id, JobStatus.COMPLETED).duration_ms = event.duration_ms


def _job_failed(changes: Changes, row: Recorded, event: events.JobFailed) -> None:
    _end_job(changes, row, event.job_id, JobStatus.FAILED).duration_ms = event.duration_ms or None


def _job_timed_out(changes: Changes, row: Recorded, event: events.JobTimedOut) -> None:
    _end_job(changes, row, event.job_id, JobStatus.TIMEOUT).duration_ms = event.duration_ms or None


def _job_cancelled(changes: Changes, row: Recorded, event: events.JobCancelled) -> None:
    _end_job(changes, row, event.job_id, JobStatus.CANCELLED).duration_ms = event.duration_ms or None


def _end_job(changes: Changes, row: Recorded, job_id: str, status: JobStatus) -> JobChange:
    changes.execution(row).outstanding -= 1
    job = changes.job(row, job_id)
    job.status = status
    job.ended_at = row.recorded_at
    return job


_SCHEDULED: Final = events.JobScheduled.topic
_ENDS: Final = {
    events.ExecutionCompleted.topic: ExecutionStatus.COMPLETED,
    events.ExecutionFailed.topic: ExecutionStatus.FAILED,
    events.ExecutionCancelled.topic: ExecutionStatus.CANCELLED,
}
"""These, like those before, are told by their topic: what they hold is not looked at."""
_APPLY: Final[dict[str, _Apply]] = {
    events.ExecutionStarted.topic: _started,
    events.IterationsScheduled.topic: _iterations_scheduled,
    events.JobDispatched.topic: _job_dispatched,
    events.JobRequeued.topic: _job_requeued,
    events.JobStarted.topic: _job_started,
    events.JobCompleted.topic: _job_completed,
    events.JobFailed.topic: _job_failed,
    events.JobTimedOut.topic: _job_timed_out,
    events.JobCancelled.topic: _job_cancelled,
}
