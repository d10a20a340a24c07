"""The health of the read models over HTTP: lag in words and figures, rebuild, checksum, retention, metrics."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest
from runyard_gateway.projection_health import status_of
from runyard_gateway.queries.projections import Lag

from tests.gateway import House, Json, house
from tests.metrics_reference import readings


async def when(home: House, wanted: Any) -> dict[str, Json]:
    """The read models by name, as soon as they are as wanted."""
    async with asyncio.timeout(20):
        while True:
            found = {each["name"]: each for each in (await home.call("GET", "/projections"))["items"]}
            if wanted(found):
                return found
            await asyncio.sleep(0.02)


async def figures(home: House) -> dict[str, float]:
    """Of this process, in which other tests may have counted before."""
    return readings((await home.http.get("/metrics")).text)


async def test_read_models_are_rebuilt_and_checked_over_http_and_say_how_they_are(pool: asyncpg.Pool) -> None:
    async with house(pool) as home:
        before = await figures(home)
        await home.run(await home.publish())
        found = await when(home, lambda each: all(one["lagEvents"] == 0 for one in each.values()))
        assert {"executions", "workflows", "analytics", "triggers"} == found.keys()
        assert {each["status"] for each in found.values()} == {"ok"}
        assert {(each["rebuild"], each["checksum"], each["lagSeconds"]) for each in found.values()} == {(None, None, 0.0)}

        begun = await home.call("POST", "/projections/rebuild", status=202, json={"names": ["executions"]})
        assert begun == {"names": ["executions"]}
        found = await when(home, lambda each: (each["executions"]["rebuild"] or {}).get("finishedAt"))
        rebuilt = found["executions"]["rebuild"]
        assert (rebuilt["failure"], rebuilt["startedBy"], rebuilt["position"]) == (None, "admin", found["executions"]["head"])

        await pool.execute("update projections.execution set jobs_total = 77")
        assert len((await home.call("POST", "/projections/checksum", status=202))["names"]) == len(found)
        found = await when(home, lambda each: (each["executions"]["checksum"] or {}).get("finishedAt"))
        (difference,) = found["executions"]["checksum"]["differences"]
        assert (difference["table"], difference["rows"], len(difference["keys"])) == ("execution", 1, 1)
        assert found["workflows"]["checksum"]["differences"] == []

        refused = await home.call("POST", "/projections/rebuild", status=422, json={"names": ["nonsense"]})
        assert (refused["code"], refused["errors"][0]["path"]) == ("unknown_projection", "names[0]")
        async with pool.acquire() as other, other.transaction():
            await other.execute("select pg_advisory_xact_lock(7235419019)")
            assert (await home.call("POST", "/projections/rebuild", status=409))["code"] == "rebuild_under_way"

        assert (await home.http.get("/readyz")).json()["notes"] == {}
        await home.call("PUT", "/retention", json={"historyMonths": None, "outputDays": 14})
        kept = await home.call("GET", "/retention")
        assert (kept["outputDays"], kept["defaultOutputDays"], kept["auditMonths"], kept["archivedAudit"]) == (14, 30, None, [])
        assert (kept["historyMonths"], kept["changedBy"], kept["archived"], kept["waiting"]) == (None, "admin", [], [])
        assert (await home.call("PUT", "/retention", status=409, json={"historyMonths": 6}))["code"] == "no_archive_directory"
        await home.call("PUT", "/retention", status=422, json={"historyMonths": 0})

        after = await figures(home)
        assert after['runyard_projection_lag_events{projection="executions"}'] == 0
        refused_rebuilds = 'runyard_http_requests_total{operation="rebuildProjections",status="409"}'
        assert after[refused_rebuilds] - before.get(refused_rebuilds, 0) == 1
        settings = 'runyard_http_request_seconds_count{operation="setRetention"}'
        assert after[settings] - before.get(settings, 0) == 3
        assert after["runyard_event_streams"] == 0
        assert after["process_resident_memory_bytes"] > 0


async def test_a_read_model_that_stands_still_is_told_and_one_that_is_stale_ends_readiness(pool: asyncpg.Pool) -> None:
    async with house(pool, stale_after_seconds=0.2, metrics_token="let me see") as home:
        workflow_id = await home.publish()
        await home.run(workflow_id)
        await pool.execute("delete from projections.execution; delete from projections.job")
        execution_id = (await home.call("GET", "/events.json"))["items"][-1]["subject"]
        await home.http.post(f"/api/v1/executions/{execution_id}/cancel")
        found = await when(home, lambda each: each["executions"]["status"] == "broken")
        assert "are not there" in found["executions"]["reason"]
        assert found["workflows"]["reason"].startswith("it waits for executions") or found["workflows"]["status"] == "broken"
        await asyncio.sleep(0.3)
        ready = await home.http.get("/readyz")
        assert ready.status_code == 503
        assert "events behind" in ready.json()["parts"]["read models"]
        assert "executions" in ready.json()["notes"]
        await home.call("POST", "/projections/rebuild", status=202)
        await when(home, lambda each: {one["status"] for one in each.values()} == {"ok"})
        assert (await home.http.get("/readyz")).status_code == 200

        await pool.execute("insert into orchestrator.archived_month values ('default', '2026-03-01', 1, 2, 1, 3)")
        gone = await home.call("GET", "/events.json", status=410, params={"after": 2})
        assert (gone["code"], gone["completeAfter"]) == ("archived", 3)
        assert (await home.call("GET", "/events.json", params={"after": 3}))["items"][0]["sequence"] == "4"
        assert (await home.http.get("/api/v1/events", headers={"Last-Event-ID": "2"})).status_code == 410
        (month,) = (await home.call("GET", "/retention"))["archived"]
        assert (month["month"], month["events"], month["lastPosition"]) == ("2026-03", 2, 3)

        async with httpx.AsyncClient(base_url=home.gateway.address, trust_env=False) as stranger:
            assert (await stranger.get("/metrics")).status_code == 401
            answer = await stranger.get("/metrics", headers={"Authorization": "Bearer let me see"})
            assert answer.status_code == 200


@pytest.mark.parametrize(
    ("lacks_seconds", "silent_seconds", "trouble", "expected"),
    [
        (None, 3, None, ("ok", None)),
        (9, 3, None, ("ok", None)),
        (70, 3, None, ("behind", "1,200 events behind, the oldest of them 70 s old")),
        (70, 45, None, ("broken", "nobody keeps it up to date: nothing was heard of the projections for 45 s")),
        (70, 3, "a row is gone", ("broken", "a row is gone; rebuild it, or see the log of the projections")),
    ],
)
def test_what_a_lag_means_is_said_in_words(
    lacks_seconds: float | None, silent_seconds: float, trouble: str | None, expected: tuple[str, str | None]
) -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    next_at = None if lacks_seconds is None else now - timedelta(seconds=lacks_seconds)
    lag = Lag("executions", 100, 1300, next_at, now, now - timedelta(seconds=silent_seconds), now, trouble)
    assert status_of(lag, None) == expected
