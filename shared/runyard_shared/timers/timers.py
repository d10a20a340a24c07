"""The timer loop of one service: finds the timers that are due and hands them on, again and again, until their owner reacts.

Timers are set and cleared only by appends (in the transaction of the events), so a due timer stays due until the append that
answers it. Whoever is handed one may crash, lose it or get it twice: the next round brings it again, and the owner's state
machine ignores what no longer applies.
"""

# ruff: noqa: S608 - the schema is a name of our own; every value is a parameter

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg
import msgspec
import structlog

from runyard_shared.clock import Clock
from runyard_shared.eventstore.outage import outages_as_unavailable
from runyard_shared.loops import forever

_log = structlog.get_logger(__name__)

_PAGE: Final = 500
_BEFORE_ALL: Final = (datetime.min.replace(tzinfo=UTC), "00000000-0000-0000-0000-000000000000", "")


@dataclass(frozen=True, slots=True)
class DueTimer:
    """A timer whose time has come. `payload` is what it was set with."""

    stream_id: str
    timer_id: str
    tenant_id: str
    due_at: datetime
    payload: dict[str, Any]


class Timers:
    """`deliver` gets due timers in order of `due_at`, at most 500 at once; while a timer stays set, it comes again every
    `redeliver_seconds`. `poll_seconds`: how soon timers set by other processes are noticed; give `hint` to the store of this
    process as its `on_timer`, and its timers are delivered on time. `is_mine`: of which streams they are delivered here, and
    not by another process; call `look_again` when that has changed.
    """

    def __init__(
        self,
        pool: "asyncpg.Pool[asyncpg.Record]",
        schema: str,
        clock: Clock,
        deliver: Callable[[list[DueTimer]], Awaitable[None]],
        *,
        poll_seconds: float = 1.0,
        redeliver_seconds: float = 5.0,
        is_mine: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self._pool = pool
        self._schema = schema
        self._clock = clock
        self._deliver = deliver
        self._poll = timedelta(seconds=poll_seconds)
        self._redeliver = timedelta(seconds=redeliver_seconds)
        self._is_mine = is_mine
        self._delivered: dict[tuple[str, str, datetime], datetime] = {}
        self._next_look_at: datetime | None = None
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._trouble: str | None = None
        self._due = (
            f"select stream_id::text, timer_id, tenant_id, due_at, payload::text from {schema}.timer"
            " where due_at <= $1 and (due_at, stream_id, timer_id) > ($2, $3, $4)"
            f" order by due_at, stream_id, timer_id limit {_PAGE}"
        )

    @property
    def trouble(self) -> str | None:
        """Why timers are not delivered right now, in words; None when they are."""
        return "the timer loop is not running" if self._task is None else self._trouble

    def hint(self, due_at: datetime) -> None:
        """A timer that falls due at `due_at` was set."""
        if self._next_look_at is None or due_at < self._next_look_at:
            self._next_look_at = due_at
            self._wake.set()

    def look_again(self) -> None:
        """More timers may be to be delivered here than before."""
        self.hint(self._clock.now())

    async def start(self) -> None:
        self._task = forever(self._run(), f"{self._schema}-timers")

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            self._next_look_at = self._clock.now() + self._poll
            try:
                await self._look()
            except Exception as error:  # noqa: BLE001 - due timers stay in the table, so the next look has them again
                if self._trouble is None:
                    _log.warning("timers are not delivered", schema=self._schema, reason=repr(error))
                self._trouble = f"timers are not delivered: {error or type(error).__name__}"
            else:
                self._trouble = None
            await self._sleep()

    async def _look(self) -> None:
        """Delivers what is due and was not delivered just now; notes when the next one falls due."""
        now = self._clock.now()
        seen: dict[tuple[str, str, datetime], datetime] = {}
        async for page in self._pages(now + self._poll):
            due = []
            for timer in page:
                if not self._is_mine(timer.stream_id):
                    continue
                if timer.due_at > now:
                    self.hint(timer.due_at)
                    break
                key = (timer.stream_id, timer.timer_id, timer.due_at)
                delivered_at = self._delivered.get(key)
                if delivered_at is None or now - delivered_at >= self._redeliver:
                    due.append(timer)
                    delivered_at = now
                seen[key] = delivered_at
            if due:
                await self._deliver(due)
                self._delivered.update(((timer.stream_id, timer.timer_id, timer.due_at), now) for timer in due)
            if page[-1].due_at > now:
                break
        self._delivered = seen

    async def _pages(self, until: datetime) -> AsyncIterator[list[DueTimer]]:
        after = _BEFORE_ALL
        while True:
            with outages_as_unavailable():
                rows = await self._pool.fetch(self._due, until, *after)
            page = [
                DueTimer(stream_id, timer_id, tenant_id, due_at, msgspec.json.decode(payload, type=dict[str, Any]))
                for stream_id, timer_id, tenant_id, due_at, payload in rows
            ]
            if page:
                yield page
            if len(page) < _PAGE:
                return
            after = (page[-1].due_at, page[-1].stream_id, page[-1].timer_id)

    async def _sleep(self) -> None:
        """Until the next look is due by our clock; no longer than the poll, whatever that clock does."""
        while self._next_look_at is not None:
            seconds = (self._next_look_at - self._clock.now()).total_seconds()
            if seconds <= 0:
                return
            self._wake.clear()
            try:
                async with asyncio.timeout(min(seconds, self._poll.total_seconds())):
                    await self._wake.wait()
            except TimeoutError:
                return
