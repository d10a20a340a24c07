"""One decision, told alike to everybody: over HTTP, on a real broker, with two processes of the approvals service."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import asyncpg
import httpx
import pytest
import runyard_dispatcher.app
import runyard_dispatcher.settings
import runyard_gateway.app
import runyard_gateway.settings
import runyard_orchestrator.app
import runyard_orchestrator.settings
import runyard_projections.app
import runyard_projections.settings
from pydantic import SecretStr
from runyard_shared.clock import SystemClock, rfc3339

from tests.approval_services import Process, rabbit_bus
from tests.gateway import TOKEN, House, Json

RACES = 400
"""Half of them close. A thousand in which the millisecond is given, by clocks of the test's own, are in `test_approvals`."""
WAVE = 50
SECONDS_TO_EXPIRY = 10
"""All of a wave are waiting, and known to the test, well before the first of them expires."""


@pytest.fixture
async def home(postgres_url: str, amqp_url: str, namespace: str, pool: asyncpg.Pool) -> AsyncIterator[House]:
    """Orchestrator, dispatcher, projections and gateway in the test's process; approvals twice, in processes of their own."""
    clock = SystemClock()
    async with AsyncExitStack() as parts:
        bus = await parts.enter_async_context(rabbit_bus(amqp_url, namespace))
        for service in (
            await runyard_projections.app.create(runyard_projections.settings.Settings(), bus=bus, pool=pool, clock=clock),
            await runyard_dispatcher.app.create(runyard_dispatcher.settings.Settings(), bus=bus, pool=pool, clock=clock),
            await runyard_orchestrator.app.create(runyard_orchestrator.settings.Settings(), bus=bus, pool=pool, clock=clock),
        ):
            await service.start()
            parts.push_async_callback(service.stop)
        for _ in range(2):
            process = Process(postgres_url, amqp_url, namespace)
            process.start()
            parts.callback(process.kill)
        settings = runyard_gateway.settings.Settings(port=0, admin_token=SecretStr(TOKEN))
        gateway = await runyard_gateway.app.create(settings, bus=bus, pool=pool, clock=clock)
        parts.push_async_callback(gateway.stop)
        await gateway.start()
        home = House(bus, pool, gateway)
        parts.push_async_callback(home.http.aclose)
        yield home


def gate(**approval: object) -> Json:
    return {
        "name": "Gate",
        "nodes": [
            {"id": "ask", "type": "approval", "message": "Now?", **approval},
            {"id": "go", "type": "setVariables", "values": {"went": "on"}},
        ],
        "edges": [{"from": "trigger", "to": "ask"}, {"from": "ask", "port": "approved", "to": "go"}],
    }


async def start(home: House, workflow_id: str) -> str:
    answer = await home.call("POST", f"/workflows/{workflow_id}/run", status=202, json={"variables": {}})
    return str(answer["executionId"])


async def rows_when(home: House, topic: str, count: int) -> list[asyncpg.Record]:
    """The events of that kind, one for each execution, as soon as there are so many."""
    async with asyncio.timeout(60):
        while True:
            rows = await home.pool.fetch(
                "select stream_id::text as execution_id, data->>'approvalId' as approval_id, data->>'expiresAt' as expires_at,"
                " data->>'status' as decision, data->>'respondedAt' as at from read.event where topic = $1",
                topic,
            )
            if len(rows) >= count:
                return rows
            await asyncio.sleep(0.05)


async def answer(home: House, approval_id: str, how: str = "approve") -> httpx.Response:
    return await home.http.post(f"/api/v1/approvals/{approval_id}/{how}", json={"note": how})


async def shown(home: House, count: int) -> dict[str, Json]:
    """What the read model says was decided, by approval, as soon as so many are."""
    async with asyncio.timeout(60):
        while True:
            rows = await home.pool.fetch(
                "select approval_id::text, status, responded_at from read.approval where status <> 'pending'"
            )
            if len(rows) >= count:
                return {row[0]: {"decision": row[1], "respondedAt": rfc3339(row[2])} for row in rows}
            await asyncio.sleep(0.05)


async def test_of_a_hundred_answers_over_http_one_wins_and_99_are_told_what_it_was(home: House) -> None:
    await start(home, await home.publish(gate()))
    (asked,) = await rows_when(home, "approval.requested", 1)
    answers = await asyncio.gather(*(answer(home, asked["approval_id"], ("approve", "reject")[n % 2]) for n in range(100)))
    assert Counter(each.status_code for each in answers) == {200: 1, 409: 99}
    (logged,) = await rows_when(home, "approval.resolved", 1)
    for each in answers:
        assert decision_told(each) == {"decision": logged["decision"], "respondedAt": logged["at"]}
    assert await shown(home, 1) == {asked["approval_id"]: decision_told(answers[0])}


async def test_hundreds_of_answers_in_the_millisecond_of_the_timeout_are_decided_alike_for_client_log_and_read_model(
    home: House,
) -> None:
    workflow_id = await home.publish(gate(timeoutSeconds=SECONDS_TO_EXPIRY))
    lead = 0.05

    async def race(number: int, row: asyncpg.Record) -> httpx.Response:
        nonlocal lead
        expires_at = datetime.fromisoformat(row["expires_at"])
        # An answer is on its way for a while, longer on a busy machine. Every other one learns from those before it, so these
        # races are close; the others leave from 1 ms to 3 s before the timeout, so that both win sometimes on any machine.
        spread = 0.001 * 3000 ** (number % WAVE / WAVE)
        await asyncio.sleep((expires_at - datetime.now(UTC)).total_seconds() - 4)
        await asyncio.sleep((expires_at - datetime.now(UTC)).total_seconds() - (lead if number % 2 else spread))
        answered = await answer(home, row["approval_id"])
        if number % 2:
            lead += 0.005 if answered.status_code == 409 else -0.005
        return answered

    asked: list[asyncpg.Record] = []
    races: list[asyncio.Task[httpx.Response]] = []
    while len(asked) < RACES:
        began = asyncio.get_running_loop().time()
        await asyncio.gather(*(start(home, workflow_id) for _ in range(WAVE)))
        rows = await rows_when(home, "approval.requested", len(asked) + WAVE)
        known = {row["approval_id"] for row in asked}
        new = [row for row in rows if row["approval_id"] not in known]
        races += [asyncio.create_task(race(number, row)) for number, row in enumerate(new)]
        asked += new
        # one wave after the other: the machine is to be busy with close races, not with a queue of answers that all come late
        await asyncio.sleep(max(0.0, began + 1 - asyncio.get_running_loop().time()))
    answers = await asyncio.gather(*races)
    logged = {row["approval_id"]: row for row in await rows_when(home, "approval.resolved", RACES)}
    assert len(logged) == RACES
    told = {row["approval_id"]: decision_told(answered) for row, answered in zip(asked, answers, strict=True)}
    assert told == {each: {"decision": row["decision"], "respondedAt": row["at"]} for each, row in logged.items()}
    assert told == await shown(home, RACES)
    outcomes = Counter(row["decision"] for row in logged.values())
    assert set(outcomes) == {"approved", "expired"}, outcomes
    assert await home.pool.fetchval("select count(*) from read.event where topic = 'approval.resolved'") == RACES


def decision_told(answered: httpx.Response) -> Json:
    """What the client was told, whether it had won or not."""
    told = answered.json()
    if answered.status_code == 200:
        return {"decision": told["status"], "respondedAt": told["respondedAt"]}
    assert (answered.status_code, told["code"]) == (409, "already_resolved"), answered.text
    return {"decision": told["decision"], "respondedAt": told["respondedAt"]}
