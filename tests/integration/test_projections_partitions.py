"""The rows of executions are in partitions by month: made ahead, after an upgrade too, and replaced while rows are written."""

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import TypeAlias

import asyncpg
import pytest
from runyard_projections.executions.projection import Executions
from runyard_projections.partitions import create_partitions
from runyard_projections.projection import LIVE, Projection, ProjectionBroken
from runyard_projections.workflows import Workflows
from runyard_shared.contracts.feed import Recorded
from runyard_shared.eventstore.migrate import migrate
from runyard_shared.ids import derived_id

from tests import histories
from tests.histories import MAPPER
from tests.projections import VIEWS, Rows, mixed, orchestrator_log, projecting, reached, write

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

PARTED = ("execution", "job", "node", "iteration", "iteration_node", "foreach", "approval")
MONTH = datetime(2026, 3, 1)  # noqa: DTZ001 - as the database counts months


def _projections() -> list[Projection]:
    return [Executions(MAPPER), Workflows(MAPPER)]


async def _apply(pool: Pool, events: list[Recorded]) -> None:
    """To the projection that is in partitions, and to the one that its views need; the tables may be those of before."""
    async with pool.acquire() as connection, connection.transaction():
        for projection in _projections():
            await projection.write(connection, projection.fold(events), LIVE)
        await connection.execute(f"update {LIVE}.position set position = $1", events[-1].position)


async def _rows(pool: Pool) -> Rows:
    """What readers see of them."""
    views = ("execution", "job", "node", "iteration", "iteration_node", "approval", "workflow", "workflow_version")
    return {
        view: [tuple(row.values()) for row in await pool.fetch(f"select * from read.{view} order by {VIEWS[view]}")]
        for view in views
    }


async def _emptied(pool: Pool) -> None:
    tables = ", ".join(f"{LIVE}.{table}" for projection in _projections() for table in projection.tables)
    await pool.execute(f"truncate {tables}; update {LIVE}.position set position = 0")


async def _as_of_before(pool: Pool) -> None:
    await pool.execute(
        f"create schema {LIVE}; create table {LIVE}.migration"
        " (name text primary key, sha256 text not null, applied_at timestamptz not null default now())"
    )
    every = (entry for entry in (files("runyard_projections") / "migrations").iterdir() if entry.name.endswith(".sql"))
    for entry in sorted(every, key=lambda entry: entry.name):
        if entry.name < "0007":
            sql = entry.read_text()
            await pool.execute(sql)
            digest = hashlib.sha256(sql.encode()).hexdigest()
            await pool.execute(
                f"insert into {LIVE}.migration (name, sha256) values ($1, $2)", entry.name.removesuffix(".sql"), digest
            )


async def _kept(pool: Pool, table: str = "execution") -> dict[str, int]:
    found = await pool.fetch(f"select tableoid::regclass::text as part, count(*) from {LIVE}.{table} group by 1")
    return {row["part"].removeprefix(f"{LIVE}.{table}_"): row["count"] for row in found}


@pytest.mark.empty_database
async def test_an_installation_of_before_keeps_its_rows_and_goes_on(pool: Pool) -> None:
    history = mixed(seed=21)
    early, late = history[: len(history) // 2], history[len(history) // 2 :]
    await _as_of_before(pool)
    await _apply(pool, early)
    seen = await _rows(pool)
    known, odd = histories.execution_id("completed"), derived_id(datetime.fromisoformat("2100-01-01T00:00Z"), "odd")
    rename = f"update {LIVE}.execution set execution_id = $2 where execution_id = $1"
    await pool.execute(rename, known, odd)
    await migrate(pool, LIVE, "runyard_projections")
    assert await _kept(pool) == {"first": len(seen["execution"]) - 1, "default": 1}
    await pool.execute(rename, odd, known)
    assert await _rows(pool) == seen
    await create_partitions(pool)
    await _apply(pool, late)
    seen = await _rows(pool)
    await _emptied(pool)
    await _apply(pool, history)
    assert await _rows(pool) == seen


async def test_an_installation_has_this_month_those_that_begin_soon_and_a_place_for_all_else(pool: Pool) -> None:
    await migrate(pool, LIVE, "runyard_projections")
    now = datetime.now(UTC)
    for days in (7, 70):
        await pool.execute("select projections.create_partitions(make_interval(days => $1))", days)
        months = {f"{now + timedelta(days=day):%Y_%m}" for day in range(days + 1)}
        for table in PARTED:
            found = await pool.fetch(
                "select inhrelid::regclass::text as part from pg_inherits where inhparent = $1::text::regclass",
                f"{LIVE}.{table}",
            )
            assert {row["part"].removeprefix(f"{LIVE}.{table}_") for row in found} == {*months, "default"}
    await create_partitions(pool)


async def test_a_month_made_late_takes_its_rows_from_the_default_partition(pool: Pool) -> None:
    history = mixed(seed=22)
    await migrate(pool, LIVE, "runyard_projections")
    await _apply(pool, history[:-20])
    assert list(await _kept(pool)) == ["default"]
    seen = await _rows(pool)
    await pool.execute("select projections.create_month('projections', $1)", MONTH)
    assert [*await _kept(pool), *await _kept(pool, "iteration"), *await _kept(pool, "approval")] == ["2026_03"] * 3
    assert await _rows(pool) == seen
    await _apply(pool, history[-20:])


async def test_late_events_of_an_archived_execution_change_nothing(pool: Pool) -> None:
    """Its rows are gone, and the projection goes on; what is missing for another reason stops it as before."""
    history = mixed(seed=23)
    gone = histories.execution_id("iterated")
    of_gone = [row for row in history if gone in (row.stream_id, row.correlation_id)]
    early = history[: history.index(of_gone[len(of_gone) // 2])]
    late = history[len(early) :]
    await migrate(pool, LIVE, "runyard_projections")
    await _apply(pool, early)
    for table in PARTED:
        await pool.execute(f"delete from {LIVE}.{table} where execution_id = $1", gone)
    with pytest.raises(ProjectionBroken, match="such as"):
        await _apply(pool, late)
    await pool.execute("insert into projections.archived (tenant_id, before) values ('default', $1)", "f" * 32)
    await _apply(pool, late)
    for table in PARTED:
        assert not await pool.fetchval(f"select count(*) from {LIVE}.{table} where execution_id = $1", gone)
    others = await _rows(pool)
    await _emptied(pool)
    await _apply(pool, history)
    everything = await _rows(pool)
    at = {"execution": 0, "job": 1, "node": 1, "iteration": 1, "iteration_node": 1, "approval": 2}
    for view, place in at.items():
        assert others[view] == [row for row in everything[view] if str(row[place]) != gone], view


async def test_a_month_is_replaced_while_rows_are_written(pool: Pool) -> None:
    history = mixed(seed=24)
    async with orchestrator_log(pool) as store:
        await pool.execute("select projections.create_month('projections', $1)", MONTH)
        async with projecting(pool) as projector:
            for begin in range(0, len(history), 60):
                await asyncio.gather(_replaced(pool), write(store, history[begin : begin + 60]))
            await reached(pool, len(history))
            assert projector.trouble is None
    assert list(await _kept(pool)) == ["2026_03"]
    seen = await _rows(pool)
    await _emptied(pool)
    await _apply(pool, history)
    assert await _rows(pool) == seen


async def _replaced(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(f"lock table {LIVE}.position in exclusive mode")
        for table in PARTED:
            part = f"{LIVE}.{table}_2026_03"
            await connection.execute(
                f"create table {part}_kept (like {part} including all); insert into {part}_kept select * from {part};"
                f"drop table {part}; alter table {part}_kept rename to {table}_2026_03;"
                f"alter table {LIVE}.{table} attach partition {part}"
                " for values from (projections.first_id_at('2026-03-01')) to (projections.first_id_at('2026-04-01'))"
            )
