"""The event stream of a tenant (R63): everything of one log after a position, for other programs."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from runyard_gateway.queries.events import EVERYTHING, EventFilter, EventQueries
from runyard_gateway.streams.event_stream import Connection, Source
from runyard_gateway.streams.log_follower import LogFollower
from runyard_gateway.streams.log_tail import LogTail


class TenantStreams:
    """Of one log."""

    def __init__(self, tail: LogTail, queries: EventQueries, follower: LogFollower) -> None:
        self._tail = tail
        self._queries = queries
        self._follower = follower

    def from_position(self, tenant_id: str, position: int, chosen: EventFilter = EVERYTHING) -> Source:
        """What is chosen of everything after `position`."""

        async def chunks(connection: Connection) -> AsyncGenerator[bytes, None]:
            followed = self._follower.follow(
                lambda last, limit: self._queries.page(tenant_id, last, limit, chosen),
                lambda last: self._tail.join_tenant(tenant_id, last),
                connection,
                position,
            )
            async with aclosing(followed) as lists:
                sent_at = time.monotonic()
                async for each in lists:
                    frames = [live.content for live in each if live.recorded is not None and chosen.takes(live.recorded)]
                    # to a reader of a few among many events it is silent
                    if frames or not each or time.monotonic() - sent_at > self._follower.keep_alive_seconds:
                        sent_at = time.monotonic()
                        yield b"".join(frames)

        return chunks
