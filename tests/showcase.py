"""A fortnight of an operations team, written into the log of a stopped standalone: for the pictures of the web app.

`python -m tests.showcase DATA_DIR`. The workflows must be there already (services/gateway/ui/e2e/pictures makes them through
the API); their steps, one after the other, are what the executions of the fortnight ran. Two runs on one day write the same.
"""

import asyncio
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
from runyard_shared.clock import rfc3339
from runyard_shared.contracts import events
from runyard_shared.contracts.base import Event
from runyard_shared.contracts.events import EVENT_TYPES
from runyard_shared.contracts.values import ErrorInfo, Trigger
from runyard_shared.eventstore.checkpoint import Checkpoint
from runyard_shared.eventstore.mapper import EventMapper
from runyard_shared.eventstore.postgres import PostgresEventStore
from runyard_shared.ids import derived_id
from runyard_standalone.postgres import EmbeddedPostgres

TENANT = "default"
DAYS = 14
PEOPLE = ("mara", "jonas", "lea", "tomasz")
AGENTS = {"berlin": ("berlin-1", "berlin-2"), "frankfurt": ("frankfurt-1",), "default": ("local",)}


@dataclass(frozen=True)
class Habit:
    """How a workflow is used: by what, how often on a working day, how often it fails and with which words, and how long a step
    takes, in seconds."""

    workflow: str
    trigger: str
    daily: float
    failing: float
    error: str
    step_seconds: tuple[float, float]


HABITS = (
    Habit("Health checks", "cron", 40, 0.03, "https://shop.example answered 503", (0.4, 3)),
    Habit("Scale workers", "webhook", 9, 0.02, "no capacity left in zone b", (2, 9)),
    Habit("Warm CDN cache", "webhook", 4, 0.05, "17 of 1000 pages answered 404", (20, 90)),
    Habit("Restart unhealthy service", "incident", 3, 0.12, "web-03 was not well after 120 s", (5, 50)),
    Habit("Disk cleanup", "incident", 2.2, 0.06, "rm: cannot remove '/var/log/journal': Device or resource busy", (3, 40)),
    Habit("Nightly database backup", "cron", 1, 0.07, "pg_dump: error: connection to server was lost", (300, 1500)),
    Habit("Rotate TLS certificates", "cron", 0.2, 0.1, "the certificate authority answered 429", (10, 60)),
    Habit("Verify last night's backup", "cron", 1, 0.1, "customers: 2048113 rows, expected 2048190", (60, 400)),
    Habit("Deploy web tier", "manual", 2.5, 0.1, "smoke test: /cart answered 500", (15, 120)),
)


async def write(data_dir: Path, now: datetime) -> int:
    """Returns how many executions were written."""
    postgres = EmbeddedPostgres(data_dir / "postgres")
    await asyncio.to_thread(postgres.start)
    try:
        async with asyncpg.create_pool(postgres.dsn, min_size=1, max_size=4) as pool:
            workflows = await _workflows(pool)
            store = PostgresEventStore(pool, "orchestrator", EventMapper(EVENT_TYPES))
            await store.open()
            try:
                count = 0
                for habit, at in sorted(_occasions(now, random.Random(7)), key=lambda each: each[1]):
                    workflow_id, steps = workflows[habit.workflow]
                    chance = random.Random(f"{habit.workflow}{at:%j%H%M%S}")
                    execution_id = derived_id(at, "showcase", habit.workflow, rfc3339(at))
                    version = 0
                    for moment, happened in _history(habit, workflow_id, steps, at, chance):
                        await store.append(execution_id, version, happened, tenant_id=TENANT, at=moment)
                        version += len(happened)
                    count += 1
                # what had to be done for them counts as done
                for relayed in ("relay", "public"):
                    await Checkpoint(pool, "orchestrator", relayed).save(await store.head())
            finally:
                await store.close()
        return count
    finally:
        await asyncio.to_thread(postgres.stop)


async def _workflows(pool: "asyncpg.Pool[asyncpg.Record]") -> dict[str, tuple[str, list[dict[str, Any]]]]:
    """Id and steps of each, by name."""
    rows = await pool.fetch("select stream_id::text, data from orchestrator.event where topic = 'workflow.published'")
    found = {}
    for row in rows:
        document = msgspec.json.decode(row["data"])["document"]
        found[document["name"]] = (row["stream_id"], [node for node in document["nodes"] if node["type"] == "action"])
    return found


def _occasions(now: datetime, chance: random.Random) -> Iterator[tuple[Habit, datetime]]:
    for habit in HABITS:
        for day in range(DAYS, -1, -1):
            date = now - timedelta(days=day)
            quiet = 0.45 if date.weekday() >= 5 and habit.trigger != "cron" else 1.0
            for _ in range(int(habit.daily * quiet * chance.uniform(0.6, 1.4) + chance.random())):
                at = date.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(seconds=chance.uniform(0, 86_400))
                if habit.trigger == "manual":
                    at = at.replace(hour=8 + chance.randrange(9))
                if at < now - timedelta(minutes=6):
                    yield habit, at


def _history(
    habit: Habit, workflow_id: str, steps: list[dict[str, Any]], at: datetime, chance: random.Random
) -> Iterator[tuple[datetime, list[Event]]]:
    """What is appended, and when."""
    person = chance.choice(PEOPLE)
    trigger = {
        "manual": Trigger(type="manual", user=person),
        "webhook": Trigger(type="webhook", webhook_id="ci", payload={"version": "4.12.0"}),
        "cron": Trigger(type="cron", scheduled_at=rfc3339(at)),
        "incident": Trigger(
            type="incident",
            event="incident.created",
            incident_id=f"INC-{chance.randrange(4000, 4999)}",
            payload={"severity": "high"},
        ),
    }[habit.trigger]
    started = events.ExecutionStarted(
        workflow_id=workflow_id,
        workflow_name=habit.workflow,
        version=1,
        trigger=trigger,
        inputs={},
        started_by=person if habit.trigger == "manual" else habit.trigger,
    )
    failing_at = chance.randrange(len(steps)) if chance.random() < habit.failing else None
    cancelled = failing_at is None and chance.random() < 0.015
    moment = at
    happened: list[Event] = [started]
    for number, step in enumerate(steps):
        job_id = derived_id(moment, workflow_id, rfc3339(at), str(number))
        pool = step.get("pool", "default")
        agent = chance.choice(AGENTS[pool])
        happened += [
            events.JobScheduled(
                job_id=job_id, node_id=step["id"], attempt=1, action=step["action"], params=step["params"], pool=pool
            ),
            events.JobStarted(job_id=job_id, dispatch=1, agent=agent, dispatched_at=rfc3339(moment)),
        ]
        yield moment, happened
        seconds = chance.uniform(*habit.step_seconds)
        moment += timedelta(seconds=seconds)
        if number == failing_at:
            error = ErrorInfo(reason="exit_code", message=habit.error, node_id=step["id"], exit_code=1)
            yield (
                moment,
                [
                    events.JobFailed(job_id=job_id, dispatch=1, error=error, duration_ms=int(seconds * 1000)),
                    events.NodeFailed(node_id=step["id"], error=error),
                    *(events.NodeSkipped(node_id=later["id"]) for later in steps[number + 1 :]),
                    events.ExecutionFailing(error=error),
                    events.ExecutionFailed(error=error),
                ],
            )
            return
        happened = [
            events.JobCompleted(
                job_id=job_id, dispatch=1, output={"stdout": "", "stderr": "", "exitCode": 0}, duration_ms=int(seconds * 1000)
            ),
            events.NodeCompleted(node_id=step["id"], port="success"),
        ]
        if cancelled:
            yield moment, [*happened, events.ExecutionCancelled(by=person, reason="superseded")]
            return
    yield moment, [*happened, events.ExecutionCompleted()]


if __name__ == "__main__":
    sys.stdout.write(f"{asyncio.run(write(Path(sys.argv[1]), datetime.now(UTC)))} executions\n")
