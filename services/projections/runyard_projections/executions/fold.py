"""Events in, changed rows out. Pure. The time of everything is the `recorded_at` of its event.

    event                  execution                    job                         node
    ---------------------  ---------------------------  --------------------------  -------------------------------
    execution.started      new, running
    job.scheduled          jobs_total + 1               new, pending                running, with this job
    job.dispatched                                      dispatched, to agent
    job.requeued                                        pending, agent forgotten
    job.started                                         running, on agent
    job.completed          jobs_completed + 1           completed, output
    job.failed, timed_out                               failed / timeout, error
    job.cancelled                                       cancelled, reason as error
    job.retry_scheduled                                                             waiting (retry)
    node.waiting                                                                    waiting (delay)
    node.completed …                                                                completed, failed, skipped, cancelled
    execution.failing      failing_at, error
    execution.completed …  its final status

`job.cancel_requested` and `job.report_ignored` change no row but the execution's position; the log shows them. The node of an
action that ended has no output of its own: it is the job's, and stored there once. An unknown event raises.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final

import msgspec
from runyard_shared.clock import rfc3339
from runyard_shared.contracts import events
from runyard_shared.contracts.base import Event
from runyard_shared.contracts.feed import Recorded
from runyard_shared.contracts.values import ErrorInfo, ExecutionStatus, JobStatus, NodeStatus
from runyard_shared.eventstore.mapper import EventMapper, UnknownTopic

from runyard_projections.executions.changes import Changes, JobChange, NewExecution, NewJob, NodeChange
from runyard_projections.text import storable

_encode = msgspec.json.Encoder().encode

FOREIGN: Final = "workflow."
"""What the topics of this log that are not ours begin with."""


def fold(recorded: Iterable[Recorded], mapper: EventMapper) -> Changes:
    """The changes of consecutive events. Raises `UnknownTopic`, or `msgspec.ValidationError` for data of another shape."""
    changes = Changes()
    for row in recorded:
        topic = row.topic
        apply = _APPLY.get(topic)
        if apply is not None:
            apply(changes, row, mapper.decode(row))
            changes.execution(row.stream_id).position = row.position
        elif not topic.startswith(FOREIGN):
            raise UnknownTopic(f"the projection executions does not know {topic!r} (position {row.position})")
    return changes


def _json(value: Any) -> str:
    return _encode(value).decode()


# --- execution


def _execution_started(changes: Changes, row: Recorded, event: events.ExecutionStarted) -> None:
    change = changes.execution(row.stream_id)
    change.status = ExecutionStatus.RUNNING
    change.new = NewExecution(
        row.tenant_id,
        event.workflow_id,
        storable(event.workflow_name),
        event.version,
        storable(event.trigger.type),
        _json(event.trigger),
        _json(event.inputs),
        storable(event.started_by),
        event.parent_execution_id,
        event.rerun_of,
        event.timeout_seconds,
        row.recorded_at,
    )


def _execution_failing(changes: Changes, row: Recorded, event: events.ExecutionFailing) -> None:
    change = changes.execution(row.stream_id)
    if change.failing_at is None:
        change.failing_at = row.recorded_at
    if change.error is None:
        change.error = _json(event.error)


def _execution_completed(changes: Changes, row: Recorded, _event: events.ExecutionCompleted) -> None:
    changes.execution(row.stream_id).end(ExecutionStatus.COMPLETED, row.recorded_at)


def _execution_failed(changes: Changes, row: Recorded, event: events.ExecutionFailed) -> None:
    change = changes.execution(row.stream_id)
    change.end(ExecutionStatus.FAILED, row.recorded_at)
    if change.error is None:
        change.error = _json(event.error)


def _execution_cancelled(changes: Changes, row: Recorded, event: events.ExecutionCancelled) -> None:
    change = changes.execution(row.stream_id)
    change.end(ExecutionStatus.CANCELLED, row.recorded_at)
    if change.cancellation is None:
        change.cancellation = _json({"by": event.by, "reason": event.reason, "force": event.force})


# --- job


def _job_scheduled(changes: Changes, row: Recorded, event: events.JobScheduled) -> None:
    execution_id, at = row.stream_id, row.recorded_at
    execution = changes.execution(execution_id)
    execution.jobs_total += 1
    execution.jobs_live += 1
    job = changes.job(execution_id, event.job_id)
    job.new = NewJob(storable(event.node_id), storable(event.action), storable(event.pool), event.attempt, at)
    node = _enter(changes, row, event.node_id, NodeStatus.RUNNING)
    node.job_id = event.job_id


def _job_dispatched(changes: Changes, row: Recorded, event: events.JobDispatched) -> None:
    job = changes.job(row.stream_id, event.job_id)
    job.status = JobStatus.DISPATCHED
    job.agent = storable(event.agent)
    job.dispatched_at = row.recorded_at


def _job_requeued(changes: Changes, row: Recorded, event: events.JobRequeued) -> None:
    job = changes.job(row.stream_id, event.job_id)
    job.status = JobStatus.PENDING
    job.released = True
    job.agent = job.dispatched_at = None


def _job_started(changes: Changes, row: Recorded, event: events.JobStarted) -> None:
    job = changes.job(row.stream_id, event.job_id)
    job.status = JobStatus.RUNNING
    job.agent = storable(event.agent)
    job.started_at = row.recorded_at
    if event.dispatched_at is not None:
        job.dispatched_at = datetime.fromisoformat(event.dispatched_at)


def _job_completed(changes: Changes, row: Recorded, event: events.JobCompleted) -> None:
    changes.execution(row.stream_id).jobs_completed += 1
    job = _end_job(changes, row, event.job_id, JobStatus.COMPLETED)
    job.duration_ms = event.duration_ms
    job.output = _json(event.output)


def _job_failed(changes: Changes, row: Recorded, event: events.JobFailed) -> None:
    job = _end_job(changes, row, event.job_id, JobStatus.FAILED)
    _explain(job, event.error, event.output, event.duration_ms)


def _job_timed_out(changes: Changes, row: Recorded, event: events.JobTimedOut) -> None:
    job = _end_job(changes, row, event.job_id, JobStatus.TIMEOUT)
    _explain(job, event.error, event.output, event.duration_ms)


def _job_cancelled(changes: Changes, row: Recorded, event: events.JobCancelled) -> None:
    job = _end_job(changes, row, event.job_id, JobStatus.CANCELLED)
    _explain(job, ErrorInfo(reason="cancelled", message=event.reason), event.output, event.duration_ms)


def _no_row(_changes: Changes, _row: Recorded, _event: Event) -> None:
    pass


def _end_job(changes: Changes, row: Recorded, job_id: str, status: JobStatus) -> JobChange:
    changes.execution(row.stream_id).jobs_live -= 1
    job = changes.job(row.stream_id, job_id)
    job.status = status
    job.finished_at = row.recorded_at
    return job


def _explain(job: JobChange, error: ErrorInfo, output: dict[str, Any], duration_ms: int) -> None:
    """A duration of 0 means that no agent measured one."""
    job.error = _json(error)
    if output:
        job.output = _json(output)
    if duration_ms:
        job.duration_ms = duration_ms


# --- node


def _retry_scheduled(changes: Changes, row: Recorded, event: events.RetryScheduled) -> None:
    node = _enter(changes, row, event.node_id, NodeStatus.WAITING)
    node.waiting = _waiting("retry", row.recorded_at, event.due_at, attempt=event.attempt, maxAttempts=event.max_attempts)


def _node_waiting(changes: Changes, row: Recorded, event: events.NodeWaiting) -> None:
    node = _enter(changes, row, event.node_id, NodeStatus.WAITING)
    node.waiting = _waiting("delay", row.recorded_at, event.until)


def _node_completed(changes: Changes, row: Recorded, event: events.NodeCompleted) -> None:
    node = _end_node(changes, row, event.node_id, NodeStatus.COMPLETED, event.port)
    if event.output is not None and node.job_id is None:
        node.output = _json(event.output)


def _node_failed(changes: Changes, row: Recorded, event: events.NodeFailed) -> None:
    node = _end_node(changes, row, event.node_id, NodeStatus.FAILED, event.port)
    node.error = _json(event.error)


def _node_skipped(changes: Changes, row: Recorded, event: events.NodeSkipped) -> None:
    node = changes.node(row.stream_id, storable(event.node_id))  # never entered: it has no started_at
    node.status = NodeStatus.SKIPPED
    node.finished_at = row.recorded_at
    node.position = row.position


def _node_cancelled(changes: Changes, row: Recorded, event: events.NodeCancelled) -> None:
    _end_node(changes, row, event.node_id, NodeStatus.CANCELLED, None)


def _enter(changes: Changes, row: Recorded, node_id: str, status: NodeStatus) -> NodeChange:
    node = changes.node(row.stream_id, storable(node_id))
    node.status = status
    node.waiting = None
    node.position = row.position
    if node.started_at is None:
        node.started_at = row.recorded_at
    return node


def _end_node(changes: Changes, row: Recorded, node_id: str, status: NodeStatus, port: str | None) -> NodeChange:
    node = _enter(changes, row, node_id, status)
    node.finished_at = row.recorded_at
    node.port = None if port is None else storable(port)
    return node


def _waiting(what: str, since: datetime, until: str, **more: int) -> str:
    return _json({"for": what, "since": rfc3339(since), "until": until, **more})


_APPLY: dict[str, Callable[[Changes, Recorded, Any], None]] = {
    events.ExecutionStarted.topic: _execution_started,
    events.ExecutionFailing.topic: _execution_failing,
    events.ExecutionCompleted.topic: _execution_completed,
    events.ExecutionFailed.topic: _execution_failed,
    events.ExecutionCancelled.topic: _execution_cancelled,
    events.JobScheduled.topic: _job_scheduled,
    events.JobDispatched.topic: _job_dispatched,
    events.JobRequeued.topic: _job_requeued,
    events.JobStarted.topic: _job_started,
    events.JobCompleted.topic: _job_completed,
    events.JobFailed.topic: _job_failed,
    events.JobTimedOut.topic: _job_timed_out,
    events.JobCancelled.topic: _job_cancelled,
    events.JobCancelRequested.topic: _no_row,
    events.JobReportIgnored.topic: _no_row,
    events.RetryScheduled.topic: _retry_scheduled,
    events.NodeWaiting.topic: _node_waiting,
    events.NodeCompleted.topic: _node_completed,
    events.NodeFailed.topic: _node_failed,
    events.NodeSkipped.topic: _node_skipped,
    events.NodeCancelled.topic: _node_cancelled,
}
