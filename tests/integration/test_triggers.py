"""Schedules and incidents with several orchestrators on one log, over restarts, and in a log from before there were any."""

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from importlib.resources import files

import asyncpg
import pytest
import runyard_orchestrator.app
from runyard_orchestrator.settings import Settings
from runyard_shared.clock import Clock, FrozenClock, SystemClock
from runyard_shared.contracts import commands, events, reports
from runyard_shared.contracts.commands import TimerDue
from runyard_shared.contracts.values import Trigger
from runyard_shared.eventstore.migrate import log_sql, migrate
from runyard_shared.ids import new_id
from runyard_shared.messaging.memory import MemoryBus

from tests.engine import CATALOG, EPOCH, Json, chain
from tests.integration.test_orchestrator import Orchestrator, start

NOTHING_TO_DO: Json = {"id": "done", "type": "setVariables", "values": {"done": True}}
HOURLY: Json = {"type": "schedule", "cron": "0 * * * *"}
CREATED: Json = {"type": "incident", "events": ["incident.created"]}


def workflow(name: str, *triggers: Json) -> Json:
    return chain(NOTHING_TO_DO) | {"name": name, "triggers": list(triggers)}


@asynccontextmanager
async def orchestrators(pool: asyncpg.Pool, clock: Clock, count: int) -> AsyncIterator[list[Orchestrator]]:
    """The handlers of several processes, each with a memory of its own, on one log."""
    await migrate(pool, "orchestrator", "runyard_orchestrator", with_log=True)
    found = [Orchestrator(pool, clock) for _ in range(count)]
    for orchestrator in found:
        await orchestrator.store.open()
    try:
        yield found
    finally:
        for orchestrator in found:
            await orchestrator.store.close()


@asynccontextmanager
async def running(pool: asyncpg.Pool, clock: Clock) -> AsyncIterator[None]:
    """The orchestrator with its timers and its relay, on a bus of its own."""
    bus = MemoryBus()
    await bus.open()
    service = await runyard_orchestrator.app.create(Settings(), bus=bus, pool=pool, clock=clock)
    await service.start()
    try:
        yield
    finally:
        await service.stop()
        await bus.close()


async def count(pool: asyncpg.Pool, topic: str) -> int:
    found: int = await pool.fetchval("select count(*) from orchestrator.event where topic = $1", topic)
    return found


async def come(pool: asyncpg.Pool, topic: str, wanted: int) -> None:
    """Waits until so many events of the topic are in the log."""
    async with asyncio.timeout(90):
        while await count(pool, topic) < wanted:  # noqa: ASYNC110 - it waits for other processes
            await asyncio.sleep(0.02)


async def fires(pool: asyncpg.Pool) -> list[tuple[str, str, str]]:
    """(workflow, instant, what became of it), in order."""
    rows = await pool.fetch(
        "select data ->> 'workflowName', data ->> 'scheduledAt', coalesce(data ->> 'reason', 'started')"
        " from orchestrator.event where topic = 'schedule.fired' order by 2, 1"
    )
    return [(name, instant[8:16].replace("T", " "), outcome) for name, instant, outcome in rows]


async def timers(pool: asyncpg.Pool) -> list[tuple[str, str]]:
    rows = await pool.fetch("select timer_id, due_at from orchestrator.timer order by 2, 1")
    return [(timer_id, due_at.strftime("%d %H:%M")) for timer_id, due_at in rows]


async def test_restarts_over_instants_and_over_the_change_of_the_clocks_lose_and_repeat_nothing(pool: asyncpg.Pool) -> None:
    """Berlin sets its clocks back at 01:00 UTC on 25 October: 02:30 comes at 00:30 UTC and again at 01:30 UTC."""
    clock = FrozenClock(datetime(2026, 10, 24, 23, 45, tzinfo=UTC))
    zone = {"type": "schedule", "timezone": "Europe/Berlin"}
    async with orchestrators(pool, clock, 1) as (orchestrator,):
        await orchestrator.publish(workflow("Once", zone | {"cron": "30 2 * * *"}))
        await orchestrator.publish(workflow("Rhythm", zone | {"cron": "*/30 * * * *", "catchUp": "all"}))
    expected = 0
    for minutes, news in ((50, 3), (60, 2), (60, 2)):
        clock.advance(minutes * 60)
        expected += news
        async with running(pool, clock):
            await come(pool, "execution.completed", expected)
    assert await fires(pool) == [
        ("Rhythm", "25 00:00", "started"),
        ("Once", "25 00:30", "started"),
        ("Rhythm", "25 00:30", "started"),
        ("Rhythm", "25 01:00", "started"),
        ("Rhythm", "25 01:30", "started"),
        ("Rhythm", "25 02:00", "started"),
        ("Rhythm", "25 02:30", "started"),
    ]
    assert await count(pool, "execution.started") == 7
    assert await timers(pool) == [("cron:0", "25 03:00"), ("cron:0", "26 01:30")]


@contextmanager
def processes(number: int, environment: dict[str, str]) -> Iterator[list["subprocess.Popen[bytes]"]]:
    command = [sys.executable, "-m", "runyard_orchestrator"]
    started = [
        subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(number)
    ]
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.wait()


async def test_three_schedulers_start_every_schedule_of_one_minute_once_though_one_is_killed(
    pool: asyncpg.Pool, postgres_url: str, amqp_url: str, namespace: str
) -> None:
    number = 100
    async with orchestrators(pool, SystemClock(), 1) as (orchestrator,):
        await asyncio.gather(*(orchestrator.publish(workflow(f"W{n}", HOURLY)) for n in range(number)))
    assert await pool.fetchval("select count(*) from orchestrator.timer") == number
    # The next full hour is too far away for a test: the last one has just come.
    await pool.execute(
        "update orchestrator.timer set due_at = due_at - interval '1 hour', payload = json_build_object("
        "'scheduledAt', to_char((due_at - interval '1 hour') at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'),"
        "'cron', payload ->> 'cron', 'timezone', payload ->> 'timezone')"
    )
    instant = await pool.fetchval("select min(payload ->> 'scheduledAt') from orchestrator.timer")
    environment = os.environ | {
        "RUNYARD_DATABASE_URL": postgres_url,
        "RUNYARD_AMQP_URL": amqp_url,
        "RUNYARD_AMQP_NAMESPACE": namespace,
    }
    with processes(3, environment) as (victim, *_):
        await come(pool, "schedule.fired", 1)
        victim.send_signal(signal.SIGKILL)
        await come(pool, "execution.completed", number)
    rows = await pool.fetch(
        "select data ->> 'workflowId' as workflow, data ->> 'executionId' as execution from orchestrator.event"
        " where topic = 'schedule.fired' and data ->> 'scheduledAt' = $1",
        instant,
    )
    assert len(rows) == len({row["workflow"] for row in rows}) == number
    started = await pool.fetch("select stream_id::text from orchestrator.event where topic = 'execution.started'")
    announced = await pool.fetch("select data ->> 'executionId' as id from orchestrator.event where topic = 'schedule.fired'")
    assert sorted(row["stream_id"] for row in started) == sorted(row["id"] for row in announced)


async def test_a_timer_that_comes_to_two_schedulers_at_once_counts_once(pool: asyncpg.Pool) -> None:
    clock = FrozenClock(EPOCH)
    async with orchestrators(pool, clock, 2) as (one, two):
        ids = [await one.publish(workflow(f"W{n}", HOURLY | {"overlap": "skip"})) for n in range(10)]
        payload = json.loads(await pool.fetchval("select payload::text from orchestrator.timer limit 1"))
        clock.advance(3600)
        due = [TimerDue(stream_id=workflow_id, timer_id="cron:0", payload=payload) for workflow_id in ids]
        await asyncio.gather(one.tell(*due), two.tell(*due), two.tell(*reversed(due)))
        assert await fires(pool) == [(f"W{n}", "01 01:00", "started") for n in range(10)]
        assert set(await timers(pool)) == {("cron:0", "01 02:00")}


async def test_a_schedule_that_another_process_has_stopped_does_not_start_anything(pool: asyncpg.Pool) -> None:
    clock = FrozenClock(EPOCH)
    async with orchestrators(pool, clock, 2) as (one, two):
        workflow_id = await one.publish(workflow("W", HOURLY))
        payload = json.loads(await pool.fetchval("select payload::text from orchestrator.timer"))
        await two.ask(commands.DeactivateWorkflow(workflow_id=workflow_id))
        clock.advance(3600)
        await one.tell(TimerDue(stream_id=workflow_id, timer_id="cron:0", payload=payload))
        assert (await fires(pool), await timers(pool)) == ([], [])


async def test_what_one_process_publishes_runs_in_the_other_at_once(pool: asyncpg.Pool) -> None:
    async with orchestrators(pool, FrozenClock(EPOCH), 2) as (one, two):
        workflow_id = await one.publish(workflow("W"))
        first = start(workflow_id)
        assert (await two.ask(first)).problem is None
        changed = workflow("W") | {"description": "another"}
        await one.ask(commands.SaveDraft(workflow_id=workflow_id, document=changed, source="", format="json"))
        await one.ask(commands.PublishWorkflow(workflow_id=workflow_id, catalog=CATALOG))
        second = start(workflow_id)
        assert (await two.ask(second)).problem is None
        assert (await two.history(second.execution_id))[0].version == 2
        await one.ask(commands.DeactivateWorkflow(workflow_id=workflow_id))
        refused = await two.ask(start(workflow_id))
        assert refused.problem is not None
        assert refused.problem.code == "not_active"
        await two.ask(commands.ActivateWorkflow(workflow_id=workflow_id))
        assert (await one.ask(start(workflow_id))).problem is None


async def test_one_incident_sent_to_two_processes_at_once_is_one(pool: asyncpg.Pool) -> None:
    async with orchestrators(pool, FrozenClock(EPOCH), 2) as (one, two):
        await one.publish(workflow("One", CREATED))
        await two.publish(workflow("Two", CREATED | {"condition": "false"}))
        stopped = await one.publish(workflow("Stopped", CREATED))
        answers = await asyncio.gather(*(process.ask(incident()) for process in (one, two) * 5))
        results = [answer.result for answer in answers]
        assert all(result == results[0] for result in results)
        assert results[0] is not None
        assert (len(results[0]["executions"]), len(results[0]["skipped"])) == (2, 1)
        assert await count(pool, "incident.received") == 1
        await two.ask(commands.DeactivateWorkflow(workflow_id=stopped))
        again = (await one.ask(incident(severity="low"))).result
        assert again is not None
        assert len(again["executions"]) == 1, "the other process has stopped one"
        keyed = await asyncio.gather(*(process.ask(incident("k", number=1)) for process in (one, two) * 3))
        assert len({answer.result["receiptId"] for answer in keyed if answer.result}) == 1


def incident(key: str | None = None, **fields: object) -> commands.ReceiveIncident:
    return commands.ReceiveIncident(
        receipt_id=new_id(), event="incident.created", incident={"id": "INC-1", **fields}, idempotency_key=key
    )


async def test_what_a_trigger_announced_begins_or_is_refused_but_not_both(pool: asyncpg.Pool) -> None:
    """One process knows that the workflow was stopped, the other does not yet: whoever writes first is right for ever."""
    async with orchestrators(pool, FrozenClock(EPOCH), 2) as (one, two):
        workflow_id = await one.publish(workflow("W", CREATED))
        for stopped in (False, True) * 3:
            result = (await one.ask(incident(number=new_id()))).result
            assert result is not None
            (announced,) = result["executions"]
            item = reports.StartTriggered(
                tenant_id="default",
                execution_id=announced["executionId"],
                record_id=result["receiptId"],
                workflow_id=workflow_id,
                trigger=Trigger(type="incident"),
                started_by="x",
            )
            stop = commands.DeactivateWorkflow(workflow_id=workflow_id)
            await asyncio.gather(one.tell(item), two.ask(stop), two.tell(item), *([one.ask(stop)] if stopped else []))
            await one.ask(commands.ActivateWorkflow(workflow_id=workflow_id))
            await asyncio.gather(one.tell(item, item), two.tell(item))
            begun = bool(await one.history(item.execution_id))
            refused = [event for event in await one.history(item.record_id) if isinstance(event, events.TriggerRefused)]
            assert begun == (not refused)
            assert len(refused) <= 1


@pytest.mark.parametrize("stopped", [False, True])
@pytest.mark.empty_database
async def test_workflows_published_before_there_were_timers_get_them_and_hear_of_incidents(
    pool: asyncpg.Pool, *, stopped: bool
) -> None:
    await pool.execute(
        "create schema orchestrator; create table orchestrator.migration"
        " (name text primary key, sha256 text not null, applied_at timestamptz not null default now())"
    )
    folder = files("runyard_orchestrator") / "migrations"
    names = sorted(entry.name.removesuffix(".sql") for entry in folder.iterdir() if entry.name < "0005")
    for name, sql in (
        ("log", log_sql("orchestrator")),
        *((name, (folder / f"{name}.sql").read_text()) for name in names if name[:1].isdigit()),
    ):
        await pool.execute(sql)
        sha256 = hashlib.sha256(sql.encode()).hexdigest()
        await pool.execute("insert into orchestrator.migration (name, sha256) values ($1, $2)", name, sha256)
    clock = FrozenClock(EPOCH + timedelta(minutes=10))
    workflow_id = new_id()
    document = workflow("Old", HOURLY, CREATED, {"type": "schedule", "cron": "nonsense"})
    source = {"document": document, "source": "", "format": "json", "by": "alice"}
    history = [
        ("workflow.created", {"name": "Old", **source}),
        ("workflow.published", {"version": 1, **source}),
        ("workflow.activated", {"by": "alice"}),
        *([("workflow.deactivated", {"by": "alice"})] if stopped else []),
    ]
    for version, (topic, data) in enumerate(history, 1):
        await pool.execute(
            "insert into orchestrator.event (position, stream_id, version, tenant_id, topic, recorded_at, data)"
            " values ($1::integer, $2, $1::integer, 'default', $3, $4, $5)",
            version,
            workflow_id,
            topic,
            EPOCH,
            json.dumps(data),
        )
    await pool.execute("update orchestrator.log_head set position = $1", len(history))
    await migrate(pool, "orchestrator", "runyard_orchestrator", with_log=True)
    await pool.execute("update orchestrator.timer set due_at = $1", EPOCH)  # it is 2026 here
    async with running(pool, clock):
        expected = [] if stopped else [("cron:0", "01 01:00")]
        async with asyncio.timeout(30):
            while await timers(pool) != expected:  # noqa: ASYNC110 - it waits for the service
                await asyncio.sleep(0.02)
    async with orchestrators(pool, clock, 1) as (orchestrator,):
        result = (await orchestrator.ask(incident())).result
        assert result is not None
        assert len(result["executions"]) == (0 if stopped else 1)
