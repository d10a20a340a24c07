"""A check finds the one row that is not what the log gives, and nothing else, while the system runs."""

import asyncio
from typing import TypeAlias

import asyncpg
import pytest
from runyard_projections.app import projections
from runyard_projections.checksum import check
from runyard_projections.rebuild import NEW, rebuild
from runyard_projections.upkeep import Upkeep
from runyard_shared.errors import Conflict, Invalid

from tests.projections import apply, feed, mixed, orchestrator_log, projecting, reached, rows, write

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


async def test_a_check_finds_rows_that_were_changed_lost_or_made_up(pool: Pool) -> None:
    history = mixed(seed=41)
    async with orchestrator_log(pool) as store:
        await write(store, history)
        await apply(pool, [history])
        upkeep = Upkeep(pool, store, projections())
        checked = await upkeep.check(upkeep.chosen([]), "ann")
        assert (checked.position, checked.differences) == (len(history), [])
        assert checked.rows > 100

        changed = await pool.fetchval(
            "update projections.job set duration_ms = duration_ms + 1 where job_id ="
            " (select job_id from projections.job where duration_ms is not null order by job_id limit 1)"
            " returning execution_id || ', ' || job_id"
        )
        lost = await pool.fetchval("delete from projections.workflow_node where node_id = 'd' returning node_id")
        made_up = (
            "insert into projections.node (execution_id, node_id, status, position)"
            " select execution_id, 'made up', 'running', 1 from projections.execution limit 1 returning execution_id"
        )
        where = await pool.fetchval(made_up)
        found = {each.table: each for each in (await upkeep.check(upkeep.chosen([]), "ann")).differences}
        assert found.keys() == {"job", "workflow_node", "node"}
        assert found["job"].keys == [changed]
        assert (found["workflow_node"].expected - found["workflow_node"].rows, lost) == (1, "d")
        assert found["node"].keys == [f"{where}, made up"]
        row = await pool.fetchrow("select * from read.projection_upkeep where kind = 'check' and name = 'workflows'")
        assert row is not None
        assert (row["started_by"], row["failure"], row["position"]) == ("ann", None, len(history))
        assert '"table":"workflow_node"' in row["differences"]

        await upkeep.rebuild(upkeep.chosen(["executions", "workflows"]), "ann")
        assert (await check(pool, store, projections())).differences == []
        with pytest.raises(Invalid, match="there is no read model 'executionz'"):
            upkeep.chosen(["executionz"])


async def test_a_check_under_load_finds_nothing_and_holds_nobody_up(pool: Pool) -> None:
    history = mixed(seed=42)
    early, late = history[:60], history[60:]
    async with orchestrator_log(pool) as store, projecting(pool) as projector:
        await write(store, early)
        await reached(pool, len(early))

        async def go_on() -> None:
            for row in late:
                await write(store, [row])
                await projector.hear(feed([row]))
                await asyncio.sleep(0.005)

        going_on = asyncio.create_task(go_on())
        positions = []
        while not going_on.done():
            checked = await check(pool, store, projections())
            assert checked.differences == []
            positions.append(checked.position)
        await going_on
        await reached(pool, len(history))
        assert projector.trouble is None
        assert len(early) <= positions[0] <= positions[-1] <= len(history)
        left = await pool.fetchval("select current_setting('enable_seqscan')")
        assert left == "on", "the connection goes back to the pool as it was"


async def test_a_rebuild_killed_in_the_middle_leaves_the_read_models_and_the_next_one_works(pool: Pool) -> None:
    history = mixed(seed=43)
    async with orchestrator_log(pool) as store:
        await write(store, history)
        await apply(pool, [history])
        before = await rows(pool)

        def kill(_position: int, _head: int) -> None:
            raise ConnectionResetError("killed")

        upkeep = Upkeep(pool, store, projections())
        with pytest.raises(ConnectionResetError):
            await rebuild(pool, store, projections(), on_progress=kill)
        assert await pool.fetchval("select to_regnamespace($1)", NEW) is not None, "it died when the twins had rows"
        assert await rows(pool) == before
        async with pool.acquire() as other, other.transaction():
            await other.execute("select pg_advisory_xact_lock(7235419019)")
            with pytest.raises(Conflict):
                await upkeep.rebuild(upkeep.chosen([]), "ann")
        assert await upkeep.rebuild(upkeep.chosen([]), "ann") == len(history)
        assert await rows(pool) == before
        row = await pool.fetchrow("select * from read.projection_upkeep where kind = 'rebuild' and name = 'executions'")
        assert row is not None
        assert (row["position"], row["head"], row["failure"]) == (len(history), len(history), None)
        assert row["finished_at"] is not None
