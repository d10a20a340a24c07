"""Output of jobs is kept for some days, then dropped whole; whoever asks for it later is told so."""

import hashlib
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any, TypeAlias

import asyncpg
import msgspec
import pytest
from runyard_projections.handlers import OutputKeeper
from runyard_projections.projection import LIVE
from runyard_projections.quiet_moment import in_a_quiet_moment
from runyard_projections.rebuild import REBUILD_LOCK
from runyard_projections.retention import DAYS_AHEAD, OutputRetention, midnight
from runyard_shared.clock import FrozenClock
from runyard_shared.contracts.jobs import OutputChunk, OutputSealed
from runyard_shared.contracts.values import StreamSeal
from runyard_shared.errors import Conflict
from runyard_shared.eventstore.migrate import migrate
from runyard_shared.ids import derived_id

from tests.histories import execution_id

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
EXECUTION = execution_id("talks")
DAY = timedelta(days=1)
TODAY = midnight(datetime.now(UTC)) + timedelta(hours=13)
"""The partitions begin with the day of the upgrade, which is the server's."""


def job_of(at: datetime, name: str = "job") -> str:
    return derived_id(at, name)


def chunk(job_id: str, data: bytes = b"hello\n", number: int = 0) -> OutputChunk:
    return OutputChunk(
        tenant_id="default", execution_id=EXECUTION, job_id=job_id, stream="stdout", number=number, offset=0, data=data
    )


def seal(job_id: str, data: bytes = b"hello\n") -> OutputSealed:
    seals = [StreamSeal(stream="stdout", chunks=1, size=len(data), sha256=hashlib.sha256(data).hexdigest())]
    return OutputSealed(tenant_id="default", execution_id=EXECUTION, job_id=job_id, seals=seals)


async def kept(pool: Pool) -> dict[str, str]:
    """The partition each job's chunks are in, by job."""
    rows = await pool.fetch("select job_id::text, tableoid::regclass::text as partition from projections.output_chunk")
    return {row["job_id"]: row["partition"].removeprefix("projections.") for row in rows}


def partition(at: datetime) -> str:
    return f"output_chunk_{at:%Y%m%d}"


@pytest.fixture
async def clock(pool: Pool) -> AsyncIterator[FrozenClock]:
    await migrate(pool, LIVE, "runyard_projections")
    yield FrozenClock(TODAY)


@pytest.fixture
def keeper(pool: Pool) -> OutputKeeper:
    return OutputKeeper(pool)


async def test_each_day_has_a_partition_before_it_comes(pool: Pool, clock: FrozenClock, keeper: OutputKeeper) -> None:
    retention = OutputRetention(pool, clock, 30)
    await retention.turn()
    days = [TODAY + number * DAY for number in range(1, DAYS_AHEAD + 1)]
    await keeper.keep([chunk(job_of(day)) for day in (TODAY - 3 * DAY, TODAY, *days)])
    assert await kept(pool) == {
        job_of(TODAY - 3 * DAY): "output_chunk_first",
        job_of(TODAY): "output_chunk_first",
        **{job_of(day): partition(day) for day in days},
    }
    await retention.turn()
    assert len(await kept(pool)) == 2 + DAYS_AHEAD


async def test_output_that_is_too_old_is_dropped_and_its_reader_is_told(
    pool: Pool, clock: FrozenClock, keeper: OutputKeeper
) -> None:
    retention = OutputRetention(pool, clock, 2)
    old, unsealed, young = job_of(TODAY), job_of(TODAY, "unsealed"), job_of(TODAY + 2 * DAY)
    await retention.turn()
    await keeper.keep([chunk(old), seal(old), chunk(unsealed), chunk(young), seal(young)])
    for _ in range(3):
        clock.advance(DAY.total_seconds())
        await retention.turn()
    assert await kept(pool) == {young: partition(TODAY + 2 * DAY)}
    rows = await pool.fetch("select job_id::text, expired, known_size, sha256 from read.job_output order by job_id")
    digest = hashlib.sha256(b"hello\n").hexdigest()
    assert [tuple(row) for row in rows] == [(old, True, 6, digest), (young, False, 6, digest)]
    assert await pool.fetchval("select read.output_expired('default', $1)", unsealed) is True
    assert await pool.fetchval("select read.output_expired('default', $1)", young) is False


async def test_each_tenant_keeps_output_as_long_as_it_wants(
    pool: Pool, clock: FrozenClock, keeper: OutputKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenants = {"default": None, "short": 1, "long": 5, "ever": 0}
    retention = OutputRetention(pool, clock, 3)
    await retention.turn()
    for tenant_id, days in tenants.items():
        await pool.execute(
            "insert into projections.retention (tenant_id, output_days, changed_at, changed_by) values ($1, $2, now(), 'ann')",
            *(tenant_id, days),
        )
    day = TODAY + DAY
    jobs = {tenant_id: job_of(day, tenant_id) for tenant_id in tenants}
    chunks = {tenant_id: msgspec.structs.replace(chunk(job_id), tenant_id=tenant_id) for tenant_id, job_id in jobs.items()}
    await keeper.keep([*chunks.values(), msgspec.structs.replace(seal(jobs["short"]), tenant_id="short")])

    async def there() -> set[str]:
        found = await kept(pool)
        expired = {
            tenant_id: await pool.fetchval("select read.output_expired($1, $2)", tenant_id, job_id)
            for tenant_id, job_id in jobs.items()
        }
        assert expired == {tenant_id: job_id not in found for tenant_id, job_id in jobs.items()}
        assert set(found.values()) == {partition(day)}
        return {tenant_id for tenant_id, job_id in jobs.items() if job_id in found}

    async def late(connection: Any, exchange: Any) -> None:
        await keeper.keep([msgspec.structs.replace(chunk(jobs["ever"], number=1), tenant_id="ever", offset=6)])
        await in_a_quiet_moment(connection, exchange)

    clock.advance(3 * DAY.total_seconds())
    async with pool.acquire() as other, other.transaction():
        await other.execute("select pg_advisory_xact_lock($1)", REBUILD_LOCK)
        with pytest.raises(Conflict):
            await retention.turn()
    assert await there() == set(tenants)
    monkeypatch.setattr("runyard_projections.retention.in_a_quiet_moment", late)
    await retention.turn()
    monkeypatch.undo()
    assert await there() == {"default", "long", "ever"}
    assert await pool.fetchval("select expired from read.job_output where tenant_id = 'short'") is True
    assert await pool.fetchval("select count(*) from read.job_output_chunk where tenant_id = 'ever'") == 2, "one came meanwhile"
    clock.advance(2 * DAY.total_seconds())
    await retention.turn()
    assert await there() == {"long", "ever"}
    clock.advance(2 * DAY.total_seconds())
    await retention.turn()
    assert await there() == {"ever"}
    await pool.execute("update projections.retention set output_days = 9 where tenant_id = 'ever'")
    clock.advance(9 * DAY.total_seconds())
    await retention.turn()
    assert await kept(pool) == {}
    assert await pool.fetchval("select to_regclass($1)", f"projections.{partition(day)}") is None


async def test_output_may_be_kept_for_ever(pool: Pool, clock: FrozenClock, keeper: OutputKeeper) -> None:
    retention = OutputRetention(pool, clock, 0)
    await keeper.keep([chunk(job_of(TODAY))])
    clock.advance(40 * DAY.total_seconds())
    await retention.turn()
    await keeper.keep([chunk(job_of(TODAY + 40 * DAY))])
    assert await kept(pool) == {
        job_of(TODAY): "output_chunk_first",
        job_of(TODAY + 40 * DAY): partition(TODAY + 40 * DAY),
    }


async def test_a_day_that_gets_its_partition_late_takes_its_output_with_it(
    pool: Pool, clock: FrozenClock, keeper: OutputKeeper
) -> None:
    """The service was away, or an agent's clock is ahead."""
    job_id = job_of(TODAY + 20 * DAY)
    await keeper.keep([chunk(job_id)])
    assert await kept(pool) == {job_id: "output_chunk_other"}
    clock.advance(20 * DAY.total_seconds())
    await OutputRetention(pool, clock, 30).turn()
    assert await kept(pool) == {job_id: partition(TODAY + 20 * DAY)}
    await keeper.keep([chunk(job_id, b"again\n")])
    assert await pool.fetchval("select data from read.job_output_chunk") == b"hello\n"


async def test_output_of_no_day_leaves_by_its_age(pool: Pool, clock: FrozenClock, keeper: OutputKeeper) -> None:
    strange = "ffffffff-ffff-4fff-bfff-ffffffffffff"
    await keeper.keep([chunk(strange)])
    retention = OutputRetention(pool, clock, 5)
    await retention.turn()
    assert await kept(pool) == {strange: "output_chunk_other"}
    clock.advance(7 * DAY.total_seconds())
    await retention.turn()
    assert await kept(pool) == {}


async def test_a_job_that_talks_when_its_day_is_gone_already_is_heard(
    pool: Pool, clock: FrozenClock, keeper: OutputKeeper
) -> None:
    job_id = job_of(TODAY)
    clock.advance(10 * DAY.total_seconds())
    await OutputRetention(pool, clock, 5).turn()
    await keeper.keep([chunk(job_id)])
    assert [tuple(row) for row in await pool.fetch("select expired, size from read.job_output")] == [(False, 6)]


async def test_after_a_long_pause_no_partition_is_made_that_would_be_dropped_at_once(pool: Pool, clock: FrozenClock) -> None:
    clock.advance(1000 * DAY.total_seconds())
    await OutputRetention(pool, clock, 2).turn()
    names = await pool.fetch("select name from projections.output_partition where dropped_at is null order by starts")
    first = TODAY + 998 * DAY
    assert [row["name"] for row in names] == [partition(first + number * DAY) for number in range(3 + DAYS_AHEAD)]


async def test_a_reader_that_takes_its_time_is_not_disturbed(pool: Pool, clock: FrozenClock, keeper: OutputKeeper) -> None:
    await keeper.keep([chunk(job_of(TODAY))])
    clock.advance(9 * DAY.total_seconds())
    retention = OutputRetention(pool, clock, 5)
    async with pool.acquire() as reader, reader.transaction():
        assert await reader.fetchval("select count(*) from read.job_output_chunk") == 1
        with pytest.raises(asyncpg.LockNotAvailableError):
            await retention.turn()
        assert await reader.fetchval("select count(*) from read.job_output_chunk") == 1
    await retention.turn()
    assert await kept(pool) == {}


async def test_forged_chunks_do_not_replace_what_is_there(pool: Pool, keeper: OutputKeeper, clock: FrozenClock) -> None:
    job_id = job_of(TODAY)
    await keeper.keep([chunk(job_id)])
    await keeper.keep([chunk(job_id, b"never said\n")])
    assert await pool.fetchval("select data from read.output_range($1, 'stdout', 0, 100)", job_id) == b"hello\n"


@pytest.mark.empty_database
async def test_what_was_kept_before_there_were_partitions_is_still_there(pool: Pool) -> None:
    migrations = files("runyard_projections") / "migrations"
    await pool.execute("create schema projections; create schema read")
    for name in ("0001_read_models", "0002_views", "0003_iterations_and_approvals"):
        await pool.execute((migrations / f"{name}.sql").read_text())
    jobs = [job_of(TODAY - 40 * DAY), job_of(TODAY), job_of(TODAY + 900 * DAY)]
    data = random.Random(1).randbytes(70_000)
    for job_id in jobs:
        await pool.execute(
            'insert into projections.output_chunk (job_id, stream, number, "offset", size, data, execution_id, tenant_id)'
            " values ($1, 'stdout', 0, 0, $2, $3, $4, 'default')",
            *(job_id, len(data), data, EXECUTION),
        )
    await pool.execute((migrations / "0004_output_partitions.sql").read_text())
    assert await kept(pool) == {
        jobs[0]: "output_chunk_first",
        jobs[1]: "output_chunk_first",
        jobs[2]: "output_chunk_other",
    }
    for job_id in jobs:
        assert await pool.fetchval("select data from read.output_range($1, 'stdout', 0, 100000)", job_id) == data
    await OutputKeeper(pool).keep([chunk(jobs[0])])
    assert len(await pool.fetch("select from read.job_output_chunk")) == len(jobs)
