"""Compares the read models with a replay of the log, row by row, while the system runs.

Twins of the tables grow in a schema of their own, by the same code as the live ones, up to the position at which one snapshot
sees the live tables. Nobody is held up for that: the snapshot is a transaction like any reader's. What is compared are sums of
hashes of whole rows; only where these differ, rows are fetched to say which.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import asyncpg
from runyard_shared.contracts.base import Contract
from runyard_shared.eventstore.store import EventStore

from runyard_projections.applier import Applier
from runyard_projections.projection import LIVE, Connection, Projection
from runyard_projections.rebuild import nothing_else
from runyard_projections.twins import make_tables

TWINS: Final = "projections_check"
BATCH_EVENTS: Final = 5000
KEYS_SHOWN: Final = 10
_BUCKETS: Final = 4096
_BUCKETS_SHOWN: Final = 10

Progress = Callable[[int, int], None]
"""Is told the position and the head, now and then."""


class Difference(Contract, frozen=True, kw_only=True):
    """A table whose rows are not what the log gives. `keys`: the primary keys of the first rows that differ, are missing, or
    should not be there."""

    table: str
    rows: int
    expected: int
    keys: list[str]


class Checked(Contract, frozen=True, kw_only=True):
    """What a check found. `position`: where in the log the rows were compared."""

    position: int
    rows: int
    differences: list[Difference]


async def check(
    pool: "asyncpg.Pool[asyncpg.Record]",
    store: EventStore,
    projections: Sequence[Projection],
    *,
    on_progress: Progress = lambda _position, _head: None,
) -> Checked:
    """Compare all rows of these projections. Raises `Conflict` while another check, a rebuild or an archiving is under way."""
    async with pool.acquire() as connection, nothing_else(connection):
        applier = Applier(projections, TWINS)
        try:
            await make_tables(connection, projections, TWINS)
            await applier.open(connection)
            await _bring(connection, applier, store, await _position(connection, projections), on_progress)
            return await _compare(pool, connection, store, projections, on_progress)
        finally:
            await applier.close(connection)
            if not connection.is_closed():
                await connection.execute(f"drop schema if exists {TWINS} cascade")


async def _position(connection: Connection, projections: Sequence[Projection]) -> int:
    found: int = await connection.fetchval(
        f"select min(position) from {LIVE}.position where name = any($1)",  # noqa: S608
        [projection.name for projection in projections],
    )
    return found


async def _bring(connection: Connection, applier: Applier, store: EventStore, upto: int, on_progress: Progress) -> None:
    """Apply the log up to exactly this position; the next events are read while the last ones are written."""
    reading = asyncio.create_task(store.read(applier.position, BATCH_EVENTS))
    try:
        while applier.position < upto:
            events = [event for event in await reading if event.position <= upto]
            if not events:
                await applier.skip(connection, upto)
                return
            reading = asyncio.create_task(store.read(events[-1].position, BATCH_EVENTS))
            await applier.apply(connection, events, upto)
            on_progress(applier.position, upto)
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def _compare(
    pool: "asyncpg.Pool[asyncpg.Record]",
    twins: Connection,
    store: EventStore,
    projections: Sequence[Projection],
    on_progress: Progress,
) -> Checked:
    names = [projection.name for projection in projections]
    async with pool.acquire() as live, live.transaction(isolation="repeatable_read", readonly=True):
        reached = await live.fetch(f"select name, position from {LIVE}.position where name = any($1)", names)  # noqa: S608
        positions = {row["name"]: row["position"] for row in reached}
        for upto in sorted(set(positions.values())):
            applier = Applier([each for each in projections if positions[each.name] >= upto], TWINS)
            await applier.open(twins)
            await _bring(twins, applier, store, upto, on_progress)
        rows, differences = 0, []
        for table in (table for projection in projections for table in projection.tables):
            there, expected = await live.fetchrow(_sums(LIVE, table)), await twins.fetchrow(_sums(TWINS, table))
            if there is None or expected is None:
                raise AssertionError("an aggregate gives one row")
            rows += there["rows"]
            if tuple(there) != tuple(expected):
                keys = await _differing_keys(live, twins, table)
                differences.append(Difference(table=table, rows=there["rows"], expected=expected["rows"], keys=keys))
    return Checked(position=max(positions.values()), rows=rows, differences=differences)


async def _differing_keys(live: Connection, twins: Connection, table: str) -> list[str]:
    key = ", ".join(f"t.{name}" for (name,) in await live.fetch(_PRIMARY_KEY, f"{LIVE}.{table}"))
    there, expected = [
        {row["bucket"]: row["hash"] for row in await connection.fetch(_bucket_sums(schema, table, key))}
        for connection, schema in ((live, LIVE), (twins, TWINS))
    ]
    buckets = sorted(bucket for bucket in there.keys() | expected.keys() if there.get(bucket) != expected.get(bucket))
    shown = buckets[:_BUCKETS_SHOWN]
    found, wanted = [
        {row["key"]: row["hash"] for row in await connection.fetch(_bucket_rows(schema, table, key), shown)}
        for connection, schema in ((live, LIVE), (twins, TWINS))
    ]
    return sorted(each for each in found.keys() | wanted.keys() if found.get(each) != wanted.get(each))[:KEYS_SHOWN]


def _sums(schema: str, table: str) -> str:
    return f"""
        select count(*) as rows, coalesce(sum(hashtextextended(t::text, 0)), 0) as hash from {schema}.{table} t
    """  # noqa: S608


def _bucket(key: str) -> str:
    return f"hashtextextended(concat_ws(', ', {key}), 0) & {_BUCKETS - 1}"


def _bucket_sums(schema: str, table: str, key: str) -> str:
    return f"""
        select {_bucket(key)} as bucket, sum(hashtextextended(t::text, 0)) as hash from {schema}.{table} t group by 1
    """  # noqa: S608


def _bucket_rows(schema: str, table: str, key: str) -> str:
    return f"""
        select concat_ws(', ', {key}) as key, hashtextextended(t::text, 0) as hash
        from {schema}.{table} t where {_bucket(key)} = any($1::bigint[])
    """  # noqa: S608


_PRIMARY_KEY: Final = """
    select a.attname from pg_index i
    cross join unnest(i.indkey) with ordinality as k(attnum, place)
    join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
    where i.indrelid = $1::text::regclass and i.indisprimary order by k.place
"""
