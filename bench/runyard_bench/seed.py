"""Fills the orchestrator's log with executions that look as if they had run: for measuring lists and rebuilds (B6, B7, B8).

The events are made by the classes of the contracts and encoded by the log's own mapper, once for each kind of execution; for
each execution its ids and times are put in, and the rows are copied into the log with the positions they would have had. So a
million executions are written in about a minute, and the read models are made of them by the projections. What had to be done
for them counts as done: the relay does not send their jobs and publications now. Everything follows from the arguments: two
runs with the same seed write the same executions.
"""

import random
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

import asyncpg
from runyard_shared.clock import rfc3339
from runyard_shared.contracts import events
from runyard_shared.contracts.base import Event
from runyard_shared.contracts.events import EVENT_TYPES
from runyard_shared.contracts.values import ErrorInfo, StreamSeal, Trigger
from runyard_shared.eventstore.checkpoint import Checkpoint
from runyard_shared.eventstore.mapper import EventMapper
from runyard_shared.eventstore.migrate import migrate
from runyard_shared.eventstore.postgres import PostgresEventStore
from runyard_shared.ids import derived_id

TENANT = "default"
OTHERS = "others"
"""A second tenant, whose executions lie among those of the first."""
TRIGGERS = ("manual", "webhook", "cron", "incident")
OUTCOMES = {"completed": 0.88, "failed": 0.08, "cancelled": 0.02, "retried": 0.018, "running": 0.001, "paused": 0.001}
"""How often each comes. `retried` completes at the second attempt."""
RELAYED = ("relay", "public")
"""What follows from events, by how far it has come: jobs and other work, publications."""
_AT_ONCE = 10_000
_MAPPER = EventMapper(EVENT_TYPES)
_COLUMNS = ("position", "stream_id", "version", "tenant_id", "topic", "recorded_at", "data", "correlation_id", "causation_id")


@dataclass(frozen=True)
class Seeded:
    """What is in the log now that was not there before. `workflow_ids` in order of their names (`Workflow 000`, …), the first
    of them busiest; `executions` and `events` are those of both tenants."""

    executions: int
    events: int
    workflow_ids: list[str]
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True)
class _Kind:
    """What executions have in common that differ in nothing but ids and times."""

    tenant_id: str
    workflow_id: str
    name: str
    trigger: str
    outcome: str


async def seed(
    pool: "asyncpg.Pool[asyncpg.Record]",
    executions: int,
    *,
    workflows: int = 100,
    over: timedelta = timedelta(days=365),
    end: datetime = datetime(2026, 1, 1, tzinfo=UTC),
    seed: int = 1,
) -> Seeded:
    """Write published workflows and `executions` runs of them, evenly spread over the time before `end`; of ten, nine are the
    first tenant's. Every workflow, status and trigger occurs throughout, some often and some seldom. The orchestrator must not
    run meanwhile."""
    await migrate(pool, "orchestrator", "runyard_orchestrator", with_log=True)
    chance = random.Random(seed)
    begin = end - over
    ids = {tenant: [derived_id(begin, tenant, seed, n) for n in range(workflows)] for tenant in (TENANT, OTHERS)}
    async with pool.acquire() as connection:
        await _partition(connection, begin, end)
    store = PostgresEventStore(pool, "orchestrator", _MAPPER)
    await store.open()
    try:
        written = await store.head()
        for tenant, workflow_ids in ids.items():
            for number, workflow_id in enumerate(workflow_ids):
                await store.append(workflow_id, 0, _workflow(number), tenant_id=tenant, at=begin)
        position = await store.head()
    finally:
        await store.close()
    async with pool.acquire() as connection:
        for first in range(0, executions, _AT_ONCE):
            last = min(first + _AT_ONCE, executions)
            rows = _rows(position, [begin + over * number / executions for number in range(first, last)], ids, chance)
            async with connection.transaction():
                counted = _Counted(rows)
                await connection.copy_to_table("event", source=counted.text(), columns=_COLUMNS, schema_name="orchestrator")
                position += counted.lines
                await connection.execute("update orchestrator.log_head set position = $1", position)
    for relayed in RELAYED:
        await Checkpoint(pool, "orchestrator", relayed).save(position)
    return Seeded(executions, position - written, ids[TENANT], begin, end)


async def _partition(connection: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]", begin: datetime, end: datetime) -> None:
    """The months in which they are, as they would have been made at the time."""
    month = begin.replace(day=1, hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    while month < end.replace(tzinfo=None):
        following = (month + timedelta(days=32)).replace(day=1)
        await connection.execute(
            f"create table if not exists orchestrator.event_{month:%Y_%m} partition of orchestrator.event for values"
            f" from (orchestrator.first_id_at('{month}')) to (orchestrator.first_id_at('{following}'))"
        )
        month = following


class _Counted:
    """Text for COPY, and how many lines it had."""

    def __init__(self, rows: Iterator[tuple[str, int]]) -> None:
        self._rows = rows
        self.lines = 0

    async def text(self) -> AsyncIterator[bytes]:
        gathered: list[str] = []
        for text, lines in self._rows:
            gathered.append(text)
            self.lines += lines
            if len(gathered) == 500:
                yield "".join(gathered).encode()
                gathered.clear()
        yield "".join(gathered).encode()


def _rows(position: int, starts: list[datetime], ids: dict[str, list[str]], chance: random.Random) -> Iterator[tuple[str, int]]:
    """The lines of each execution, and how many they are."""
    outcomes, weights = list(OUTCOMES), list(OUTCOMES.values())
    for at in starts:
        tenant = TENANT if chance.random() < 0.9 else OTHERS
        number = min(int(chance.expovariate(8 / len(ids[tenant]))), len(ids[tenant]) - 1)
        trigger = TRIGGERS[min(int(chance.expovariate(1.2)), len(TRIGGERS) - 1)]
        outcome = chance.choices(outcomes, weights)[0]
        text, lines = _template(_Kind(tenant, ids[tenant][number], f"Workflow {number:03d}", trigger, outcome))
        milliseconds = chance.randrange(20, 20_000)
        id_time = f"{int(at.timestamp() * 1000):012x}"
        values: dict[str, object] = {
            "id": _id(id_time, chance),
            "job": _id(id_time, chance),
            "second": _id(id_time, chance),
            "begin": rfc3339(at),
            "middle": rfc3339(at + timedelta(milliseconds=milliseconds / 2)),
            "end": rfc3339(at + timedelta(milliseconds=milliseconds)),
        }
        for line in range(lines):
            values[f"p{line}"] = position = position + 1
        yield text % values, lines


def _id(id_time: str, chance: random.Random) -> str:
    rest = f"{chance.getrandbits(76):019x}"
    return f"{id_time[:8]}-{id_time[8:]}-7{rest[:3]}-8{rest[3:6]}-{rest[6:18]}"


@cache
def _template(kind: _Kind) -> tuple[str, int]:
    """COPY's text for an execution of this kind, with places for its ids, times and positions; and how many lines it has."""
    lines = []
    for number, (moment, event) in enumerate(_history(kind)):
        data = _MAPPER.encode(event).decode().replace("\\", "\\\\").replace("%", "%%")
        for place in ("job", "second", "begin", "middle", "end"):
            data = data.replace(f"@{place}@", f"%({place})s")
        columns = (f"%(p{number})s", "%(id)s", f"{number + 1}", kind.tenant_id, event.topic, f"%({moment})s")
        lines.append("\t".join((*columns, data, r"\N", r"\N")) + "\n")
    return "".join(lines), len(lines)


def _workflow(number: int) -> list[Event]:
    name = f"Workflow {number:03d}"
    nodes = [
        {"id": "check", "type": "action", "action": "bench.noop", "name": "The one step", "params": {}},
        {"id": "ask", "type": "approval", "message": "Go on?"},
    ]
    document = {
        "name": name,
        "nodes": nodes,
        "edges": [{"from": "trigger", "to": "check"}, {"from": "check", "to": "ask", "port": "error"}],
    }
    source = f"name: {name}\n"
    return [
        events.WorkflowCreated(name=name, document=document, source=source, format="yaml", by="bench"),
        events.WorkflowPublished(version=1, document=document, source=source, format="yaml", by="bench"),
        events.WorkflowActivated(by="bench"),
    ]


def _trigger(kind: str) -> Trigger:
    match kind:
        case "webhook":
            return Trigger(type=kind, webhook_id="monitoring", payload={"host": "web-07"})
        case "cron":
            return Trigger(type=kind, scheduled_at="@begin@")
        case "incident":
            return Trigger(type=kind, event="incident.created", incident_id="INC-4711", payload={"severity": "high"})
        case _:
            return Trigger(type=kind, user="bench")


def _history(kind: _Kind) -> Iterator[tuple[str, Event]]:
    """When, and what. `@job@` and the like are places."""
    started = events.ExecutionStarted(
        workflow_id=kind.workflow_id,
        workflow_name=kind.name,
        version=1,
        trigger=_trigger(kind.trigger),
        inputs={"host": "web-07", "threshold": 90},
        started_by="bench",
    )
    yield "begin", started
    yield (
        "begin",
        events.JobScheduled(job_id="@job@", node_id="check", attempt=1, action="bench.noop", params={}, pool="default"),
    )
    yield "begin", events.JobStarted(job_id="@job@", dispatch=1, agent="agent-1", dispatched_at="@begin@")
    output = {"stdout": "done on agent-1", "stderr": "", "exitCode": 0}
    error = ErrorInfo(reason="exit_code", message="the script ended with 1", node_id="check", exit_code=1)
    failed = {"error": error, "output": output | {"exitCode": 1}, "duration_ms": 12}
    job_id = "@job@"
    if kind.outcome == "running":
        return
    if kind.outcome in ("failed", "retried", "paused"):
        yield "middle", events.JobFailed(job_id=job_id, dispatch=1, **failed)  # type: ignore[arg-type]
    if kind.outcome == "failed":
        yield "end", events.NodeFailed(node_id="check", error=error)
        yield "end", events.ExecutionFailing(error=error)
        yield "end", events.ExecutionFailed(error=error)
        return
    if kind.outcome == "paused":
        yield "end", events.NodeFailed(node_id="check", error=error, port="error")
        yield (
            "end",
            events.ApprovalRequested(
                approval_id="@second@",
                node_id="ask",
                message="Go on?",
                approvers=["role:oncall"],
                workflow_name=kind.name,
                started_by="bench",
            ),
        )
        return
    if kind.outcome == "retried":
        job_id = "@second@"
        yield "middle", events.RetryScheduled(node_id="check", attempt=2, max_attempts=3, delay_seconds=0, due_at="@middle@")
        yield (
            "middle",
            events.JobScheduled(job_id=job_id, node_id="check", attempt=2, action="bench.noop", params={}, pool="default"),
        )
        yield "middle", events.JobStarted(job_id=job_id, dispatch=1, agent="agent-2", dispatched_at="@middle@")
    if kind.outcome == "cancelled":
        yield "middle", events.ExecutionCancelled(by="bench", reason="no longer needed")
    seals = [StreamSeal(stream="stdout", chunks=1, size=15, sha256="0" * 64)]
    yield "end", events.JobCompleted(job_id=job_id, dispatch=1, output=output, duration_ms=12, seals=seals)
    yield "end", events.NodeCompleted(node_id="check", port="success")
    if kind.outcome != "cancelled":
        yield "end", events.ExecutionCompleted()
