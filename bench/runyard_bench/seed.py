"""Fills the orchestrator's log with executions that look as if they had run: for measuring lists and rebuilds (B6, B7).

The events go through the event store, as the orchestrator's own do; the read models are made of them by the projections.
Everything follows from the arguments, so two runs with the same seed write the same executions.
"""

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg
from runyard_shared.clock import rfc3339
from runyard_shared.contracts import events
from runyard_shared.contracts.base import Event
from runyard_shared.contracts.events import EVENT_TYPES
from runyard_shared.contracts.values import ErrorInfo, StreamSeal, Trigger
from runyard_shared.eventstore.mapper import EventMapper
from runyard_shared.eventstore.migrate import migrate
from runyard_shared.eventstore.postgres import PostgresEventStore
from runyard_shared.ids import derived_id

TENANT = "default"
NODES = ("first", "second", "third")
TRIGGERS = ("manual", "webhook", "cron", "incident")
_AT_ONCE = 512


@dataclass(frozen=True)
class Seeded:
    """What is in the log now that was not there before. `workflow_ids` in order of their names (`Workflow 000`, …)."""

    executions: int
    events: int
    workflow_ids: list[str]
    first_at: datetime
    last_at: datetime


async def seed(
    pool: "asyncpg.Pool[asyncpg.Record]",
    executions: int,
    *,
    workflows: int = 20,
    failing: float = 0.05,
    cancelled: float = 0.02,
    over: timedelta = timedelta(days=30),
    end: datetime = datetime(2026, 1, 1, tzinfo=UTC),
    seed: int = 1,
) -> Seeded:
    """Write `workflows` published workflows and `executions` ended chains of three jobs (17 events if all goes well), evenly
    spread over the time before `end`. Every workflow, status and trigger type occurs throughout."""
    await migrate(pool, "orchestrator", "runyard_orchestrator", with_log=True)
    store = PostgresEventStore(pool, "orchestrator", EventMapper(EVENT_TYPES))
    await store.open()
    chance = random.Random(seed)
    begin = end - over
    ids = [derived_id(begin, "workflow", seed, number) for number in range(workflows)]
    written = 0
    try:
        for number, workflow_id in enumerate(ids):
            written += await _append(store, workflow_id, _workflow(number), begin)
        waiting: set[asyncio.Task[int]] = set()
        for number in range(executions):
            at = begin + over * number / executions
            workflow = chance.randrange(workflows)
            dice = chance.random()
            outcome = "failed" if dice < failing else "cancelled" if dice < failing + cancelled else "completed"
            trigger = TRIGGERS[min(int(chance.expovariate(1.5)), len(TRIGGERS) - 1)]
            execution_id = derived_id(at, "execution", seed, number)
            history = list(_execution(execution_id, ids[workflow], f"Workflow {workflow:03d}", trigger, outcome, at, chance))
            waiting.add(asyncio.create_task(_append(store, execution_id, history, at)))
            if len(waiting) >= _AT_ONCE:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                written += sum(task.result() for task in done)
        written += sum(await asyncio.gather(*waiting))
    finally:
        await store.close()
    return Seeded(executions, written, ids, begin, end)


async def _append(store: PostgresEventStore, stream_id: str, history: list[Event], at: datetime) -> int:
    await store.append(stream_id, 0, history, tenant_id=TENANT, at=at)
    return len(history)


def _workflow(number: int) -> list[Event]:
    name = f"Workflow {number:03d}"
    document = {
        "name": name,
        "nodes": [
            {"id": node, "type": "action", "action": "bench.noop", "name": f"The {node} step", "params": {}} for node in NODES
        ],
        "edges": [{"from": source, "to": target} for source, target in zip(("trigger", *NODES), NODES, strict=False)],
    }
    source = f"name: {name}\n"
    return [
        events.WorkflowCreated(name=name, document=document, source=source, format="yaml", by="bench"),
        events.WorkflowPublished(version=1, document=document, source=source, format="yaml", by="bench"),
        events.WorkflowActivated(by="bench"),
    ]


def _execution(
    execution_id: str, workflow_id: str, name: str, trigger: str, outcome: str, at: datetime, chance: random.Random
) -> Iterator[Event]:
    yield events.ExecutionStarted(
        workflow_id=workflow_id,
        workflow_name=name,
        version=1,
        trigger=Trigger(type=trigger, user="bench" if trigger == "manual" else None),
        inputs={"host": f"web-{chance.randrange(100):02d}", "threshold": 90},
        started_by="bench",
    )
    last = chance.randrange(len(NODES)) if outcome != "completed" else len(NODES)
    for place, node in enumerate(NODES):
        job_id = derived_id(at, execution_id, node, 1)
        agent = f"agent-{chance.randrange(8)}"
        output = {"stdout": f"{node} done on {agent}\n", "stderr": "", "exitCode": 0}
        yield events.JobScheduled(job_id=job_id, node_id=node, attempt=1, action="bench.noop", params={}, pool="default")
        yield events.JobStarted(job_id=job_id, dispatch=1, agent=agent, dispatched_at=rfc3339(at))
        if place == last and outcome == "failed":
            error = ErrorInfo(reason="exit_code", message="the script ended with 1", node_id=node, exit_code=1)
            yield events.JobFailed(job_id=job_id, dispatch=1, error=error, output=output | {"exitCode": 1}, duration_ms=12)
            yield events.NodeFailed(node_id=node, error=error)
            yield events.ExecutionFailing(error=error)
            yield events.ExecutionFailed(error=error)
            return
        if place == last and outcome == "cancelled":
            yield events.ExecutionCancelled(by="bench", reason="no longer needed")
        seals = [StreamSeal(stream="stdout", chunks=1, size=24, sha256="0" * 64)]
        yield events.JobCompleted(job_id=job_id, dispatch=1, output=output, duration_ms=chance.randrange(5, 50), seals=seals)
        yield events.NodeCompleted(node_id=node, port="success")
        if place == last and outcome == "cancelled":
            return
    yield events.ExecutionCompleted()
