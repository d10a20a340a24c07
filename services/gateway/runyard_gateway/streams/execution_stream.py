"""The event stream of one execution (R19): snapshot, then every event, then `end` when nothing more can happen."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final, NamedTuple

from runyard_shared.contracts import events
from runyard_shared.contracts.events import EXECUTION_ENDS, ITERATION_ENDS
from runyard_shared.contracts.feed import Recorded
from runyard_shared.contracts.values import FINISHED_EXECUTIONS, ExecutionStatus

from runyard_gateway.answers import ExecutionDetail
from runyard_gateway.public_event import frame
from runyard_gateway.queries.events import EventPage, EventQueries
from runyard_gateway.streams.event_stream import Connection, Source
from runyard_gateway.streams.log_follower import LogFollower
from runyard_gateway.streams.log_tail import LogTail
from runyard_gateway.streams.subscription import LiveFrame

_BEGINNINGS: Final = frozenset((events.JobScheduled.topic, events.IterationStarted.topic, events.ApprovalRequested.topic))
"""What begins something that may outlast the execution."""
_ENDINGS: Final = frozenset(
    (
        events.JobCompleted.topic,
        events.JobFailed.topic,
        events.JobTimedOut.topic,
        events.JobCancelled.topic,
        events.ApprovalResolved.topic,
        *ITERATION_ENDS,
    )
)


class Outstanding:
    """What can still happen in an execution: over when its status is final and nothing is left to be reported (R41).

    `count`: of the jobs, iterations and approvals that have not ended at `as_of`. Each of them begins once and ends once, so
    that no reader needs to know which they are, however many.
    """

    def __init__(self, status: ExecutionStatus, count: int, as_of: int) -> None:
        self._finished = status in FINISHED_EXECUTIONS
        self._count = count
        self.as_of = as_of

    @property
    def nothing(self) -> bool:
        return self._finished and not self._count

    def apply(self, recorded: Recorded) -> None:
        """Events up to `as_of` are in it already."""
        if recorded.position <= self.as_of:
            return
        if recorded.topic in _BEGINNINGS:
            self._count += 1
        elif recorded.topic in _ENDINGS:
            self._count -= 1
        elif recorded.topic in EXECUTION_ENDS and recorded.correlation_id is None:
            self._finished = True


class Snapshot(NamedTuple):
    """What a stream begins with. `outstanding`: how many of what is in it have not ended. `content`: the frame."""

    execution_id: str
    status: ExecutionStatus
    outstanding: int
    as_of: int
    content: bytes

    @classmethod
    def of(cls, detail: ExecutionDetail, outstanding: int) -> "Snapshot":
        content = frame("snapshot", detail, detail.as_of)
        return cls(detail.execution_id, detail.status, outstanding, detail.as_of, content)


class ExecutionStreams:
    def __init__(self, tail: LogTail, queries: EventQueries, follower: LogFollower) -> None:
        self._tail = tail
        self._queries = queries
        self._follower = follower

    def from_now(self, tenant_id: str, snapshot: Snapshot) -> Source:
        """The snapshot, and everything after it."""
        outstanding = Outstanding(snapshot.status, snapshot.outstanding, snapshot.as_of)
        return lambda connection: self._frames(
            tenant_id, snapshot.execution_id, snapshot.as_of, outstanding, snapshot.content, connection
        )

    def from_position(self, tenant_id: str, execution_id: str, position: int, outstanding: Outstanding) -> Source:
        """Everything after `position`."""
        return lambda connection: self._frames(tenant_id, execution_id, position, outstanding, b"", connection)

    async def _frames(
        self, tenant_id: str, execution_id: str, after: int, outstanding: Outstanding, opening: bytes, connection: Connection
    ) -> AsyncGenerator[bytes, None]:
        if opening:
            yield opening

        def show(frames: Sequence[LiveFrame], live: bool) -> bytes:
            for each in frames:
                if each.recorded is not None:
                    outstanding.apply(each.recorded)
            chunk = b"".join([each.content for each in frames])
            if live and outstanding.nothing:
                connection.leave()
                chunk += frame("end", {"executionId": execution_id})
            return chunk

        followed = self._follower.follow(
            lambda last, limit: self._page(tenant_id, execution_id, last, limit),
            lambda last: self._tail.join_execution(execution_id, last, outstanding.as_of),
            connection,
            after,
            show,
        )
        async with aclosing(followed) as chunks:
            async for chunk in chunks:
                yield chunk

    async def _page(self, tenant_id: str, execution_id: str, after: int, limit: int) -> EventPage:
        end = await self._tail.position()
        found = await self._queries.of_execution(tenant_id, execution_id, after, limit)
        more = len(found) == limit
        last = found[-1].position if found else after
        return EventPage(found, upto=last if more else max(last, end), more=more)
