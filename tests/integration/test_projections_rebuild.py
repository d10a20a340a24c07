"""A rebuild makes the same rows from the log, beside readers and the live projector, and nobody sees half of it."""

import asyncio
import os
import sys
from typing import TypeAlias

import asyncpg
import pytest
from runyard_projections import projector as projector_module
from runyard_projections.app import projections
from runyard_projections.checksum import check
from runyard_projections.rebuild import nothing_else, rebuild
from runyard_shared.errors import Conflict
from runyard_shared.eventstore.postgres import PostgresEventStore

from tests import histories
from tests.eventstores import until
from tests.projections import apply, feed, mixed, orchestrator_log, position, projecting, reached, rows, write

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


async def shape(pool: Pool) -> list[tuple[object, ...]]:
    """Everything about the tables that a migration may rely on: columns, indexes, options, comments."""
    found = await pool.fetch(
        """
        select c.relname::text, c.reloptions::text, a.attname::text, a.atttypid::regtype::text, a.attnotnull,
            col_description(c.oid, a.attnum), pg_get_expr(d.adbin, d.adrelid)
        from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
        left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
        where c.relnamespace = 'projections'::regnamespace order by c.relname, a.attnum
        """
    )
    indexes = await pool.fetch("select indexname::text, indexdef from pg_indexes where schemaname = 'projections' order by 1")
    return [tuple(row) for row in (*found, *indexes)]


async def test_a_rebuild_gives_the_same_rows_tables_and_position(pool: Pool) -> None:
    history = mixed(seed=11)
    async with orchestrator_log(pool) as store:
        await pool.execute("select projections.create_month('projections', '2026-03-01')")
        await write(store, history)
        await apply(pool, [history])
        seen, shaped = await rows(pool), await shape(pool)
        await pool.execute(
            "update projections.execution set status = 'nonsense', jobs_total = 99; delete from projections.node"
        )
        assert await rebuild(pool, store, projections()) == len(history)
        assert await rows(pool) == seen
        assert await shape(pool) == shaped
        assert await position(pool) == len(history)
        schemas = await pool.fetchval(
            "select count(*) from pg_namespace where nspname in ('projections_new', 'projections_old')"
        )
        assert schemas == 0


async def test_one_read_model_can_be_rebuilt_alone(pool: Pool) -> None:
    history = mixed(seed=12)
    async with orchestrator_log(pool) as store:
        await write(store, history)
        await apply(pool, [history])
        seen = await rows(pool)
        await pool.execute("delete from projections.workflow; update projections.job set status = 'nonsense'")
        (workflows,) = [projection for projection in projections() if projection.name == "workflows"]
        await rebuild(pool, store, [workflows])
        assert (await rows(pool))["workflow"] == seen["workflow"]
        assert await pool.fetchval("select bool_and(status = 'nonsense') from read.job"), "the other one is as it was"


async def test_the_system_runs_on_through_rebuilds_and_readers_never_see_less(pool: Pool) -> None:
    history = mixed(seed=13)
    early, late = history[:40], history[40:]
    reading = True
    counts: list[int] = []

    async def read() -> None:
        while reading:
            counts.append(
                await pool.fetchval(
                    "select sum(version) + sum(jobs_total) from read.execution join read.job using (execution_id)"
                )
            )

    async with orchestrator_log(pool) as store, projecting(pool) as projector:
        await write(store, early)
        await reached(pool, len(early))
        reader = asyncio.create_task(read())
        rebuilding = asyncio.create_task(_rebuild_often(pool, store))
        for row in late:
            await write(store, [row])
            await projector.hear(feed([row]))
            await asyncio.sleep(0.01)
        await rebuilding
        await reached(pool, len(history))
        reading = False
        await reader
        assert projector.trouble is None
        seen = await rows(pool)
        assert counts == sorted(counts)
        assert len(set(counts)) > 1
        await rebuild(pool, store, projections())
        assert await rows(pool) == seen


async def _rebuild_often(pool: Pool, store: PostgresEventStore) -> None:
    for _ in range(3):
        await rebuild(pool, store, projections())


async def test_a_rebuild_heals_read_models_that_stand_still(pool: Pool) -> None:
    """Rows that an event needs are gone: the projector stops; after the rebuild it goes on by itself."""
    history = mixed(seed=14)
    async with orchestrator_log(pool) as store:
        await write(store, history[:-1])
        await apply(pool, [history[:-1]])
        await pool.execute("delete from projections.execution; delete from projections.job")
        async with projecting(pool) as projector:
            await write(store, history[-1:])
            await until(lambda: projector.trouble is not None and "standing still" in projector.trouble)
            await rebuild(pool, store, projections())
            await until(lambda: projector.trouble is None, timeout=20)
            assert await position(pool) == len(history)


async def test_there_is_one_rebuild_at_a_time(pool: Pool) -> None:
    async with orchestrator_log(pool) as store:
        await write(store, mixed(seed=15))
        results = await asyncio.gather(
            rebuild(pool, store, projections()), rebuild(pool, store, projections()), return_exceptions=True
        )
    assert [isinstance(result, Conflict) for result in results].count(True) == 1


async def test_the_command_rebuilds_and_says_how_far_it_came(pool: Pool, postgres_url: str) -> None:
    history = mixed(seed=16)
    async with orchestrator_log(pool) as store:
        await write(store, history)
    done = await _command(postgres_url, "rebuild")
    assert done == (0, f"{', '.join(each.name for each in projections())} rebuilt up to position {len(history):,}")
    assert await pool.fetchval("select count(*) from read.execution") == histories.COUNT
    assert (await _command(postgres_url, "rebuild", "nonsense"))[0] == 2


async def _command(url: str, *arguments: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "runyard_projections",
        *arguments,
        env={**os.environ, "RUNYARD_DATABASE_URL": url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    return process.returncode, out.decode().strip().rpartition("\n")[2].partition(" in ")[0]


async def test_a_rebuild_of_an_empty_log_leaves_empty_read_models(pool: Pool) -> None:
    async with orchestrator_log(pool) as store:
        assert await rebuild(pool, store, projections()) == 0
    assert await pool.fetchval("select count(*) from read.execution") == 0


async def test_a_read_model_that_comes_with_an_upgrade_is_brought_up_while_the_others_go_on(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projector_module, "NEWCOMER_EVENTS", 10)
    monkeypatch.setattr(projector_module, "RETRY_NEWCOMERS_SECONDS", 0.1)
    history = mixed(seed=17)
    (analytics,) = [each for each in projections() if each.name == "analytics"]
    async with orchestrator_log(pool) as store:
        await write(store, history[:-1])
        await apply(pool, [history[:-1]])
        tables = ", ".join(f"projections.{table}" for table in analytics.tables)
        await pool.execute(f"truncate {tables}; update projections.position set position = 0 where name = 'analytics'")
        async with projecting(pool) as projector:
            async with pool.acquire() as busy, nothing_else(busy):  # so it cannot begin
                await write(store, history[-1:])
                async with asyncio.timeout(20):
                    while await _position_of(pool, "executions") < len(history):  # noqa: ASYNC110 - it waits for the database
                        await asyncio.sleep(0.01)
                assert await _position_of(pool, "analytics") == 0
            await reached(pool, len(history))
            assert projector.trouble is None
        assert (await check(pool, store, [analytics])).differences == []


async def _position_of(pool: Pool, name: str) -> int:
    return int(await pool.fetchval("select position from read.projection where name = $1", name))
