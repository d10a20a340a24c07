"""What readers see of approvals, and of executions that wait for people."""

import re
from typing import TypeAlias

import asyncpg
import msgspec
import pytest
from runyard_shared.contracts import events

from tests import histories
from tests.eventstores import until
from tests.histories import approval_id, at, execution_id, record
from tests.projections import apply, feed, orchestrator_log, projecting, reached, write

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

PAUSE = "select status, paused_ms, paused_since, pending_approvals from read.execution where execution_id = $1"


async def test_an_approval_shows_who_was_asked_told_and_answered(pool: Pool) -> None:
    async with orchestrator_log(pool):
        await apply(pool, [record([*histories.fleet(), *histories.approved()])])
    row = await pool.fetchrow("select * from read.approval")
    assert row is not None
    assert (str(row["approval_id"]), str(row["execution_id"]), row["item"]) == (
        approval_id("approved"),
        execution_id("approved"),
        None,
    )
    assert (row["workflow_name"], row["node_name"], row["message"]) == ("Fleet", "Go ahead?", "Go?\ufffd")
    assert (str(row["workflow_id"]), row["started_by"]) == (histories.FLEET, "ann")
    assert (row["status"], row["responded_by"], row["response_note"], row["responded_via"]) == ("approved", "bob", "go", "link")
    assert (row["approvers"], row["escalated_to"], row["min_approvals"]) == (["ann", "role:oncall"], ["bob"], 2)
    assert (row["requested_at"], row["reminded_at"], row["escalated_at"]) == (at(4), at(8), at(9))
    assert msgspec.json.decode(row["votes"]) == [
        {"by": "ann", "note": "fine\0", "via": "web", "at": "2026-03-01T12:00:07.000Z"}
    ]
    told = msgspec.json.decode(row["notifications"])
    assert [(each["channel"], each["purpose"], each["error"], each["attempts"]) for each in told] == [
        ("mail", "requested", None, 1),
        ("chat", "requested", "it answered 500", 5),
    ]


async def test_an_approval_that_nobody_has_answered_is_empty_where_answers_go(pool: Pool) -> None:
    async with orchestrator_log(pool):
        await apply(pool, [record([*histories.fleet(), *histories.asking()])])
    found = await pool.fetch("select * from read.approval where status = 'pending' order by requested_at, approval_id")
    assert [(row["item"], row["node_name"]) for row in found] == [(None, "Go ahead?"), ("each[1]", "May it restart?")]
    assert str(found[1]["execution_id"]) == execution_id("asking")
    assert str(found[1]["stream_id"]) == histories.iteration_id("asking", "each[1]")
    for row in found:
        assert (row["votes"], row["notifications"], row["escalated_to"]) == ("[]", "[]", [])
        assert {row[name] for name in ("responded_by", "response_note", "responded_at", "reminded_at")} == {None}


async def test_an_execution_is_paused_while_everything_waits_for_people(pool: Pool) -> None:
    """Event by event, as a quiet system writes them."""
    history = record([*histories.fleet(), *histories.asking()])
    seen: list[tuple[tuple[str, int], str]] = []
    async with orchestrator_log(pool):
        for row in history:
            await apply(pool, [[row]])
            found = await pool.fetchrow(PAUSE, execution_id("asking"))
            if found is not None and (not seen or seen[-1][0] != (found["status"], found["pending_approvals"])):
                seen.append(((found["status"], found["pending_approvals"]), row.topic))
    assert seen == [
        (("running", 0), "execution.started"),
        (("paused", 1), "approval.requested"),
        (("paused", 2), "approval.requested"),
        (("paused", 3), "approval.requested"),
        (("paused", 2), "approval.resolved"),
        (("running", 2), "job.scheduled"),
        (("paused", 2), "job.completed"),
    ]
    found = await pool.fetchrow(PAUSE, execution_id("asking"))
    assert found is not None
    times = {row.topic: row.recorded_at for row in history}
    assert found["paused_since"] == times["job.completed"]
    assert found["paused_ms"] == (times["job.scheduled"] - at(4)).total_seconds() * 1000


async def test_a_pause_ends_with_the_execution(pool: Pool) -> None:
    history = record([*histories.fleet(), *histories.decided_late()])
    async with orchestrator_log(pool):
        await apply(pool, [history[:4]])
        paused = await pool.fetchrow(PAUSE, execution_id("decided late"))
        await apply(pool, [history[4:5]])
        ended = await pool.fetchrow(PAUSE, execution_id("decided late"))
    assert paused is not None
    assert ended is not None
    assert tuple(paused) == ("paused", 0, at(4), 1)
    assert tuple(ended) == ("cancelled", 1000, None, 1)


@pytest.mark.parametrize("cut", [5, 7, 8])
async def test_an_approval_is_closed_after_its_execution_ended(pool: Pool, cut: int) -> None:
    history = record([*histories.fleet(), *histories.decided_late()])
    async with orchestrator_log(pool):
        await apply(pool, [part for part in (history[:cut], history[cut:]) if part])
    found = await pool.fetchrow(PAUSE, execution_id("decided late"))
    approval = await pool.fetchrow("select status, response_note, responded_by from read.approval")
    assert found is not None
    assert approval is not None
    assert tuple(found) == ("cancelled", 1000, None, 0)
    assert tuple(approval) == ("cancelled", "mistake", None)
    assert await pool.fetchval("select waiting from read.execution") is None


async def test_a_paused_execution_says_for_whom_it_waits(pool: Pool) -> None:
    history = [*histories.fleet(), *histories.asking()]
    escalated = events.ApprovalEscalated(approval_id=approval_id("gate"), node_id="gate", to=["bob"])
    history.append((execution_id("asking"), escalated))
    async with orchestrator_log(pool):
        await apply(pool, [record(history)])
    found = await pool.fetchrow("select waiting, waiting_total from read.execution where status = 'paused'")
    assert found is not None
    assert found["waiting_total"] == 2
    gate, item = msgspec.json.decode(found["waiting"])
    assert (gate["for"], gate["nodeId"], gate["approvalId"], gate["item"]) == ("approval", "gate", approval_id("gate"), None)
    assert (gate["approvers"], gate["since"], gate["until"]) == (
        ["ann", "role:oncall", "bob"],
        "2026-03-01T12:00:04.000Z",
        None,
    )
    assert (item["item"], item["nodeId"], item["until"]) == ("each[1]", "ask", "2026-03-01T14:00:00.000Z")


async def test_pending_approvals_re_runs_and_children_are_found_by_an_index(pool: Pool) -> None:
    queries = {
        "execution_reruns": f"select execution_id from read.execution where rerun_of = '{execution_id('x')}'",
        "execution_children": f"select execution_id from read.execution where parent_execution_id = '{execution_id('x')}'",
        "approval_oldest": "select approval_id from read.approval where tenant_id = 'default' and status = 'pending'"
        " order by requested_at, approval_id limit 50",
        "approval_of_execution": f"select approval_id from read.approval where execution_id = '{execution_id('x')}'",
    }
    async with orchestrator_log(pool), pool.acquire() as connection:
        await connection.execute("set enable_seqscan = off; set enable_bitmapscan = off")
        for index, query in queries.items():
            # each month has a part of the index
            parts = [row[0] for row in await connection.fetch(_PARTS, f"projections.{index}")]
            plan = "\n".join(row[0] for row in await connection.fetch(f"explain {query}"))
            scans = re.findall(r"using (\w+)", plan)
            assert set(scans) & set(parts), plan
            assert "Seq Scan" not in plan and not re.search(r"->\s+Sort", plan)


_PARTS = "select relname from pg_partition_tree($1::text::regclass) join pg_class on oid = relid"


async def test_approvals_told_twice_or_not_at_all_by_the_feed_are_counted_once(pool: Pool) -> None:
    history = record([*histories.fleet(), *histories.approved(), *histories.asking(), *histories.iterated()])
    async with orchestrator_log(pool) as store, projecting(pool) as projector:
        await until(lambda: projector.trouble is None)
        for number, row in enumerate(history):
            await write(store, [row])
            if number % 4:
                await projector.hear(feed([row]))
                await projector.hear(feed(history[max(0, number - 3) : number + 1]))
        await reached(pool, len(history))
        pending = {
            str(row["execution_id"]): row["pending_approvals"] for row in await pool.fetch("select * from read.execution")
        }
    assert pending == {execution_id("approved"): 0, execution_id("asking"): 2, execution_id("iterated"): 0}
    votes = await pool.fetchval("select votes from read.approval where status = 'approved' and min_approvals = 2")
    assert len(msgspec.json.decode(votes)) == 1
