"""Migrations run once, in order, all or none, and only forward."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from runyard_shared.eventstore.migrate import MigrationChanged, migrate


class Package:
    """A package with migrations, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.name = f"service_{uuid4().hex}"
        self._migrations = folder / self.name / "migrations"
        self._migrations.mkdir(parents=True)

    def write(self, name: str, sql: str) -> None:
        (self._migrations / f"{name}.sql").write_text(sql)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    monkeypatch.syspath_prepend(str(tmp_path))
    return Package(tmp_path)


@pytest.fixture
async def pool(postgres_url: str) -> AsyncIterator["asyncpg.Pool[asyncpg.Record]"]:
    async with asyncpg.create_pool(postgres_url, min_size=1, max_size=8) as pool:
        yield pool


async def test_migrations_run_once_and_in_order_after_the_log(pool: "asyncpg.Pool[asyncpg.Record]", package: Package) -> None:
    package.write("0002_more", "alter table shop.thing add column size int; insert into shop.thing values ('a', 1);")
    package.write("0001_thing", "create table shop.thing (name text); create view shop.latest as select * from shop.event;")
    assert await migrate(pool, "shop", package.name, with_log=True) == ["log", "0001_thing", "0002_more"]
    assert await migrate(pool, "shop", package.name, with_log=True) == []
    package.write("0003_last", "insert into shop.thing values ('b', 2)")
    assert await migrate(pool, "shop", package.name, with_log=True) == ["0003_last"]
    assert await pool.fetchval("select string_agg(name, ',' order by name) from shop.thing") == "a,b"


async def test_services_that_start_at_once_migrate_once(pool: "asyncpg.Pool[asyncpg.Record]", package: Package) -> None:
    package.write("0001_thing", "create table shop.thing (name text); insert into shop.thing values ('a');")
    applied = await asyncio.gather(*(migrate(pool, "shop", package.name, with_log=True) for _ in range(5)))
    assert sorted(applied, key=len) == [[], [], [], [], ["log", "0001_thing"]]
    assert await pool.fetchval("select count(*) from shop.thing") == 1


async def test_a_migration_that_fails_leaves_nothing_behind(pool: "asyncpg.Pool[asyncpg.Record]", package: Package) -> None:
    package.write("0001_thing", "create table shop.thing (name text)")
    package.write("0002_wrong", "insert into shop.nowhere values (1)")
    with pytest.raises(asyncpg.UndefinedTableError):
        await migrate(pool, "shop", package.name)
    assert await pool.fetchval("select to_regclass('shop.thing')") is None
    package.write("0002_wrong", "insert into shop.thing values ('a')")
    assert await migrate(pool, "shop", package.name) == ["0001_thing", "0002_wrong"]


async def test_a_migration_that_changed_after_it_was_applied_stops_the_start(
    pool: "asyncpg.Pool[asyncpg.Record]", package: Package
) -> None:
    package.write("0001_thing", "create table shop.thing (name text)")
    await migrate(pool, "shop", package.name)
    package.write("0001_thing", "create table shop.thing (name varchar)")
    with pytest.raises(MigrationChanged, match="0001_thing of schema shop"):
        await migrate(pool, "shop", package.name)
