"""The relay: what was committed goes out, the log being its own outbox.

Three loops follow the log, each at its own pace. One broadcasts every event to the feed; it is never slower than the broker
takes frames, so watchers stay live. The second sends the work that a service derives from its events to the queues it belongs
to. The third, of a log that the world may see, publishes every event to other programs; it lets events gather for a moment, so
that a busy log costs few messages. Work and publications each have a checkpoint that moves only past what was confirmed. After
a crash all begin again at their checkpoints, so everything is delivered at least once and in order, and receivers ignore what
they know.

Of several processes that write one log, one relays what all of them commit; the others post theirs to its mailbox. What is lost
on that way, and what a process could not tell before it died, shows as a gap and is read from the log. Two that relay at once
send everything twice, which does no harm.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from time import monotonic
from typing import Any, Final, TypeVar

import structlog

from runyard_shared.contracts.feed import FeedBatch, Recorded
from runyard_shared.errors import Unavailable
from runyard_shared.eventstore.checkpoint import Checkpoint
from runyard_shared.eventstore.follower import MAX_BYTES_IN_MEMORY, MAX_EVENTS, Follower, bytes_of
from runyard_shared.eventstore.store import EventStore
from runyard_shared.loops import forever
from runyard_shared.messaging.bus import Bus, Subscription
from runyard_shared.messaging.topology import FEED, PUBLIC_EVENTS, relay_mailbox
from runyard_shared.public_events import BATCH_CONTENT_TYPE, publications

_log = structlog.get_logger(__name__)

SAVE_EVERY_SECONDS: Final = 1.0
PUBLISH_EVERY_SECONDS: Final = 0.1
"""At least so long between two rounds of publications; the first after a silence goes at once, and so does a full one."""
PUBLISH_EVENTS: Final = 5000
"""At most so many in a round: more than a busy log gathers between two."""
MOST_UNTOLD: Final = 1000
"""Commits that wait to be told to another process; of more the oldest are left for it to read."""
_FIRST_RETRY_SECONDS: Final = 0.1
_LAST_RETRY_SECONDS: Final = 2.0

T = TypeVar("T")

Route = Callable[[Recorded], Iterable[tuple[str, Any]]]
"""The work that follows from an event: (queue, item) pairs. Pure; the same event always gives the same."""


class Relay:
    """`log` names the log in the feed (`orchestrator`). Give `committed` to the store as its `on_commit`.

    `public`: the checkpoint of the publications of a log that the world may see; without one nothing is published. What a log
    had before it was published for the first time is not published; it can be read over HTTP.

    `shared`: other processes may write the log and relay too. Whether this one does is told by `start` and `stop`; the store
    may tell of its commits in any case.
    """

    def __init__(
        self,
        log: str,
        store: EventStore,
        bus: Bus,
        route: Route,
        checkpoint: Checkpoint,
        *,
        public: Checkpoint | None = None,
        shared: bool = False,
        max_bytes_in_memory: int = MAX_BYTES_IN_MEMORY,
    ) -> None:
        self._log = log
        self._store = store
        self._bus = bus
        self._route = route
        self._worked = _Progress(checkpoint)
        self._published = None if public is None else _Progress(public)
        self._max_bytes = max_bytes_in_memory
        self._feed: Follower | None = None
        self._work: Follower | None = None
        self._public: Follower | None = None
        self._shared = shared
        self._untold: deque[list[Recorded]] = deque(maxlen=MOST_UNTOLD)
        """For the process that relays, while it is not this one."""
        self._telling: asyncio.Task[None] | None = None
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
        return self._work.position if self._work is not None else self._worked.saved

    @property
    def published(self) -> int:
        """Everything up to here was published."""
        if self._public is not None:
            return self._public.position
        return 0 if self._published is None else self._published.saved

    def committed(self, rows: list[Recorded]) -> None:
        """Rows that the store just committed, or that another process did."""
        if self._work is None and self._shared:
            self._untold.append(rows)
            if self._telling is None or self._telling.done():
                self._telling = asyncio.create_task(self._tell(), name=f"{self._log}-relay-tells")
            return
        size = bytes_of(rows)
        for follower in (self._feed, self._work, self._public):
            if follower is not None:
                follower.committed(rows, size)

    async def start(self) -> None:
        """Goes on at the checkpoints. Raises `Unavailable` if the database is away."""
        begin = await self._worked.begin(0)
        if self._published is not None:
            published = await self._published.begin(await self._store.head())
            self._public = self._follower(published, max_events=PUBLISH_EVENTS)
        self._feed = self._follower(begin)
        self._work = self._follower(begin)
        loops = {"feed": self._broadcast_forever(self._feed), "work": self._send_forever(self._work)}
        if self._public is not None and self._published is not None:
            loops["public"] = self._publish_forever(self._public, self._published)
        if self._shared:
            loops["mailbox"] = self._hear_forever()
        self._tasks = [forever(loop, f"{self._log}-relay-{part}") for part, loop in loops.items()]

    async def stop(self) -> None:
        """Stops where it is; what has not gone out goes out after the next start."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        work, public = self._work, self._public
        self._feed = self._work = self._public = None
        try:
            if work is not None:
                await self._worked.save(work.position)
            if public is not None and self._published is not None:
                await self._published.save(public.position)
        except Unavailable as error:
            _log.warning("a checkpoint of the relay was not saved; some messages will be sent again", reason=str(error))

    async def _tell(self) -> None:
        """What is lost on the way is read from the log."""
        while self._untold:
            batches = [FeedBatch(log=self._log, events=rows) for rows in self._untold]
            self._untold.clear()
            await self._bus.post(relay_mailbox(self._log), batches)

    async def _hear_forever(self) -> None:
        """Of what other processes commit."""
        mailbox = await self._insist("what other processes commit", self._open_mailbox)
        try:
            await asyncio.Event().wait()
        finally:
            await mailbox.cancel()

    async def _open_mailbox(self) -> Subscription:
        return await self._bus.open_mailbox(relay_mailbox(self._log), FeedBatch, self._told)

    async def _told(self, batches: Sequence[FeedBatch]) -> None:
        for batch in batches:
            if self._work is not None:
                self.committed(batch.events)

    def _follower(self, position: int, *, max_events: int = MAX_EVENTS) -> Follower:
        return Follower(self._store, position, max_events=max_events, max_bytes_in_memory=self._max_bytes)

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
            if self._worked.is_due:
                await self._insist("the checkpoint", partial(self._worked.save, follower.position))

    async def _publish_forever(self, follower: Follower, published: "_Progress") -> None:
        await self._insist("the public events", follower.look)
        while True:
            rows = await self._insist("the public events", follower.next)
            if rows:
                batches = publications(rows, self._log)
                publish = partial(self._bus.publish, PUBLIC_EVENTS, BATCH_CONTENT_TYPE, batches)
                await self._insist("the public events", publish)
                follower.advance(rows[-1].position)
            if published.is_due:
                await self._insist("the checkpoint", partial(published.save, follower.position))
            if rows and follower.lag < PUBLISH_EVENTS:
                await asyncio.sleep(PUBLISH_EVERY_SECONDS)

    async def _insist(self, what: str, attempt: Callable[[], Awaitable[T]]) -> T:
        """Nothing may be lost and nothing may overtake, so whatever fails is tried until it succeeds."""
        delay = _FIRST_RETRY_SECONDS
        while True:
            try:
                result = await attempt()
            except Exception as error:  # noqa: BLE001 - a bug stops the relay too, visibly, and loses nothing
                if what not in self._troubles:
                    _log.warning("the relay is stuck and goes on trying", log=self._log, part=what, reason=repr(error))
                self._troubles[what] = f"the relay cannot hand over {what}: {error or type(error).__name__}"
                await asyncio.sleep(delay)
                delay = min(2 * delay, _LAST_RETRY_SECONDS)
            else:
                self._troubles.pop(what, None)
                return result


class _Progress:
    """A checkpoint that is saved now and then."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.saved = 0
        self._checkpoint = checkpoint
        self._saved_at = 0.0

    @property
    def is_due(self) -> bool:
        return monotonic() - self._saved_at >= SAVE_EVERY_SECONDS

    async def begin(self, position: int) -> int:
        """Where to go on; at `position` the first time."""
        self.saved = await self._checkpoint.begin(position)
        self._saved_at = monotonic()
        return self.saved

    async def save(self, position: int) -> None:
        if position != self.saved:
            await self._checkpoint.save(position)
            self.saved = position
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
