"""Keeps the output of jobs for some days: makes a partition for each day ahead of time, and drops whole those that are too old.

A partition holds the jobs whose ids were made on its day. Rows that have none are in the default one; a day that gets its
partition late takes its rows from there. What is done is written down in `output_partition` in the same transaction, so a turn
may end anywhere. No turn makes a reader or writer wait longer than a moment: what is in use is left for the next turn.
"""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg
import structlog
from runyard_shared.clock import Clock
from runyard_shared.eventstore.outage import is_outage

from runyard_projections.partitions import create_partitions
from runyard_projections.projection import Connection

_log = structlog.get_logger(__name__)

DAYS_AHEAD: Final = 3
TURN_SECONDS: Final = 3600.0
RETRY_SECONDS: Final = 30.0
_PATIENCE_MS: Final = 1000
_LOCK: Final = 7_235_419_020
_OTHER: Final = "projections.output_chunk_other"
_DAY: Final = timedelta(days=1)


class OutputRetention:
    """`days`: how long output is kept; 0 for ever."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", clock: Clock, days: int) -> None:
        self._pool = pool
        self._clock = clock
        self._days = days
        self._task: asyncio.Task[None] | None = None
        self._trouble: str | None = None

    @property
    def trouble(self) -> str | None:
        """Why old output is not dropped, in words; None when it is."""
        return self._trouble

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="output retention")

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def turn(self) -> None:
        """Make what is missing, drop what is too old. Raises `LockNotAvailableError` if something was in use for long."""
        now = self._clock.now()
        keep_since = now - self._days * _DAY if self._days else None
        async with self._pool.acquire() as connection:
            for day in await self._missing_days(connection, now, keep_since):
                await _make(connection, day)
            if keep_since is not None:
                for name in await connection.fetchval(_TOO_OLD, first_id(keep_since)):
                    await _drop(connection, name, now)
                await connection.execute(f"delete from {_OTHER} where kept_at < $1", keep_since)  # noqa: S608

    async def _missing_days(self, connection: Connection, now: datetime, keep_since: datetime | None) -> list[datetime]:
        """Days to come, and those since the last turn; not such as would be dropped at once."""
        made_until: str = await connection.fetchval("select max(ends::text) from projections.output_partition")
        begin = time_of(made_until)
        if keep_since is not None:
            begin = max(begin, midnight(keep_since))
        end = midnight(now) + (1 + DAYS_AHEAD) * _DAY
        return [begin + number * _DAY for number in range(max(0, (end - begin).days))]

    async def _run(self) -> None:
        while True:
            try:  # first the partitions of the read models, which come in the same manner
                await create_partitions(self._pool)
                await self.turn()
                self._trouble = None
                await asyncio.sleep(TURN_SECONDS)
            except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
                _log.info("the output of jobs is in use, its partitions are looked after later")
                await asyncio.sleep(RETRY_SECONDS)
            except Exception as error:  # noqa: BLE001 - whatever it is, nothing is lost, it is tried again and the health says it
                trouble = f"the partitions of the output of jobs cannot be looked after: {error or type(error).__name__}"
                if trouble != self._trouble:
                    _log.warning("trouble", trouble=trouble, exc_info=None if is_outage(error) else error)
                self._trouble = trouble
                await asyncio.sleep(RETRY_SECONDS)


async def _make(connection: Connection, day: datetime) -> None:
    name, starts, ends = f"output_chunk_{day:%Y%m%d}", first_id(day), first_id(day + _DAY)
    within = f"job_id >= '{starts}' and job_id < '{ends}'"
    async with connection.transaction():
        await _begin(connection)
        if await connection.fetchval("select exists (select from projections.output_partition where name = $1)", name):
            return  # another process was first
        await connection.execute(f"lock table {_OTHER} in access exclusive mode")
        await connection.execute(f"create table projections.{name} (like projections.output_chunk including all)")
        await connection.execute(
            f"insert into projections.{name} select * from {_OTHER} where {within}; delete from {_OTHER} where {within}"  # noqa: S608
        )
        await connection.execute(
            f"alter table projections.output_chunk attach partition projections.{name}"
            f" for values from ('{starts}') to ('{ends}')"
        )
        await connection.execute(
            "insert into projections.output_partition (name, starts, ends) values ($1, $2, $3)", name, starts, ends
        )


async def _drop(connection: Connection, name: str, now: datetime) -> None:
    async with connection.transaction():
        await _begin(connection)
        await connection.execute(f"drop table if exists projections.{name}")
        await connection.execute("update projections.output_partition set dropped_at = $2 where name = $1", name, now)
    _log.info("dropped the output of old jobs", partition=name)


async def _begin(connection: Connection) -> None:
    await connection.execute(f"set local lock_timeout = {_PATIENCE_MS}")
    await connection.execute("select pg_advisory_xact_lock($1)", _LOCK)


def midnight(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def first_id(at: datetime) -> str:
    """Below every id that was made at that time or later, above every earlier one."""
    text = f"{int(at.timestamp() * 1000):012x}".ljust(32, "0")
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def time_of(identity: str) -> datetime:
    """When an id was made."""
    return datetime.fromtimestamp(int(identity.replace("-", "")[:12], 16) / 1000, UTC)


_TOO_OLD: Final = """
    select coalesce(array_agg(name order by ends), '{}') from projections.output_partition
    where dropped_at is null and ends <= $1::uuid
"""
