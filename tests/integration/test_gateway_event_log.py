"""The events of both logs over HTTP: by type, by time, in pages that never look through all of a long log, live."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from runyard_gateway.database import Database
from runyard_gateway.queries import events
from runyard_shared.clock import rfc3339

from tests.gateway import House, Json, frames, house
from tests.integration.test_gateway_language import EACH

QUIET: Json = {
    "nodes": [{"id": "keep", "type": "setVariables", "values": {"seen": "{{ item }}"}}],
    "edges": [{"from": "item", "to": "keep"}],
}
ID = "'01a206f4-103c-7a12-9785-42b80f97e68c'"
VALUES = ["", ID, "'default'", "0", "10", "null", "null"]


@pytest.fixture
async def home(pool: asyncpg.Pool) -> AsyncIterator[House]:
    async with house(pool) as made:
        yield made


async def all_pages(home: House, **params: Any) -> tuple[list[dict[str, Any]], int]:
    """The events of all pages, and how many pages there were."""
    found, pages = [], 0
    while True:
        page = await home.call("GET", "/events.json", params=params)
        found += page["items"]
        pages += 1
        if page["nextCursor"] is None:
            return found, pages
        params["cursor"] = page["nextCursor"]


def types(found: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in found]


async def test_what_happens_to_agents_and_pools_is_in_a_log_of_its_own(home: House) -> None:
    before = await home.call("GET", "/events.json", params={"log": "dispatcher"})
    assert (before["items"], before["nextCursor"], before["position"]) == ([], None, 0)
    agent_id = (await home.agent("web-1")).agent_id
    await home.call("POST", "/pools", status=201, json={"name": "db"})
    found, _ = await all_pages(home, log="dispatcher")
    assert types(found) == ["runyard.agent.created.v1", "runyard.pool.created.v1"]
    created = found[0]
    assert (created["source"], created["subject"], created["sequence"]) == ("/runyard/dispatcher", agent_id, "1")
    assert created["data"]["name"] == "web-1"
    await home.publish()
    assert {each["source"] for each in (await all_pages(home))[0]} == {"/runyard/orchestrator"}
    async with (
        asyncio.timeout(20),
        home.http.stream("GET", "/api/v1/events", params={"log": "dispatcher", "type": "pool."}) as answer,
    ):
        stream = frames(answer)
        seen = [frame async for frame in _first(stream, 1)]
        await home.call("POST", f"/agents/{agent_id}/drain")
        await home.call("POST", "/pools/db/pause", json={})
        seen += [frame async for frame in _first(stream, 1)]
    assert [(frame.event, frame.data["source"]) for frame in seen] == [
        ("pool.created", "/runyard/dispatcher"), ("pool.paused", "/runyard/dispatcher"),
    ]  # fmt: skip


async def _first(stream: AsyncIterator[Any], count: int) -> AsyncIterator[Any]:
    while count:
        frame = await anext(stream)
        if frame.event:
            count -= 1
            yield frame


async def test_events_by_type_and_time_come_in_pages_that_look_at_a_part_of_the_log_each(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution_id = await home.run(await home.publish())
    await home.complete(execution_id)
    monkeypatch.setattr(events, "WINDOW", 2)
    monkeypatch.setattr(events, "WINDOWS", 2)
    every, _ = await all_pages(home, limit=3)
    assert [event["sequence"] for event in every] == [str(number) for number in range(1, len(every) + 1)]
    jobs, _ = await all_pages(home, type="job.")
    assert jobs == [event for event in every if event["type"].startswith("runyard.job.")]
    some, _ = await all_pages(home, type=["workflow.published", "execution.co"])
    assert types(some) == ["runyard.workflow.published.v1", "runyard.execution.completed.v1"]
    last, pages = await all_pages(home, type="execution.completed")
    assert types(last) == ["runyard.execution.completed.v1"]
    assert pages > 1, "a page may be empty and not be the last one"
    # Half of it happened two hours ago.
    half = len(every) // 2
    await home.pool.execute(
        "update orchestrator.event set recorded_at = recorded_at - interval '2 hours' where position <= $1", half
    )
    hour_ago = rfc3339(datetime.now(UTC) - timedelta(hours=1))
    recent, _ = await all_pages(home, **{"from": hour_ago})
    assert [event["sequence"] for event in recent] == [event["sequence"] for event in every[half:]]
    assert (await all_pages(home, **{"from": rfc3339(datetime.now(UTC) + timedelta(hours=1))}))[0] == []
    assert types((await all_pages(home, type="job_"))[0]) == [], "an underscore is an underscore"
    await wrong_filters_are_said(home)
    await the_document_needs_no_key(home)


async def test_the_events_of_one_subject_are_found_by_an_index_in_pages_and_live(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = dict(EACH, nodes=[dict(EACH["nodes"][0], body=QUIET)])
    workflow_id, chain = await home.publish(document), await home.publish()
    others = [await home.run(chain) for _ in range(2)]
    execution_id = await home.run(workflow_id)
    await home.until(execution_id, "completed")
    every, _ = await all_pages(home, limit=200)
    own = [event for event in every if event["subject"] == execution_id]
    assert {"runyard.iteration.completed.v1", "runyard.execution.completed.v1"} <= set(types(own))
    found, pages = await all_pages(home, subject=execution_id.upper(), limit=4)
    assert (found, pages) == (own, -(-len(own) // 4))
    finished, _ = await all_pages(home, subject=execution_id, type="iteration.completed")
    assert len(finished) == 3 and all(event in own for event in finished)
    page = await home.call("GET", "/events.json", params={"subject": execution_id, "after": own[-1]["sequence"]})
    assert page["items"] == [] and page["position"] >= int(own[-1]["sequence"])
    for subject in (workflow_id, others[0]):
        assert (await all_pages(home, subject=subject))[0] == [event for event in every if event["subject"] == subject]
    agent_id = (await home.agent("web-1")).agent_id
    await home.call("POST", "/pools", status=201, json={"name": "db"})
    assert types((await all_pages(home, log="dispatcher", subject=agent_id))[0]) == ["runyard.agent.created.v1"]
    async with home.pool.acquire() as connection:
        await connection.execute("set enable_seqscan = off")
        for log in events.VIEWS:
            sql = re.sub(
                r"\$(\d)", lambda match: VALUES[int(match[1])], events.EventQueries(Database(home.pool), log)._of_subject
            )
            plan = "\n".join(row[0] for row in await connection.fetch(f"explain {sql}"))
            assert "Seq Scan" not in plan, plan
    async with (
        asyncio.timeout(20),
        home.http.stream("GET", "/api/v1/events", params={"subject": others[1], "type": "execution."}) as answer,
    ):
        stream = frames(answer)
        await home.call("POST", f"/executions/{others[0]}/cancel", status=202, json={})
        await home.call("POST", f"/executions/{others[1]}/cancel", status=202, json={})
        seen = [frame async for frame in _first(stream, 2)]
    assert [(frame.event, frame.data["subject"]) for frame in seen] == [
        ("execution.started", others[1]), ("execution.cancelled", others[1]),
    ]  # fmt: skip


async def wrong_filters_are_said(home: House) -> None:
    for params in (
        {"subject": "x"},
        {"log": "approvals"},
        {"type": "Job."},
        {"type": "a.b.c"},
        {"from": "yesterday"},
        {"kind": "job."},
    ):
        problem = await home.call("GET", "/events.json", status=400, params=params)
        assert problem["code"] == "invalid_query"


async def the_document_needs_no_key(home: House) -> None:
    answer = await home.http.get("/asyncapi.json", headers={"Authorization": ""})
    assert answer.status_code == 200
    assert answer.json()["channels"]["JobCompleted"]["address"] == "{tenant}.job.completed"
