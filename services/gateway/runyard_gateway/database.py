"""PostgreSQL as the gateway uses it: short reads with a deadline, and an outage as `Unavailable` that `/readyz` can name."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeAlias

import asyncpg
from runyard_shared.errors import Unavailable
from runyard_shared.eventstore.outage import outages_as_unavailable

QUERY_SECONDS = 10.0
_KEPT_PLANS = (
    "select set_config('plan_cache_mode', 'force_generic_plan', true), set_config('enable_sort', 'off', true),"
    " set_config('jit', 'off', true)"
)
_VIEWS = ("read.event", "read.execution", "read.connection")
"""One of each service whose views the gateway reads."""

Row: TypeAlias = asyncpg.Record


class Reader(Protocol):
    """Whatever runs a query: the database, or one snapshot of it."""

    async def fetch(self, sql: str, *arguments: Any) -> list[Row]: ...

    async def fetch_row(self, sql: str, *arguments: Any) -> Row | None: ...


class _Snapshot:
    def __init__(self, connection: "asyncpg.pool.PoolConnectionProxy[Row]") -> None:
        self._connection = connection

    async def fetch(self, sql: str, *arguments: Any) -> list[Row]:
        return await self._connection.fetch(sql, *arguments, timeout=QUERY_SECONDS)

    async def fetch_row(self, sql: str, *arguments: Any) -> Row | None:
        return await self._connection.fetchrow(sql, *arguments, timeout=QUERY_SECONDS)


class Database:
    """Every method raises `Unavailable` while PostgreSQL is away or does not answer in time."""

    def __init__(self, pool: "asyncpg.Pool[Row]") -> None:
        self._pool = pool
        self.trouble: str | None = None

    async def fetch(self, sql: str, *arguments: Any) -> list[Row]:
        async with self._connection() as connection:
            return await connection.fetch(sql, *arguments, timeout=QUERY_SECONDS)

    async def fetch_row(self, sql: str, *arguments: Any) -> Row | None:
        async with self._connection() as connection:
            return await connection.fetchrow(sql, *arguments, timeout=QUERY_SECONDS)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Reader]:
        """Several queries that see one state: rows and the position they stand for agree."""
        async with self._connection() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            yield _Snapshot(connection)

    @asynccontextmanager
    async def with_kept_plans(self) -> AsyncIterator[Reader]:
        """As `snapshot`, for queries whose plan is not to be made anew for every value (what goes over many partitions takes
        longer to plan than to run) and has to be good for every value: no sort where an index has the order."""
        async with self.snapshot() as reader:
            await reader.fetch(_KEPT_PLANS)
            yield reader

    @asynccontextmanager
    async def _connection(self) -> "AsyncIterator[asyncpg.pool.PoolConnectionProxy[Row]]":
        try:
            with outages_as_unavailable():
                async with self._pool.acquire(timeout=QUERY_SECONDS) as connection:
                    yield connection
        except Unavailable as outage:
            self.trouble = str(outage)
            raise
        except (asyncpg.InvalidSchemaNameError, asyncpg.UndefinedTableError, asyncpg.UndefinedFunctionError) as missing:
            self.trouble = f"the read models are not there yet: {missing}"
            raise Unavailable(self.trouble) from missing
        self.trouble = None


async def missing_views(database: Database) -> list[str]:
    """Views the gateway reads that the service they belong to has not made yet."""
    rows = await database.fetch(
        "select view from unnest($1::text[]) as view where to_regclass(view) is null order by view", list(_VIEWS)
    )
    return [row["view"] for row in rows]
