"""The events of both logs over HTTP: by type, by time, in pages that never look through all of a long log, live."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from runyard_gateway.queries import events
from runyard_shared.clock import rfc3339

from tests.gateway import House, frames, house


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


async def wrong_filters_are_said(home: House) -> None:
    for params in ({"log": "approvals"}, {"type": "Job."}, {"type": "a.b.c"}, {"from": "yesterday"}, {"kind": "job."}):
        problem = await home.call("GET", "/events.json", status=400, params=params)
        assert problem["code"] == "invalid_query"


async def the_document_needs_no_key(home: House) -> None:
    answer = await home.http.get("/asyncapi.json", headers={"Authorization": ""})
    assert answer.status_code == 200
    assert answer.json()["channels"]["JobCompleted"]["address"] == "{tenant}.job.completed"
