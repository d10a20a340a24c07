"""Output of jobs and parked messages: kept once, however often they come, and what is missing is shown as missing."""

import asyncio
import hashlib
from typing import TypeAlias

import asyncpg
import pytest
from runyard_projections.handlers import OutputKeeper
from runyard_projections.parked import ParkedKeeper
from runyard_projections.projection import LIVE
from runyard_shared.contracts.jobs import OutputChunk, OutputSealed, Parked
from runyard_shared.contracts.values import StreamSeal
from runyard_shared.errors import Unavailable
from runyard_shared.eventstore.migrate import migrate

from tests.histories import execution_id, job_id

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

PARTS = (b"one\n", b"\x00\xfftwo\n", b"three\n")
WHOLE = b"".join(PARTS)
JOB = job_id("talks")


@pytest.fixture
async def keeper(pool: Pool) -> OutputKeeper:
    await migrate(pool, LIVE, "runyard_projections")
    return OutputKeeper(pool)


def chunk(number: int) -> OutputChunk:
    return OutputChunk(
        tenant_id="default",
        execution_id=execution_id("talks"),
        job_id=JOB,
        stream="stdout",
        number=number,
        offset=sum(map(len, PARTS[:number])),
        data=PARTS[number],
    )


def seal() -> OutputSealed:
    seals = [StreamSeal(stream="stdout", chunks=len(PARTS), size=len(WHOLE), sha256=hashlib.sha256(WHOLE).hexdigest())]
    return OutputSealed(tenant_id="default", execution_id=execution_id("talks"), job_id=JOB, seals=seals)


async def range_of(pool: Pool, offset: int, size: int) -> list[tuple[int, int, bytes | None]]:
    found = await pool.fetch("select * from read.output_range($1, 'stdout', $2, $3)", JOB, offset, size)
    return [(row["offset"], row["size"], row["data"]) for row in found]


async def test_output_that_comes_twice_is_kept_once(pool: Pool, keeper: OutputKeeper) -> None:
    await keeper.keep([chunk(0), chunk(1), chunk(1)])
    await keeper.keep([chunk(1), chunk(2), seal()])
    await keeper.keep([seal()])
    output = await pool.fetchrow("select * from read.job_output where job_id = $1", JOB)
    assert output is not None
    assert (output["chunks"], output["size"], output["known_size"], output["missing_chunks"]) == (3, len(WHOLE), len(WHOLE), 0)
    assert (output["sealed"], output["sealed_chunks"], output["sha256"]) == (True, 3, hashlib.sha256(WHOLE).hexdigest())
    assert b"".join(data or b"" for _, _, data in await range_of(pool, 0, 1000)) == WHOLE


@pytest.mark.parametrize("size", [1, 3, 5, 100])
async def test_any_range_of_the_output_can_be_read(pool: Pool, keeper: OutputKeeper, size: int) -> None:
    await keeper.keep([chunk(0), chunk(1), chunk(2)])
    for offset in range(len(WHOLE)):
        pieces = await range_of(pool, offset, size)
        assert b"".join(data or b"" for _, _, data in pieces) == WHOLE[offset : offset + size]
        assert pieces[0][0] == offset


async def test_a_missing_chunk_is_a_hole_of_its_size(pool: Pool, keeper: OutputKeeper) -> None:
    await keeper.keep([chunk(0), chunk(2)])
    hole = (4, len(PARTS[1]), None)
    assert await range_of(pool, 0, 1000) == [(0, 4, PARTS[0]), hole, (4 + len(PARTS[1]), len(PARTS[2]), PARTS[2])]
    output = await pool.fetchrow("select * from read.job_output where job_id = $1", JOB)
    assert output is not None
    assert (output["sealed"], output["missing_chunks"], output["known_size"]) == (False, 1, len(WHOLE))


async def test_a_missing_end_shows_once_the_stream_is_sealed(pool: Pool, keeper: OutputKeeper) -> None:
    await keeper.keep([chunk(0)])
    assert await range_of(pool, 0, 1000) == [(0, 4, PARTS[0])]
    await keeper.keep([seal()])
    assert await range_of(pool, 0, 1000) == [(0, 4, PARTS[0]), (4, len(WHOLE) - 4, None)]
    assert await range_of(pool, 6, 2) == [(6, 2, None)]
    assert await pool.fetchval("select missing_chunks from read.job_output") == 2


async def test_of_a_stream_of_which_nothing_is_known_nothing_is_missing(pool: Pool, keeper: OutputKeeper) -> None:
    assert await range_of(pool, 0, 1000) == []


async def test_a_stream_of_which_nothing_came_is_all_hole(pool: Pool, keeper: OutputKeeper) -> None:
    await keeper.keep([seal()])
    assert await range_of(pool, 0, 1000) == [(0, len(WHOLE), None)]


async def test_while_the_database_is_away_output_stays_in_the_queue(pool: Pool) -> None:
    """Its connection is cut while the rows are being written."""
    await migrate(pool, LIVE, "runyard_projections")
    async with pool.acquire() as other:
        async with other.transaction():
            await other.execute("lock table projections.output_chunk in exclusive mode")
            keeping = asyncio.create_task(OutputKeeper(pool).keep([chunk(0)]))
            victim = None
            async with asyncio.timeout(30):
                while victim is None:
                    await other.execute("select pg_stat_clear_snapshot()")
                    victim = await other.fetchval(
                        "select pid from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
                    )
            await other.execute("select pg_terminate_backend($1)", victim)
            with pytest.raises(Unavailable):
                await keeping
        await OutputKeeper(pool).keep([chunk(0)])
    assert await pool.fetchval("select count(*) from read.job_output_chunk") == 1


async def test_a_parked_message_is_kept_once_with_its_reason(pool: Pool) -> None:
    await migrate(pool, LIVE, "runyard_projections")
    parked = Parked(
        queue="orchestrator.inbox.1", body=b"{\x00", reason="not \0 JSON", attempts=5, parked_at="2026-03-01T12:00:00.123Z"
    )
    other = Parked(queue=parked.queue, body=b"[]", reason="no", attempts=1, parked_at=parked.parked_at)
    keeper = ParkedKeeper(pool)
    await keeper.keep([parked, other])
    await keeper.keep([parked])
    rows = await pool.fetch("select queue, body, reason, attempts from read.parked_message order by attempts")
    assert [tuple(row) for row in rows] == [
        ("orchestrator.inbox.1", b"[]", "no", 1),
        ("orchestrator.inbox.1", b"{\x00", "not \ufffd JSON", 5),
    ]
