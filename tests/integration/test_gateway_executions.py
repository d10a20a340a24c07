"""Executions over HTTP: started once, listed, filtered, read, cancelled."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from runyard_shared.contracts.jobs import OutputChunk, OutputSealed
from runyard_shared.contracts.values import StreamSeal
from runyard_shared.ids import new_id
from runyard_shared.messaging.topology import JOB_OUTPUT

from tests.gateway import CHAIN, House, Json, house

BRANCHES: Json = {
    "name": "Branches",
    "nodes": [
        {"id": "big", "type": "condition", "name": "Is it big?", "expression": "inputs.size > 10"},
        {"id": "act", "type": "action", "action": "script.bash", "params": {"script": "true"}, "maxRetries": 1,
         "retryDelaySeconds": 60},
        {"id": "ok", "type": "setVariables", "values": {"result": "{{ inputs.size }}", "lost": "{{ inputs.nothing }}"}},
        {"id": "wait", "type": "delay", "seconds": 3600},
    ],
    "edges": [
        {"from": "trigger", "to": "big"}, {"from": "big", "port": "true", "to": "act"},
        {"from": "big", "port": "false", "to": "ok"}, {"from": "ok", "to": "wait"},
    ],
}  # fmt: skip


@pytest.fixture
async def home(pool: asyncpg.Pool) -> AsyncIterator[House]:
    async with house(pool) as made:
        yield made


def times_are_ordered(job: Json) -> bool:
    times = [job[name] for name in ("queuedAt", "dispatchedAt", "startedAt", "finishedAt")]
    return None not in times and times == sorted(times)


async def test_an_execution_is_followed_from_its_start_to_its_end(home: House) -> None:
    execution_id = await home.run(await home.publish(), host="web-01")
    waiting = await home.call("GET", f"/executions/{execution_id}")
    assert waiting["status"] == "running"
    assert waiting["variables"] == {"host": "web-01"}
    assert waiting["jobCounts"] == {"completed": 0, "total": 1}
    first = await home.start_job(execution_id)
    await home.detail_when(execution_id, lambda detail: detail["jobs"][0]["status"] == "running")
    (row,) = (await home.call("GET", "/executions"))["items"]
    (runs,) = row["running"]
    assert (runs["detail"], runs["jobs"], runs["agent"], row["waiting"]) == ("First step is running on a1", 1, "a1", [])
    await home.finish_job(execution_id, first)
    await home.complete(execution_id, jobs=1)
    done = await home.call("GET", f"/executions/{execution_id}")
    assert [(node["nodeId"], node["status"]) for node in done["nodes"]] == [("first", "completed"), ("second", "completed")]
    assert [job["nodeName"] for job in done["jobs"]] == ["First step", "second"]
    assert all(times_are_ordered(job) and job["agent"] == "a1" and job["attempt"] == 1 for job in done["jobs"])
    assert done["jobs"][0]["output"] == {"stdout": "done\n", "exitCode": 0}
    assert done["banner"].startswith("Completed in ")
    assert done["asOf"] > waiting["asOf"]
    job = await home.call("GET", f"/executions/{execution_id}/jobs/{done['jobs'][1]['jobId']}")
    assert job == done["jobs"][1]
    (row,) = (await home.call("GET", "/executions"))["items"]
    assert row["jobs"] == {"completed": 2, "total": 2}
    assert row["trigger"] == {"type": "manual", "user": "admin"}
    assert row["durationMs"] == done["durationMs"] > 0
    assert row["running"] == []


async def test_an_execution_can_be_read_at_once_after_its_start(home: House) -> None:
    workflow_id = await home.publish()
    for _ in range(10):
        started = await home.call("POST", f"/workflows/{workflow_id}/run", status=202, json={})
        await home.call("GET", f"/executions/{started['executionId']}")


async def test_one_idempotency_key_makes_one_execution(home: House) -> None:
    workflow_id = await home.publish()
    path, key = f"/workflows/{workflow_id}/run", {"Idempotency-Key": "order 66"}
    answers = await asyncio.gather(
        *(home.call("POST", path, status=202, json={"variables": {"host": "a"}}, headers=key) for _ in range(20))
    )
    (execution_id,) = {answer["executionId"] for answer in answers}
    await home.call("GET", f"/executions/{execution_id}", params={"minPosition": max(a["position"] for a in answers)})
    assert [row["executionId"] for row in (await home.call("GET", "/executions"))["items"]] == [execution_id]
    refused = await home.call("POST", path, status=422, json={"variables": {"host": "b"}}, headers=key)
    assert refused["code"] == "idempotency_key_reused"


async def test_what_cannot_run_is_refused_with_the_reason(home: House) -> None:
    created = await home.call("POST", "/workflows", status=201, json=CHAIN)
    run = f"/workflows/{created['workflowId']}/run"
    assert (await home.call("POST", run, status=409, json={}))["code"] == "not_published"
    await home.call("POST", f"/workflows/{created['workflowId']}/publish")
    assert (await home.call("POST", run, status=409, json={}))["code"] == "not_active"
    await home.call("POST", f"/workflows/{created['workflowId']}/activate")
    refused = await home.call("POST", run, status=422, json={"variables": {"host": 5}})
    assert refused["errors"], refused


async def test_the_banner_and_the_log_say_what_is_waited_for_and_why(home: House) -> None:
    workflow_id = await home.publish(BRANCHES)
    big = await home.run(workflow_id, size=11)
    nobody = "There is no agent in pool default"
    await home.detail_when(big, lambda detail: detail["banner"] == nobody)
    job_id = await home.start_job(big)
    await home.detail_when(big, lambda detail: detail["banner"] == "Running act on a1")
    await home.finish_job(big, job_id, exit_code=3)
    await home.detail_when(big, lambda detail: detail["banner"].startswith("Retry 1 of 1 of act in "))

    small = await home.run(workflow_id, size=1)
    detail = await home.call("GET", f"/executions/{small}")
    assert detail["banner"] == "Wait goes on in 60 min"
    assert detail["variables"] == {"size": 1, "result": 1, "lost": ""}
    log = (await home.call("GET", f"/executions/{small}/log"))["items"]
    told = [(entry["level"], entry["message"]) for entry in log]
    assert ("info", "Is it big? is false: inputs.size > 10, with inputs.size = 1") in told
    assert ("info", "Is it big? went on by false to ok") in told
    assert ("info", "Is it big? did not go on by true to act") in told
    assert any(level == "warning" and "nothing" in message for level, message in told)
    assert [entry["position"] for entry in log] == sorted(entry["position"] for entry in log)
    failed = [entry for entry in (await home.call("GET", f"/executions/{big}/log"))["items"] if entry["level"] == "error"]
    assert (failed[0]["nodeId"], failed[0]["jobId"]) == ("act", job_id)
    assert failed[0]["message"] == "act failed after 12 ms: exit code 3"


async def test_the_log_comes_in_pages_that_join_without_a_seam(home: House) -> None:
    execution_id = await home.run(await home.publish(), host="a")
    await home.complete(execution_id)
    path = f"/executions/{execution_id}/log"
    whole = (await home.call("GET", path))["items"]

    async def paged(**query: object) -> list[Json]:
        pages: list[Json] = []
        while True:
            page = await home.call("GET", path, params={"limit": 3, **query})
            pages += page["items"]
            if page["nextCursor"] is None:
                return pages
            query["cursor"] = page["nextCursor"]

    assert await paged() == whole and len(whole) > 10
    assert await paged(order="desc") == whole[::-1]
    within = {"after": whole[3]["position"], "before": whole[9]["position"]}
    between = [line for line in whole if within["after"] < line["position"] < within["before"]]
    assert await paged(**within) == between and await paged(**within, order="desc") == between[::-1]


async def test_the_graph_shows_what_was_taken_and_what_was_skipped(home: House) -> None:
    execution_id = await home.run(await home.publish(BRANCHES), size=1)
    graph = await home.call("GET", f"/executions/{execution_id}/graph")
    assert {node["nodeId"]: node["status"] for node in graph["nodes"]} == {
        "trigger": "completed", "big": "completed", "act": "skipped", "ok": "completed", "wait": "waiting",
    }  # fmt: skip
    assert [(edge["from"], edge["port"], edge["to"], edge["status"]) for edge in graph["edges"]] == [
        ("trigger", None, "big", "taken"), ("big", "true", "act", "skipped"), ("big", "false", "ok", "taken"),
        ("ok", "out", "wait", "taken"),
    ]  # fmt: skip


async def test_cancelling_is_told_at_once_and_only_once(home: House) -> None:
    execution_id = await home.run(await home.publish(), host="a")
    body = {"reason": "wrong host"}
    cancelled = await home.call("POST", f"/executions/{execution_id}/cancel", status=202, json=body)
    assert cancelled["status"] == "cancelled"
    detail = await home.call("GET", f"/executions/{execution_id}", params={"minPosition": cancelled["position"]})
    assert (detail["status"], detail["banner"]) == ("cancelled", "Cancelled by admin: wrong host")
    again = await home.call("POST", f"/executions/{execution_id}/cancel", status=409, json=body)
    assert again["code"] == "execution_finished"
    nobody = await home.call("POST", f"/executions/{new_id()}/cancel", status=404)
    assert nobody["code"] == "execution_not_found"


async def test_every_filter_of_the_list_finds_what_it_should_and_they_combine(home: House) -> None:
    chain = await home.publish()
    other = await home.publish(BRANCHES | {"name": "100% other_name"})
    running = await home.run(chain)
    done = await home.run(chain)
    await home.complete(done)
    cancelled = await home.run(chain)
    await home.call("POST", f"/executions/{cancelled}/cancel", status=202)
    await home.until(cancelled, "cancelled")
    delayed = await home.run(other, size=1)

    async def found(query: str) -> list[str]:
        return [row["executionId"] for row in (await home.call("GET", f"/executions?{query}"))["items"]]

    hour = timedelta(hours=1)
    past, future = (f"{datetime.now(UTC) + each:%Y-%m-%dT%H:%M:%SZ}" for each in (-hour, hour))
    assert await found("") == [delayed, cancelled, done, running]
    assert await found(f"workflowId={other}") == [delayed]
    assert await found("status=completed") == [done]
    assert await found("status=completed&status=cancelled") == [cancelled, done]
    assert await found("status=running&status=completed&limit=2") == [delayed, done]
    assert await found(f"status=running&workflowId={chain}") == [running]
    assert await found("trigger=manual&status=completed") == [done]
    assert await found("trigger=cron") == []
    assert await found(f"from={past}&to={future}") == [delayed, cancelled, done, running]
    assert await found(f"to={past}") == [] and await found(f"from={future}") == []
    assert await found("q=two+STEPS") == [cancelled, done, running]
    assert await found("q=100%25+other_") == [delayed]
    assert await found("q=%25") == [delayed] and await found("q=other-name") == []
    assert await found(f"q={done}") == [done]
    assert await found(f"q={delayed[:8]}&status=running") == [delayed, running]


async def test_pages_stay_put_while_new_executions_arrive(home: House) -> None:
    workflow_id = await home.publish()
    first = [await home.run(workflow_id) for _ in range(7)]
    seen: list[str] = []
    cursor: dict[str, Any] = {}
    for _ in range(4):
        page = await home.call("GET", "/executions?status=running&status=completed", params={"limit": 2, **cursor})
        seen += [row["executionId"] for row in page["items"]]
        await home.run(workflow_id)
        if page["nextCursor"] is None:
            break
        cursor = {"cursor": page["nextCursor"]}
    assert seen == first[::-1]


async def test_another_tenant_sees_nothing_of_this_one(home: House, pool: asyncpg.Pool) -> None:
    workflow_id = await home.publish()
    execution_id = await home.run(workflow_id)
    job_id = (await home.waiting_job(execution_id))["jobId"]
    for table in ("orchestrator.event", "projections.execution", "projections.workflow"):
        await pool.execute(f"update {table} set tenant_id = 'other'")
    for path in (
        f"/workflows/{workflow_id}", f"/workflows/{workflow_id}/versions", f"/workflows/{workflow_id}/versions/1",
        f"/workflows/{workflow_id}/versions/1/diff", f"/executions/{execution_id}", f"/executions/{execution_id}/log",
        f"/executions/{execution_id}/graph", f"/executions/{execution_id}/jobs/{job_id}", f"/executions/{execution_id}/events",
        f"/executions/{execution_id}/events?lastEventId=1", f"/executions/{execution_id}/jobs/{job_id}/output",
    ):  # fmt: skip
        await home.call("GET", path, status=404)
    for path in ("/executions", "/workflows", "/events.json", f"/executions?workflowId={workflow_id}", "/executions?q=Two"):
        assert (await home.call("GET", path))["items"] == []


async def test_output_is_served_from_any_offset_and_says_what_is_missing(home: House) -> None:
    execution_id = await home.run(await home.publish())
    job_id = await home.start_job(execution_id)
    path = f"/api/v1/executions/{execution_id}/jobs/{job_id}/output"
    nothing = await home.http.get(path)
    assert (nothing.status_code, nothing.content, nothing.headers["x-output-sealed"]) == (200, b"", "false")
    owner = {"tenant_id": "default", "execution_id": execution_id, "job_id": job_id}

    def chunk(number: int, offset: int, data: bytes) -> OutputChunk:
        return OutputChunk(**owner, stream="stdout", number=number, offset=offset, data=data)

    await home.bus.send(JOB_OUTPUT, [chunk(0, 0, b"one "), chunk(2, 8, b"three\xff")])
    partly = await home.http.get(path)
    assert partly.content == b"one "
    assert (partly.headers["x-output-missing"], partly.headers["x-output-size"]) == ("4-8", "14")
    behind = await home.http.get(path, params={"offset": 4})
    assert (behind.content, behind.headers["x-output-offset"], behind.headers["x-output-missing"]) == (b"three\xff", "8", "4-8")
    seal = StreamSeal(stream="stdout", chunks=3, size=14, sha256="ab" * 32)
    await home.bus.send(JOB_OUTPUT, [chunk(1, 4, b"two "), OutputSealed(**owner, seals=[seal])])
    whole = await home.http.get(path)
    assert whole.content == b"one two three\xff"
    assert (whole.headers["x-output-sealed"], whole.headers["x-output-sha256"]) == ("true", "ab" * 32)
    assert "x-output-missing" not in whole.headers
    part = await home.http.get(path, params={"offset": 2, "limit": 4})
    assert (part.content, part.headers["x-output-next-offset"]) == (b"e tw", "6")
    assert (await home.http.get(path, params={"stream": "stderr"})).content == b""
    unknown = await home.call("GET", f"/executions/{execution_id}/jobs/{new_id()}/output", status=404)
    assert unknown["code"] == "job_not_found"


async def test_the_jobs_of_a_large_execution_come_in_pages_and_by_filter(home: House, pool: asyncpg.Pool) -> None:
    """The detail holds the first of them, and says where the others are."""
    execution_id = await home.run(await home.publish())
    await home.complete(execution_id)
    first, second = (job["jobId"] for job in (await home.call("GET", f"/executions/{execution_id}"))["jobs"])
    path = f"/executions/{execution_id}/jobs"
    assert [job["jobId"] for job in (await home.call("GET", path))["items"]] == [first, second]
    assert [job["jobId"] for job in (await home.call("GET", path, params={"nodeId": "second"}))["items"]] == [second]
    assert (await home.call("GET", path, params={"status": "failed"}))["items"] == []
    assert (await home.call("GET", path, params={"item": "each[1]"}, status=404))["code"] == "item_not_found"
    assert (await home.call("GET", f"/executions/{new_id()}/jobs", status=404))["code"] == "execution_not_found"

    await pool.execute(
        "insert into projections.job (execution_id, job_id, node_id, action, pool, attempt, status, queued_at, started_at)"
        " select execution_id, gen_random_uuid(), 'more', 'script.bash', 'default', 1,"
        " case n when 250 then 'running' else 'completed' end, now(), now()"
        " from read.execution, generate_series(1, 250) n where execution_id = $1",
        execution_id,
    )
    detail = await home.call("GET", f"/executions/{execution_id}")
    jobs = detail["jobs"]
    cursor = detail["jobsCursor"]
    assert len(jobs) == 200
    while cursor is not None:
        page = await home.call("GET", path, params={"cursor": cursor, "limit": 20})
        jobs += page["items"]
        cursor = page["nextCursor"]
    ids = [job["jobId"] for job in jobs]
    assert (len(ids), ids) == (252, sorted(set(ids)))
    (running,) = (await home.call("GET", path, params={"status": ["running", "dispatched"]}))["items"]
    assert (running["status"], running["nodeId"]) == ("running", "more")


async def test_badges_count_executions_by_status_and_what_waits_for_the_viewer(home: House) -> None:
    asking = {
        **CHAIN,
        "name": "Asking",
        "nodes": [{"id": "ask", "type": "approval", "message": "Go on?"}],
        "edges": [{"from": "trigger", "to": "ask"}],
    }
    workflow_id = await home.publish()
    await home.run(workflow_id)
    await home.complete(await home.run(workflow_id))
    await home.until(await home.run(await home.publish(asking)), "paused")

    async def counts(**query: str) -> dict[str, int]:
        found = await home.call("GET", "/executions/counts", params=query)
        assert all(each["exact"] for each in found["statuses"])
        assert found["pendingApprovals"] == {"count": 1, "exact": True}
        return {each["status"]: each["count"] for each in found["statuses"] if each["count"]}

    assert await counts() == {"running": 1, "completed": 1, "paused": 1}
    assert await counts(status="running", q="asking") == {"paused": 1}
    assert await counts(workflowId=workflow_id, trigger="manual") == {"running": 1, "completed": 1}
    assert await counts(to="2001-01-01T00:00:00Z") == {}
