"""Read models on a real database: what readers see, and that it is the log, whatever happens on the way."""

import asyncio
import random
from datetime import UTC, datetime
from typing import TypeAlias

import asyncpg
import msgspec
import pytest
from runyard_projections.app import create
from runyard_projections.settings import Settings
from runyard_shared.clock import SystemClock
from runyard_shared.contracts import events
from runyard_shared.contracts.feed import Recorded
from runyard_shared.messaging.memory import MemoryBus
from runyard_shared.messaging.topology import FEED

from tests import histories
from tests.eventstores import until
from tests.histories import WORKFLOW, at, execution_id, job_id, record
from tests.projections import (
    Rows,
    apply,
    cut,
    emptied,
    feed,
    mixed,
    orchestrator_log,
    position,
    projecting,
    reached,
    rows,
    write,
)

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Expected: TypeAlias = "tuple[list[Recorded], Rows]"


@pytest.fixture
async def expected(pool: Pool) -> Expected:
    """A busy log, and what readers see when it is applied in one piece. The read models are empty again."""
    async with orchestrator_log(pool):
        pass
    history = mixed(seed=7)
    await apply(pool, [history])
    seen = await rows(pool)
    await emptied(pool)
    return history, seen


async def test_readers_see_executions_as_they_ended(pool: Pool) -> None:
    async with orchestrator_log(pool):
        await apply(pool, [mixed(seed=1)])
    found = {str(row["execution_id"]): row for row in await pool.fetch("select * from read.execution")}
    by_name = {
        name: found[execution_id(name)] for name in ("completed", "retried", "failed", "tolerated", "cancelled", "active")
    }
    assert {name: row["status"] for name, row in by_name.items()} == {
        "completed": "completed",
        "retried": "completed",
        "failed": "failed",
        "tolerated": "completed",
        "cancelled": "cancelled",
        "active": "running",
    }
    assert (by_name["retried"]["jobs_completed"], by_name["retried"]["jobs_total"]) == (1, 2)
    assert (by_name["completed"]["workflow_name"], by_name["completed"]["trigger_type"]) == ("Disk cleanup", "manual")
    ended = by_name["completed"]
    assert ended["duration_ms"] == (ended["finished_at"] - ended["started_at"]).total_seconds() * 1000
    assert msgspec.json.decode(ended["vars"]) == {"host": "web-02", "size": 3}
    assert ended["waiting"] is None


async def test_an_active_execution_says_what_it_waits_for(pool: Pool) -> None:
    history = record([*histories.workflow(), *histories.active(), *histories.failing()])
    async with orchestrator_log(pool):
        await apply(pool, [history])
    active, failing = [
        msgspec.json.decode(
            await pool.fetchval("select waiting from read.execution where execution_id = $1", execution_id(name))
        )
        for name in ("active", "failing")
    ]
    assert [(reason["for"], reason["nodeId"]) for reason in active] == [("delay", "d"), ("agent", "c"), ("retry", "a")]
    assert active[0]["until"] == "2026-03-01T13:00:00.000Z"
    assert (active[1]["jobId"], active[1]["pool"], active[1]["since"]) == (
        job_id("queued"),
        "default",
        "2026-03-01T12:00:11.000Z",
    )
    assert (active[2]["attempt"], active[2]["maxAttempts"]) == (2, 3)
    assert failing == [{"for": "jobs", "count": 1, "since": "2026-03-01T12:00:21.000Z"}]


async def test_nodes_are_listed_as_in_the_document_reached_or_not(pool: Pool) -> None:
    async with orchestrator_log(pool):
        await apply(pool, [record([*histories.workflow(), *histories.completed()])])
    nodes = await pool.fetch("select * from read.node where execution_id = $1 order by ordinal", execution_id("completed"))
    assert [(node["node_id"], node["name"], node["type"], node["status"]) for node in nodes] == [
        ("a", "Check disk", "action", "completed"),
        ("b", "b", "condition", "completed"),
        ("c", "c", "action", "skipped"),
        ("d", "d", "delay", "pending"),
        ("v", "v", "setVariables", "completed"),
        ("w", "w", "setVariables", "completed"),
    ]
    assert nodes[0]["output"] == '{"stdout":"ok\\u0000","exitCode":0}'
    jobs = await pool.fetch("select * from read.job where execution_id = $1", execution_id("completed"))
    assert [(job["node_name"], job["tenant_id"]) for job in jobs] == [("Check disk", "default")]


async def test_a_job_whose_start_overtook_its_dispatch_was_dispatched_when_it_started(pool: Pool) -> None:
    stream = execution_id("hasty")
    hasty = [histories.started("hasty"), (stream, histories.scheduled("hasty"))]
    hasty.append((stream, events.JobStarted(job_id=job_id("hasty"), dispatch=1, agent="agent-1")))
    async with orchestrator_log(pool):
        await apply(pool, [record(hasty)])
    job = await pool.fetchrow("select * from read.job")
    assert job is not None
    assert (job["status"], job["agent"], job["dispatched_at"], job["started_at"]) == ("running", "agent-1", at(3), at(3))


async def test_workflows_show_their_draft_the_version_that_runs_and_their_end(pool: Pool) -> None:
    changed = {**histories.DOCUMENT, "nodes": histories.DOCUMENT["nodes"][:1]}
    later = [
        events.WorkflowPublished(version=2, document=changed, source="…", format="yaml", by="bob"),
        events.WorkflowRolledBack(version=1, by="bob"),
        events.WorkflowArchived(by="ann"),
    ]
    async with orchestrator_log(pool):
        await apply(pool, [record(histories.workflow())])
        first = await pool.fetchrow("select * from read.workflow")
        history = record([*histories.workflow(), *((WORKFLOW, event) for event in later)])
        await apply(pool, [history[4:]])
    last = await pool.fetchrow("select * from read.workflow")
    assert first is not None
    assert last is not None
    assert (first["active"], first["archived"], first["published_version"], first["drafted_by"]) == (True, False, 1, "bob")
    assert (last["active"], last["archived"], last["published_version"], last["latest_version"]) == (False, True, 1, 2)
    versions = await pool.fetch("select * from read.workflow_version order by version")
    assert [len(msgspec.json.decode(version["document"])["nodes"]) for version in versions] == [6, 1]


@pytest.mark.parametrize("seed", range(6))
async def test_however_the_log_is_cut_into_batches_the_rows_are_the_same(pool: Pool, expected: Expected, seed: int) -> None:
    history, seen = expected
    await apply(pool, cut(history, random.Random(seed)))
    assert await rows(pool) == seen


async def test_the_feed_may_repeat_lose_and_mix_in_other_logs(pool: Pool) -> None:
    history = mixed(seed=3)
    async with orchestrator_log(pool) as store, projecting(pool) as projector:
        await until(lambda: projector.trouble is None)
        for number, row in enumerate(history):
            await write(store, [row])
            if number % 3:
                await projector.hear(feed([row]))
            if number % 5 == 0:
                await projector.hear(feed(history[max(0, number - 4) : number + 1]))
                await projector.hear(feed(history[:2]))
            await projector.hear(feed(history[-1:], log="dispatcher"))
        await reached(pool, len(history))
        seen = await rows(pool)
    await emptied(pool)
    await apply(pool, [history])
    assert await rows(pool) == seen


async def test_a_silent_feed_is_noticed(pool: Pool) -> None:
    async with orchestrator_log(pool) as store, projecting(pool) as projector:
        await until(lambda: projector.trouble is None)
        await write(store, record(histories.completed()))
        await reached(pool, 11)


async def test_a_projector_that_dies_in_the_middle_counts_nothing_twice(pool: Pool) -> None:
    """Its connection is cut between two statements of a transaction: some rows were written, and are not there."""
    history = mixed(seed=5)
    async with orchestrator_log(pool) as store:
        await write(store, history)
        async with pool.acquire() as other, projecting(pool) as projector:
            async with other.transaction():
                await other.execute("lock table projections.node in exclusive mode")
                victim = None
                async with asyncio.timeout(30):
                    while victim is None:
                        await other.execute("select pg_stat_clear_snapshot()")
                        victim = await other.fetchval(
                            "select pid from pg_stat_activity where wait_event_type = 'Lock' and query ~ 'projections[.]node'"
                            " and datname = current_database()"
                        )
                await other.execute("select pg_terminate_backend($1)", victim)
                await until(lambda: projector.trouble is not None and "waiting" in projector.trouble)
                assert await position(pool) == 0
                assert await pool.fetchval("select count(*) from read.execution") == 0
            await reached(pool, len(history))
            seen = await rows(pool)
    await emptied(pool)
    await apply(pool, [history])
    assert await rows(pool) == seen


async def test_two_projectors_of_one_log_write_its_rows_once(pool: Pool) -> None:
    history = mixed(seed=6)
    async with orchestrator_log(pool) as store, projecting(pool) as one, projecting(pool) as other:
        await until(lambda: one.trouble is None and other.trouble is None)
        for row in history:
            await write(store, [row])
            await asyncio.gather(one.hear(feed([row])), other.hear(feed([row])))
        await reached(pool, len(history))
        seen = await rows(pool)
    await emptied(pool)
    await apply(pool, [history])
    assert await rows(pool) == seen


async def test_an_event_nobody_knows_stops_the_read_models_and_says_so(pool: Pool) -> None:
    async with orchestrator_log(pool) as store, projecting(pool) as projector:
        await write(store, record(histories.completed()))
        await pool.execute(
            "insert into orchestrator.event (position, stream_id, version, tenant_id, topic, recorded_at, data)"
            " values (12, $1, 12, 'default', 'memory.lost', now(), '{}')",
            execution_id("completed"),
        )
        await pool.execute("update orchestrator.log_head set position = 12")
        await until(lambda: projector.trouble is not None and "memory.lost" in projector.trouble)
        assert await position(pool) < 12


async def test_a_log_that_is_shorter_than_the_read_models_is_not_theirs(pool: Pool) -> None:
    async with orchestrator_log(pool) as store:
        await write(store, record(histories.completed()))
        await apply(pool, [record(histories.completed())])
        await pool.execute("update orchestrator.log_head set position = 5")
        async with projecting(pool) as projector:
            await until(lambda: projector.trouble is not None and "rebuild" in projector.trouble)


async def test_the_lag_is_visible_to_readers(pool: Pool) -> None:
    async with orchestrator_log(pool):
        history = record(histories.completed())
        await apply(pool, [history[:4]])
        await pool.execute("update projections.position set head = 11")
    lag = await pool.fetchrow("select * from read.projection where name = 'executions'")
    assert lag is not None
    assert (lag["position"], lag["head"], lag["lag_events"], lag["as_of"]) == (4, 11, 7, at(4))
    assert lag["lag_seconds"] == pytest.approx((datetime.now(UTC) - at(4)).total_seconds(), abs=60)


async def test_every_view_and_column_is_documented(pool: Pool) -> None:
    async with orchestrator_log(pool):
        bare = await pool.fetch(
            "select c.relname, a.attname from pg_class c join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'read'"
            " join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 where c.relkind = 'v'"
            " and (col_description(c.oid, a.attnum) is null or obj_description(c.oid) is null)"
        )
    assert bare == []


async def test_the_service_follows_the_feed_of_its_bus(pool: Pool) -> None:
    bus = MemoryBus()
    await bus.open()
    async with orchestrator_log(pool) as store:
        service = await create(Settings(), bus=bus, pool=pool, clock=SystemClock())
        await service.start()
        await until(lambda: set(service.health().values()) == {None})
        history = record(histories.completed())
        await write(store, history)
        await bus.broadcast(FEED, feed(history))
        await reached(pool, len(history))
        assert await pool.fetchval("select status from read.execution") == "completed"
        await service.stop()
    await bus.close()
