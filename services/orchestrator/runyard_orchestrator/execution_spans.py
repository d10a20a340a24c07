"""What traces say of executions: a span for each execution and iteration, and one for each of its jobs, made of the log when it
ends. Pure: the same rows always give the same spans.

Remembered is what has begun, for the streams heard of last; of any other, its rows tell again.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

import msgspec
from runyard_shared.contracts import events
from runyard_shared.contracts.base import Contract
from runyard_shared.contracts.feed import Recorded
from runyard_shared.contracts.values import Trigger
from runyard_shared.trace_context import is_sampled, span_id_of, within
from runyard_shared.tracing import Span, nanoseconds

_CAPACITY: Final = 20_000
_COMPLETED: Final = (events.JobCompleted.topic, events.ExecutionCompleted.topic, events.IterationCompleted.topic)


class _Started(Contract, frozen=True, kw_only=True):
    """Of an execution's first event, or an iteration's."""

    workflow_id: str
    workflow_name: str
    version: int
    traceparent: str | None = None
    trigger: Trigger | None = None
    rerun_of: str | None = None
    parent_execution_id: str | None = None
    path: str | None = None


class _Scheduled(Contract, frozen=True, kw_only=True):
    job_id: str
    node_id: str
    attempt: int
    action: str
    pool: str


class _OfJob(Contract, frozen=True, kw_only=True):
    job_id: str
    agent: str | None = None


class _Reason(Contract, frozen=True):
    reason: str


class _End(Contract, frozen=True, kw_only=True):
    job_id: str = ""
    dispatch: int = 0
    error: _Reason | None = None


@dataclass(slots=True)
class _Job:
    """One that has not ended."""

    name: str
    began_at: int
    attributes: dict[str, str | int | bool]
    events: list[tuple[str, int]] = field(default_factory=list)


@dataclass(slots=True)
class _Stream:
    """An execution, or an iteration. `context`: of its span; None if it is not traced."""

    context: str | None
    parent: str | None = None
    name: str = ""
    began_at: int = 0
    attributes: dict[str, str | int | bool] = field(default_factory=dict)
    jobs: dict[str, _Job] = field(default_factory=dict)


_decode_started = msgspec.json.Decoder(_Started).decode
_decode_scheduled = msgspec.json.Decoder(_Scheduled).decode
_decode_of_job = msgspec.json.Decoder(_OfJob).decode
_decode_end = msgspec.json.Decoder(_End).decode

_BEGINNINGS: Final = frozenset({events.ExecutionStarted.topic, events.IterationStarted.topic})
_ON_THE_WAY: Final = {
    events.JobDispatched.topic: "dispatched",
    events.JobRequeued.topic: "requeued",
    events.JobStarted.topic: "started",
    events.JobCancelRequested.topic: "cancel requested",
}
_JOB_ENDS: Final = {
    events.JobCompleted.topic: "completed",
    events.JobFailed.topic: "failed",
    events.JobTimedOut.topic: "timeout",
    events.JobCancelled.topic: "cancelled",
}
_ENDS: Final = {
    events.ExecutionCompleted.topic: "completed",
    events.ExecutionFailed.topic: "failed",
    events.ExecutionCancelled.topic: "cancelled",
    events.IterationCompleted.topic: "completed",
    events.IterationFailed.topic: "failed",
    events.IterationCancelled.topic: "cancelled",
}
_NEED_MEMORY: Final = frozenset({events.JobScheduled.topic, *_ON_THE_WAY, *_JOB_ENDS, *_ENDS})


class ExecutionSpans:
    def __init__(self, capacity: int = _CAPACITY) -> None:
        self._capacity = capacity
        self._streams: OrderedDict[str, _Stream] = OrderedDict()

    def knows(self, row: Recorded) -> bool:
        return row.topic not in _NEED_MEMORY or row.stream_id in self._streams

    def take(self, row: Recorded) -> Span | None:
        if row.topic in _BEGINNINGS:
            self._remember(row.stream_id, _begun(row))
            return None
        stream = self._streams.get(row.stream_id) if row.topic in _NEED_MEMORY else None
        if stream is None:
            return None
        self._streams.move_to_end(row.stream_id)
        span = _taken(stream, row) if stream.context is not None else None
        if row.topic in _ENDS and not stream.jobs:
            del self._streams[row.stream_id]
        return span

    def _remember(self, stream_id: str, stream: _Stream) -> None:
        self._streams[stream_id] = stream
        if len(self._streams) > self._capacity:
            self._streams.popitem(last=False)


def _begun(row: Recorded) -> _Stream:
    started = _decode_started(row.data)
    if started.traceparent is None or not is_sampled(started.traceparent):
        return _Stream(None)
    context = within(started.traceparent, row.stream_id)
    attributes: dict[str, str | int | bool] = {
        "runyard.tenant.id": row.tenant_id,
        "runyard.execution.id": row.correlation_id or row.stream_id,
        "runyard.workflow.id": started.workflow_id,
        "runyard.workflow.name": started.workflow_name,
        "runyard.workflow.version": started.version,
    }
    name = f"workflow {started.workflow_name}"
    if started.path is not None:
        name = f"iteration {started.path}"
        attributes["runyard.iteration"] = started.path
    if started.trigger is not None:
        attributes["runyard.trigger"] = started.trigger.type
    if started.rerun_of is not None:
        attributes["runyard.rerun_of"] = started.rerun_of
    if started.parent_execution_id is not None:
        attributes["runyard.parent_execution.id"] = started.parent_execution_id
    parent = None if span_id_of(context) == span_id_of(started.traceparent) else started.traceparent
    return _Stream(context, parent, name, nanoseconds(row.recorded_at), attributes)


def _taken(stream: _Stream, row: Recorded) -> Span | None:
    at = nanoseconds(row.recorded_at)
    if row.topic == events.JobScheduled.topic:
        scheduled = _decode_scheduled(row.data)
        stream.jobs[scheduled.job_id] = _Job(
            f"job {scheduled.node_id}",
            at,
            {
                "runyard.tenant.id": row.tenant_id,
                "runyard.execution.id": row.correlation_id or row.stream_id,
                "runyard.job.id": scheduled.job_id,
                "runyard.job.attempt": scheduled.attempt,
                "runyard.node.id": scheduled.node_id,
                "runyard.action": scheduled.action,
                "runyard.pool": scheduled.pool,
            },
        )
    elif (word := _ON_THE_WAY.get(row.topic)) is not None:
        of_job = _decode_of_job(row.data)
        job = stream.jobs.get(of_job.job_id)
        if job is not None:
            job.events.append((word, at))
            if of_job.agent is not None:
                job.attributes["runyard.agent"] = of_job.agent
    elif (status := _JOB_ENDS.get(row.topic)) is not None:
        return _job_ended(stream, row, status, at)
    else:
        return _ended(stream, row, _ENDS[row.topic], at)
    return None


def _job_ended(stream: _Stream, row: Recorded, status: str, at: int) -> Span | None:
    end = _decode_end(row.data)
    job = stream.jobs.pop(end.job_id, None)
    if job is None or stream.context is None:
        return None
    job.attributes["runyard.job.status"] = status
    job.attributes["runyard.job.dispatch"] = end.dispatch
    context = within(stream.context, end.job_id)
    error = _error(row.topic, end, status)
    return Span(job.name, context, stream.context, job.began_at, at, job.attributes, error=error, events=job.events)


def _ended(stream: _Stream, row: Recorded, status: str, at: int) -> Span | None:
    if stream.context is None:
        return None
    attributes = {**stream.attributes, "runyard.execution.status": status}
    error = _error(row.topic, _decode_end(row.data), status)
    return Span(stream.name, stream.context, stream.parent, stream.began_at, at, attributes, error=error)


def _error(topic: str, end: _End, status: str) -> str | None:
    if topic in _COMPLETED:
        return None
    return end.error.reason if end.error is not None else status
