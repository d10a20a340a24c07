"""An event log on a database of the test's own, and small words to write and read it with."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import asyncpg
from runyard_shared.contracts.events import EVENT_TYPES, NodeSkipped
from runyard_shared.contracts.feed import Recorded
from runyard_shared.eventstore.mapper import EventMapper
from runyard_shared.eventstore.migrate import log_sql
from runyard_shared.eventstore.postgres import PostgresEventStore
from runyard_shared.eventstore.store import Commit

SCHEMA = "sample"
AT = datetime(2026, 11, 22, 17, 5, tzinfo=UTC)
MAPPER = EventMapper(EVENT_TYPES)


async def make_log(url: str) -> None:
    """An empty log in the schema `sample`."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f"create schema {SCHEMA}")
        await connection.execute(log_sql(SCHEMA))
    finally:
        await connection.close()


class Log:
    """A store as one process has it: a pool of its own, and the batches it committed, as `on_commit` told them."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", mapper: EventMapper) -> None:
        self.pool = pool
        self.batches: list[list[Recorded]] = []
        self.store = PostgresEventStore(pool, SCHEMA, mapper, on_commit=self.batches.append)

    async def append(self, stream_id: str, expected_version: int, *names: str, **more: Any) -> Commit:
        """Appends a small event for each name."""
        events = [NodeSkipped(node_id=name) for name in names]
        return await self.store.append(stream_id, expected_version, events, tenant_id="default", at=AT, **more)

    async def names(self, stream_id: str) -> list[str]:
        """The names of the stream's events."""
        return names(await self.store.load(stream_id))

    async def timers(self, stream_id: str) -> dict[str, datetime]:
        """When each timer of the stream is due."""
        rows = await self.pool.fetch(f"select timer_id, due_at from {SCHEMA}.timer where stream_id = $1", stream_id)
        return {row["timer_id"]: row["due_at"] for row in rows}


def names(rows: list[Recorded]) -> list[str]:
    """The names of small events."""
    return [event.node_id for event in map(MAPPER.decode, rows) if isinstance(event, NodeSkipped)]


@asynccontextmanager
async def open_log(url: str, mapper: EventMapper = MAPPER) -> AsyncIterator[Log]:
    """Another process's view of the log that `make_log` made."""
    async with asyncpg.create_pool(url, min_size=2, max_size=4) as pool:
        log = Log(pool, mapper)
        await log.store.open()
        try:
            yield log
        finally:
            await log.store.close()


@asynccontextmanager
async def committing_elsewhere(url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """Another writer is in the middle of its commit: whoever wants to append waits until the block ends."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            await connection.execute(f"select position from {SCHEMA}.log_head for update")
            yield connection
    finally:
        await connection.close()


async def until(condition: Callable[[], bool], timeout: float = 10) -> None:
    """Waits for it, and fails if it does not come true."""
    async with asyncio.timeout(timeout):
        while not condition():  # noqa: ASYNC110 - it waits for another process
            await asyncio.sleep(0.005)


async def until_blocked(connection: "asyncpg.Connection[asyncpg.Record]", writers: int = 1) -> list[int]:
    """Waits until so many appends wait for the lock of the log; gives the process ids of their backends."""
    async with asyncio.timeout(30):
        while True:
            await connection.execute("select pg_stat_clear_snapshot()")
            rows = await connection.fetch(
                "select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
                " and query like '%append(%'"
            )
            if len(rows) >= writers:
                return [row["pid"] for row in rows]
            await asyncio.sleep(0.005)
