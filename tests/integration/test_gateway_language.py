"""What the API shows of iterations, subworkflows and re-runs, and commands for many executions at once."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from runyard_shared.contracts import reports
from runyard_shared.contracts.jobs import OutputChunk
from runyard_shared.contracts.values import ErrorInfo, JobStatus
from runyard_shared.messaging.topology import JOB_OUTPUT, LIVE_OUTPUT, orchestrator_inbox

from tests.gateway import CHAIN, Frame, House, Json, frames, house

EACH: Json = {
    "name": "Each host",
    "nodes": [
        {
            "id": "each", "name": "Every host", "type": "forEach", "items": ["a", "b", "c"], "concurrency": 2,
            "onItemError": "continue",
            "body": {
                "nodes": [
                    {"id": "same", "type": "condition", "expression": "item != 'b'"},
                    {"id": "act", "name": "Act on it", "type": "action", "action": "script.bash",
                     "params": {"script": "{{ item }}"}},
                ],
                "edges": [{"from": "item", "to": "same"}, {"from": "same", "port": "true", "to": "act"}],
            },
        },
    ],
    "edges": [{"from": "trigger", "to": "each"}],
}  # fmt: skip


@pytest.fixture
async def home(pool: asyncpg.Pool) -> AsyncIterator[House]:
    async with house(pool) as made:
        yield made


async def stream_of(home: House, job_id: str) -> str:
    return str(await home.pool.fetchval("select stream_id::text from read.job where job_id = $1", job_id))


async def start(home: House, job: Json) -> Json:
    """An agent starts a job of an iteration: its reports go to the iteration's stream. Returns what is in each of them."""
    stream_id = await stream_of(home, job["jobId"])
    of = {"tenant_id": "default", "execution_id": stream_id, "job_id": job["jobId"], "dispatch": 1, "agent": "a1"}
    await home.bus.send(orchestrator_inbox(stream_id), [reports.JobStarted(**of)])
    return of


async def play(home: House, job: Json, *, fails: bool = False) -> None:
    """An agent runs it to its end."""
    of = await start(home, job)
    error = ErrorInfo(reason="exit_code", message="exit code 3", exit_code=3) if fails else None
    status = JobStatus.FAILED if fails else JobStatus.COMPLETED
    done = reports.JobFinished(**of, status=status, duration_ms=5, output={"stdout": "x"}, error=error)
    await home.bus.send(orchestrator_inbox(of["execution_id"]), [done])


def job_of(detail: Json, item: str) -> Any:
    return next((job for job in detail["jobs"] if job["item"] == item), None)


async def log_of(home: House, execution_id: str, **query: Any) -> Json:
    return dict(await home.call("GET", f"/executions/{execution_id}/log", params=query))


async def test_iterations_are_seen_under_the_execution_they_belong_to(home: House) -> None:
    execution_id = await home.run(await home.publish(EACH))
    async with (
        asyncio.timeout(20),
        home.http.stream("GET", f"/api/v1/executions/{execution_id}/events?lastEventId=0") as answer,
    ):
        stream = frames(answer)
        detail = await home.detail_when(execution_id, lambda each: job_of(each, "each[0]") and job_of(each, "each[2]"))
        first, last = job_of(detail, "each[0]"), job_of(detail, "each[2]")
        assert first["nodeName"] == "Act on it" and detail["banner"].startswith("Each[0]: ")
        assert {(each["reason"], each["nodeName"], each["item"]) for each in detail["waiting"]} >= {
            ("agent", "Act on it", "each[0]"), ("agent", "Act on it", "each[2]"),
        }  # fmt: skip
        seen: list[Frame] = []
        while not (seen and seen[-1].comment):  # from here on live
            seen.append(await anext(stream))
        owner = {"tenant_id": "default", "execution_id": await stream_of(home, first["jobId"]), "job_id": first["jobId"]}
        chunk = OutputChunk(**owner, stream="stdout", number=0, offset=0, data=b"hello")
        await home.bus.send(JOB_OUTPUT, [chunk])
        await home.bus.broadcast(LIVE_OUTPUT, [chunk])
        while seen[-1].event != "output":  # what is live and late is not told after the end: it is stored
            seen.append(await anext(stream))
        for job in (first, last):
            await start(home, job)
        await home.detail_when(execution_id, lambda each: all(job["status"] == "running" for job in each["jobs"]))
        ((runs,),) = [row["running"] for row in (await home.call("GET", "/executions"))["items"]]
        assert (runs["detail"], runs["nodeId"], runs["jobs"]) == ("2 jobs of Act on it are running on a1", "act", 2)
        await play(home, first, fails=True)
        await play(home, last)
        seen += [frame async for frame in stream]
    assert ("output", "hello") in [(frame.event, (frame.data or {}).get("text")) for frame in seen]
    assert seen[-1].event == "end"
    events = [frame for frame in seen if frame.position is not None]
    stored = await home.pool.fetch(
        "select position from read.event where coalesce(correlation_id, stream_id::text) = $1 order by position", execution_id
    )
    assert [frame.position for frame in events] == [row["position"] for row in stored]
    assert {frame.data["subject"] for frame in events} == {execution_id}

    path = f"/api/v1/executions/{execution_id}/jobs/{first['jobId']}/output"
    assert (await home.http.get(path)).content == b"hello"
    other = await home.run(await home.publish(CHAIN))
    await home.call("GET", f"/executions/{other}/jobs/{first['jobId']}/output", status=404)
    assert (await home.call("GET", f"/executions/{execution_id}/jobs/{first['jobId']}"))["item"] == "each[0]"

    entries = (await log_of(home, execution_id))["items"]
    told = {(entry["item"], entry["message"]) for entry in entries}
    assert (None, 'Every host has 3 items: ["a","b","c"]') in told
    assert ("each[0]", 'each[0]: The item is "a"') in told
    assert ("each[0]", "each[0]: same went on by true to Act on it") in told
    assert ("each[1]", "each[1]: same did not go on by true to Act on it") in told
    assert any(item == "each[1]" and "same is false: item != 'b'" in message for item, message in told)
    assert any(item == "each[0]" and "Act on it failed after 5 ms: exit code 3" in message for item, message in told)
    assert [entry["position"] for entry in entries] == sorted(entry["position"] for entry in entries)

    graph = await home.call("GET", f"/executions/{execution_id}/graph")
    node = next(each for each in graph["nodes"] if each["nodeId"] == "each")
    assert node["progress"] == {"total": 3, "completed": 2, "failed": 1, "cancelled": 0, "running": 0}
    assert [each["nodeId"] for each in node["body"]["nodes"]] == ["item", "same", "act"]
    assert {each["status"] for each in node["body"]["nodes"]} == {None}
    one = await home.call("GET", f"/executions/{execution_id}/graph", params={"item": "each[1]"})
    body = next(each for each in one["nodes"] if each["nodeId"] == "each")["body"]
    assert [(each["nodeId"], each["status"]) for each in body["nodes"]] == [
        ("item", "completed"), ("same", "completed"), ("act", "skipped"),
    ]  # fmt: skip
    assert [each["status"] for each in body["edges"]] == ["taken", "skipped"]
    missing = await home.call("GET", f"/executions/{execution_id}/graph", params={"item": "each[9]"}, status=404)
    assert missing["code"] == "item_not_found"


async def test_the_log_of_iterations_comes_in_pages_and_names_the_first_error_on_the_first(home: House) -> None:
    execution_id = await home.run(await home.publish(EACH))
    detail = await home.detail_when(execution_id, lambda each: job_of(each, "each[0]") and job_of(each, "each[2]"))
    await play(home, job_of(detail, "each[0]"))
    await play(home, job_of(detail, "each[2]"), fails=True)
    await home.detail_when(execution_id, lambda each: each["finishedAt"])
    whole = await log_of(home, execution_id)
    assert len(whole["items"]) > 20 and whole["nextCursor"] is None
    assert whole["firstError"] == next(entry for entry in whole["items"] if entry["level"] == "error")
    assert whole["firstError"]["item"] == "each[2]"
    items: list[Json] = []
    page = await log_of(home, execution_id, limit=4)
    assert page["firstError"] == whole["firstError"]
    while True:
        items += page["items"]
        if page["nextCursor"] is None:
            break
        page = await log_of(home, execution_id, limit=4, cursor=page["nextCursor"])
        assert page["firstError"] is None
    assert items == whole["items"]


async def test_parents_and_children_know_each_other(home: House) -> None:
    await home.publish(CHAIN)
    parent: Json = {
        "name": "Rolling",
        "nodes": [{"id": "sub", "type": "subworkflow", "workflow": "Two steps", "inputs": {"host": "x"}}],
        "edges": [{"from": "trigger", "to": "sub"}],
    }
    execution_id = await home.run(await home.publish(parent))
    detail = await home.detail_when(execution_id, lambda each: each["children"])
    (child,) = detail["children"]
    assert (child["nodeId"], child["workflowName"]) == ("sub", "Two steps")
    words = f"waiting for child execution {child['executionId']} of Two steps"
    (waiting,) = (await home.detail_when(execution_id, lambda each: each["waiting"]))["waiting"]
    assert (waiting["reason"], waiting["detail"], waiting["childExecutionId"]) == ("subworkflow", words, child["executionId"])
    rows = {row["executionId"]: row for row in (await home.call("GET", "/executions"))["items"]}
    assert rows[execution_id]["waiting"] == [waiting] and rows[execution_id]["waitingTotal"] == 1
    assert rows[child["executionId"]]["parentExecutionId"] == execution_id
    await home.complete(child["executionId"])
    done = await home.until(execution_id, "completed")
    assert (done["waiting"], done["waitingTotal"], done["children"][0]["status"]) == ([], 0, "completed")
    told = [entry["message"] for entry in (await log_of(home, child["executionId"]))["items"]]
    assert told[0] == f"Two steps, version 1, was started as a subworkflow of execution {execution_id}, by its node sub"


async def test_a_list_says_for_each_execution_why_it_waits(home: House) -> None:
    ask = {"id": "ask", "type": "approval", "message": "?", "approvers": ["alice", "role:oncall"], "timeoutSeconds": 720}
    document = {"name": "Ask", "nodes": [ask], "edges": [{"from": "trigger", "to": "ask"}]}
    execution_id = await home.run(await home.publish(document))
    detail = await home.detail_when(execution_id, lambda each: each["waiting"])
    (reason,) = detail["waiting"]
    assert reason["detail"] == "waiting for approval by alice or role oncall, expires in 12 min"
    assert (reason["reason"], reason["nodeId"], reason["approvalId"]) == (
        "approval",
        "ask",
        detail["approvals"][0]["approvalId"],
    )
    assert reason["until"] == detail["approvals"][0]["expiresAt"] and reason["since"]
    (row,) = (await home.call("GET", "/executions?status=paused"))["items"]
    assert [each["detail"] for each in row["waiting"]] == [reason["detail"]] and row["pendingApprovals"] == 1
    assert detail["banner"] == "Waiting for approval by alice or role oncall, expires in 12 min"
    later = await home.detail_when(execution_id, lambda each: each["pausedMs"] > 20)
    assert later["pausedMs"] <= later["durationMs"]


# --- re-runs


async def test_a_rerun_from_a_node_is_linked_both_ways_and_made_once_for_a_key(home: House) -> None:
    execution_id = await home.run(await home.publish(), host="a")
    await home.finish_job(execution_id, await home.start_job(execution_id))
    await home.finish_job(execution_id, await home.start_job(execution_id), exit_code=1)
    await home.until(execution_id, "failed")
    path, body, key = f"/executions/{execution_id}/rerun", {"fromNode": "second"}, {"Idempotency-Key": "once"}
    answers = await asyncio.gather(*(home.call("POST", path, status=202, json=body, headers=key) for _ in range(5)))
    (again,) = {answer["executionId"] for answer in answers}
    detail = await home.call("GET", f"/executions/{again}", params={"minPosition": answers[0]["position"]})
    assert (detail["rerunOf"], detail["fromNode"], detail["variables"]) == (execution_id, "second", {"host": "a"})
    assert detail["nodes"][0]["status"] == "completed" and detail["jobCounts"]["total"] == 1
    told = [entry["message"] for entry in (await log_of(home, again))["items"]]
    assert f"This is a re-run of execution {execution_id} from node second on" in told
    assert "First step completed in the execution that is repeated, and is not run again" in told
    (rerun,) = (await home.call("GET", f"/executions/{execution_id}"))["reruns"]
    assert (rerun["executionId"], rerun["status"]) == (again, "running")
    active = await home.call("POST", f"/executions/{again}/rerun", status=409, json={})
    assert active["code"] == "execution_active"
    unknown = await home.call("POST", path, status=422, json={"fromNode": "third"})
    assert [each["path"] for each in unknown["errors"]] == ["fromNode"]
    edited = await home.call("POST", path, status=202, json={"variables": {"host": "b"}})
    detail = await home.call("GET", f"/executions/{edited['executionId']}", params={"minPosition": edited["position"]})
    assert detail["variables"] == {"host": "b"} and detail["fromNode"] is None


# --- many at once


async def test_bulk_cancel_takes_the_active_ones_that_the_filter_finds(home: House) -> None:
    chain, other = await home.publish(), await home.publish(CHAIN | {"name": "Other"})
    done = await home.run(chain)
    await home.complete(done)
    running = [await home.run(chain) for _ in range(3)]
    spared = await home.run(other)
    refused = await home.call("POST", "/executions/bulk-cancel", status=422, json={"filter": {}})
    assert refused["code"] == "empty_filter"
    body = {"filter": {"workflowId": chain}, "reason": "cleaning up", "limit": 2}
    first = await home.call("POST", "/executions/bulk-cancel", status=202, json=body)
    assert (first["matched"], first["accepted"], first["more"]) == (2, 2, True)
    assert [each["executionId"] for each in first["results"]] == [running[2], running[1]]
    await home.call("GET", "/executions", params={"minPosition": first["position"]})
    second = await home.call("POST", "/executions/bulk-cancel", status=202, json=body)
    assert second["results"] == [{"executionId": running[0], "outcome": "cancelled", "problem": None}] and not second["more"]
    detail = await home.call("GET", f"/executions/{running[0]}", params={"minPosition": second["position"]})
    assert detail["banner"] == "Cancelled by admin: cleaning up"
    assert (await home.call("GET", f"/executions/{spared}"))["status"] == "running"
    nothing = await home.call("POST", "/executions/bulk-cancel", status=202, json={"filter": {"status": ["completed"]}})
    assert (nothing["matched"], nothing["results"]) == (0, [])
    everything = await home.call("POST", "/executions/bulk-cancel", status=202, json={"all": True})
    assert [each["executionId"] for each in everything["results"]] == [spared]


async def test_a_bulk_rerun_that_is_repeated_makes_no_second_execution(home: House) -> None:
    workflow_id = await home.publish()
    ended = [await home.run(workflow_id, host=str(number)) for number in range(3)]
    cancelled = await home.call("POST", "/executions/bulk-cancel", status=202, json={"filter": {"q": "Two"}})
    await home.call("GET", "/executions", params={"minPosition": cancelled["position"]})
    body, key = {"filter": {"workflowId": workflow_id}}, {"Idempotency-Key": "again"}
    first = await home.call("POST", "/executions/bulk-rerun", status=202, json=body, headers=key)
    assert {each["executionId"] for each in first["results"]} == set(ended) and first["accepted"] == 3
    # the re-runs end, and match the filter themselves by now
    stopped = await home.call("POST", "/executions/bulk-cancel", status=202, json={"all": True})
    await home.call("GET", "/executions", params={"minPosition": stopped["position"]})
    second = await home.call("POST", "/executions/bulk-rerun", status=202, json=body, headers=key)
    assert second["results"] == first["results"]
    reused = await home.call("POST", "/executions/bulk-rerun", status=422, json={**body, "limit": 1}, headers=key)
    assert reused["code"] == "idempotency_key_reused"
    assert len((await home.call("GET", "/executions", params={"minPosition": second["position"]}))["items"]) == 6
    wrong = await home.call("POST", "/executions/bulk-rerun", status=202, json={**body, "variables": {"host": 5}, "limit": 1})
    (problem,) = (each["problem"] for each in wrong["results"])
    assert problem["code"] == "invalid_variables" and wrong["accepted"] == 0
