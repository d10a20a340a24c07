"""What an older version of the program began, this one ends: its rows are in a real log, as it wrote them."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import asyncpg
import runyard_orchestrator.app
from runyard_orchestrator.settings import Settings
from runyard_shared.clock import SystemClock
from runyard_shared.contracts import events, reports
from runyard_shared.contracts.base import Event
from runyard_shared.contracts.events import EVENT_TYPES
from runyard_shared.contracts.values import JobStatus
from runyard_shared.eventstore.mapper import EventMapper
from runyard_shared.eventstore.migrate import migrate
from runyard_shared.eventstore.postgres import PostgresEventStore
from runyard_shared.messaging.memory import MemoryBus
from runyard_shared.messaging.topology import orchestrator_inbox

LOGS = Path(__file__).parents[1] / "golden" / "logs"
EventT = TypeVar("EventT", bound=Event)
EXECUTION = "019d0000-0000-7000-8000-000000000001"


async def write_log(pool: asyncpg.Pool, name: str) -> None:
    """The rows of a log, into an orchestrator's database that has none."""
    await migrate(pool, "orchestrator", "runyard_orchestrator", with_log=True)
    rows = [json.loads(line) for line in (LOGS / f"{name}.jsonl").read_text().splitlines()]
    at = datetime(2026, 1, 1, tzinfo=UTC)
    await pool.executemany(
        "insert into orchestrator.event (position, stream_id, version, tenant_id, topic, recorded_at, data)"
        " values ($1, $2, $3, 'default', $4, $5, $6)",
        [
            (position, row["streamId"], row["version"], row["topic"], at, json.dumps(row["data"]))
            for position, row in enumerate(rows, 1)
        ],
    )
    await pool.execute("update orchestrator.log_head set position = $1", len(rows))


async def history(pool: asyncpg.Pool) -> list[Event]:
    mapper = EventMapper(EVENT_TYPES)
    store = PostgresEventStore(pool, "orchestrator", mapper)
    return [mapper.decode(recorded) for recorded in await store.load(EXECUTION)]


async def soon(pool: asyncpg.Pool, kind: type[EventT], wanted: Callable[[EventT], bool] = lambda event: True) -> EventT:
    """The event in the history, as soon as it is there."""
    async with asyncio.timeout(30):
        while True:
            for event in await history(pool):
                if isinstance(event, kind) and wanted(event):
                    return event
            await asyncio.sleep(0.01)


async def job_of(pool: asyncpg.Pool, node_id: str) -> events.JobScheduled:
    return await soon(pool, events.JobScheduled, lambda job: job.node_id == node_id)


async def test_an_execution_of_the_first_version_goes_on_where_it_was_and_ends(pool: asyncpg.Pool) -> None:
    await write_log(pool, "first_version")
    failed = [event for event in await history(pool) if isinstance(event, events.NodeFailed)]
    assert [(event.node_id, event.port, event.error.exit_code) for event in failed] == [("check", "error", 3)]
    bus = MemoryBus()
    await bus.open()
    service = await runyard_orchestrator.app.create(Settings(), bus=bus, pool=pool, clock=SystemClock())
    await service.start()

    async def finish(node_id: str, stdout: str) -> None:
        report = reports.JobFinished(
            tenant_id="default",
            execution_id=EXECUTION,
            job_id=(await job_of(pool, node_id)).job_id,
            dispatch=1,
            agent="a1",
            status=JobStatus.COMPLETED,
            duration_ms=5,
            output={"stdout": stdout, "exitCode": 0},
        )
        await bus.send(orchestrator_inbox(EXECUTION), [report])

    try:
        await finish("clean", "cleaned")
        assert (await job_of(pool, "tell")).params == {"script": "echo cleaned after 3"}
        await finish("tell", "told")
        await soon(pool, events.ExecutionCompleted)
    finally:
        await service.stop()
        await bus.close()
