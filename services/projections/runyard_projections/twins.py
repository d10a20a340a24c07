"""Twins of the tables of read models: empty ones in another schema, made as the live ones are, partitions included."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from runyard_projections.projection import LIVE, LOG, Begins, Connection, Projection


async def make_tables(connection: Connection, projections: Sequence[Projection], schema: str) -> None:
    """Empty twins in a new schema of that name (what was there goes), with their primary keys; the other indexes come when the
    rows are there, which is quicker."""
    async with connection.transaction():
        await connection.execute(f"drop schema if exists {schema} cascade; create schema {schema}")
        await connection.execute(f"create table {schema}.position (like {LIVE}.position including all)")
        await connection.executemany(
            f"insert into {schema}.position (name, position) values ($1, 0)",  # noqa: S608
            [(projection.name,) for projection in projections],
        )
        for table in (table for projection in projections for table in projection.tables):
            await _make_table(connection, table, schema)
        for month in await connection.fetch(_MONTHS, datetime.now(UTC).replace(tzinfo=None)):
            await connection.execute(f"select {LIVE}.create_month('{schema}', $1)", month["starts"])
        for projection in projections:
            if isinstance(projection, Begins):
                await projection.begin(connection, schema)


async def _make_table(connection: Connection, table: str, schema: str) -> None:
    live, twin = f"{LIVE}.{table}", f"{schema}.{table}"
    by, default = await connection.fetchrow(_PARTITIONING, live) or (None, None)
    await connection.execute(
        f"create table {twin} (like {live}"
        " including defaults including generated including storage including compression including comments)"
        + (f" partition by {by}" if by else "")
    )
    for name, definition in await connection.fetch(_CONSTRAINTS, live):
        await connection.execute(f"alter table {twin} add constraint {name} {definition}")
    if default:
        await connection.execute(f"create table {schema}.{default} partition of {twin} default")
    rows_in = default or table
    for option in await connection.fetchval(_OPTIONS, f"{LIVE}.{rows_in}") or ():
        await connection.execute(f"alter table {schema}.{rows_in} set ({option})")


async def make_indexes(connection: Connection, tables: Sequence[str], schema: str) -> None:
    """What indexes the live tables have beside their primary keys."""
    for table in tables:
        for (definition,) in await connection.fetch(_INDEXES, f"{LIVE}.{table}"):
            await connection.execute(definition.replace(" ON ONLY ", " ON ").replace(f" ON {LIVE}.", f" ON {schema}."))
        await connection.execute(f"analyze {schema}.{table}")


_OPTIONS: Final = "select reloptions from pg_class where oid = $1::text::regclass"

_CONSTRAINTS: Final = """
    select conname, pg_get_constraintdef(oid) from pg_constraint
    where conrelid = $1::text::regclass and contype in ('p', 'u', 'c')
"""

_INDEXES: Final = """
    select pg_get_indexdef(i.indexrelid) from pg_index i
    where i.indrelid = $1::text::regclass and not exists (select from pg_constraint c where c.conindid = i.indexrelid)
    order by i.indexrelid
"""

_PARTITIONING: Final = """
    select pg_get_partkeydef(t.partrelid), d.relname
    from pg_partitioned_table t join pg_class d on d.oid = t.partdefid where t.partrelid = $1::text::regclass
"""

_MONTHS: Final = f"""
    with recursive month as (
        select {LIVE}.month_of(first.stream_id) as starts
        from (select stream_id from {LOG}.event where stream_id >= {LIVE}.first_id_at('2020-01-01') order by 1 limit 1) first
        union all
        select {LIVE}.month_of(later.stream_id)
        from month cross join lateral (
            select stream_id from {LOG}.event where stream_id >= {LIVE}.first_id_at(month.starts + interval '1 month')
            order by 1 limit 1
        ) later
    )
    select starts from month where starts <= $1
"""  # noqa: S608
"""The months in which streams began, as their ids tell. Ids that are not of a time that has been stay in the default one."""
