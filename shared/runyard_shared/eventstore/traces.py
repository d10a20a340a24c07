"""Spans of what lasts, made from the log: whatever becomes of processes, what was committed is told.

A loop follows the log, as the relay does, with a checkpoint of its own that moves only past what a collector has taken. After a
crash the spans of the last moment are sent once more; their ids are made of what they tell of, so they are the same spans. A
collector that is away is waited for, and nothing else waits with it; what is too far behind by then is let go.
"""

import asyncio
from time import monotonic
from typing import Final, Protocol

import structlog

from runyard_shared import tracing
from runyard_shared.contracts.feed import Recorded
from runyard_shared.errors import Unavailable
from runyard_shared.eventstore.checkpoint import Checkpoint
from runyard_shared.eventstore.follower import MAX_EVENTS, Follower
from runyard_shared.eventstore.store import EventStore
from runyard_shared.loops import forever
from runyard_shared.tracing import Span

_log = structlog.get_logger(__name__)

MOST_BEHIND: Final = 200_000
"""Events. What lies further back is not told any more."""
_GATHER_SECONDS: Final = 0.25
"""At least so long between two looks at a log that is not busy: few messages for many spans."""
_SAVE_EVERY_SECONDS: Final = 1.0
_FIRST_RETRY_SECONDS: Final = 0.5
_LAST_RETRY_SECONDS: Final = 30.0


class Told(Protocol):
    """Makes spans of rows that come in the order of the log. Pure."""

    def knows(self, row: Recorded) -> bool:
        """Whether it remembers, of the stream of this row, what the row needs."""

    def take(self, row: Recorded) -> Span | None:
        """The span that ends with this row. Rows whose stream it does not know are without effect."""


class Traces:
    """Give `committed` the rows that the store commits. Where several processes write the log, one of them tells of it."""

    def __init__(self, store: EventStore, checkpoint: Checkpoint, told: Told) -> None:
        self._store = store
        self._checkpoint = checkpoint
        self._told = told
        self._follower: Follower | None = None
        self._task: asyncio.Task[None] | None = None
        self._saved = 0
        self._saved_at = 0.0

    def committed(self, rows: list[Recorded]) -> None:
        if self._follower is not None:
            self._follower.committed(rows)

    async def start(self) -> None:
        """Goes on at the checkpoint. Raises `Unavailable` if the database is away."""
        head = await self._store.head()
        self._saved = max(await self._checkpoint.begin(head), head - MOST_BEHIND)
        self._follower = Follower(self._store, self._saved)
        self._task = forever(self._follow(self._follower), "traces")

    async def stop(self) -> None:
        """What has not gone out goes out after the next start."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if self._follower is not None:
            await self._save(self._follower.position)
        self._follower = None

    async def _follow(self, follower: Follower) -> None:
        stuck = False
        while True:
            try:
                rows = await follower.next()
                spans = await spans_of(rows, self._told, self._store)
            except Exception as error:  # noqa: BLE001 - traces must never hurt what they are of
                if not stuck:
                    _log.warning("spans of the log are sent later", reason=repr(error))
                stuck = True
                await asyncio.sleep(_LAST_RETRY_SECONDS)
                continue
            stuck = False
            if spans:
                await self._send(spans, follower)
            if rows and rows[-1].position > follower.position:
                follower.advance(rows[-1].position)
            if spans or monotonic() - self._saved_at >= _SAVE_EVERY_SECONDS:
                await self._save(follower.position)
            if rows and follower.lag < MAX_EVENTS:
                await asyncio.sleep(_GATHER_SECONDS)

    async def _send(self, spans: list[Span], follower: Follower) -> None:
        """Returns when a collector has them, or they are let go."""
        delay = _FIRST_RETRY_SECONDS
        while not await tracing.export(spans):
            if follower.lag > MOST_BEHIND:
                _log.warning("spans are left out: no collector has taken them for too long", events=follower.lag)
                follower.advance(follower.position + follower.lag)
                return
            await asyncio.sleep(delay)
            delay = min(2 * delay, _LAST_RETRY_SECONDS)

    async def _save(self, position: int) -> None:
        if position == self._saved:
            return
        try:
            await self._checkpoint.save(position)
        except Unavailable:
            return  # some spans are sent once more
        self._saved, self._saved_at = position, monotonic()


async def spans_of(rows: list[Recorded], told: Told, store: EventStore) -> list[Span]:
    """The spans that end with these rows. What is not remembered of a stream, its earlier rows tell."""
    spans: list[Span] = []
    for row in rows:
        if not told.knows(row):
            for earlier in await store.load(row.stream_id):
                if earlier.version < row.version:
                    told.take(earlier)
        span = told.take(row)
        if span is not None:
            spans.append(span)
    return spans
