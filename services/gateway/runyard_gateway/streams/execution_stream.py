"""The event stream of one execution (R19): snapshot, then every event, then `end` when nothing more can happen."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec
from runyard_shared.contracts import events
from runyard_shared.contracts.events import EXECUTION_ENDS
from runyard_shared.contracts.feed import Recorded
from runyard_shared.contracts.values import FINISHED_EXECUTIONS, FINISHED_JOBS, ExecutionStatus, JobStatus

from runyard_gateway.answers import ExecutionDetail
from runyard_gateway.public_event import frame
from runyard_gateway.queries.events import EventQueries
from runyard_gateway.streams.event_stream import Connection, Source
from runyard_gateway.streams.live_events import LiveEvents
from runyard_gateway.streams.log_follower import follow

_JOB_BEGINS = events.JobScheduled.topic
_JOB_ENDS = {
    events.JobCompleted.topic,
    events.JobFailed.topic,
    events.JobTimedOut.topic,
    events.JobCancelled.topic,
}


class _JobId(msgspec.Struct, rename="camel"):
    job_id: str


_job_id = msgspec.json.Decoder(_JobId).decode


class Outstanding:
    """What can still happen in an execution: it is over when its status is final and no job is left to be reported (R41)."""

    def __init__(self, status: ExecutionStatus, jobs: dict[str, JobStatus], as_of: int) -> None:
        self._finished = status in FINISHED_EXECUTIONS
        self._jobs = {job_id for job_id, job_status in jobs.items() if job_status not in FINISHED_JOBS}
        self._as_of = as_of

    @property
    def nothing(self) -> bool:
        return self._finished and not self._jobs

    def apply(self, recorded: Recorded) -> None:
        """Events up to `as_of` are in it already."""
        if recorded.position <= self._as_of:
            return
        if recorded.topic == _JOB_BEGINS:
            self._jobs.add(_job_id(recorded.data).job_id)
        elif recorded.topic in _JOB_ENDS:
            self._jobs.discard(_job_id(recorded.data).job_id)
        elif recorded.topic in EXECUTION_ENDS:
            self._finished = True


class ExecutionStreams:
    def __init__(self, live: LiveEvents, queries: EventQueries, keep_alive_seconds: float) -> None:
        self._live = live
        self._queries = queries
        self._keep_alive_seconds = keep_alive_seconds

    def from_now(self, tenant_id: str, detail: ExecutionDetail) -> Source:
        """The snapshot, and everything after it."""
        jobs = {job.job_id: job.status for job in detail.jobs}
        outstanding = Outstanding(detail.status, jobs, detail.as_of)
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
            lambda last, limit: self._queries.of_stream(tenant_id, execution_id, last, limit),
            lambda: self._live.subscribe_to_stream(execution_id),
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
