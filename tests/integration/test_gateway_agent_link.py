"""Agents whose network lets only HTTPS out: who they are, orders down, messages up, and one process at a time."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import msgspec
import pytest
from runyard_gateway.streams import agent_links
from runyard_shared.clock import rfc3339
from runyard_shared.contracts.jobs import (
    AgentHeartbeat,
    CancelJob,
    OutputChunk,
    OutputSealed,
    RunJob,
    SessionRefused,
)
from runyard_shared.contracts.reports import JobFinished, JobStarted
from runyard_shared.contracts.values import JobStatus, StreamSeal
from runyard_shared.ids import new_id
from runyard_shared.messaging.amqp.declare import delete_topology
from runyard_shared.messaging.memory import MemoryBus
from runyard_shared.messaging.rabbit import RabbitBus
from runyard_shared.messaging.topology import TOPOLOGY, agent_mailbox

from tests.buses import Cable, until
from tests.gateway import House, LinkedAgent, gateway_alone, house


@pytest.fixture
async def home(pool: asyncpg.Pool) -> AsyncIterator[House]:
    async with house(pool) as made:
        yield made


@pytest.fixture
async def agent(home: House) -> LinkedAgent:
    return await home.agent()


def heartbeat(agent: LinkedAgent, **fields: Any) -> AgentHeartbeat:
    values: dict[str, Any] = {
        "tenant_id": "default", "name": agent.name, "session_id": agent.session_id, "leases": [], **fields,
    }  # fmt: skip
    return AgentHeartbeat(**values)


async def status_of(home: House, agent: LinkedAgent) -> str:
    return str((await home.call("GET", f"/agents/{agent.agent_id}"))["status"])


# --- who comes in


async def test_keys_of_agents_and_of_users_open_nothing_of_each_other(home: House, agent: LinkedAgent) -> None:
    who = (await agent.http.get("/api/v1/agent")).json()
    assert (who["agentId"], who["name"], who["pool"], who["status"]) == (agent.agent_id, "remote", "default", "new")
    assert who["serverTime"] <= rfc3339(datetime.now(UTC))
    for operation in home.gateway.operations:
        path = operation.path.format_map(dict.fromkeys(_names(operation.path), new_id()))
        if operation.for_agents:
            refused = await home.http.request(operation.method, path)
            assert refused.status_code == 401, operation.name
            assert "agent's key" in refused.json()["detail"]
        elif not operation.public:
            # or that too many unknown keys came from here
            assert (await agent.http.request(operation.method, path)).status_code in (401, 429), operation.name


def _names(path: str) -> list[str]:
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]


async def test_a_process_enrols_with_its_public_key_and_all_that_is_wrong_is_told(home: House, agent: LinkedAgent) -> None:
    wrong = await agent.http.post("/api/v1/agent/enrol", json={"publicKey": "AAAA", "transport": "pigeon"})
    assert wrong.status_code == 422
    assert {each["path"] for each in wrong.json()["errors"]} == {"transport", "version"}
    short = await agent.http.post("/api/v1/agent/enrol", json={"publicKey": "AAAA", "version": "1"})
    assert [each["path"] for each in short.json()["errors"]] == ["publicKey"]
    enrolment = (await agent.enrol()).json()
    assert (enrolment["agentId"], enrolment["transport"], "amqp" in enrolment) == (agent.agent_id, "https", False)
    assert enrolment["offlineAfterSeconds"] > enrolment["heartbeatSeconds"] > 0
    row = await home.call("GET", f"/agents/{agent.agent_id}")
    assert (row["transport"], len(row["keyFingerprint"])) == ("https", 16)
    assert agent.opening_key.public.hex()[:16] != row["keyFingerprint"]


async def test_amqp_is_refused_where_agents_get_no_account(agent: LinkedAgent) -> None:
    refused = await agent.enrol("amqp")
    assert (refused.status_code, refused.json()["code"]) == (422, "no_broker_accounts")


# --- the whole way of a job


async def test_a_job_goes_to_the_agent_and_its_output_and_result_come_back(home: House, agent: LinkedAgent) -> None:
    await agent.register()
    stream = await agent.orders()
    execution_id = await home.run(await home.publish())
    for _ in range(2):
        order = await stream.next()
        assert isinstance(order, RunJob) and order.session_id == agent.session_id
        lease: dict[str, Any] = {
            "tenant_id": "default", "execution_id": order.execution_id, "job_id": order.job_id, "dispatch": order.dispatch,
            "agent": agent.name,
        }  # fmt: skip
        assert (await agent.say(JobStarted(**lease))).status_code == 204
        await home.detail_with_job(execution_id, order.job_id)
        held = await home.call("GET", f"/agents/{agent.agent_id}/jobs")
        assert (held["total"], [(job["jobId"], job["executionId"], job["agent"]) for job in held["items"]]) == (
            1,
            [(order.job_id, execution_id, agent.name)],
        )
        owner = {"tenant_id": "default", "execution_id": order.execution_id, "job_id": order.job_id}
        seal = StreamSeal(stream="stdout", chunks=1, size=6, sha256="0" * 64)
        finished = JobFinished(**lease, status=JobStatus.COMPLETED, duration_ms=5, output={"exitCode": 0}, seals=[seal])
        said = await agent.say(
            OutputChunk(**owner, stream="stdout", number=0, offset=0, data=b"hello\n"),
            OutputSealed(**owner, seals=[seal]),
            finished,
            finished,  # every message may come twice
        )
        assert said.status_code == 204
        path = f"/api/v1/executions/{execution_id}/jobs/{order.job_id}/output"
        assert (await home.http.get(path)).content == b"hello\n"
    detail = await home.until(execution_id, "completed")
    assert [job["agent"] for job in detail["jobs"]] == ["remote", "remote"]
    assert await home.call("GET", f"/agents/{agent.agent_id}/jobs") == {"items": [], "total": 0}
    had = await home.call("GET", "/analytics/jobs", params={"agent": agent.name, "minPosition": detail["asOf"]})
    assert {job["jobId"] for job in had["items"]} == {job["jobId"] for job in detail["jobs"]}
    await stream.close()


async def test_what_an_agent_sends_is_shown_live(home: House, agent: LinkedAgent) -> None:
    await agent.register()
    stream = await agent.orders()
    execution_id = await home.run(await home.publish())
    order = await stream.next()
    assert isinstance(order, RunJob)
    async with home.http.stream("GET", f"/api/v1/executions/{execution_id}/events") as watching:
        lines = watching.aiter_lines()
        while await anext(lines) != ": keep-alive":  # after the snapshot: from here on everything is seen
            pass
        owner = {"tenant_id": "default", "execution_id": execution_id, "job_id": order.job_id}
        chunk = OutputChunk(**owner, stream="stdout", number=0, offset=0, data=b"now")
        assert (await agent.say(chunk)).status_code == 204
        async with asyncio.timeout(30):
            while await anext(lines) != "event: output":
                pass
        shown = msgspec.json.decode((await anext(lines)).removeprefix("data: "))
        assert (shown["text"], shown["jobId"]) == ("now", order.job_id)
    await stream.close()


async def test_an_agent_that_says_what_is_not_its_own_is_refused_with_all_it_said(home: House, agent: LinkedAgent) -> None:
    await agent.register()
    before = await home.call("GET", f"/agents/{agent.agent_id}")
    refused = await agent.say(heartbeat(agent), heartbeat(agent, name="other"), heartbeat(agent, tenant_id="acme"))
    assert (refused.status_code, refused.json()["code"]) == (403, "not_for_this_agent")
    assert "agent other of tenant default" in refused.json()["detail"]
    report: dict[str, Any] = {
        "tenant_id": "default",
        "execution_id": new_id(),
        "job_id": new_id(),
        "dispatch": 1,
        "agent": "other",
    }
    assert (await agent.say(JobStarted(**report))).status_code == 403
    assert (await home.call("GET", f"/agents/{agent.agent_id}"))["lastHeartbeatAt"] == before["lastHeartbeatAt"]
    for body in (b"", b"{", b"{}", b'[{"type":"RunJob"}]', b'[{"type":"AgentHeartbeat"}]', b"[" * 100_000, b"\xff"):
        answer = await agent.http.post("/api/v1/agent/messages", content=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_messages"), body[:50]


async def test_messages_have_a_larger_limit_than_other_bodies(home: House, agent: LinkedAgent) -> None:
    def chunk(size: int) -> OutputChunk:
        owner = {"tenant_id": "default", "execution_id": new_id(), "job_id": new_id()}
        return OutputChunk(**owner, stream="stdout", number=0, offset=0, data=b"x" * size)

    assert (await agent.say(*(chunk(65536) for _ in range(40)))).status_code == 204
    assert (await agent.say(*(chunk(65536) for _ in range(60)))).json()["code"] == "body_too_large"


# --- one process at a time


async def test_a_second_process_is_refused_and_the_same_one_takes_over_from_itself(home: House, agent: LinkedAgent) -> None:
    await agent.register()
    first = await agent.orders()
    mine, agent.process = agent.process, "another"
    other = await agent.orders()
    assert (other.answer.status_code, (await other.problem())["code"]) == (409, "agent_connected")
    agent.process = mine
    again = await agent.orders()
    assert again.answer.status_code == 200
    await first.ended()
    await home.bus.post(agent_mailbox("default", agent.name), [CancelJob(job_id="j", dispatch=1)])
    assert await again.next() == CancelJob(job_id="j", dispatch=1)
    await again.close()
    agent.process = "another"
    await until_open(agent)


async def until_open(agent: LinkedAgent) -> Any:
    """A stream, as soon as the one before it is gone."""
    async with asyncio.timeout(30):
        while True:
            stream = await agent.orders()
            if stream.answer.status_code == 200:
                return stream
            await stream.close()


async def test_an_agent_that_does_not_read_is_cut_off_and_nothing_piles_up(
    home: House, agent: LinkedAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_links, "BUFFER_BYTES", 300_000)
    address = urlsplit(home.gateway.address)
    mailbox = agent_mailbox("default", agent.name)
    order = SessionRefused(session_id="s", reason="x" * 100_000)
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect((address.hostname, address.port))
        deaf.setblocking(False)
        head = f"GET /api/v1/agent/orders?instance={agent.process} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {agent.key}"
        deaf.send(f"{head}\r\n\r\n".encode())
        assert b" 200 " in await asyncio.get_running_loop().sock_recv(deaf, 100)
        agent.process = "another"
        async with asyncio.timeout(20):
            while (stream := await agent.orders()).answer.status_code == 409:
                await stream.close()
                await home.bus.post(mailbox, [order] * 20)
        await stream.close()


# --- cut off


@pytest.mark.parametrize("action", ["revoke", "rotate-key"])
async def test_a_key_that_is_gone_ends_the_stream_and_opens_nothing_more(home: House, agent: LinkedAgent, action: str) -> None:
    await agent.register()
    stream = await agent.orders()
    answer = await home.call("POST", f"/agents/{agent.agent_id}/{action}")
    assert (await agent.http.get("/api/v1/agent")).status_code == 401
    await stream.ended()
    assert (await agent.orders()).answer.status_code == 401
    assert (await agent.say(heartbeat(agent))).status_code == 401
    assert (await agent.enrol()).status_code == 401
    if action == "revoke":
        assert answer["status"] == "revoked"
    else:
        renewed = LinkedAgent(home.gateway, answer)
        assert answer["key"] in answer["command"]
        await renewed.register()
        assert await status_of(home, renewed) == "online"
        await renewed.close()


async def test_a_stream_ends_also_if_nobody_told_that_its_key_is_gone(
    home: House, agent: LinkedAgent, pool: asyncpg.Pool
) -> None:
    stream = await agent.orders()
    assert stream.answer.status_code == 200
    await pool.execute("update dispatcher.agent set key_hash = null")
    await stream.ended()


# --- several gateways, and a broker that goes away


@asynccontextmanager
async def rabbit(amqp_url: str, namespace: str) -> AsyncIterator[RabbitBus]:
    bus = RabbitBus(amqp_url, namespace=namespace)
    await bus.open()
    try:
        yield bus
    finally:
        await bus.close()


@pytest.fixture
async def houses(amqp_url: str, namespace: str, pool: asyncpg.Pool) -> AsyncIterator[tuple[House, House]]:
    """All services and a gateway, and a second gateway, each on connections of their own."""
    try:
        async with (
            house(pool, bus=RabbitBus(amqp_url, namespace=namespace)) as one,
            rabbit(amqp_url, namespace) as bus,
            gateway_alone(bus, pool) as two,
        ):
            yield one, two
    finally:
        await delete_topology(amqp_url, namespace, TOPOLOGY)


async def test_the_stream_moves_to_another_gateway_and_stays_unique_among_them(houses: tuple[House, House]) -> None:
    one, two = houses
    agent = await one.agent()
    await agent.register()
    first = await agent.orders()
    agent.at(two.gateway)
    mine, agent.process = agent.process, "another"
    other = await agent.orders()
    assert (await other.problem())["code"] == "agent_connected"
    agent.process = mine
    second = await agent.orders()
    assert second.answer.status_code == 200
    await first.ended()
    execution_id = await one.run(await one.publish())
    order = await second.next()
    assert isinstance(order, RunJob) and order.execution_id == execution_id
    agent.at(one.gateway)
    third = await agent.orders()
    await second.ended()
    await one.bus.post(agent_mailbox("default", agent.name), [CancelJob(job_id="j", dispatch=9)])
    while (order := await third.next()) != CancelJob(job_id="j", dispatch=9):
        assert isinstance(order, RunJob)
    await one.call("POST", f"/agents/{agent.agent_id}/revoke")
    await third.ended()


async def test_a_gateway_that_stops_lets_its_agents_go_on_at_another(houses: tuple[House, House]) -> None:
    one, two = houses
    agent = await one.agent()
    agent.at(two.gateway)
    await agent.register()
    stream = await agent.orders()
    await two.gateway.stop()
    await stream.ended()
    agent.at(one.gateway)
    again = await agent.orders()
    assert again.answer.status_code == 200
    await one.run(await one.publish())
    assert isinstance(await again.next(), RunJob)
    await again.close()


async def test_while_the_broker_is_away_agents_are_told_to_wait_and_after_it_to_ask_again(
    houses: tuple[House, House], amqp_url: str, namespace: str, pool: asyncpg.Pool
) -> None:
    one, _ = houses
    cable = Cable(amqp_url)
    await cable.mend()
    agent = await one.agent()
    async with rabbit(cable.url, namespace) as bus, gateway_alone(bus, pool, command_timeout_seconds=0.5) as lonely:
        agent.at(lonely.gateway)
        await agent.register()
        stream = await agent.orders()
        await cable.cut()
        await until(lambda: bus.trouble)
        for answer in (await agent.say(heartbeat(agent)), (await agent.orders()).answer):
            assert answer.status_code == 503 and int(answer.headers["retry-after"]) >= 1
        await cable.mend()
        await stream.ended()
        again = await until_open(agent)
        assert (await agent.say(heartbeat(agent))).status_code == 204
        await again.close()
    await cable.cut()


@pytest.mark.empty_database
async def test_without_a_broker_or_a_dispatcher_an_agent_is_told_so(pool: asyncpg.Pool) -> None:
    async with gateway_alone(MemoryBus(), pool) as alone:
        headers = {"Authorization": f"Bearer rya_{'x' * 43}"}
        async with httpx.AsyncClient(base_url=alone.gateway.address, headers=headers, trust_env=False) as client:
            assert (await client.get("/api/v1/agent")).json()["code"] == "unavailable"
