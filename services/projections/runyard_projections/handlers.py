"""What projections keep that is not in the log: the output of jobs as agents send it (`parked.py` keeps the rest).

It comes from a durable queue and may come twice; a row that is there already stays as it is.
"""

from collections.abc import Sequence

import asyncpg
from runyard_shared.contracts.jobs import OutputChunk, OutputMessage, OutputSealed
from runyard_shared.eventstore.outage import outages_as_unavailable

from runyard_projections.projection import LIVE, Connection
from runyard_projections.text import storable


class OutputKeeper:
    """Handles the items of `JOB_OUTPUT`."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    async def keep(self, items: Sequence[OutputMessage]) -> None:
        """Durable when it returns."""
        with outages_as_unavailable():
            async with self._pool.acquire() as connection:
                await keep_output(connection, items, LIVE)


async def keep_output(connection: Connection, items: Sequence[OutputMessage], schema: str) -> None:
    """Into the tables of `schema`."""
    chunks = [_chunk_row(item) for item in items if isinstance(item, OutputChunk)]
    seals = [row for item in items if isinstance(item, OutputSealed) for row in _seal_rows(item)]
    if chunks:
        await connection.execute(_KEEP_CHUNKS.format(schema=schema), *zip(*chunks, strict=True))
    if seals:
        await connection.execute(_KEEP_SEALS.format(schema=schema), *zip(*seals, strict=True))


def _chunk_row(chunk: OutputChunk) -> tuple[object, ...]:
    return (
        chunk.job_id,
        storable(chunk.stream),
        chunk.number,
        chunk.offset,
        len(chunk.data),
        chunk.data,
        chunk.execution_id,
        chunk.tenant_id,
    )


def _seal_rows(sealed: OutputSealed) -> list[tuple[object, ...]]:
    return [
        (sealed.job_id, storable(seal.stream), seal.chunks, seal.size, seal.sha256, sealed.execution_id, sealed.tenant_id)
        for seal in sealed.seals
    ]


_KEEP_CHUNKS = """
    insert into {schema}.output_chunk (job_id, stream, number, "offset", size, data, execution_id, tenant_id)
    select *
    from unnest($1::uuid[], $2::text[], $3::integer[], $4::bigint[], $5::integer[], $6::bytea[], $7::uuid[], $8::text[])
    on conflict do nothing
"""
_KEEP_SEALS = """
    insert into {schema}.output_seal (job_id, stream, chunks, size, sha256, execution_id, tenant_id)
    select * from unnest($1::uuid[], $2::text[], $3::integer[], $4::bigint[], $5::text[], $6::uuid[], $7::text[])
    on conflict do nothing
"""
