"""The event stream of one execution (R19): snapshot, then every event, then `end` when nothing more can happen."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing

import msgspec
from runyard_shared.contracts import events
from runyard_shared.contracts.events import EXECUTION_ENDS, ITERATION_ENDS
from runyard_shared.contracts.feed import Recorded
from runyard_shared.contracts.values import FINISHED_EXECUTIONS, ExecutionStatus

from runyard_gateway.answers import ExecutionDetail
from runyard_gateway.public_event import frame
from runyard_gateway.queries.events import EventQueries
from runyard_gateway.streams.event_stream import Connection, Source
from runyard_gateway.streams.live_events import LiveEvents
from runyard_gateway.streams.log_follower import follow

_BEGINNINGS = {
    events.JobScheduled.topic: "jobId",
    events.IterationStarted.topic: None,
    events.ApprovalRequested.topic: "approvalId",
}
"""What begins something that may outlast the execution, and which member of the event names it; None: its stream."""
_ENDINGS = {
    events.JobCompleted.topic: "jobId",
    events.JobFailed.topic: "jobId",
    events.JobTimedOut.topic: "jobId",
    events.JobCancelled.topic: "jobId",
    events.ApprovalResolved.topic: "approvalId",
    **dict.fromkeys(ITERATION_ENDS),
}


class Outstanding:
    """What can still happen in an execution: over when its status is final and nothing is left to be reported (R41).

    `ids`: of the jobs, iterations and approvals that have not ended at `as_of`.
    """

    def __init__(self, status: ExecutionStatus, ids: Iterable[str], as_of: int) -> None:
        self._finished = status in FINISHED_EXECUTIONS
        self._ids = set(ids)
        self._as_of = as_of

    @property
    def nothing(self) -> bool:
        return self._finished and not self._ids

    def apply(self, recorded: Recorded) -> None:
        """Events up to `as_of` are in it already."""
        if recorded.position <= self._as_of:
            return
        if recorded.topic in _BEGINNINGS:
            self._ids.add(_id(recorded, _BEGINNINGS[recorded.topic]))
        elif recorded.topic in _ENDINGS:
            self._ids.discard(_id(recorded, _ENDINGS[recorded.topic]))
        elif recorded.topic in EXECUTION_ENDS and recorded.correlation_id is None:
            self._finished = True


class _Named(msgspec.Struct, rename="camel"):
    job_id: str = ""
    approval_id: str = ""


_decode_named = msgspec.json.Decoder(_Named).decode


def _id(recorded: Recorded, member: str | None) -> str:
    if member is None:
        return recorded.stream_id
    named = _decode_named(recorded.data)
    return named.job_id if member == "jobId" else named.approval_id


class ExecutionStreams:
    def __init__(self, live: LiveEvents, queries: EventQueries, keep_alive_seconds: float) -> None:
        self._live = live
        self._queries = queries
        self._keep_alive_seconds = keep_alive_seconds

    def from_now(self, tenant_id: str, detail: ExecutionDetail, ids: Iterable[str]) -> Source:
        """The snapshot, and everything after it. `ids`: what has not ended in it."""
        outstanding = Outstanding(detail.status, ids, detail.as_of)
        snapshot = frame("snapshot", detail, detail.as_of)
        return lambda connection: self._frames(tenant_id, detail.execution_id, detail.as_of, outstanding, snapshot, connection)

    def from_position(self, tenant_id: str, execution_id: str, position: int, outstanding: Outstanding) -> Source:
        """Everything after `position`."""
        return lambda connection: self._frames(tenant_id, execution_id, position, outstanding, b"", connection)

    async def _frames(
        self, tenant_id: str, execution_id: str, after: int, outstanding: Outstanding, opening: bytes, connection: Connection
    ) -> AsyncGenerator[bytes, None]:
        if opening:
            yield opening
        caught_up = False
        followed = follow(
            lambda last, limit: self._queries.of_execution(tenant_id, execution_id, last, limit),
            lambda: self._live.subscribe_to_execution(execution_id),
            connection,
            after,
            self._keep_alive_seconds,
        )
        async with aclosing(followed) as lists:
            async for frames in lists:
                caught_up = caught_up or not frames
                for each in frames:
                    if each.recorded is not None:
                        outstanding.apply(each.recorded)
                ended = caught_up and outstanding.nothing
                yield b"".join(each.content for each in frames) + (
                    frame("end", {"executionId": execution_id}) if ended else b""
                )
                if ended:
                    return
