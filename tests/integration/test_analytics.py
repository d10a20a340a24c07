"""The figures of the API are what counting the executions that it lists gives (R61), on days on which clocks change too."""

import random
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import asyncpg
import msgspec
import pytest
from runyard_projections.analytics import archived
from runyard_projections.analytics.durations import bucket_of
from runyard_projections.app import projections
from runyard_projections.applier import Applier
from runyard_projections.projection import LIVE, LOG, Projection, ProjectionBroken
from runyard_projections.rebuild import rebuild
from runyard_shared.contracts.feed import Recorded
from runyard_shared.ids import new_id
from runyard_shared.messaging.memory import MemoryBus

from tests.figures import Past, made_up, percentile
from tests.gateway import House, Json, gateway_alone, house
from tests.histories import MAPPER
from tests.projections import apply, cut, orchestrator_log, projecting, reached, rows, write

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

BUSY_DAYS = ("2026-03-08", "2026-03-29", "2026-10-25", "2026-11-01")
"""Clocks change in New York, Berlin, Berlin, New York."""
RANGES = [
    ("Europe/Berlin", "2026-03-28T00:00", "2026-03-31T00:00"),
    ("Europe/Berlin", "2026-03-29T00:00", "2026-03-30T00:00"),
    ("Europe/Berlin", "2026-10-25T00:00", "2026-10-26T00:00"),
    ("America/New_York", "2026-03-08T00:00", "2026-03-09T00:00"),
    ("America/New_York", "2026-10-30T00:00", "2026-11-03T00:00"),
    ("Asia/Kathmandu", "2026-03-29T00:00", "2026-03-30T00:00"),
    ("Asia/Kathmandu", "2026-03-07T00:00", "2026-03-10T00:00"),
    ("UTC", "2026-01-01T00:00", "2027-01-01T00:00"),
    ("Europe/Berlin", "2026-03-29T01:23:45.678", "2026-03-29T09:01:02.003"),
    ("America/New_York", "2026-11-01T00:07:00.000001", "2026-11-01T00:11"),
    ("Europe/Berlin", "2026-10-25T01:59:59.999", "2026-11-01T20:44:00.001"),
    ("UTC", "2027-01-01T00:00", "2027-01-02T00:00"),
]


def past(seed: int, each: int = 60) -> Past:
    chance = random.Random(seed)
    starts = [
        datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(milliseconds=chance.randrange(-6, 30) * 3_600_000 + spread)
        for day in BUSY_DAYS
        for spread in (chance.choice((0, 900_000, chance.randrange(3_600_000))) for _ in range(each))
    ]
    return made_up(seed, starts)


@pytest.fixture
async def counted(pool: Pool) -> AsyncIterator[House]:
    """A gateway on read models of a year with busy days."""
    log = past(1).log
    async with orchestrator_log(pool):
        await apply(pool, [*cut(log[:200], random.Random(1)), *(log[at : at + 400] for at in range(200, len(log), 400))])
        bus = MemoryBus()
        await bus.open()
        async with gateway_alone(bus, pool, read_model_wait_seconds=0.3) as gateway:
            yield gateway


async def listed(gateway: House, **query: str) -> list[Json]:
    """Every execution that the list shows, page by page."""
    found: list[Json] = []
    cursor: dict[str, str] = {}
    while True:
        page = await gateway.call("GET", "/executions", params={"limit": "200", **query, **cursor})
        found += page["items"]
        if page["nextCursor"] is None:
            return found
        cursor = {"cursor": page["nextCursor"]}


def figures(executions: Iterable[Json]) -> Json:
    """Counted one by one."""
    executions = list(executions)
    of = Counter(each["status"] for each in executions)
    durations = [each["durationMs"] for each in executions if each["finishedAt"] is not None]
    decided = of["completed"] + of["failed"]
    return {
        "total": len(executions),
        "active": len(executions) - len(durations),
        "completed": of["completed"],
        "failed": of["failed"],
        "cancelled": of["cancelled"],
        "successRate": of["completed"] / decided if decided else None,
        "averageDurationMs": round(sum(durations) / len(durations)) if durations else None,
    }


async def test_every_figure_is_what_counting_the_listed_executions_gives(counted: House) -> None:
    everything = await listed(counted)
    assert len(everything) > 80
    workflow_id = {"workflowId": everything[0]["workflowId"]}
    await _figures_are_counted(counted, {}, RANGES)
    await _figures_are_counted(counted, workflow_id, RANGES)
    for of in ({"trigger": ["cron"]}, {"trigger": ["webhook", "manual"]}, {**workflow_id, "trigger": ["manual"]}):
        await _figures_are_counted(counted, of, RANGES[3:9])


async def _with_triggers(counted: House, query: dict[str, str], triggers: list[str]) -> list[Json]:
    found = [each for trigger in triggers for each in await listed(counted, **query, trigger=trigger)]
    return found if triggers else await listed(counted, **query)


async def _figures_are_counted(counted: House, only: dict[str, Any], ranges: list[tuple[str, str, str]]) -> None:
    triggers: list[str] = only.get("trigger", [])
    for zone, starts, ends in ranges:
        limits = {
            name: datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
            for name, text in (("from", starts), ("to", ends))
        }
        query: dict[str, Any] = {name: at.isoformat() for name, at in limits.items()} | only
        executions = await _with_triggers(counted, {name: query[name] for name in query if name != "trigger"}, triggers)
        summary = await counted.call("GET", "/analytics/summary", params={**query, "timezone": zone})
        assert figures(executions).items() <= summary.items(), (zone, starts, ends)
        durations = [each["durationMs"] for each in executions if each["finishedAt"] is not None]
        for percent in (50, 95):
            exact = percentile(durations, percent)
            assert summary[f"p{percent}DurationMs"] == pytest.approx(exact, rel=1 / 63, abs=1), (zone, starts, ends)
        intervals = [None, "hour", "day", "week"] if limits["to"] - limits["from"] < timedelta(days=30) else [None, "day"]
        for interval in intervals:
            chosen = {} if interval is None else {"interval": interval}
            trends = await counted.call("GET", "/analytics/trends", params={**query, "timezone": zone, **chosen})
            _trend_is_counted(trends, executions)


def _trend_is_counted(trends: Json, executions: list[Json]) -> None:
    zone = ZoneInfo(trends["timezone"])
    of_start: dict[str, list[Json]] = {each["from"]: [] for each in trends["items"]}
    for execution in executions:
        at = datetime.fromisoformat(execution["startedAt"])
        if trends["interval"] == "hour":
            continue
        day = at.astimezone(zone).date()
        if trends["interval"] == "week":
            day -= timedelta(days=day.weekday())
        first = datetime.combine(day, datetime.min.time(), zone).astimezone(UTC)
        starts = max(first, datetime.fromisoformat(trends["from"]))
        of_start[starts.strftime("%Y-%m-%dT%H:%M:%S.") + f"{starts.microsecond // 1000:03d}Z"].append(execution)
    for item in trends["items"]:
        within = of_start[item["from"]]
        if trends["interval"] == "hour":
            within = [each for each in executions if item["from"] <= each["startedAt"] < item["to"]]
        assert figures(within).items() <= item.items(), (trends["interval"], item)
        assert datetime.fromisoformat(item["local"]) == datetime.fromisoformat(item["from"]).replace(microsecond=0)
    assert sum(item["total"] for item in trends["items"]) == len(executions)


async def test_workflows_and_agents_are_ranked_by_what_counting_gives(counted: House, pool: Pool) -> None:
    for zone, starts, ends in RANGES:
        query = {
            name: datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).isoformat()
            for name, text in (("from", starts), ("to", ends))
        }
        executions = await listed(counted, **query)
        answer = await counted.call("GET", "/analytics/workflows", params={**query, "timezone": zone})
        assert len(answer["items"]) == len({each["workflowId"] for each in executions})
        assert [each["total"] for each in answer["items"]] == sorted((each["total"] for each in answer["items"]), reverse=True)
        for item in answer["items"]:
            of = [each for each in executions if each["workflowId"] == item["workflowId"]]
            assert figures(of).items() <= item.items()
            assert item["workflowName"] == of[0]["workflowName"]
        started = [each for each in executions if each["trigger"]["type"] == "cron"]
        answer = await counted.call("GET", "/analytics/workflows", params={**query, "timezone": zone, "trigger": "cron"})
        assert Counter({each["workflowId"]: each["total"] for each in answer["items"]}) == Counter(
            each["workflowId"] for each in started
        )

        query |= {"timezone": zone}
        in_list = (starts, ends) in (RANGES[7][1:], RANGES[8][1:])
        await _agents_are_counted(counted, pool, query, executions, in_list=in_list)
        for workflow_id in {each["workflowId"] for each in executions[:1]}:
            own = [each for each in executions if each["workflowId"] == workflow_id]
            await _agents_are_counted(counted, pool, {**query, "workflowId": workflow_id}, own, in_list=in_list)


async def _agents_are_counted(
    counted: House, pool: Pool, query: dict[str, str], executions: list[Json], *, in_list: bool
) -> None:
    """`in_list`: and the jobs that are counted are those that are listed."""
    agents = await counted.call("GET", "/analytics/agents", params=query)
    jobs = await pool.fetch(
        "select job_id::text as job_id, agent, status, coalesce(duration_ms, 0) as ms from read.job"
        " where finished_at is not null and execution_id = any($1::uuid[])",
        [each["executionId"] for each in executions],
    )
    assert {each["agent"] for each in agents["items"]} == {job["agent"] for job in jobs}
    for item in agents["items"]:
        its = [job for job in jobs if job["agent"] == item["agent"]]
        status = Counter(job["status"] for job in its)
        assert (item["jobs"], item["busyMs"]) == (len(its), sum(job["ms"] for job in its))
        assert {name: item[name] for name in ("completed", "failed", "timeout", "cancelled")} == {
            name: status[name] for name in ("completed", "failed", "timeout", "cancelled")
        }
        if in_list:
            its_ids = Counter(job["job_id"] for job in its)
            assert Counter(each["jobId"] for each in await _jobs_listed(counted, query, item["agent"])) == its_ids
    if in_list:
        agent = agents["items"][0]["agent"]
        failed = await _jobs_listed(counted, query | {"status": "failed"}, agent, limit=7)
        assert Counter(each["jobId"] for each in failed) == Counter(
            job["job_id"] for job in jobs if (job["agent"], job["status"]) == (agent, "failed")
        )
        assert {each["workflowId"] for each in failed} <= {each["workflowId"] for each in executions}


async def _jobs_listed(counted: House, query: dict[str, str], agent: str | None, limit: int = 200) -> list[Json]:
    """Every job of an agent, page by page: those of the newest executions first."""
    found: list[Json] = []
    cursor: dict[str, str] = {}
    while True:
        params = {**query, **cursor, "agent": agent or "", "limit": str(limit)}
        page = await counted.call("GET", "/analytics/jobs", params=params)
        found += page["items"]
        if page["nextCursor"] is None:
            starts = [(each["executionStartedAt"], each["executionId"], each["jobId"]) for each in found]
            assert starts == sorted(starts, reverse=True)
            return found
        cursor = {"cursor": page["nextCursor"]}


async def test_read_models_that_do_not_stand_for_one_position_are_not_mixed(counted: House, pool: Pool) -> None:
    last = past(1).log[-1]  # the gateway looks how far the log goes
    await pool.execute(
        "insert into orchestrator.event (position, stream_id, version, tenant_id, topic, recorded_at, data)"
        " values ($1, $2, $3, $4, $5, $6, '{}')",
        *(last.position, last.stream_id, last.version, last.tenant_id, last.topic, last.recorded_at),
    )
    await pool.execute("update projections.position set position = position - 1 where name = 'analytics'")
    answer = await counted.http.get("/api/v1/analytics/summary")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    await pool.execute("update projections.position set position = position + 1 where name = 'analytics'")
    await pool.execute("update gateway.tenant set time_zone = 'Asia/Kathmandu' where tenant_id = 'default'")
    summary = await counted.call("GET", "/analytics/summary")
    assert summary["timezone"] == "Asia/Kathmandu", "the tenant's own, if no other is given"
    assert summary["asOf"] == await pool.fetchval("select max(position) from read.projection")


async def test_a_wrong_range_is_refused_with_all_that_is_wrong(counted: House) -> None:
    async def problems(path: str, **query: str) -> list[tuple[str, str]]:
        answer = await counted.call("GET", f"/analytics/{path}", status=400, params=query)
        assert answer["code"] == "invalid_query"
        return [(each["path"], each["message"].split(";")[0][:40]) for each in answer["errors"]]

    backwards = {"from": "2026-03-02T00:00:00Z", "to": "2026-03-01T00:00:00Z"}
    assert await problems("summary", **backwards, timezone="Mars/Olympus") == [
        ("timezone", "there is no time zone 'Mars/Olympus'"),
        ("from", "must be before the end of the range, 202"),
    ]
    long = {"from": "2020-03-01T00:00:00Z", "to": "2026-03-01T00:00:00Z"}
    assert await problems("agents", **long) == [("from", "the range may be at most 732 days long (")]
    year = {"from": "2025-03-01T00:00:00Z", "to": "2026-03-01T00:00:00Z"}
    assert await problems("trends", **year, interval="hour") == [("interval", "a range of so many hours is too long (at")]
    for zone in ("Europe", "../../etc/passwd", ".", "/etc/localtime", "x" * 100, "Europe/Berlin ", "\x7f", "ü"):
        assert [path for path, _ in await problems("trends", timezone=zone)] == ["timezone"]
    assert [path for path, _ in await problems("workflows", limit="0", timezone="", workflowId="x")] == [
        "timezone",
        "limit",
        "workflowId",
    ]


async def test_what_was_just_started_counts_at_once(pool: Pool) -> None:
    async with house(pool) as home:
        workflow_id = await home.publish()
        started = await home.call("POST", f"/workflows/{workflow_id}/run", status=202, json={})
        summary = await home.call("GET", "/analytics/summary", params={"minPosition": started["position"]})
        assert (summary["total"], summary["active"], summary["successRate"]) == (1, 1, None)
        assert summary["activeWorkflows"] == 1
        await home.complete(str(started["executionId"]))
        agents: Json = await home.call("GET", "/analytics/agents")  # all read models move together
        assert [(each["agent"], each["jobs"], each["busyMs"]) for each in agents["items"]] == [("a1", 2, 24)]
        summary = await home.call("GET", "/analytics/summary")
        assert (summary["active"], summary["completed"], summary["successRate"]) == (0, 1, 1.0)


async def test_buckets_of_durations_are_the_same_in_sql_and_their_middle_is_near(pool: Pool) -> None:
    async with orchestrator_log(pool):
        durations = [
            -5,
            *range(200),
            999,
            59_999,
            60_000,
            86_400_000,
            2**40 + 12_345,
            *(2**power - 1 for power in range(6, 63)),
        ]
        found = await pool.fetch(
            "select ms, read.duration_bucket(ms) as bucket, read.bucket_duration(read.duration_bucket(ms)) as middle"
            " from unnest($1::bigint[]) as ms",
            durations,
        )
    for ms, bucket, middle in found:
        assert bucket == bucket_of(ms)
        assert middle == pytest.approx(max(0, ms), rel=1 / 63)


async def test_figures_outlive_the_events_they_were_counted_from(pool: Pool) -> None:
    """Executions leave the log for the archive, then those of their iterations that began in the next month; a rebuild after
    each knows what they have added."""
    happened = past(5, each=20)
    gone = {each.execution_id for each in happened.executions if each.started_at.month == 3}
    own = [row for row in happened.log if row.stream_id in gone]
    of_iterations = [row for row in happened.log if row.correlation_id in gone]
    analytics = [each for each in projections() if each.name == "analytics"]
    async with orchestrator_log(pool) as store:
        await write(store, happened.log)
        async with projecting(pool):
            await reached(pool, len(happened.log))
        before = await _analytics(pool)
        for leaving in (own, of_iterations):
            async with pool.acquire() as connection, connection.transaction():
                await archived.keep(connection, leaving[:100], MAPPER)
                await archived.keep(connection, leaving[100:], MAPPER)
                streams = list({row.stream_id for row in leaving})
                await connection.execute(f"delete from {LOG}.event where stream_id = any($1::uuid[])", streams)
            await rebuild(pool, store, analytics)
            assert await _analytics(pool) == before

        head = len(happened.log)
        late = msgspec.structs.replace(happened.log[-1], position=head + 1, stream_id=new_id(), correlation_id=None)
        with pytest.raises(ProjectionBroken, match="did not begin"):
            await _applied(pool, analytics, late)
        everything = "ffffffff-ffff-ffff-ffff-ffffffffffff"
        for tenant_id in ("default", "acme"):
            await pool.execute("insert into projections.archived (tenant_id, before) values ($1, $2)", tenant_id, everything)
        await _applied(pool, analytics, late)
        assert await _analytics(pool) == before, "what comes late for archived executions changes nothing"


async def _applied(pool: Pool, projections: list[Projection], event: Recorded) -> None:
    async with pool.acquire() as connection:
        applier = Applier(projections, LIVE)
        await applier.open(connection)
        await applier.apply(connection, [event], event.position)


async def _analytics(pool: Pool) -> dict[str, Any]:
    return {view: found for view, found in (await rows(pool)).items() if view.startswith("analytics")}
