"""What was archived leaves the log and the read models, in one transaction, by whole partitions.

Everything that takes time comes first, when nobody is held up: what stays of a month (other tenants, streams of workflows) is
copied to tables beside the partitions. From there on the projector waits. The swap itself takes every lock or, after a moment,
none, and tries again. The transaction ends with all of it done or with nothing: a death in between is as if it had not begun.
"""

# ruff: noqa: S608 - schemas and tables are names of our own; every value is a parameter

from collections.abc import Sequence
from functools import partial
from typing import Final

import asyncpg
from runyard_shared.errors import RunyardError
from runyard_shared.eventstore.mapper import EventMapper

from runyard_projections.analytics import archived as analytics
from runyard_projections.archive.files import EVENTS, ArchiveFiles, Manifest
from runyard_projections.archive.month import Month
from runyard_projections.projection import APPROVALS_LOG, LIVE, LOG, Connection
from runyard_projections.quiet_moment import InUse, in_a_quiet_moment
from runyard_projections.rebuild import REBUILD_LOCK

RECORDS: Final = ("trigger_record", "incident")
"""Tables with history that are not in partitions by months; their record_id tells the month."""


class NotYet(RunyardError):
    """The month cannot leave the log now; later it can. The message says what it waits for."""


async def forget(
    pool: "asyncpg.Pool[asyncpg.Record]",
    files: ArchiveFiles,
    mapper: EventMapper,
    month: Month,
    manifests: Sequence[Manifest],
) -> None:
    """The month's history of these tenants, whose archives are there, is gone when it returns. Raises `NotYet`."""
    tenants = [manifest.tenant_id for manifest in manifests]
    async with pool.acquire() as connection, connection.transaction():
        if not await connection.fetchval("select pg_try_advisory_xact_lock($1)", REBUILD_LOCK):
            raise NotYet("a rebuild or a check of the read models is under way")
        aside = await connection.fetchval(f"select {LOG}.set_aside($1, $2)", month.date, tenants)
        for manifest in manifests:
            async for events in files.batches(manifest, EVENTS):
                await analytics.keep(connection, events, mapper)
        await connection.execute(f"lock table {LIVE}.position in exclusive mode")
        await _must_have_passed(connection, max(manifest.last_position for manifest in manifests))
        await connection.execute(_FORGOTTEN_EXECUTIONS, tenants, month.first_id, month.next_first_id)
        await connection.execute("analyze forgotten_execution")
        for table in RECORDS:
            await connection.execute(_FORGET_RECORDS.format(table=table), tenants, month.first_id, month.next_first_id)
        await connection.execute(_FORGET_RUNS, tenants)
        await connection.execute(_FORGET_EXECUTIONS_OF_RUNS, tenants, month.next_first_id)
        await connection.execute(_ARCHIVED, tenants, month.next_first_id)
        await connection.execute(_FORGET_CHUNKS, tenants, month.first_id)
        await connection.execute(_FORGET_SEALS, tenants, month.first_id)
        parted = []
        for (table,) in await connection.fetch(_TABLES):
            if await _set_aside(connection, table, month):
                parted.append(table)
            else:  # as after an upgrade, when all that was there before is one partition
                await connection.execute(_FORGET_ROWS.format(table=table), month.first_id, month.next_first_id)
        await _swap_in_a_quiet_moment(connection, month, manifests, parted, aside)


async def _must_have_passed(connection: Connection, last: int) -> None:
    """Whoever reads the log must not find a hole where it has not been yet."""
    behind = await connection.fetchval(_BEHIND, last)
    if behind:
        raise NotYet(f"what is to be archived was not taken in yet by: {behind}")


async def _set_aside(connection: Connection, table: str, month: Month) -> bool:
    """Whether the month has a partition of its own; then what stays of it is in a table beside it."""
    partition = f"{LIVE}.{table}_{month.suffix}"
    if await connection.fetchval("select to_regclass($1)", partition) is None:
        return False
    options = await connection.fetchval(
        "select array_to_string(reloptions, ', ') from pg_class where oid = $1::text::regclass", partition
    )
    await connection.execute(
        f"create table {partition}_kept (like {partition} including all,"
        f" constraint month check (execution_id >= '{month.first_id}' and execution_id < '{month.next_first_id}'))"
        + (f" with ({options})" if options else "")
    )
    await connection.execute(
        f"insert into {partition}_kept select * from {partition} t"
        " where not exists (select from forgotten_execution f where f.execution_id = t.execution_id)"
    )
    return True


async def _swap_in_a_quiet_moment(
    connection: Connection,
    month: Month,
    manifests: Sequence[Manifest],
    parted: Sequence[str],
    aside: int,
) -> None:
    try:
        await in_a_quiet_moment(connection, partial(_swap, connection, month, manifests, parted, aside))
    except InUse as in_use:
        raise NotYet(str(in_use)) from None


async def _swap(
    connection: Connection,
    month: Month,
    manifests: Sequence[Manifest],
    parted: Sequence[str],
    aside: int,
) -> None:
    approvals = [manifest for manifest in manifests if manifest.approvals is not None]
    logs = [f"{LOG}.event", *([f"{APPROVALS_LOG}.event"] if approvals else ())]
    everything = ", ".join([*(f"{LIVE}.{table}" for table in parted), *logs])
    await connection.execute(f"lock table {everything} in access exclusive mode")
    complete = await connection.fetchval(
        f"select {LOG}.forget($1, $2, $3, $4, $5, $6, $7, $8)",
        month.date,
        *_columns(manifests),
        aside,
    )
    if not complete:
        raise NotYet("something was added to it a moment ago")
    if approvals:
        complete = await connection.fetchval(
            f"select {APPROVALS_LOG}.forget($1, $2, $3)",
            month.date,
            [manifest.tenant_id for manifest in approvals],
            [manifest.approvals.rows for manifest in approvals if manifest.approvals is not None],
        )
        if not complete:
            raise NotYet("its approvals are not at rest: something was added to one a moment ago, or waits to be handed over")
    for table in parted:
        await _replace(connection, table, month)


async def _replace(connection: Connection, table: str, month: Month) -> None:
    """The partition by what stays of it; by nothing, if nothing stays."""
    name = f"{table}_{month.suffix}"
    await connection.execute(f"drop table {LIVE}.{name}")
    if await connection.fetchval(f"select exists (select from {LIVE}.{name}_kept)"):
        await connection.execute(f"alter table {LIVE}.{name}_kept rename to {name}")
        await connection.execute(
            f"alter table {LIVE}.{table} attach partition {LIVE}.{name}"
            f" for values from ('{month.first_id}') to ('{month.next_first_id}')"
        )
        await connection.execute(f"alter table {LIVE}.{name} drop constraint month")
    else:
        await connection.execute(f"drop table {LIVE}.{name}_kept")


def _columns(manifests: Sequence[Manifest]) -> list[list[object]]:
    rows = [
        (each.tenant_id, each.part, each.events.rows, each.first_position, each.last_position, each.upto) for each in manifests
    ]
    return [list(column) for column in zip(*rows, strict=True)]


_OPTIONS: Final = "select array_to_string(reloptions, ', ') from pg_class where oid = $1::text::regclass"

_TABLES: Final = f"""
    select p.relname::text from pg_partitioned_table t
    join pg_class p on p.oid = t.partrelid
    join pg_class other on other.oid = t.partdefid and other.relname = p.relname || '_default'
    where p.relnamespace = '{LIVE}'::regnamespace order by p.oid
"""
"""Those in partitions by months of execution_id."""

_FORGOTTEN_EXECUTIONS: Final = f"""
    create temporary table forgotten_execution on commit drop as
    select execution_id from {LIVE}.execution
    where tenant_id = any($1) and execution_id >= $2::uuid and execution_id < $3::uuid
"""

_FORGET_ROWS: Final = f"""
    delete from {LIVE}.{{table}} t using forgotten_execution f
    where t.execution_id = f.execution_id and t.execution_id >= $1 and t.execution_id < $2
"""
_FORGET_RECORDS: Final = f"""
    delete from {LIVE}.{{table}} where tenant_id = any($1) and record_id >= $2 and record_id < $3
"""
_FORGET_RUNS: Final = f"""
    delete from {LIVE}.schedule_run s using {LIVE}.scheduled_workflow w
    where w.workflow_id = s.workflow_id and w.tenant_id = any($1) and not exists (
        select from {LIVE}.trigger_record r where r.workflow_id = s.workflow_id and r.trigger = s.trigger and r.type = 'cron'
    )
"""
_FORGET_EXECUTIONS_OF_RUNS: Final = f"""
    update {LIVE}.schedule_run s set last_execution_id = null from {LIVE}.scheduled_workflow w
    where w.workflow_id = s.workflow_id and w.tenant_id = any($1) and s.last_execution_id < $2
"""

_FORGET_CHUNKS: Final = f"""
    delete from {LIVE}.output_chunk c using forgotten_stream f
    where c.execution_id = f.stream_id and c.tenant_id = any($1) and c.job_id >= $2
"""
_FORGET_SEALS: Final = f"""
    delete from {LIVE}.output_seal s using forgotten_stream f
    where s.execution_id = f.stream_id and s.tenant_id = any($1) and s.job_id >= $2
"""

_BEHIND: Final = f"""
    select string_agg(who, ', ') from (
        select 'the read model ' || name as who from {LIVE}.position where position < $1
        union all
        select 'the relay ' || relay from {LOG}.relay_checkpoint where position < $1
    ) b
"""

_ARCHIVED: Final = f"""
    insert into {LIVE}.archived as a (tenant_id, before) select unnest($1::text[]), $2::uuid
    on conflict (tenant_id) do update set before = greatest(a.before, excluded.before)
"""
