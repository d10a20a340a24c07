"""What readers see of iterations, subworkflows and re-runs: one execution, however many streams it has."""

import hashlib
from importlib.resources import files
from typing import TypeAlias

import asyncpg
import msgspec
import pytest
from runyard_projections.app import projections
from runyard_projections.projection import LIVE, LOG
from runyard_projections.rebuild import rebuild
from runyard_shared.contracts import events
from runyard_shared.contracts.feed import Recorded
from runyard_shared.eventstore.migrate import migrate

from tests import histories
from tests.histories import at, execution_id, iteration_id, record
from tests.projections import apply, orchestrator_log, rows

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

ITEMS = 5000


async def applied(pool: Pool, *parts: histories.History) -> None:
    async with orchestrator_log(pool):
        await apply(pool, [record([*histories.fleet(), *(event for part in parts for event in part)])])


async def test_jobs_of_iterations_are_jobs_of_the_execution_with_their_place_and_name(pool: Pool) -> None:
    await applied(pool, histories.iterated(), histories.nested())
    (execution,) = await pool.fetch("select * from read.execution where execution_id = $1", execution_id("iterated"))
    assert (execution["status"], execution["jobs_completed"], execution["jobs_total"]) == ("completed", 2, 5)
    jobs = await pool.fetch("select * from read.job where execution_id = $1 order by queued_at", execution_id("iterated"))
    assert [(job["item"], job["node_id"], job["node_name"], job["attempt"], job["status"]) for job in jobs] == [
        ("each[0]", "check", "Check host", 1, "failed"),
        ("each[2]", "restart", "Restart host", 1, "cancelled"),
        ("each[0]", "check", "Check host", 2, "completed"),
        ("each[1]", "check", "Check host", 1, "failed"),
        (None, "last", "last", 1, "completed"),
    ]
    assert str(jobs[0]["stream_id"]) == iteration_id("iterated", "each[0]")
    assert str(jobs[4]["stream_id"]) == execution_id("iterated")
    deep = await pool.fetch(
        "select item, node_name from read.job where execution_id = $1 order by item", execution_id("nested")
    )
    assert [tuple(job) for job in deep] == [("outer[0].inner[0]", "Deep step"), ("outer[1].inner[0]", "Deep step")]


async def test_nodes_of_bodies_are_not_nodes_of_the_execution(pool: Pool) -> None:
    await applied(pool, histories.iterated(), histories.nested())
    nodes = await pool.fetch("select * from read.node where execution_id = $1 order by ordinal", execution_id("iterated"))
    assert [(node["node_id"], node["type"], node["status"]) for node in nodes] == [
        ("each", "forEach", "failed"),
        ("outer", "forEach", "pending"),
        ("gate", "approval", "pending"),
        ("sub", "subworkflow", "pending"),
        ("last", "action", "completed"),
    ]
    assert msgspec.json.decode(nodes[0]["progress"]) == {
        "total": 3,
        "completed": 1,
        "failed": 1,
        "cancelled": 1,
        "running": 0,
    }
    assert [node["progress"] for node in nodes[1:]] == [None] * 4
    inside = await pool.fetch(
        "select item, body, node_id, name, status, started_at, finished_at, output from read.iteration_node"
        " where execution_id = $1 order by item, node_id",
        execution_id("nested"),
    )
    assert [tuple(node)[:5] for node in inside] == [
        ("outer[0]", "outer", "inner", "inner", "completed"),
        ("outer[0].inner[0]", "outer.inner", "deep", "Deep step", "completed"),
        ("outer[1]", "outer", "inner", "inner", "completed"),
        ("outer[1].inner[0]", "outer.inner", "deep", "Deep step", "completed"),
    ]
    assert inside[1]["output"] == '{"stdout":"deep outer[0]\\u0000","exitCode":0}', "an action's is its job's"


async def test_iterations_are_listed_by_their_for_each_with_what_came_of_them(pool: Pool) -> None:
    await applied(pool, histories.iterated(), histories.nested())
    found = await pool.fetch(
        "select * from read.iteration where execution_id = $1 and node_id = 'each' order by index", execution_id("iterated")
    )
    assert [(each["path"], each["index"], each["status"]) for each in found] == [
        ("each[0]", 0, "completed"),
        ("each[1]", 1, "failed"),
        ("each[2]", 2, "cancelled"),
    ]
    assert (found[0]["value"], found[0]["output"], found[0]["started_at"]) == ('"host-0"', '{"exitCode":0}', at(6))
    assert msgspec.json.decode(found[1]["error"])["reason"] == "exit_code"
    inner = await pool.fetchrow(
        "select * from read.iteration where stream_id = $1", iteration_id("nested", "outer[1].inner[0]")
    )
    assert inner is not None
    assert (str(inner["parent_stream_id"]), inner["node_id"]) == (iteration_id("nested", "outer[1]"), "inner")


async def test_an_execution_says_what_its_items_wait_for(pool: Pool) -> None:
    name = "busy"
    stream = execution_id(name)
    resting, queued = iteration_id(name, "each[0]"), iteration_id(name, "each[1]")
    limited = events.JobScheduled(
        job_id=histories.job_id("queued"),
        node_id="restart",
        attempt=1,
        action="script.bash",
        params={},
        pool="db",
        queue_expires_at="2026-03-01T12:10:00.000Z",
    )
    busy: histories.History = [
        histories.fleet_started(name),
        *histories.entered(name, "each", 2),
        histories.fork(name, "each[0]"),
        histories.fork(name, "each[1]"),
        (resting, events.NodeWaiting(node_id="rest", until="2026-03-01T13:00:00.000Z")),
        (queued, limited),
        (stream, histories.parent()[1][1]),
    ]
    await applied(pool, busy)
    found = await pool.fetchrow("select status, waiting, waiting_total from read.execution")
    assert found is not None
    assert (found["status"], found["waiting_total"]) == ("running", 3)
    waiting = msgspec.json.decode(found["waiting"])
    assert [(each["for"], each["nodeId"], each["item"]) for each in waiting] == [
        ("delay", "rest", "each[0]"),
        ("agent", "restart", "each[1]"),
        ("subworkflow", "sub", None),
    ]
    assert (waiting[0]["until"], waiting[1]["until"]) == ("2026-03-01T13:00:00.000Z", "2026-03-01T12:10:00.000Z")
    assert (waiting[2]["executionId"], waiting[2]["since"]) == (execution_id("child"), "2026-03-01T12:00:10.000Z")


async def test_a_subworkflow_and_its_parent_find_each_other(pool: Pool) -> None:
    await applied(pool, histories.parent())
    (child,) = await pool.fetch("select * from read.execution where parent_execution_id = $1", execution_id("parent"))
    assert (str(child["execution_id"]), child["parent_node_id"], child["depth"]) == (execution_id("child"), "sub", 1)
    assert (child["status"], child["jobs_total"]) == ("completed", 1)
    (parent,) = await pool.fetch("select * from read.execution where execution_id = $1", execution_id("parent"))
    assert (parent["status"], parent["jobs_total"], parent["depth"], parent["parent_node_id"]) == ("completed", 0, 0, None)


async def test_a_rerun_and_its_original_find_each_other(pool: Pool) -> None:
    await applied(pool, histories.iterated(), histories.rerun())
    (rerun,) = await pool.fetch("select * from read.execution where rerun_of = $1", execution_id("iterated"))
    assert (str(rerun["execution_id"]), rerun["from_node"]) == (execution_id("rerun"), "last")
    nodes = await pool.fetch("select * from read.node where execution_id = $1 order by ordinal", execution_id("rerun"))
    assert [(node["node_id"], node["status"], node["started_at"] is None) for node in nodes] == [
        ("each", "failed", True),
        ("outer", "skipped", True),
        ("gate", "completed", True),
        ("sub", "pending", True),
        ("last", "completed", False),
    ]
    assert nodes[2]["output"] == '{"decision":"approved"}'


async def test_output_of_an_iterations_job_is_under_the_execution_that_users_see(pool: Pool) -> None:
    await applied(pool, histories.iterated())
    job, stream = histories.job_id("i0b"), iteration_id("iterated", "each[0]")
    await pool.execute(
        'insert into projections.output_chunk (job_id, stream, number, "offset", size, data, execution_id, tenant_id)'
        " values ($1, 'stdout', 0, 0, 2, 'ok', $2, 'default')",
        job,
        stream,
    )
    for view in ("job_output", "job_output_chunk"):
        found = await pool.fetchval(f"select execution_id::text from read.{view} where job_id = $1", job)
        assert found == execution_id("iterated")


async def test_five_thousand_items_are_counted_listed_and_told_briefly(pool: Pool) -> None:
    """Half of them are through, the others wait for people; the row stays small, and a rebuild gives the same."""
    name = "large"
    history = [*histories.fleet(), histories.fleet_started(name), *histories.entered(name, "each", ITEMS, concurrency=ITEMS)]
    for index in range(ITEMS):
        path = f"each[{index}]"
        stream = iteration_id(name, path)
        history.append(histories.fork(name, path))
        if index % 2:
            history.append((stream, histories.asked(f"{index}", "ask")))
        else:
            job = (*histories.ran(f"{index}", "check"), histories.well(f"{index}"), histories.done("check"))
            history += [(stream, event) for event in job]
            history += histories.joined(name, path)
    log = record(history)
    async with orchestrator_log(pool) as store:
        await apply(pool, [log[first : first + 5000] for first in range(0, len(log), 5000)])
        found = await pool.fetchrow("select * from read.execution")
        assert found is not None
        assert (found["status"], found["pending_approvals"], found["jobs_total"]) == ("paused", ITEMS // 2, ITEMS // 2)
        assert (len(msgspec.json.decode(found["waiting"])), found["waiting_total"]) == (20, ITEMS // 2)
        assert [each["item"] for each in msgspec.json.decode(found["waiting"])[:2]] == ["each[1]", "each[3]"]
        progress = await pool.fetchval("select progress from read.node where node_id = 'each'")
        assert msgspec.json.decode(progress) == {
            "total": ITEMS,
            "completed": ITEMS // 2,
            "failed": 0,
            "cancelled": 0,
            "running": ITEMS // 2,
        }
        seen = await rows(pool)
        await copy(pool, log)
        assert await rebuild(pool, store, projections()) == len(log)
        assert await rows(pool) == seen


async def copy(pool: Pool, log: list[Recorded]) -> None:
    """Into the log at once, as it would be after many appends."""
    columns = [field.name for field in msgspec.structs.fields(Recorded)]
    records = [
        tuple(bytes(row.data).decode() if column == "data" else getattr(row, column) for column in columns) for row in log
    ]
    await pool.copy_records_to_table("event", schema_name=LOG, columns=columns, records=records)
    await pool.execute(f"update {LOG}.log_head set position = $1", len(log))


@pytest.mark.empty_database
async def test_executions_under_way_at_the_upgrade_go_on(pool: Pool) -> None:
    """Tables of before, with a job that runs: so the execution is not paused when somebody is asked meanwhile."""
    stream = execution_id("x")
    history = [histories.fleet_started("x"), *((stream, event) for event in histories.ran("old", "last"))]
    history += [(stream, histories.asked("gate")), (stream, histories.well("old"))]
    log = record(history)
    await _as_of_before(pool)
    await pool.execute(
        "insert into projections.execution (execution_id, tenant_id, workflow_id, workflow_name, version, status, trigger_type,"
        " trigger, inputs, started_by, timeout_seconds, started_at, jobs_total, jobs_completed, position)"
        " values ($1, 'default', $2, 'Fleet', 1, 'running', 'manual', '{}', '{}', 'ann', 0, $3, 1, 0, 4)",
        stream,
        histories.FLEET,
        at(1),
    )
    await pool.execute(
        "insert into projections.job (execution_id, job_id, node_id, action, pool, attempt, status, queued_at)"
        " values ($1, $2, 'last', 'script.bash', 'default', 1, 'running', $3)",
        stream,
        histories.job_id("old"),
        at(2),
    )
    await pool.execute("update projections.position set position = 4")
    assert "0003_iterations_and_approvals" in await migrate(pool, LIVE, "runyard_projections")
    await apply(pool, [log[:4]])  # for read models that are new with the upgrade; for the others it is the past
    statuses = []
    for row in log[4:]:
        await apply(pool, [[row]])
        statuses.append(await pool.fetchval("select status from read.execution"))
    assert statuses == ["running", "paused"]


async def _as_of_before(pool: Pool) -> None:
    await pool.execute(
        f"create schema {LIVE}; create table {LIVE}.migration"
        " (name text primary key, sha256 text not null, applied_at timestamptz not null default now())"
    )
    for name in ("0001_read_models", "0002_views"):
        sql = (files("runyard_projections") / "migrations" / f"{name}.sql").read_text()
        await pool.execute(sql)
        sha256 = hashlib.sha256(sql.encode()).hexdigest()
        await pool.execute(f"insert into {LIVE}.migration (name, sha256) values ($1, $2)", name, sha256)
