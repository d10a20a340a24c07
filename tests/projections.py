"""Read models on a database of the test's own, made from a log that the test writes."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from runyard_projections.app import projections
from runyard_projections.applier import Applier
from runyard_projections.projection import LIVE, LOG
from runyard_projections.projector import Projector
from runyard_shared.contracts.feed import FeedBatch, Recorded
from runyard_shared.eventstore.postgres import PostgresEventStore

from tests import histories
from tests.histories import MAPPER

Rows = dict[str, list[tuple[Any, ...]]]

VIEWS = {
    "execution": "execution_id",
    "job": "job_id",
    "node": "execution_id, node_id",
    "iteration": "stream_id",
    "iteration_node": "stream_id, node_id",
    "approval": "approval_id",
    "workflow": "workflow_id",
    "workflow_version": "workflow_id, version",
    "trigger_record": "record_id, workflow_id, trigger",
    "schedule": "workflow_id, trigger",
    "analytics_execution": "tenant_id, workflow_id, width, starts_at, trigger_type",
    "analytics_workflow": "tenant_id, workflow_id",
    "analytics_agent": "tenant_id, agent, width, starts_at, workflow_id",
}


@asynccontextmanager
async def orchestrator_log(pool: "asyncpg.Pool[asyncpg.Record]") -> AsyncIterator[PostgresEventStore]:
    """The orchestrator's log, empty, beside empty read models."""
    store = PostgresEventStore(pool, LOG, MAPPER)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def write(store: PostgresEventStore, history: Iterable[Recorded]) -> None:
    """Append the events in their order, each at its time."""
    for row in history:
        event = MAPPER.decode(row)
        await store.append(
            row.stream_id,
            row.version - 1,
            [event],
            tenant_id=row.tenant_id,
            at=row.recorded_at,
            correlation_id=row.correlation_id,
        )


def mixed(seed: int) -> list[Recorded]:
    """Every kind of execution, their events shuffled into each other as in a busy log; each stream keeps its order."""
    chance = random.Random(seed)
    streams = [history() for history in histories.ALL]
    together = [*histories.workflow(), *histories.fleet(), *histories.triggered()]
    while streams := [stream for stream in streams if stream]:
        together.append(chance.choice(streams).pop(0))
    return histories.record(together)


async def rows(pool: "asyncpg.Pool[asyncpg.Record]", *, without: frozenset[str] = frozenset()) -> Rows:
    """All that readers see."""
    found: Rows = {}
    for view, order in VIEWS.items():
        records = await pool.fetch(f"select * from read.{view} order by {order}")
        found[view] = [tuple(value for name, value in record.items() if name not in without) for record in records]
    return found


async def apply(pool: "asyncpg.Pool[asyncpg.Record]", batches: Iterable[list[Recorded]]) -> None:
    async with pool.acquire() as connection:
        applier = Applier(projections(), LIVE)
        await applier.open(connection)
        for batch in batches:
            await applier.apply(connection, batch, batch[-1].position)


@asynccontextmanager
async def projecting(pool: "asyncpg.Pool[asyncpg.Record]") -> AsyncIterator[Projector]:
    """A live projector; tell it with `hear` what was committed, or do not."""
    projector = Projector(PostgresEventStore(pool, LOG, MAPPER), pool, projections())
    projector.start()
    try:
        yield projector
    finally:
        await projector.stop()


def feed(events: list[Recorded], log: str = LOG) -> list[FeedBatch]:
    return [FeedBatch(log=log, events=events)]


async def position(pool: "asyncpg.Pool[asyncpg.Record]") -> int:
    found: int = await pool.fetchval("select min(position) from read.projection")
    return found


async def reached(pool: "asyncpg.Pool[asyncpg.Record]", wanted: int) -> None:
    """Waits until the read models are that far."""
    async with asyncio.timeout(20):
        while await position(pool) < wanted:  # noqa: ASYNC110 - it waits for the database
            await asyncio.sleep(0.01)


async def emptied(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """As before the first event."""
    tables = ", ".join(f"{LIVE}.{table}" for projection in projections() for table in projection.tables)
    await pool.execute(f"truncate {tables}; update {LIVE}.position set position = 0")


def cut(events: list[Recorded], chance: random.Random) -> list[list[Recorded]]:
    """The events in batches of random sizes."""
    batches = []
    while events:
        size = chance.choice((1, 1, 2, 3, 5, 8, 13))
        batches.append(events[:size])
        events = events[size:]
    return batches
