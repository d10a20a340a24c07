"""Keeps the output of jobs for some days: makes a partition for each day ahead of time, and drops whole those that are too old.

A partition holds the jobs whose ids were made on its day. Rows that have none are in the default one; a day that gets its
partition late takes its rows from there. What is done is written down in `output_partition` in the same transaction, so a turn
may end anywhere. No turn makes a reader or writer wait longer than a moment: what is in use is left for the next turn.

A tenant may keep its output for longer or for less than the installation does. A day that some want to keep and others do not
is copied for what stays, and the copy takes its place.
"""

# ruff: noqa: S608 - tables are names of our own, ids are made of times

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg
import structlog
from runyard_shared.clock import Clock
from runyard_shared.errors import Conflict

from runyard_projections.partitions import create_partitions
from runyard_projections.projection import Connection
from runyard_projections.quiet_moment import InUse, in_a_quiet_moment
from runyard_projections.rebuild import REBUILD_LOCK
from runyard_projections.rounds import Rounds

_log = structlog.get_logger(__name__)

DAYS_AHEAD: Final = 3
RETRY_SECONDS: Final = 30.0
_PATIENCE_MS: Final = 1000
_LOCK: Final = 7_235_419_020
_CHUNKS: Final = "projections.output_chunk"
_OTHER: Final = "projections.output_chunk_other"
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Keep:
    """Since when output is kept: that of tenants with a wish of their own, and that of all others. None: for ever."""

    others: datetime | None
    own: dict[str, datetime | None]

    @property
    def longest(self) -> datetime | None:
        """What was made before it nobody wants."""
        times = [time for time in (self.others, *self.own.values()) if time is not None]
        return min(times) if len(times) == 1 + len(self.own) else None

    def over(self, ends: datetime) -> set[str]:
        """Tenants with a wish of their own that do not want a day any more that ended then."""
        return {tenant_id for tenant_id, since in self.own.items() if since is not None and ends <= since}


@dataclass(frozen=True, slots=True)
class _Day:
    """What is in a partition: output of the tenants `only_of` (None: of all) without that of `without`."""

    name: str
    starts: str | None
    ends: str
    only_of: frozenset[str] | None
    without: frozenset[str]

    def wanted(self, keep: _Keep) -> "_Day":
        """What is to stay of it."""
        ends = time_of(self.ends)
        over = keep.over(ends)
        only_of, without = self.only_of, self.without
        if keep.others is not None and ends <= keep.others and only_of is None:
            only_of = frozenset(keep.own) - without
        if only_of is None:
            without |= over
        else:
            only_of -= over
        return _Day(self.name, self.starts, self.ends, only_of, without)


class OutputRetention:
    """`days`: how long the installation keeps output of tenants that say nothing; 0 for ever."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", clock: Clock, days: int) -> None:
        self._pool = pool
        self._clock = clock
        self._days = days
        self.rounds = Rounds(
            "output retention",
            self._round,
            failing="the partitions of the output of jobs cannot be looked after",
            not_now=(asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError, InUse, Conflict),
            retry_seconds=RETRY_SECONDS,
        )

    async def turn(self) -> None:
        """Make what is missing, drop what is too old. Raises `LockNotAvailableError` or `InUse` if something was in use for
        long, `Conflict` while a rebuild or an archiving is under way and only part of a day is to go."""
        now = self._clock.now()
        async with self._pool.acquire() as connection:
            await connection.execute(_DEFAULT, self._days)
            keep = await self._keep(connection, now)
            for day in await self._missing_days(connection, now, keep.longest):
                await _make(connection, day)
            days = [_day(row) for row in await connection.fetch(_DAYS)]
            wanted = [(day, day.wanted(keep)) for day in days]
            for old, stays in wanted:
                if stays.only_of == frozenset():
                    await _drop(connection, old.name, now)
            await connection.execute(_FORGET_OTHER_OF, list(keep.own), list(keep.own.values()))
            await connection.execute(_FORGET_OTHER, keep.others, list(keep.own))
            for old, stays in wanted:
                if stays != old and stays.only_of != frozenset():
                    await _thin(connection, stays)

    async def _round(self) -> None:
        await create_partitions(self._pool)  # those of the read models, which come in the same manner
        await self.turn()

    async def _keep(self, connection: Connection, now: datetime) -> _Keep:
        def since(days: int) -> datetime | None:
            return now - days * _DAY if days else None

        own = {row["tenant_id"]: since(row["output_days"]) for row in await connection.fetch(_OWN)}
        return _Keep(since(self._days), own)

    async def _missing_days(self, connection: Connection, now: datetime, keep_since: datetime | None) -> list[datetime]:
        """Days to come, and those since the last turn; not such as would be dropped at once."""
        made_until: str = await connection.fetchval("select max(ends::text) from projections.output_partition")
        begin = time_of(made_until)
        if keep_since is not None:
            begin = max(begin, midnight(keep_since))
        end = midnight(now) + (1 + DAYS_AHEAD) * _DAY
        return [begin + number * _DAY for number in range(max(0, (end - begin).days))]


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
            f"insert into projections.{name} select * from {_OTHER} where {within}; delete from {_OTHER} where {within}"
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


async def _thin(connection: Connection, day: _Day) -> None:
    """Only what is to stay of a day stays."""
    partition, copy = f"projections.{day.name}", f"projections.{day.name}_kept"
    starts = "minvalue" if day.starts is None else f"'{day.starts}'"
    within = f"job_id < '{day.ends}'" + ("" if day.starts is None else f" and job_id >= '{day.starts}'")
    only_of, without = None if day.only_of is None else sorted(day.only_of), sorted(day.without)
    async with connection.transaction():
        await _begin(connection)
        if not await connection.fetchval("select pg_try_advisory_xact_lock($1)", REBUILD_LOCK):
            raise Conflict("rebuild_under_way", "a rebuild, a check or an archiving is under way")  # which may delete chunks
        goes = f"select exists (select from {partition} where not {_STAYS})"
        if await connection.fetchval(goes, only_of, without):
            since = await connection.fetchval(_OLDEST_TRANSACTION)
            await connection.execute(f"create table {copy} (like {partition} including all, constraint day check ({within}))")
            await connection.execute(f"insert into {copy} select * from {partition} where {_STAYS}", only_of, without)

            async def exchange() -> None:
                await connection.execute(f"lock table {_CHUNKS} in access exclusive mode")
                late = f"insert into {copy} select * from {partition} where {_STAYS} and kept_at >= $3 on conflict do nothing"
                await connection.execute(late, only_of, without, since)
                await connection.execute(f"drop table {partition}; alter table {copy} rename to {day.name}")
                await connection.execute(
                    f"alter table {_CHUNKS} attach partition {partition} for values from ({starts}) to ('{day.ends}')"
                )
                await connection.execute(f"alter table {partition} drop constraint day")

            await in_a_quiet_moment(connection, exchange)
        await connection.execute(_THINNED, day.name, only_of, without)
    _log.info("dropped old output of some tenants", partition=day.name)


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


def _day(row: asyncpg.Record) -> _Day:
    only_of = None if row["only_of"] is None else frozenset(row["only_of"])
    return _Day(row["name"], row["starts"], row["ends"], only_of, frozenset(row["without"]))


_DEFAULT: Final = """
    insert into projections.output_default values ($1) on conflict ((true)) do update set days = excluded.days
    where output_default.days <> excluded.days
"""
_OWN: Final = "select tenant_id, output_days from projections.retention where output_days is not null order by tenant_id"
_DAYS: Final = """
    select name, starts::text, ends::text, only_of, without from projections.output_partition
    where dropped_at is null order by output_partition.ends
"""
_STAYS: Final = "coalesce(tenant_id = any($1::text[]), tenant_id <> all($2::text[]))"
_OLDEST_TRANSACTION: Final = "select least(now(), min(xact_start)) from pg_stat_activity where datname = current_database()"
"""Whatever is not committed yet has come after it, as `kept_at` tells."""
_THINNED: Final = "update projections.output_partition set only_of = $2, without = $3 where name = $1"
_FORGET_OTHER: Final = f"delete from {_OTHER} where kept_at < $1 and tenant_id <> all($2)"
_FORGET_OTHER_OF: Final = f"""
    delete from {_OTHER} o using unnest($1::text[], $2::timestamptz[]) as own(tenant_id, since)
    where o.tenant_id = own.tenant_id and o.kept_at < own.since
"""
