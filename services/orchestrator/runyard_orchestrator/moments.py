"""What the log of this process says of executions and their jobs: a line for each that begins or ends, and under load one line
for all of a commit, so that a log never costs more than what it is about."""

import logging
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import structlog
from runyard_shared.contracts import events
from runyard_shared.contracts.base import Contract
from runyard_shared.contracts.feed import Recorded
from runyard_shared.trace_context import trace_id_of

_log = structlog.get_logger(__name__)
_EACH: Final = 4
"""So many of a kind in one commit get lines of their own."""

_STARTED: Final = events.ExecutionStarted.topic
_ENDS: Final = {
    events.ExecutionCompleted.topic: "completed",
    events.ExecutionFailed.topic: "failed",
    events.ExecutionCancelled.topic: "cancelled",
}
_JOB_ENDS: Final = {
    events.JobCompleted.topic: "completed",
    events.JobFailed.topic: "failed",
    events.JobTimedOut.topic: "timeout",
    events.JobCancelled.topic: "cancelled",
}
_WORDS: Final = {
    _STARTED: ("execution started", "executions started"),
    **dict.fromkeys(_ENDS, ("execution ended", "executions ended")),
    **dict.fromkeys(_JOB_ENDS, ("job finished", "jobs finished")),
}


class _Started(Contract, frozen=True, kw_only=True):
    workflow_id: str
    workflow_name: str
    version: int
    started_by: str
    traceparent: str | None = None


class _Reason(Contract, frozen=True):
    reason: str


class _End(Contract, frozen=True, kw_only=True):
    job_id: str | None = None
    dispatch: int | None = None
    error: _Reason | None = None


_decode_started = msgspec.json.Decoder(_Started).decode
_decode_end = msgspec.json.Decoder(_End).decode


def say(rows: Sequence[Recorded]) -> None:
    """`rows` were just committed."""
    if not _log.is_enabled_for(logging.INFO):
        return
    said: dict[tuple[str, str], list[Recorded]] = {}
    for row in rows:
        words = _WORDS.get(row.topic)
        if words is not None:
            said.setdefault(words, []).append(row)
    for (one, many), of in said.items():
        if len(of) <= _EACH:
            for row in of:
                _log.info(one, **_fields(row))
        else:
            _log.info(many, execution_ids=", ".join([_briefly(row) for row in of]))


def _fields(row: Recorded) -> dict[str, Any]:
    fields: dict[str, Any] = {"tenant_id": row.tenant_id, "execution_id": row.correlation_id or row.stream_id}
    if row.topic == _STARTED:
        started = _decode_started(row.data)
        fields |= {"workflow_id": started.workflow_id, "workflow": started.workflow_name, "actor": started.started_by}
        if started.traceparent is not None:
            fields["trace_id"] = trace_id_of(started.traceparent)
        return fields
    end = _decode_end(row.data)
    if end.job_id is not None:
        fields |= {"job_id": end.job_id, "dispatch": end.dispatch or 0}
    fields["status"] = _ENDS.get(row.topic) or _JOB_ENDS[row.topic]
    if end.error is not None:
        fields["reason"] = end.error.reason
    return fields


def _briefly(row: Recorded) -> str:
    execution_id = row.correlation_id or row.stream_id
    status = _ENDS.get(row.topic) or _JOB_ENDS.get(row.topic)
    return execution_id if status is None else f"{execution_id} {status}"
