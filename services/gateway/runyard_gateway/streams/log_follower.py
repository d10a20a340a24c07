"""Events after a position, for ever: from the store until the rest is remembered, then live. No gap, no duplicate."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

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


Show = Callable[[Sequence[LiveFrame], bool], bytes]
"""(frames, whether the reader has caught up) -> what it is sent of them. Called with each frame once, in order."""


class LogFollower:
    """Of one log."""

    def __init__(self, keep_alive_seconds: float, log: str = ORCHESTRATOR) -> None:
        self._keep_alive_seconds = keep_alive_seconds
        self._log = log
        self._turns = asyncio.Semaphore(TURNS)

    async def follow(
        self, read_page: ReadPage, join: Join, connection: Connection, after: int, show: Show
    ) -> AsyncGenerator[bytes, None]:
        """What is shown of the events, chunk by chunk; an empty one after each silence. What happens while the reader waits is
        pushed to it. Ends when the subscription does.

        A reader far behind first reads the store, a page at a time, so that nothing piles up for it meanwhile.
        """
        last = after
        while (joined := await join(last)) is None:
            async with self._turns:
                page = await read_page(last, PAGE)
            if page.events:
                yield show([EventFrame(event, self._log) for event in page.events], False)
            last = page.upto
        subscription, missed = joined
        connection.attach(subscription)

        def fresh(frames: Sequence[LiveFrame]) -> list[LiveFrame]:
            nonlocal last
            found: list[LiveFrame] = []
            for frame in frames:
                if frame.recorded is not None:
                    if frame.recorded.position <= last:
                        continue
                    last = frame.recorded.position
                found.append(frame)
            return found

        def push(frames: Sequence[LiveFrame]) -> bool:
            return connection.can_push and connection.push(show(fresh(frames), True))

        try:
            if missed:
                last = missed[-1].recorded.position
                if chunk := show(missed, False):
                    yield chunk
            yield show([], True)
            subscription.sink = push
            sent_at = time.monotonic()
            while True:
                frames = await subscription.take(self._keep_alive_seconds)
                if subscription.closed:
                    return
                chunk = show(fresh(frames), True)
                # to a reader of a few among many events it is silent
                if chunk or not frames or time.monotonic() - sent_at > self._keep_alive_seconds:
                    sent_at = time.monotonic()
                    yield chunk
        finally:
            subscription.close()
