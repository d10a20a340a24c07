"""What roles of dashboards may read, tried as those roles: what is promised, of their tenant, and nothing else."""

import asyncio
import json
import re
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from ruamel.yaml import YAML
from runyard_shared.eventstore import migrate as migrations
from runyard_shared.ids import new_id

from tests.gateway import House, house
from tests.read_model_reference import FILE, make_read_models, text, without_comment

ROOT = Path(__file__).parents[2]
GRAFANA = ROOT / "deploy" / "grafana"

FOR_DASHBOARDS = {
    "action_type", "agent", "analytics_agent", "analytics_execution", "analytics_workflow", "approval", "archived_month",
    "connection", "execution", "expired_month", "held_job", "iteration", "iteration_node", "job", "job_output", "node",
    "output_default", "parked_message", "pool", "projection", "projection_upkeep", "retention", "schedule", "tenant",
    "trigger_record", "waiting_job", "workflow", "workflow_version",
}  # fmt: skip
WITHHELD = {"event", "dispatcher_event", "job_output_chunk", "sealing_key"}
"""A new view of the schema `read` belongs to one of the two: say so here, and in deploy/grafana/role.sql if it is withheld."""

PASSWORD = "a password of a dashboard"


class Site:
    """A database with all views and two roles: one for everything, one for the tenant acme."""

    def __init__(self, owner: asyncpg.Connection, url: str, everyone: str, acme: str) -> None:
        self.owner = owner
        self.url = url
        self.everyone = everyone
        self.acme = acme

    async def as_role(self, role: str) -> asyncpg.Connection:
        parts = urlsplit(self.url)
        netloc = f"{role}:{PASSWORD.replace(' ', '%20')}@{parts.netloc.rpartition('@')[2]}"
        return await asyncpg.connect(parts._replace(netloc=netloc).geturl())


@pytest.fixture
async def site(postgres_url: str) -> AsyncIterator[Site]:
    owner = await asyncpg.connect(postgres_url)
    # Roles belong to the server, which other tests use too.
    everyone, acme = (f"dash_{secrets.token_hex(4)}" for _ in range(2))
    try:
        await make_read_models(owner)
        await owner.execute((GRAFANA / "role.sql").read_text())
        await owner.execute(f"select dashboards.add_role('{everyone}')")
        await owner.execute(f"select dashboards.add_role('{acme}', 'acme')")
        for role in (everyone, acme):
            await owner.execute(f"alter role {role} password '{PASSWORD}'")
        yield Site(owner, postgres_url, everyone, acme)
    finally:
        for role in (acme, everyone):
            await owner.execute(f"select dashboards.drop_role('{role}')")
        assert not await owner.fetch("select from pg_roles where rolname = any($1)", [everyone, acme])
        await owner.close()


async def test_every_view_and_column_says_what_it_is_and_the_reference_is_current(pool: asyncpg.Pool) -> None:
    await make_read_models(pool)
    assert await without_comment(pool) == []
    assert FILE.read_text() == await text(pool), "run: python -m tests.read_model_reference"
    views = await pool.fetch("select relname from pg_class where relnamespace = 'read'::regnamespace")
    assert {row["relname"] for row in views} - FOR_DASHBOARDS - WITHHELD == set(), "say whether a new view is for dashboards"


_MAY = """
    select c.oid::regclass::text as name, c.relkind::text as kind,
        coalesce(array_agg(a.attname) filter (where has_column_privilege($1, c.oid, a.attnum, 'select')), '{}') as readable,
        coalesce(array_agg(a.attname), '{}') as columns,
        c.relkind in ('r', 'p', 'v', 'm', 'f') and (
            has_table_privilege($1, c.oid, 'insert') or has_table_privilege($1, c.oid, 'update')
            or has_table_privilege($1, c.oid, 'delete') or has_table_privilege($1, c.oid, 'truncate')
            or has_any_column_privilege($1, c.oid, 'insert') or has_any_column_privilege($1, c.oid, 'update')) as writable
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast') and c.relkind in ('r', 'p', 'v', 'm', 'f')
        and has_schema_privilege($1, n.oid, 'usage')
    group by c.oid
"""


async def test_a_role_for_everything_reads_the_views_for_dashboards_and_nothing_else_of_the_whole_catalog(site: Site) -> None:
    rows = await site.owner.fetch(_MAY, site.everyone)
    assert [row["name"] for row in rows if row["writable"]] == []
    there = {row["name"]: row for row in rows}
    views = {name for name in FOR_DASHBOARDS if f"read.{name}" in there}
    assert {name for name, row in there.items() if row["readable"]} == {f"read.{name}" for name in views}
    partly = {name: set(row["columns"]) - set(row["readable"]) for name, row in there.items() if row["readable"]}
    assert {name: columns for name, columns in partly.items() if columns} == {
        "read.parked_message": {"body"}, "read.job_output": {"expired"}
    }  # fmt: skip
    for role in (site.everyone, site.acme):
        await reads_all_it_may(site, role)
        await refused_everything(site, role)
        await kept_short(site, role)


REFUSED = (
    "select * from read.event", "select * from read.dispatcher_event", "select * from read.sealing_key",
    "select * from read.job_output_chunk", "select body from read.parked_message",
    "select * from read.agent_by_key('x')", "select * from read.output_range(gen_random_uuid(), 'stdout', 0, 10)",
    "select * from orchestrator.event", "select * from dispatcher.connection_secret", "select * from gateway.api_key",
    "select * from projections.execution", "select * from dashboards.role", "select dashboards.refresh()",
    "insert into read.execution default values", "update read.workflow set name = 'x'", "delete from read.execution",
    "create table x (y int)", "create temporary table x (y int)", "create schema x", "create view public.x as select 1",
    "set role pg_read_all_data", "copy (select 1) to program 'true'", "select pg_read_file('/etc/passwd')",
    "alter role current_user superuser", "do $$ begin lock table read.execution in access exclusive mode; end $$",
)  # fmt: skip


async def reads_all_it_may(site: Site, role: str) -> None:
    connection = await site.as_role(role)
    try:
        for row in await site.owner.fetch(_MAY, role):
            if row["readable"]:
                columns = ", ".join(f'"{column}"' for column in row["readable"])
                try:
                    await connection.fetch(f"select {columns} from {row['name']} limit 1")
                except asyncpg.PostgresError as problem:
                    raise AssertionError(f"{role} cannot read {row['name']}: {problem}") from None
    finally:
        await connection.close()


async def refused_everything(site: Site, role: str) -> None:
    connection = await site.as_role(role)
    try:
        await connection.execute("set default_transaction_read_only = off")  # it is a habit, not the fence
        for statement in REFUSED:
            with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.ObjectNotInPrerequisiteStateError)):
                await connection.execute(statement)
                raise AssertionError(statement)
    finally:
        await connection.close()


async def kept_short(site: Site, role: str) -> None:
    connection = await site.as_role(role)
    try:
        names = ("statement_timeout", "default_transaction_read_only")
        assert [await connection.fetchval(f"show {name}") for name in names] == ["15s", "on"]
        assert await site.owner.fetchval("select rolconnlimit from pg_roles where rolname = $1", role) == 10
    finally:
        await connection.close()


async def pools_of(site: Site, role: str) -> set[tuple[str, str]]:
    connection = await site.as_role(role)
    try:
        return {tuple(row) for row in await connection.fetch("select tenant_id, name from pool where name <> 'default'")}
    finally:
        await connection.close()


async def add_pool(site: Site, tenant: str, name: str) -> None:
    await site.owner.execute("insert into dispatcher.pool values ($1, $2, $3, '', null, '', now(), 0)", new_id(), tenant, name)


async def test_a_role_of_one_tenant_sees_the_rows_of_that_tenant_by_the_same_names_also_after_an_upgrade(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_pool(site, "acme", "db")
    await add_pool(site, "globex", "theirs")
    assert await pools_of(site, site.acme) == {("acme", "db")}
    assert await pools_of(site, site.everyone) == {("acme", "db"), ("globex", "theirs")}
    rows = await site.owner.fetch(_MAY, site.acme)
    assert [row["name"] for row in rows if row["writable"]] == []
    assert {row["name"].partition(".")[0] for row in rows if row["readable"]} == {site.acme}
    connection = await site.as_role(site.acme)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("select * from read.pool")
        # A condition that fails loudly is not asked of the rows of others.
        loud = "select name from pool where 1 / (case when tenant_id = 'acme' then 1 else 0 end) = 1"
        assert {row["name"] for row in await connection.fetch(loud)} == {"db", "default"}
    finally:
        await connection.close()
    await changed_views_can_be_read_after_an_upgrade(site, tmp_path, monkeypatch)


async def changed_views_can_be_read_after_an_upgrade(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await site.owner.execute((GRAFANA / "role.sql").read_text())
    await site.owner.execute(f"select dashboards.add_role('{site.acme}', 'acme')")
    assert await pools_of(site, site.acme) == {("acme", "db")}, "what is run again changes nothing"
    package = tmp_path / "an_upgrade"
    (package / "migrations").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "migrations" / "0001_later.sql").write_text(
        "drop view read.pool; create view read.pool as select tenant_id, name, 1 as newer from dispatcher.pool;"
        "create view read.later as select tenant_id, name from dispatcher.pool;"
        "drop view read.sealing_key; create view read.sealing_key as select public_key from dispatcher.sealing_key"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert await migrations.migrate(site.owner, "an_upgrade", "an_upgrade") == ["0001_later"]
    for role in (site.everyone, site.acme):
        connection = await site.as_role(role)
        try:
            assert await connection.fetchval("select newer from pool where name = 'db'") == 1
            assert await connection.fetchval("select name from later where tenant_id = 'acme'") == "db"
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch("select * from read.sealing_key")
        finally:
            await connection.close()


RANGE = {"from": "now() - interval '1 day'", "to": "now() + interval '1 day'"}
MAY_BE_EMPTY = {"Messages set aside", "Rebuilds and checks"}
"""Panels that a system where all is well has nothing to show in."""


def substituted(sql: str, tenant: str, workflow: str) -> str:
    """As Grafana does it: its macros, then the variables."""
    sql = re.sub(r"\$__timeFilter\(([\w.]+)\)", rf"\1 between {RANGE['from']} and {RANGE['to']}", sql)
    sql = sql.replace("$__timeFrom()", f"({RANGE['from']})").replace("$__timeTo()", f"({RANGE['to']})")
    sql = sql.replace("$tenant", tenant).replace("$workflow", workflow)
    assert "$" not in sql, sql
    return sql


def boards() -> dict[str, Any]:
    return {path.stem: json.loads(path.read_text()) for path in (GRAFANA / "dashboards").glob("*.json")}


async def a_busy_system(home: House) -> None:
    """One execution that completed, one that failed, one that waits for an agent, one that waits for a person."""
    workflow_id = await home.publish()
    await home.complete(await home.run(workflow_id))
    failing = await home.run(workflow_id)
    await home.finish_job(failing, await home.start_job(failing), exit_code=1)
    await home.until(failing, "failed")
    await home.waiting_job(await home.run(workflow_id))
    gate = {"name": "Ask", "triggers": [{"type": "manual"}], "nodes": [{"id": "ask", "type": "approval", "message": "?"}]}
    asking = {**gate, "edges": [{"from": "trigger", "to": "ask"}]}
    await home.until(await home.run(await home.publish(asking)), "paused")
    await home.agent("web-1")


async def test_every_query_of_the_dashboards_runs_as_the_role_and_shows_what_there_is(
    pool: asyncpg.Pool, postgres_url: str
) -> None:
    everyone, one = (f"dash_{secrets.token_hex(4)}" for _ in range(2))
    async with house(pool) as home:
        await a_busy_system(home)
        owner = await asyncpg.connect(postgres_url)
        await owner.execute((GRAFANA / "role.sql").read_text())
        await owner.execute(f"select dashboards.add_role('{everyone}'), dashboards.add_role('{one}', 'default')")
        try:
            for role in (everyone, one):
                await owner.execute(f"alter role {role} password '{PASSWORD}'")
            await figures_are_there(owner)
            site = Site(owner, postgres_url, everyone, one)
            assert set(await shown_by(site, everyone, boards()["runyard"])) == set(
                await shown_by(site, one, boards()["runyard"])
            )
            await shown_by(site, everyone, boards()["installation"])
        finally:
            for role in (one, everyone):
                await owner.execute(f"select dashboards.drop_role('{role}')")
            await owner.close()


async def figures_are_there(owner: asyncpg.Connection) -> None:
    async with asyncio.timeout(20):
        while not await owner.fetchval(  # noqa: ASYNC110 - it waits for the projection
            "select sum(completed) = 1 and sum(failed) = 1 and sum(started) = 4 from read.analytics_execution"
            " where workflow_id = '00000000-0000-0000-0000-000000000000' and width = 900"
        ):
            await asyncio.sleep(0.05)


async def shown_by(site: Site, role: str, board: dict[str, Any]) -> dict[str, int]:
    """How many rows each panel has."""
    everything = "00000000-0000-0000-0000-000000000000"
    shown: dict[str, int] = {}
    connection = await site.as_role(role)
    try:
        for variable in board["templating"]["list"]:
            rows = await connection.fetch(substituted(variable["query"], "default", everything))
            assert rows, variable["name"]
            if variable["name"] == "workflow":
                assert {tuple(row.keys()) for row in rows} == {("__text", "__value")}
                workflow = next(row["__value"] for row in rows if row["__text"] == "Two steps")
        for panel in board["panels"]:
            assert panel["datasource"]["uid"] == "runyard"
            for target in panel["targets"]:
                rows = await connection.fetch(substituted(target["rawSql"], "default", everything))
                shown[panel["title"]] = len(rows)
                assert rows or panel["title"] in MAY_BE_EMPTY, f"{panel['title']} shows nothing"
                assert not any(value is None for row in rows for value in list(row.values())[:2]), panel["title"]
                if target["format"] == "time_series":
                    assert "time" in rows[0]
                if "$workflow" in target["rawSql"]:
                    assert await connection.fetch(substituted(target["rawSql"], "default", workflow)), panel["title"]
    finally:
        await connection.close()
    return shown


def test_the_data_source_is_the_one_that_the_dashboards_name() -> None:
    source = YAML(typ="safe").load((GRAFANA / "provisioning" / "datasources" / "runyard.yaml").read_text())
    assert [each["uid"] for each in source["datasources"]] == ["runyard"]
    assert {board["uid"] for board in boards().values()} == {"runyard", "runyard-installation", "runyard-operations"}
