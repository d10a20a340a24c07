"""The history of one month of one tenant, from the database into files, as one snapshot sees it."""

# ruff: noqa: S608 - the schemas are names of our own; every value is a parameter

from collections.abc import AsyncIterator, Iterable
from typing import Any, Final

import asyncpg
import msgspec
from runyard_shared.clock import Clock, rfc3339
from runyard_shared.contracts.feed import Recorded
from runyard_shared.contracts.jobs import OutputChunk, OutputSealed
from runyard_shared.contracts.values import StreamSeal

from runyard_projections.archive.files import APPROVALS, EVENTS, OUTPUT, ArchiveFiles, Manifest, written
from runyard_projections.archive.month import Month
from runyard_projections.projection import APPROVALS_LOG, LIVE, LOG, Connection

_BATCH: Final = 2000


async def copy(
    pool: "asyncpg.Pool[asyncpg.Record]", files: ArchiveFiles, clock: Clock, tenant_id: str, month: Month
) -> Manifest | None:
    """The archive is there when it returns; None if the month has no history. Another one of the same month and part, left
    by a process that died before it could forget them, is replaced."""
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        upto = await connection.fetchval(f"select position from {LOG}.log_head")
        bounds = (tenant_id, month.first_id, month.next_first_id)
        extent = await connection.fetchrow(_EXTENT, *bounds)
        if extent is None or extent["first"] is None:
            return None
        part = await connection.fetchval(_PART, tenant_id, month.date)
        stem = Manifest.stem_of(month, part)
        events = await written(files.writer(tenant_id, stem, EVENTS), _recorded(connection, _EVENTS, bounds))
        output = await written(files.writer(tenant_id, stem, OUTPUT), _output(connection, bounds))
        approvals = None
        if await connection.fetchval(HAS_APPROVALS):
            approvals = await written(files.writer(tenant_id, stem, APPROVALS), _recorded(connection, _APPROVALS, bounds))
        manifest = Manifest(
            tenant_id=tenant_id,
            month=str(month),
            part=part,
            upto=upto,
            first_position=extent["first"],
            last_position=extent["last"],
            executions=extent["executions"],
            events=events,
            output=output,
            approvals=approvals,
            written_at=rfc3339(clock.now()),
        )
        await files.publish(manifest)
    return manifest


async def _recorded(connection: Connection, sql: str, bounds: tuple[str, str, str]) -> AsyncIterator[list[Recorded]]:
    cursor = await connection.cursor(sql, *bounds)
    while rows := await cursor.fetch(_BATCH):
        yield [
            Recorded(**{name: value for name, value in row.items() if name != "data"}, data=msgspec.Raw(row["data"].encode()))
            for row in rows
        ]


async def _output(connection: Connection, bounds: tuple[str, str, str]) -> AsyncIterator[list[OutputChunk | OutputSealed]]:
    for sql, item in ((_CHUNKS, _chunk), (_SEALS, _sealed)):
        cursor = await connection.cursor(sql, *bounds)
        while rows := await cursor.fetch(_BATCH):
            yield _each(item, rows)


def _each(item: Any, rows: Iterable[asyncpg.Record]) -> list[OutputChunk | OutputSealed]:
    return [item(row) for row in rows]


def _chunk(row: asyncpg.Record) -> OutputChunk:
    return OutputChunk(**row)


def _sealed(row: asyncpg.Record) -> OutputSealed:
    seal = StreamSeal(stream=row["stream"], chunks=row["chunks"], size=row["size"], sha256=row["sha256"])
    return OutputSealed(tenant_id=row["tenant_id"], execution_id=row["execution_id"], job_id=row["job_id"], seals=[seal])


_EXTENT: Final = f"""
    select count(*) filter (where topic = 'execution.started') as executions, min(position) as first, max(position) as last
    from {LOG}.history_of($1, $2, $3)
"""
_PART: Final = f"select coalesce(max(part), 0) + 1 from {LOG}.archived_month where tenant_id = $1 and month = $2"
_ROWS: Final = """
    select position, stream_id::text, version, tenant_id, topic, recorded_at, data::text, correlation_id, causation_id
    from {log}.history_of($1, $2, $3) order by position
"""
_EVENTS: Final = _ROWS.format(log=LOG)
_APPROVALS: Final = _ROWS.format(log=APPROVALS_LOG)
HAS_APPROVALS: Final = f"select to_regproc('{APPROVALS_LOG}.forget') is not null"
"""Whether the approvals service has made its log here, and lets go of it."""
_CHUNKS: Final = f"""
    select c.tenant_id, c.execution_id::text, c.job_id::text, c.stream, c.number, c."offset", c.data
    from {LIVE}.output_chunk c
    where c.tenant_id = $1 and c.job_id >= $2
        and c.execution_id in (select h.stream_id from {LOG}.history_of($1, $2, $3) h)
    order by c.job_id, c.stream, c.number
"""
_SEALS: Final = f"""
    select s.tenant_id, s.execution_id::text, s.job_id::text, s.stream, s.chunks, s.size, s.sha256
    from {LIVE}.output_seal s
    where s.tenant_id = $1 and s.job_id >= $2
        and s.execution_id in (select h.stream_id from {LOG}.history_of($1, $2, $3) h)
    order by s.job_id, s.stream
"""
