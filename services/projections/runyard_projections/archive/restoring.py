"""An archived month back in the database: in a schema of its own, beside what lives.

Its read models are made from its part of the log by the real projections, and the views have the names and columns of those in
schema `read`: whatever asks there can ask here. What the archive does not hold (workflows, which never leave the log) the views
take from the live tables.
"""

import re
from collections.abc import Sequence
from typing import Final

import asyncpg
from runyard_shared.contracts.feed import Recorded
from runyard_shared.errors import Conflict, NotFound

from runyard_projections.applier import Applier
from runyard_projections.archive.files import EVENTS, OUTPUT, ArchiveFiles, Manifest
from runyard_projections.archive.month import Month
from runyard_projections.handlers import keep_output
from runyard_projections.projection import LIVE, LOG, Connection, Projection
from runyard_projections.twins import make_tables

_NOT_RESTORED: Final = ("workflows", "analytics")
"""Projections that live on: the streams of the one stay in the log, the figures of the other outlive the events."""


_KEPT_WITH_IT: Final = ("output_chunk", "output_seal")


def schema_of(tenant_id: str, month: Month) -> str:
    """`restored_acme_2026_03`."""
    return f"restored_{re.sub('[^a-z0-9]+', '_', tenant_id.lower())[:40]}_{month.suffix}"


def rows_of(schema: str) -> str:
    """The schema of the tables behind the views."""
    return f"{schema}_rows"


async def restore(
    pool: "asyncpg.Pool[asyncpg.Record]",
    files: ArchiveFiles,
    projections: Sequence[Projection],
    tenant_id: str,
    month: Month,
) -> str:
    """The schema it is in. Raises `NotFound`, `Conflict` if it is there already, `ArchiveDamaged`."""
    manifests = files.manifests(tenant_id, month)
    if not manifests:
        raise NotFound("archive_not_found", f"there is no archive of {month} of the tenant {tenant_id!r}")
    schema = schema_of(tenant_id, month)
    rows = rows_of(schema)
    chosen = [each for each in projections if each.name not in _NOT_RESTORED]
    applier = Applier(chosen, rows)
    async with pool.acquire() as connection:
        try:
            async with connection.transaction():
                if await connection.fetchval("select to_regnamespace($1)", schema) is not None:
                    raise Conflict("already_restored", f"it is in schema {schema} already")
                await make_tables(connection, chosen, rows)
                await connection.execute(f"create schema {schema}; create table {rows}.event (like {LOG}.event including all)")
                for table in _KEPT_WITH_IT:
                    await connection.execute(f"create table {rows}.{table} (like {LIVE}.{table} including all)")
                await applier.open(connection)
                for manifest in manifests:
                    await _restore(connection, files, manifest, applier, rows)
                await connection.execute(f"drop table {rows}.position")
                tables = [*(table for projection in chosen for table in projection.tables), *_KEPT_WITH_IT]
                await _make_views(connection, schema, [*(f"{LIVE}.{table}" for table in tables), f"{LOG}.event"])
                await connection.execute(f"comment on schema {schema} is 'History of {month}, restored from the archive.'")
        finally:
            await applier.close(connection)
    return schema


async def discard(pool: "asyncpg.Pool[asyncpg.Record]", tenant_id: str, month: Month) -> str:
    """What was restored goes again; the archive stays. Returns the schema. Raises `NotFound`."""
    schema = schema_of(tenant_id, month)
    if await pool.fetchval("select to_regnamespace($1)", schema) is None:
        raise NotFound("not_restored", f"{month} of the tenant {tenant_id!r} is not restored")
    await pool.execute(f"drop schema {schema}, {rows_of(schema)} cascade")
    return schema


async def _restore(connection: Connection, files: ArchiveFiles, manifest: Manifest, applier: Applier, schema: str) -> None:
    async for events in files.batches(manifest, EVENTS):
        await connection.execute(_EVENTS.format(schema=schema), *_columns(events))
        await applier.apply(connection, events, manifest.last_position)
    async for items in files.batches(manifest, OUTPUT):
        await keep_output(connection, items, schema)


def _columns(events: Sequence[Recorded]) -> list[list[object]]:
    rows = [
        (
            each.position,
            each.stream_id,
            each.version,
            each.tenant_id,
            each.topic,
            each.recorded_at,
            bytes(each.data).decode(),
            each.correlation_id,
            each.causation_id,
        )
        for each in events
    ]
    return [list(column) for column in zip(*rows, strict=True)]


async def _make_views(connection: Connection, schema: str, tables: Sequence[str]) -> None:
    """Those of schema `read` that show any of these tables, with the restored ones in their place."""
    await connection.execute("set local search_path = pg_catalog")
    views = await connection.fetch(_VIEWS, list(tables))
    restored = "|".join(re.escape(name) for name in (*tables, *(row["name"] for row in views)))
    names = re.compile(rf"\b(?:{restored})\b")
    homes = {name: rows_of(schema) for name in tables} | {row["name"]: schema for row in views}
    for row in views:
        definition = names.sub(lambda found: f"{homes[found[0]]}.{found[0].partition('.')[2]}", row["definition"])
        await connection.execute(f"create view {schema}.{row['name'].partition('.')[2]} as {definition}")


_EVENTS: Final = """
    insert into {schema}.event (position, stream_id, version, tenant_id, topic, recorded_at, data, correlation_id, causation_id)
    select * from unnest(
        $1::bigint[], $2::uuid[], $3::integer[], $4::text[], $5::text[], $6::timestamptz[], $7::json[], $8::text[], $9::text[]
    )
"""

_VIEWS: Final = """
    with recursive shown as (
        select distinct r.ev_class as oid
        from pg_rewrite r
        join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid and d.refclassid = 'pg_class'::regclass
        where d.refobjid = any($1::text[]::regclass[])
        union
        select r.ev_class
        from shown s
        join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = s.oid and d.classid = 'pg_rewrite'::regclass
        join pg_rewrite r on r.oid = d.objid and r.ev_class <> s.oid
    )
    select v.oid::regclass::text as name, pg_get_viewdef(v.oid) as definition
    from shown join pg_class v on v.oid = shown.oid and v.relkind = 'v' and v.relnamespace = 'read'::regnamespace
    order by v.oid
"""
