"""Makes read models anew from the log while the old ones are read and kept up to date.

New tables grow in a schema of their own, by the same code, from position 0. When they have caught up, one transaction puts
them in the place of the old ones and points the views at them: a reader sees all of the old model or all of the new one. That
transaction holds the lock that every applier needs first; the live projector finds the position it expects, or starts over.
Partitioned tables get a partition for each month in which a stream of the log began.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import asyncpg
import structlog
from runyard_shared.contracts.feed import Recorded
from runyard_shared.errors import Conflict
from runyard_shared.eventstore.store import EventStore

from runyard_projections.applier import Applier
from runyard_projections.partitions import create_partitions
from runyard_projections.projection import LIVE, Connection, Projection
from runyard_projections.twins import make_indexes, make_tables

_log = structlog.get_logger(__name__)

NEW: Final = "projections_new"
OLD: Final = "projections_old"
BATCH_EVENTS: Final = 5000
REBUILD_LOCK: Final = 7_235_419_019
"""Advisory: whoever holds it may count on it that no rebuild, no check and no archiving is under way."""
_SWAP_ATTEMPTS: Final = 200
_SWAP_PATIENCE_MS: Final = 50
_SWAP_PAUSE_SECONDS: Final = 0.05

Progress = Callable[[int, int], None]
"""Is told the position and the head, now and then."""


async def rebuild(
    pool: "asyncpg.Pool[asyncpg.Record]",
    store: EventStore,
    projections: Sequence[Projection],
    *,
    on_progress: Progress = lambda _position, _head: None,
) -> int:
    """Rebuild these projections; returns the position they have reached. Raises `Conflict` if another rebuild is under way."""
    applier = Applier(projections, NEW)
    async with pool.acquire() as connection, nothing_else(connection):
        try:
            await make_tables(connection, projections, NEW)
            await _catch_up(connection, applier, store, on_progress)
            await make_indexes(connection, [table for projection in projections for table in projection.tables], NEW)
            position = await _swap_in_a_quiet_moment(connection, applier, store, projections, on_progress)
            await connection.execute(f"drop schema {NEW} cascade")
        finally:
            await applier.close(connection)
    await create_partitions(pool)
    return position


@asynccontextmanager
async def nothing_else(connection: Connection) -> AsyncIterator[None]:
    """No rebuild, no check and no archiving meanwhile. Raises `Conflict`."""
    if not await connection.fetchval("select pg_try_advisory_lock($1)", REBUILD_LOCK):
        raise Conflict("rebuild_under_way", "a rebuild, a check or an archiving is under way; wait for it")
    try:
        yield
    finally:
        if not connection.is_closed():  # then it is given back already
            await connection.execute("select pg_advisory_unlock($1)", REBUILD_LOCK)


async def _catch_up(connection: Connection, applier: Applier, store: EventStore, on_progress: Progress) -> int:
    """Apply until the end of the log; the next events are read while the last ones are written."""
    position = await applier.open(connection)
    head = await store.head()
    events = await store.read(position, BATCH_EVENTS)
    while events:
        following = asyncio.create_task(store.read(events[-1].position, BATCH_EVENTS))
        try:
            await applier.apply(connection, events, max(head, events[-1].position))
        except BaseException:
            following.cancel()
            raise
        position = events[-1].position
        on_progress(position, max(head, position))
        events = await following
    return position


async def _swap_in_a_quiet_moment(
    connection: Connection, applier: Applier, store: EventStore, projections: Sequence[Projection], on_progress: Progress
) -> int:
    for attempt in range(1, _SWAP_ATTEMPTS + 1):
        await _catch_up(connection, applier, store, on_progress)
        try:
            return await _swap(connection, applier, store, projections)
        except asyncpg.LockNotAvailableError:
            if attempt == _SWAP_ATTEMPTS:
                raise
            await asyncio.sleep(_SWAP_PAUSE_SECONDS)
    raise AssertionError("the last attempt returns or raises")


async def _swap(connection: Connection, applier: Applier, store: EventStore, projections: Sequence[Projection]) -> int:
    """Raises `LockNotAvailableError` when readers are busy with the tables.

    The first lock keeps vacuum away, the second the other appliers, so that the twins can reach the position of the live
    tables. For the last one we wait a moment only, far less than a deadlock takes to be noticed: if a reader holds one table
    and wants the next, we give way.
    """
    names = [projection.name for projection in projections]
    tables = [table for projection in projections for table in projection.tables]
    async with connection.transaction():
        await connection.execute("set local search_path = pg_catalog")
        both = ", ".join(f"{schema}.{table}" for schema in (LIVE, NEW) for table in tables)
        await connection.execute(f"lock table {both} in share update exclusive mode")
        await connection.execute(f"lock table {LIVE}.position in exclusive mode")
        live = await connection.fetchval(f"select max(position) from {LIVE}.position where name = any($1)", names)  # noqa: S608
        position = await applier.open(connection)
        while position < live:
            position = await _apply_next(connection, applier, store, live)
        views = await connection.fetch(_VIEWS, [f"{LIVE}.{table}" for table in tables])
        await connection.execute(f"set local lock_timeout = {_SWAP_PATIENCE_MS}")
        everything = ", ".join((*(name for name, _ in views), both))
        await connection.execute(f"lock table {everything} in access exclusive mode")
        await connection.execute(f"create schema {OLD}")
        for source, target in ((LIVE, OLD), (NEW, LIVE)):
            for (name,) in await connection.fetch(_WITH_PARTITIONS, [f"{source}.{table}" for table in tables]):
                await connection.execute(f"alter table {name} set schema {target}")
        for name, definition in views:
            await connection.execute(f"create or replace view {name} as {definition}")
        await connection.execute(
            f"update {LIVE}.position l set position = n.position, as_of = n.as_of, head = n.head, updated_at = now()"  # noqa: S608
            f" from {NEW}.position n where n.name = l.name"
        )
        await connection.execute(f"drop schema {OLD} cascade")
    return position


async def _apply_next(connection: Connection, applier: Applier, store: EventStore, live: int) -> int:
    events: list[Recorded] = await store.read(applier.position, BATCH_EVENTS)
    if events:
        await applier.apply(connection, events, events[-1].position)
    else:
        await applier.skip(connection, live)  # the end of the log was archived
    return applier.position


_WITH_PARTITIONS: Final = """
    select oid::regclass::text from pg_class where oid = any($1::text[]::regclass[])
    union all
    select inhrelid::regclass::text from pg_inherits where inhparent = any($1::text[]::regclass[])
"""

_VIEWS: Final = """
    select v.oid::regclass::text, pg_get_viewdef(v.oid)
    from pg_class v
    where v.relkind = 'v' and exists (
        select from pg_rewrite r
        join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
        where r.ev_class = v.oid and d.refclassid = 'pg_class'::regclass and d.refobjid = any($1::text[]::regclass[])
    )
"""
