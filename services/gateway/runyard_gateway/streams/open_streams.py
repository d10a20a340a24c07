"""All event streams that readers have open: how many there may be, for how long whoever opened one may keep it, and what
becomes of a reader that does not read at all."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from random import Random

import structlog
from runyard_shared.errors import Refusal, Unavailable
from runyard_shared.loops import forever
from starlette.types import ASGIApp

from runyard_gateway.http.identity import Identity
from runyard_gateway.http.operation import Call, Handler
from runyard_gateway.metrics import STREAMS_CUT_OFF
from runyard_gateway.streams.event_stream import Connection, EventStream, Source

_log = structlog.get_logger(__name__)

LOOK_EVERY_SECONDS = 2.0
LEAVE_SECONDS = 1.0
"""A reader that has not taken the end of its stream in this time is not waited for: it comes back with the last id it has."""
STUCK_SECONDS = 30.0
"""A reader that has taken nothing for so long while something waits for it is cut off."""
RETRY_MS = (1000, 4000)
"""Readers come back after a time of their own, so that all of them do not come at once when a gateway has gone."""

Still = Callable[[Identity], Awaitable[Identity | None]]
"""Whoever it is now, with the same credentials; None if they open nothing any more. Raises `Unavailable`."""


class TooManyStreams(Refusal):
    """As many event streams are open as this gateway holds."""

    def __init__(self, limit: int) -> None:
        detail = f"This gateway holds {limit} event streams (RUNYARD_MAX_STREAMS), and all are taken. Try again in a moment."
        super().__init__("too_many_streams", detail, 503)


class OpenStreams:
    """`opens` makes the handler of an operation of what chooses its source."""

    def __init__(self, still: Still, limit: int, chance: Random | None = None) -> None:
        self._still = still
        self._limit = limit
        self._chance = chance or Random()  # noqa: S311 - nothing is secret about it
        self._open: dict[Connection, Identity] = {}
        self._looking: asyncio.Task[None] | None = None
        self._ending = False

    def __len__(self) -> int:
        return len(self._open)

    def start(self) -> None:
        self._looking = forever(self._look_after_all(), "gateway open streams")

    def end(self) -> None:
        """Ends every stream in good order, now and from now on; readers go on at another gateway."""
        self._ending = True
        for connection in tuple(self._open):
            connection.leave()
        asyncio.get_running_loop().call_later(LEAVE_SECONDS, self._cut_off_all)

    async def stop(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    def opens(self, choose: Callable[[Call], Awaitable[Source]]) -> Handler:
        """The handler raises `TooManyStreams`, and whatever `choose` does, before the stream begins."""

        async def open_stream(call: Call) -> ASGIApp:
            if len(self._open) >= self._limit:
                raise TooManyStreams(self._limit)
            connection = Connection()
            if self._ending:
                connection.leave()
            self._open[connection] = call.identity
            try:
                source = await choose(call)
            except BaseException:
                del self._open[connection]
                raise
            greeting = b"retry: %d\n" % self._chance.randint(*RETRY_MS)
            return EventStream(source, connection, greeting, lambda: self._forget(connection))

        return open_stream

    def _forget(self, connection: Connection) -> None:
        self._open.pop(connection, None)
        if connection.was_cut_off:
            STREAMS_CUT_OFF.inc()

    def _cut_off_all(self) -> None:
        for connection in tuple(self._open):
            connection.cut_off()

    async def _look_after_all(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_SECONDS)
            now = time.monotonic()
            for connection in tuple(self._open):
                if connection.sending_since is not None and now - connection.sending_since > STUCK_SECONDS:
                    connection.cut_off()
            try:
                await self.end_those_of_the_refused()
            except Unavailable as trouble:
                _log.debug("who has event streams open cannot be checked now", reason=str(trouble))

    async def end_those_of_the_refused(self) -> None:
        """Ends the streams whose identity is no longer what it was: revoked, expired, disabled, or with other roles. Who may
        still have one opens it again and is shown what is theirs now."""
        for identity in set(self._open.values()):
            if await self._still(identity) != identity:
                for connection in [each for each, whose in self._open.items() if whose == identity]:
                    connection.leave()
