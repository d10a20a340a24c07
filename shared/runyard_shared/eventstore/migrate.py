"""Migrations: forward only, once each, in the order of their names, every service in its own schema.

All of a service's pending migrations are one transaction under one lock, so several processes may start at once and a failed
start leaves nothing behind. A service that owns an event log asks for it (`with_log`); its tables come first, from `log.sql`.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import TypeAlias

import asyncpg
import structlog

from runyard_shared.errors import RunyardError

_log = structlog.get_logger(__name__)

_ANY_MIGRATION_LOCK = 7_235_419_018
"""One lock for all services: they share the schema `read`."""

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"


class MigrationChanged(RunyardError):
    """A migration that was applied here earlier has another text now. Restore it and put the change in a new file."""


async def migrate(
    database: asyncpg.Pool[asyncpg.Record] | Connection, schema: str, package: str, *, with_log: bool = False
) -> list[str]:
    """Apply what is missing of `<package>/migrations/*.sql` (and the log's tables); returns the names applied now."""
    if isinstance(database, asyncpg.Pool):
        async with database.acquire() as connection:
            return await _migrate(connection, schema, package, with_log)
    return await _migrate(database, schema, package, with_log)


def log_sql(schema: str) -> str:
    """What makes an empty event log in an existing schema."""
    return (files("runyard_shared.eventstore") / "log.sql").read_text().replace("{schema}", schema)


async def _migrate(connection: Connection, schema: str, package: str, with_log: bool) -> list[str]:
    async with connection.transaction():
        await connection.execute("select pg_advisory_xact_lock($1)", _ANY_MIGRATION_LOCK)
        await connection.execute(
            f"create schema if not exists {schema};"
            f"create table if not exists {schema}.migration"
            " (name text primary key, sha256 text not null, applied_at timestamptz not null default now())"
        )
        applied = {row["name"]: row["sha256"] for row in await connection.fetch(f"select name, sha256 from {schema}.migration")}  # noqa: S608
        news: list[str] = []
        for name, sql in _migrations(schema, package, with_log):
            sha256 = hashlib.sha256(sql.encode()).hexdigest()
            if name not in applied:
                if not news:
                    await _tell_dashboards(connection, "withdraw")
                await connection.execute(sql)
                await connection.execute(f"insert into {schema}.migration (name, sha256) values ($1, $2)", name, sha256)  # noqa: S608
                news.append(name)
            elif applied[name] != sha256:
                raise MigrationChanged(f"migration {name} of schema {schema} is not the one that was applied to this database")
        if news:
            await _tell_dashboards(connection, "refresh")
    if news:
        _log.info("migrated", schema=schema, migrations=news)
    return news


async def _tell_dashboards(connection: Connection, what: str) -> None:
    """Roles of dashboards (deploy/grafana/role.sql) read views, which are about to change, or have changed."""
    if await connection.fetchval("select to_regprocedure($1) is not null", f"dashboards.{what}()"):
        await connection.execute(f"select dashboards.{what}()")


def _migrations(schema: str, package: str, with_log: bool) -> list[tuple[str, str]]:
    own = [
        (entry.name.removesuffix(".sql"), entry.read_text())
        for entry in (files(package) / "migrations").iterdir()
        if entry.name.endswith(".sql")
    ]
    own.sort()
    if with_log:
        own.insert(0, ("log", log_sql(schema)))
    return own
