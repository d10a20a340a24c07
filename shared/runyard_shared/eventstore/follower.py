"""A cursor that follows a log as it grows: from memory while it can, from the log itself when it must.

The committer tells it every batch; batches of several processes come in any order, and one that is late is waited for a moment.
If the follower falls far behind, or misses something (a restart, a commit whose answer was lost, a process that died before it
told), it reads the log instead; the positions show which is needed.
"""

import asyncio
from bisect import insort
from collections import deque
from contextlib import suppress
from typing import Final

from runyard_shared.contracts.feed import Recorded
from runyard_shared.eventstore.store import EventStore

MAX_EVENTS: Final = 500
MAX_BYTES: Final = 4_000_000
MAX_BYTES_IN_MEMORY: Final = 32_000_000
POLL_SECONDS: Final = 1.0
LATE_SECONDS: Final = 0.02
"""So long a batch of another process may be on its way while later ones are here."""


class Follower:
    """Everything after `position`, in order. `max_events` bounds what `next` gives at once, `max_bytes_in_memory` what is
    kept for a slow reader."""

    def __init__(
        self,
        store: EventStore,
        position: int,
        *,
        max_events: int = MAX_EVENTS,
        max_bytes_in_memory: int = MAX_BYTES_IN_MEMORY,
    ) -> None:
        self.position = position
        self._store = store
        self._max_events = max_events
        self._max_bytes = max_bytes_in_memory
        self._bytes = 0
        self._batches: deque[tuple[list[Recorded], int]] = deque()
        self._head = position
        self._wake = asyncio.Event()

    @property
    def lag(self) -> int:
        """How many committed events are still ahead, as far as is known."""
        return self._head - self.position

    @property
    def bytes_in_memory(self) -> int:
        """Event data kept for a slow reader."""
        return self._bytes

    def committed(self, rows: list[Recorded], size: int | None = None) -> None:
        """Consecutive rows that were just committed, here or elsewhere. `size`: of their data, if it is known."""
        size = bytes_of(rows) if size is None else size
        if self._bytes + size > self._max_bytes:
            self._batches.clear()
            self._bytes = 0
        else:
            self._bytes += size
            if self._batches and rows[0].position < self._batches[-1][0][0].position:
                insort(self._batches, (rows, size), key=lambda batch: batch[0][0].position)
            else:
                self._batches.append((rows, size))
        self._head = max(self._head, rows[-1].position)
        self._wake.set()

    async def look(self) -> None:
        """Asks the log how far it has come."""
        self._head = max(self._head, await self._store.head())

    async def next(self) -> list[Recorded]:
        """The next events, as many as have gathered within bounds; waits about a second for the first, then gives none. Where
        events were archived, positions have holes; at the end of the log `position` moves over one.

        Raises `Unavailable` if it has to read the log and cannot.
        """
        if self.lag <= 0:
            await self._wait()
        if self.lag <= 0:
            return []
        self._forget_passed()
        if self._batches and 0 < self._batches[0][0][0].position - self.position - 1 <= self._max_events:
            await self._wait_for_late_ones()
        if self._batches and self._batches[0][0][0].position == self.position + 1:
            return self._from_memory()
        head = self._head
        rows = await self._store.read(self.position, self._max_events)
        if not rows:
            self.advance(head)  # what was between was archived
        while len(rows) > 1 and bytes_of(rows) > MAX_BYTES:
            rows = rows[: len(rows) // 2]
        return rows

    def advance(self, position: int) -> None:
        """Done with everything up to `position`."""
        self.position = position
        self._forget_passed()

    def _from_memory(self) -> list[Recorded]:
        rows: list[Recorded] = []
        total = 0
        for batch, size in self._batches:
            fits = len(rows) + len(batch) <= self._max_events and total + size <= MAX_BYTES
            if rows and not (fits and batch[0].position == rows[-1].position + 1):
                break
            rows.extend(batch)
            total += size
        return rows

    def _forget_passed(self) -> None:
        while self._batches and self._batches[0][0][0].position <= self.position:
            rows, size = self._batches.popleft()
            self._bytes -= size
            if rows[-1].position > self.position:
                rest = rows[self.position - rows[0].position + 1 :]
                size = bytes_of(rest)
                self._batches.appendleft((rest, size))
                self._bytes += size

    async def _wait(self) -> None:
        """Until something is committed here; now and then it asks whether something was committed that nobody told of."""
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            await self.look()
        self._wake.clear()

    async def _wait_for_late_ones(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(LATE_SECONDS):
                while self._batches and self._batches[0][0][0].position > self.position + 1:
                    self._wake.clear()
                    await self._wake.wait()
                    self._forget_passed()


def bytes_of(rows: list[Recorded]) -> int:
    """Of their data."""
    return sum(len(memoryview(row.data)) for row in rows)
