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
    subworkflow.scheduled                                                           running, waits (subworkflow)
    node.completed …                                                                completed, failed, skipped, cancelled
    node.reused                                                                     as it ended before, never entered
    execution.failing      failing_at, error
    execution.completed …  its final status

`foreach.*` and `iteration.*` are in `iterations.py`, `approval.*` in `approvals.py`. What happens in an iteration counts for
the execution that users see; its nodes are kept apart, since every iteration has the same. Requests to cancel, ignored
reports and `subworkflow.ended` (its node's end follows) change no row but the execution's position; the log shows them. The
node of an action that ended has no output of its own: it is the job's, and stored there once. An unknown event raises.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from runyard_shared.contracts import events
from runyard_shared.contracts.base import Event
from runyard_shared.contracts.feed import Recorded
from runyard_shared.contracts.values import ErrorInfo, ExecutionStatus, JobStatus, NodeStatus
from runyard_shared.eventstore.mapper import EventMapper, UnknownTopic

from runyard_projections.executions import approvals, iterations
from runyard_projections.executions.changes import Changes, ExecutionChange, Fold, JobChange, NewExecution, NewJob
from runyard_projections.executions.nodes import end_node, enter, waiting
from runyard_projections.executions.pauses import Move
from runyard_projections.text import json_text, storable
from runyard_projections.topics import OF_TRIGGERS, OF_WORKFLOWS

_FOREIGN: Final = OF_WORKFLOWS + OF_TRIGGERS
_JOB_BEGAN: Final = Move.JOB_BEGAN
_JOB_ENDED: Final = Move.JOB_ENDED


def fold(recorded: Iterable[Recorded], mapper: EventMapper) -> Changes:
    """The changes of consecutive events. Raises `UnknownTopic`, or `msgspec.ValidationError` for data of another shape."""
    changes = Changes()
    for row in recorded:
        topic = row.topic
        apply = _APPLY.get(topic)
        if apply is not None:
            execution = changes.execution(row)
            apply(changes, execution, row, mapper.decode(row))
            execution.position = row.position
        elif not topic.startswith(_FOREIGN):
            raise UnknownTopic(f"the projection executions does not know {topic!r} (position {row.position})")
    return changes


def _no_row(_changes: Changes, _execution: ExecutionChange, _row: Recorded, _event: Event) -> None:
    pass


# --- execution


def _execution_started(_changes: Changes, execution: ExecutionChange, row: Recorded, event: events.ExecutionStarted) -> None:
    execution.status = ExecutionStatus.RUNNING
    execution.new = NewExecution(
        row.tenant_id,
        event.workflow_id,
        storable(event.workflow_name),
        event.version,
        storable(event.trigger.type),
        json_text(event.trigger),
        json_text(event.inputs),
        storable(event.started_by),
        event.parent_execution_id,
        None if event.parent is None else storable(event.parent.node_id),
        event.depth,
        event.rerun_of,
        None if event.from_node is None else storable(event.from_node),
        event.timeout_seconds,
        row.recorded_at,
    )


def _execution_failing(_changes: Changes, execution: ExecutionChange, row: Recorded, event: events.ExecutionFailing) -> None:
    if row.stream_id != execution.execution_id:
        return  # an iteration fails; the execution goes on, or says so itself
    if execution.failing_at is None:
        execution.failing_at = row.recorded_at
    if execution.error is None:
        execution.error = json_text(event.error)


def _execution_completed(
    _changes: Changes, execution: ExecutionChange, row: Recorded, _event: events.ExecutionCompleted
) -> None:
    _end(execution, ExecutionStatus.COMPLETED, row.recorded_at)


def _execution_failed(_changes: Changes, execution: ExecutionChange, row: Recorded, event: events.ExecutionFailed) -> None:
    _end(execution, ExecutionStatus.FAILED, row.recorded_at)
    if execution.error is None:
        execution.error = json_text(event.error)


def _execution_cancelled(
    _changes: Changes, execution: ExecutionChange, row: Recorded, event: events.ExecutionCancelled
) -> None:
    _end(execution, ExecutionStatus.CANCELLED, row.recorded_at)
    if execution.cancellation is None:
        execution.cancellation = json_text({"by": event.by, "reason": event.reason, "force": event.force})


def _end(execution: ExecutionChange, status: ExecutionStatus, at: datetime) -> None:
    execution.end(status, at)
    execution.steps.append((Move.ENDED, at, None))


# --- job


def _job_scheduled(changes: Changes, execution: ExecutionChange, row: Recorded, event: events.JobScheduled) -> None:
    execution.jobs_total += 1
    execution.jobs_live += 1
    retried = (row.stream_id, event.node_id) if event.attempt > 1 else None
    execution.steps.append((_JOB_BEGAN, row.recorded_at, retried))
    job = changes.job(execution.execution_id, event.job_id)
    job.new = NewJob(
        row.stream_id if row.correlation_id else None,
        storable(event.node_id),
        storable(event.action),
        storable(event.pool),
        event.attempt,
        row.recorded_at,
        None if event.queue_expires_at is None else datetime.fromisoformat(event.queue_expires_at),
    )
    node = enter(changes, execution, row, event.node_id, NodeStatus.RUNNING)
    node.job_id = event.job_id


def _job_dispatched(changes: Changes, execution: ExecutionChange, row: Recorded, event: events.JobDispatched) -> None:
    job = changes.job(execution.execution_id, event.job_id)
    job.status = JobStatus.DISPATCHED
    job.agent = storable(event.agent)
    job.dispatched_at = row.recorded_at


def _job_requeued(changes: Changes, execution: ExecutionChange, _row: Recorded, event: events.JobRequeued) -> None:
    job = changes.job(execution.execution_id, event.job_id)
    job.status = JobStatus.PENDING
    job.released = True
    job.agent = job.dispatched_at = None


def _job_started(changes: Changes, execution: ExecutionChange, row: Recorded, event: events.JobStarted) -> None:
    job = changes.job(execution.execution_id, event.job_id)
    job.status = JobStatus.RUNNING
    job.agent = storable(event.agent)
    job.started_at = row.recorded_at
    if event.dispatched_at is not None:
        job.dispatched_at = datetime.fromisoformat(event.dispatched_at)


def _job_completed(changes: Changes, execution: ExecutionChange, row: Recorded, event: events.JobCompleted) -> None:
    execution.jobs_completed += 1
    job = _end_job(changes, execution, row, event.job_id, JobStatus.COMPLETED)
    job.duration_ms = event.duration_ms
    job.output = json_text(event.output)


def _job_failed(changes: Changes, execution: ExecutionChange, row: Recorded, event: events.JobFailed) -> None:
    job = _end_job(changes, execution, row, event.job_id, JobStatus.FAILED)
    _explain(job, event.error, event.output, event.duration_ms)


def _job_timed_out(changes: Changes, execution: ExecutionChange, row: Recorded, event: events.JobTimedOut) -> None:
    job = _end_job(changes, execution, row, event.job_id, JobStatus.TIMEOUT)
    _explain(job, event.error, event.output, event.duration_ms)


def _job_cancelled(changes: Changes, execution: ExecutionChange, row: Recorded, event: events.JobCancelled) -> None:
    job = _end_job(changes, execution, row, event.job_id, JobStatus.CANCELLED)
    _explain(job, ErrorInfo(reason="cancelled", message=event.reason), event.output, event.duration_ms)


def _end_job(changes: Changes, execution: ExecutionChange, row: Recorded, job_id: str, status: JobStatus) -> JobChange:
    execution.jobs_live -= 1
    execution.steps.append((_JOB_ENDED, row.recorded_at, None))
    job = changes.job(execution.execution_id, job_id)
    job.status = status
    job.finished_at = row.recorded_at
    return job


def _explain(job: JobChange, error: ErrorInfo, output: dict[str, Any], duration_ms: int) -> None:
    """A duration of 0 means that no agent measured one."""
    job.error = json_text(error)
    if output:
        job.output = json_text(output)
    if duration_ms:
        job.duration_ms = duration_ms


# --- node


def _retry_scheduled(changes: Changes, execution: ExecutionChange, row: Recorded, event: events.RetryScheduled) -> None:
    node = enter(changes, execution, row, event.node_id, NodeStatus.WAITING)
    waiting(node, "retry", row.recorded_at, until=event.due_at, attempt=event.attempt, maxAttempts=event.max_attempts)
    execution.steps.append((Move.WAIT_BEGAN, row.recorded_at, (row.stream_id, event.node_id)))


def _node_waiting(changes: Changes, execution: ExecutionChange, row: Recorded, event: events.NodeWaiting) -> None:
    node = enter(changes, execution, row, event.node_id, NodeStatus.WAITING)
    waiting(node, "delay", row.recorded_at, until=event.until)
    execution.steps.append((Move.WAIT_BEGAN, row.recorded_at, (row.stream_id, event.node_id)))


def _subworkflow_scheduled(
    changes: Changes, execution: ExecutionChange, row: Recorded, event: events.SubworkflowScheduled
) -> None:
    node = enter(changes, execution, row, event.node_id, NodeStatus.RUNNING)
    waiting(node, "subworkflow", row.recorded_at, executionId=event.execution_id)
    execution.steps.append((Move.WAIT_BEGAN, row.recorded_at, (row.stream_id, event.node_id)))


def _node_completed(changes: Changes, execution: ExecutionChange, row: Recorded, event: events.NodeCompleted) -> None:
    node = end_node(changes, execution, row, event.node_id, NodeStatus.COMPLETED, event.port)
    if event.output is not None and node.job_id is None:
        node.output = json_text(event.output)


def _node_failed(changes: Changes, execution: ExecutionChange, row: Recorded, event: events.NodeFailed) -> None:
    node = end_node(changes, execution, row, event.node_id, NodeStatus.FAILED, event.port)
    node.error = json_text(event.error)


def _node_skipped(changes: Changes, execution: ExecutionChange, row: Recorded, event: events.NodeSkipped) -> None:
    node = changes.node(execution.execution_id, row.stream_id, storable(event.node_id))  # never entered: no started_at
    node.status = NodeStatus.SKIPPED
    node.finished_at = row.recorded_at
    node.position = row.position


def _node_reused(changes: Changes, execution: ExecutionChange, row: Recorded, event: events.NodeReused) -> None:
    node = changes.node(execution.execution_id, row.stream_id, storable(event.node_id))  # not entered here: no duration
    node.status = event.status
    node.finished_at = row.recorded_at
    node.port = None if event.port is None else storable(event.port)
    node.output = None if event.output is None else json_text(event.output)
    node.error = None if event.error is None else json_text(event.error)
    node.position = row.position


def _node_cancelled(changes: Changes, execution: ExecutionChange, row: Recorded, event: events.NodeCancelled) -> None:
    end_node(changes, execution, row, event.node_id, NodeStatus.CANCELLED, None)


_APPLY: Final[dict[str, Fold]] = {
    events.ExecutionStarted.topic: _execution_started,
    events.ExecutionFailing.topic: _execution_failing,
    events.ExecutionCompleted.topic: _execution_completed,
    events.ExecutionFailed.topic: _execution_failed,
    events.ExecutionCancelled.topic: _execution_cancelled,
    events.ChildrenCancelRequested.topic: _no_row,
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
    events.NodeReused.topic: _node_reused,
    events.NodeCancelled.topic: _node_cancelled,
    events.SubworkflowScheduled.topic: _subworkflow_scheduled,
    events.SubworkflowEnded.topic: _no_row,
    events.ApprovalCancelRequested.topic: _no_row,
    **iterations.APPLY,
    **approvals.APPLY,
}
