"""Events after a position, for ever: from the store until the rest is remembered, then live. No gap, no duplicate."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

from runyard_gateway.public_event import ORCHESTRATOR
from runyard_gateway.queries.events import EventPage
from runyard_gateway.streams.event_stream import Connection
from runyard_gateway.streams.log_tail import Joined
from runyard_gateway.streams.subscription import EventFrame, LiveFrame

PAGE = 500
TURNS = 4
"""So many readers of a process read the store at the same time: however many come back at once, other requests get theirs."""

ReadPage = Callable[[int, int], Awaitable[EventPage]]
"""(after, limit) -> events from the store"""

Join = Callable[[int], Awaitable[Joined | None]]
"""after -> what follows it, from now on; None if that is too much to be remembered"""


class LogFollower:
    """Of one log."""

    def __init__(self, keep_alive_seconds: float, log: str = ORCHESTRATOR) -> None:
        self.keep_alive_seconds = keep_alive_seconds
        self._log = log
        self._turns = asyncio.Semaphore(TURNS)

    async def follow(
        self, read_page: ReadPage, join: Join, connection: Connection, after: int
    ) -> AsyncGenerator[list[LiveFrame], None]:
        """Lists of frames in order; an empty list when the reader has caught up, and after each silence from then on. Ends
        when the subscription does.

        A reader far behind first reads the store, a page at a time, so that nothing piles up for it meanwhile.
        """
        last = after
        while (joined := await join(last)) is None:
            async with self._turns:
                page = await read_page(last, PAGE)
            if page.events:
                yield [EventFrame(event, self._log) for event in page.events]
            last = page.upto
        subscription, missed = joined
        connection.attach(subscription)
        try:
            if missed:
                last = missed[-1].recorded.position
                yield [*missed]
            yield []
            while True:
                frames = await subscription.take(self.keep_alive_seconds)
                if subscription.closed:
                    return
                fresh: list[LiveFrame] = []
                for frame in frames:
                    if frame.recorded is not None:
                        if frame.recorded.position <= last:
                            continue
                        last = frame.recorded.position
                    fresh.append(frame)
                if fresh or not frames:
                    yield fresh
        finally:
            subscription.close()
