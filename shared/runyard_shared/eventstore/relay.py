"""The relay: what was committed goes out, the log being its own outbox.

Two loops follow the log, each at its own pace. One broadcasts every event to the feed; it is never slower than the broker takes
frames, so watchers stay live. The other sends the work that a service derives from its events to the queues it belongs to, and
moves the checkpoint only past what was confirmed. After a crash both begin again at the checkpoint, so everything is delivered
at least once and in order, and receivers ignore what they know.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from time import monotonic
from typing import Any, Final, TypeVar

import structlog

from runyard_shared.contracts.feed import FeedBatch, Recorded
from runyard_shared.errors import Unavailable
from runyard_shared.eventstore.checkpoint import Checkpoint
from runyard_shared.eventstore.follower import MAX_BYTES_IN_MEMORY, Follower
from runyard_shared.eventstore.store import EventStore
from runyard_shared.messaging.bus import Bus
from runyard_shared.messaging.topology import FEED

_log = structlog.get_logger(__name__)

SAVE_EVERY_SECONDS: Final = 1.0
_FIRST_RETRY_SECONDS: Final = 0.1
_LAST_RETRY_SECONDS: Final = 2.0

T = TypeVar("T")

Route = Callable[[Recorded], Iterable[tuple[str, Any]]]
"""The work that follows from an event: (queue, item) pairs. Pure; the same event always gives the same."""


class Relay:
    """`log` names the log in the feed (`orchestrator`). Give `committed` to the store as its `on_commit`."""

    def __init__(
        self,
        log: str,
        store: EventStore,
        bus: Bus,
        route: Route,
        checkpoint: Checkpoint,
        *,
        max_bytes_in_memory: int = MAX_BYTES_IN_MEMORY,
    ) -> None:
        self._log = log
        self._store = store
        self._bus = bus
        self._route = route
        self._checkpoint = checkpoint
        self._max_bytes = max_bytes_in_memory
        self._saved = 0
        self._saved_at = 0.0
        self._feed: Follower | None = None
        self._work: Follower | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._troubles: dict[str, str] = {}

    @property
    def trouble(self) -> str | None:
        """Why something does not go out right now and how much waits, in words; None when all is well."""
        if self._work is None:
            return "the relay is not running"
        if not self._troubles:
            return None
        return f"{'; '.join(sorted(set(self._troubles.values())))} ({self.lag} events wait)"

    @property
    def lag(self) -> int:
        """How many committed events have not been handed over yet."""
        return self._work.lag if self._work is not None else 0

    @property
    def position(self) -> int:
        """Everything up to here was handed over."""
        return self._work.position if self._work is not None else self._saved

    def committed(self, rows: list[Recorded]) -> None:
        """Rows that the store just committed."""
        if self._feed is not None and self._work is not None:
            self._feed.committed(rows)
            self._work.committed(rows)

    async def start(self) -> None:
        """Goes on at the checkpoint. Raises `Unavailable` if the database is away."""
        self._saved = await self._checkpoint.load()
        self._saved_at = monotonic()
        self._feed = Follower(self._store, self._saved, max_bytes_in_memory=self._max_bytes)
        self._work = Follower(self._store, self._saved, max_bytes_in_memory=self._max_bytes)
        self._tasks = [
            asyncio.create_task(self._broadcast_forever(self._feed), name=f"{self._log}-relay-feed"),
            asyncio.create_task(self._send_forever(self._work), name=f"{self._log}-relay-work"),
        ]

    async def stop(self) -> None:
        """Stops where it is; what has not gone out goes out after the next start."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._work is not None:
            position, self._work, self._feed = self._work.position, None, None
            try:
                await self._save(position)
            except Unavailable as error:
                _log.warning("the relay's checkpoint was not saved; some messages will be sent again", error=str(error))

    async def _broadcast_forever(self, follower: Follower) -> None:
        await self._insist("the feed", follower.look)
        while True:
            rows = await self._insist("the feed", follower.next)
            if rows:
                feed = [FeedBatch(log=self._log, events=rows)]
                await self._insist("the feed", partial(self._bus.broadcast, FEED, feed))
                follower.advance(rows[-1].position)

    async def _send_forever(self, follower: Follower) -> None:
        await self._insist("work", follower.look)
        while True:
            rows = await self._insist("work", follower.next)
            if rows:
                await self._insist("work", _Round(self._bus, self._route, rows).send)
                follower.advance(rows[-1].position)
            if monotonic() - self._saved_at >= SAVE_EVERY_SECONDS:
                await self._insist("the checkpoint", partial(self._save, follower.position))

    async def _insist(self, what: str, attempt: Callable[[], Awaitable[T]]) -> T:
        """Nothing may be lost and nothing may overtake, so whatever fails is tried until it succeeds."""
        delay = _FIRST_RETRY_SECONDS
        while True:
            try:
                result = await attempt()
            except Exception as error:  # noqa: BLE001 - a bug stops the relay too, visibly, and loses nothing
                if what not in self._troubles:
                    _log.warning("the relay is stuck and goes on trying", log=self._log, part=what, error=repr(error))
                self._troubles[what] = f"the relay cannot hand over {what}: {error or type(error).__name__}"
                await asyncio.sleep(delay)
                delay = min(2 * delay, _LAST_RETRY_SECONDS)
            else:
                self._troubles.pop(what, None)
                return result

    async def _save(self, position: int) -> None:
        if position != self._saved:
            await self._checkpoint.save(position)
            self._saved = position
        self._saved_at = monotonic()


class _Round:
    """The work of some rows. `send` returns when all of it is confirmed; called again, it sends what was not."""

    def __init__(self, bus: Bus, route: Route, rows: list[Recorded]) -> None:
        self._bus = bus
        self._route = route
        self._rows = rows
        self._unsent: dict[str, list[Any]] | None = None

    async def send(self) -> None:
        if self._unsent is None:
            self._unsent = self._derived()
        if not self._unsent:
            return
        queues = list(self._unsent)
        results = await asyncio.gather(
            *(self._bus.send(queue, self._unsent[queue]) for queue in queues), return_exceptions=True
        )
        for queue, result in zip(queues, results, strict=True):
            if result is None:
                del self._unsent[queue]
        for result in results:
            if isinstance(result, BaseException):
                raise result if isinstance(result, Exception) else Unavailable("a send was broken off")

    def _derived(self) -> dict[str, list[Any]]:
        work: dict[str, list[Any]] = {}
        for row in self._rows:
            for queue, item in self._route(row):
                work.setdefault(queue, []).append(item)
        return work
