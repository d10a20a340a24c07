"""A database that an earlier release filled is brought up to date; this version says of it what that one said, and goes on with
it. Meanwhile the processes of that release still work: each statement they send is one that the new tables take."""

import asyncio
import hmac
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from graphlib import TopologicalSorter
from importlib.resources import files
from typing import Any, NamedTuple

import asyncpg
import pytest
from runyard_shared.contracts import reports
from runyard_shared.contracts.values import JobStatus
from runyard_standalone.migrate import migrate_all

from tests.gateway import House, Json, house
from tests.releases import ClockSetTo, Release, releases

SERVICES = ("orchestrator", "dispatcher", "approvals", "projections", "gateway")
VOLATILE = {
    "durationMs",
    "pausedMs",
    "asOf",
    "nextCursor",
    "position",
    "nextAt",
    "lastHeartbeatAt",
    "healthScore",
    "lastUsedAt",
}
"""What changes by itself."""
COUNTS = ("/pools", "/analytics/summary", "/analytics/workflows")
"""What counts the execution too that a missed instant starts at once. The checksums hold these read models against the log."""
IDENTITIES = ("executionId", "workflowId", "jobId", "approvalId", "recordId", "name", "nodeId")

STAND_STILL = {
    "0.1.0-dev1": (
        "analytics_execution",
        "analytics_agent",
        "analytics_open_execution",
        "output_expired",
    )
}
"""Tables and functions that a release's own projections cannot use any more once later migrations are applied, so that those
read models stand still (and lose nothing) until the projections are replaced."""
NOT_MERELY_ADDED = {
    ("projections", "0010_analytics_by_trigger"): "figures are kept by trigger: the read model of the analytics is made anew",
    ("projections", "0011_retention_of_each"): "read.output_expired got another argument; only views of the same file used it",
    ("approvals", "0003_retention"): "an index on the log of approvals, which has an event for each question and answer",
}
"""Migrations that take something away or lock something for long, each with the reason why that is fine."""
TAKES_AWAY = re.compile(
    r"\bdrop\s+(?!default)|\brename\b|\btruncate\b|\balter\s+column\s+\w+\s+(type|set\s+not\s+null)"
    r"|\badd\s+column\s+\w+\s+[^,;]*not\s+null(?![^,;]*default)|\bcreate\s+(unique\s+)?index\s+\w+\s+on\s+\w+\.(event|job|execution)\b",
    re.IGNORECASE,
)


def body_of(service: str, name: str) -> str:
    """Without comments and without functions, which do nothing when they are made."""
    text = (files(f"runyard_{service}") / "migrations" / f"{name}.sql").read_text()
    return re.sub(r"--[^\n]*|\$\$.*?\$\$|comment on [^;]*;", "", text, flags=re.DOTALL)


@pytest.fixture(params=releases(), ids=lambda release: release.name)
def release(request: pytest.FixtureRequest, postgres_url: str) -> Release:
    found: Release = request.param
    found.restore(postgres_url)
    return found


def changed(then: Any, now: Any, path: str = "") -> list[str]:
    """Where what was said is not said any more. More may be said than before, and lists may be longer."""
    if isinstance(then, dict) and isinstance(now, dict):
        return [
            each
            for name, value in then.items()
            if name not in VOLATILE
            for each in changed(value, now.get(name), f"{path}.{name}")
        ]
    if isinstance(then, list) and isinstance(now, list):
        key = next((name for name in IDENTITIES if then and isinstance(then[0], dict) and name in then[0]), None)
        if key is not None and len({str(each[key]) for each in then}) == len(then):
            by_id = {str(each[key]): each for each in now}
            return [each for old in then for each in changed(old, by_id.get(str(old[key])), f"{path}[{old[key]}]")]
        if len(now) >= len(then):
            return [each for n, old in enumerate(then) for each in changed(old, now[n], f"{path}[{n}]")]
    return [] if then == now else [f"{path}: {str(then)[:200]} became {str(now)[:200]}"]


async def said_otherwise(home: House, release: Release, about: str = "/") -> list[str]:
    found = []
    for path, then in release.answers.items():
        if not path.startswith(about) or path.startswith(COUNTS):
            continue
        answer = await home.http.get(f"/api/v1{path}")
        now = answer.json() if "json" in answer.headers["content-type"] else answer.text
        found += [f"{path}{each}" for each in changed(then, now)]
    return found


async def upkeep(home: House, what: str) -> dict[str, Json]:
    """A rebuild or checksum of all read models, done."""
    await home.call("POST", f"/projections/{what}", status=202)
    async with asyncio.timeout(30):
        while True:
            rows = {row["name"]: row[what] or {} for row in (await home.call("GET", "/projections"))["items"]}
            if all(row.get("finishedAt") for row in rows.values()):
                return rows
            await asyncio.sleep(0.05)


@pytest.mark.empty_database
async def test_what_an_earlier_release_left_is_there_after_the_migrations_and_goes_on(
    release: Release, pool: asyncpg.Pool, postgres_url: str
) -> None:
    ids = release.ids
    assert any((await migrate_all(postgres_url)).values()), "there is nothing newer than this release"
    left_at = await pool.fetchval("select max(recorded_at) from orchestrator.event")
    clock = ClockSetTo(left_at + timedelta(minutes=3))  # not years later: what is due by then would change the answers
    async with house(pool, clock=clock) as home:
        assert (found := await said_otherwise(home, release)) == [], "\n".join(found)
        for what in ("rebuild", "checksum"):
            assert {name: row["failure"] for name, row in (await upkeep(home, what)).items() if row["failure"]} == {}
        assert [row for row in (await upkeep(home, "checksum")).values() if row["differences"]] == []
        assert (found := await said_otherwise(home, release, "/executions/")) == [], "\n".join(found)

        for agent in (await home.call("GET", "/agents"))["items"]:  # whose part the test takes
            await home.call("POST", f"/agents/{agent['agentId']}/drain")
        paused = await home.call("GET", f"/executions/{ids['paused']}")
        await home.call("POST", f"/approvals/{paused['approvals'][0]['approvalId']}/approve", json={})
        await home.complete(ids["paused"], jobs=1)

        running = await home.call("GET", f"/executions/{ids['running']}")
        (job,) = [job for job in running["jobs"] if job["status"] == "running"]
        await home.report(
            reports.JobFinished, ids["running"], job["jobId"], agent="local", status=JobStatus.COMPLETED, duration_ms=1,
            output={}, error=None, seals=[],
        )  # fmt: skip
        await home.complete(ids["running"], jobs=1)

        before = {row["executionId"] for row in release.answers["/executions?limit=200"]["items"]}
        async with asyncio.timeout(20):  # the instant that was missed
            while True:
                found = await home.call("GET", "/executions", params={"workflowId": ids["clock"], "trigger": "cron"})
                if {row["executionId"] for row in found["items"]} - before:
                    break
        content = b'{"ref": "refs/heads/main"}'
        signature = "sha256=" + hmac.digest(ids["hook"]["secret"].encode(), content, "sha256").hex()
        headers = {"X-Hub-Signature-256": signature, "X-GitHub-Event": "push", "Content-Type": "application/json"}
        answer = await home.http.post(f"/api/v1/webhooks/{ids['hook']['key']}", content=content, headers=headers)
        assert answer.status_code == 202, answer.text
        assert (await home.call("POST", f"/workflows/{ids['chain']}/run", status=202, json={}))["executionId"]


@pytest.mark.empty_database
async def test_the_processes_of_an_earlier_release_still_work_on_the_new_tables(
    release: Release, pool: asyncpg.Pool, postgres_url: str
) -> None:
    """Proven of each statement alone: that its tables, columns and constraints are there. What the old processes make of what
    new ones write is not run here."""
    async with pool.acquire() as connection:
        known = [sql for sql in release.statements if await refused(connection, sql) is None]
    assert len(known) > 200
    await migrate_all(postgres_url)
    async with pool.acquire() as connection:
        gone = {sql: why for sql in known if (why := await refused(connection, sql)) is not None}
    allowed = STAND_STILL.get(release.name, ())
    assert {sql: why for sql, why in gone.items() if not any(name in sql for name in allowed)} == {}


class Table(NamedTuple):
    number: int
    name: str
    columns: str

    @property
    def short(self) -> str:
        return self.name.partition(".")[2]


async def written_by(connection: Any) -> list[Table]:
    """The tables that are there, partitions with the table that they are of, and the columns that somebody writes."""
    found = await connection.fetch(
        """
        select row_number() over ()::int, c.oid::regclass::text, string_agg(quote_ident(attname), ', ' order by attnum)
        from pg_class c join pg_attribute on attrelid = c.oid
        where relnamespace::regnamespace::text = any($1) and relkind in ('r', 'p') and not relispartition
            and attnum > 0 and not attisdropped and attgenerated = ''
        group by c.oid
        """,
        SERVICES,
    )
    return [Table(*row) for row in found]


async def in_order(connection: Any, names: Iterable[str]) -> list[str]:
    """Before each table those that its rows refer to."""
    sql = "select conrelid::regclass::text, confrelid::regclass::text from pg_constraint where contype = 'f'"
    graph: dict[str, set[str]] = {name: set() for name in names}
    for table, other in await connection.fetch(sql):
        if table in graph and other in graph and table != other:
            graph[table].add(other)
    return list(TopologicalSorter(graph).static_order())


@asynccontextmanager
async def rolled_back(connection: Any) -> AsyncIterator[None]:
    transaction = connection.transaction()
    await transaction.start()
    try:
        yield
    finally:
        await transaction.rollback()


async def refused(connection: Any, sql: str) -> str | None:
    try:
        await connection.prepare(sql)
    except asyncpg.PostgresError as error:
        return str(error)
    return None


@pytest.mark.empty_database
async def test_every_row_that_an_earlier_release_wrote_can_be_written_by_it_once_more(
    release: Release, pool: asyncpg.Pool, postgres_url: str
) -> None:
    """With the columns that it knows: whatever came to a table since has a default, and no new constraint refuses the row."""
    rows = 0
    async with pool.acquire() as connection:
        tables = await written_by(connection)
        for table in tables:
            await connection.execute(f"create temporary table kept_{table.number} as table {table.name}")
        await migrate_all(postgres_url)
        by_name = {table.name: table for table in tables if table.short not in STAND_STILL.get(release.name, ())}
        async with rolled_back(connection):
            await connection.execute(f"truncate {', '.join(by_name)} cascade")
            for name in await in_order(connection, by_name):
                table = by_name[name]
                again = f"insert into {name} ({table.columns}) overriding system value select {table.columns} from"
                done = await connection.execute(f"{again} kept_{table.number}")
                rows += int(done.split()[-1])
    assert rows > 300, "a release leaves a few hundred rows"


@pytest.mark.empty_database
async def test_migrations_only_add_unless_they_say_why_not(release: Release, postgres_url: str) -> None:
    news = await migrate_all(postgres_url)
    suspicious = {
        (service, name): found
        for service in SERVICES
        for name in news[service]
        if (found := [match[0] for match in TAKES_AWAY.finditer(body_of(service, name))])
    }
    assert suspicious.keys() <= NOT_MERELY_ADDED.keys(), suspicious
