"""Waiting until a read model has reached a position of the log: how a client reads its own write.

One loop asks for all who wait, and only while somebody waits.
"""

import asyncio

from runyard_shared.errors import Refusal, Unavailable

from runyard_gateway.database import Database
from runyard_gateway.queries.events import EventQueries

LOOK_EVERY_SECONDS = 0.01
EXECUTIONS = "executions"
WORKFLOWS = "workflows"
TRIGGERS = "triggers"
ANALYTICS = "analytics"

_POSITIONS = "select name, position from read.projection"


class ReadPosition:
    """Positions of the projections, by name, as far as was asked."""

    def __init__(self, database: Database, events: EventQueries, wait_seconds: float) -> None:
        self._database = database
        self._events = events
        self._wait_seconds = wait_seconds
        self._head = 0
        self._reached: dict[str, int] = {}
        self._looked = asyncio.Event()
        self._waiting = 0
        self._loop: asyncio.Task[None] | None = None

    async def reach(self, projection: str, position: int) -> None:
        """Returns when rows of the projection stand for at least `position`. Raises `Unavailable` if that takes too long, and
        `Refusal` (400, `position_not_there`) for one that nothing has been committed at: no wait would help."""
        if self._reached.get(projection, 0) >= position:
            return
        if self._head < position:
            self._head = await self._events.head()
            if self._head < position:
                detail = f"The log ends at position {self._head}. Give minPosition as a command answered it."
                raise Refusal("position_not_there", detail)
        self._waiting += 1
        if self._loop is None or self._loop.done():
            self._loop = asyncio.create_task(self._look_for_all(), name="gateway read position")
        try:
            async with asyncio.timeout(self._wait_seconds):
                while self._reached.get(projection, 0) < position:
                    if self._loop.done():
                        await self._loop
                    await self._looked.wait()
        except TimeoutError as late:
            raise Unavailable(f"the read model {projection} has not reached position {position} yet") from late
        finally:
            self._waiting -= 1

    async def look(self) -> None:
        """Ask once."""
        for row in await self._database.fetch(_POSITIONS):
            self._reached[row["name"]] = row["position"]
        self._wake()

    async def stop(self) -> None:
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)

    async def _look_for_all(self) -> None:
        """Ends when nobody waits any more, or with what the database raises: then all who wait are told."""
        try:
            while self._waiting:
                await self.look()
                await asyncio.sleep(LOOK_EVERY_SECONDS)
        finally:
            self._wake()

    def _wake(self) -> None:
        self._looked.set()
        self._looked = asyncio.Event()
