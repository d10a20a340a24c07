"""A gateway that is told to stop: nobody it serves waits for it in vain, and nothing that it has begun is lost."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest
from runyard_gateway.http import server
from runyard_gateway.streams import open_streams
from runyard_shared.contracts.commands import Request
from runyard_shared.contracts.jobs import OutputChunk
from runyard_shared.messaging.amqp.declare import delete_topology
from runyard_shared.messaging.memory import MemoryBus
from runyard_shared.messaging.rabbit import RabbitBus
from runyard_shared.messaging.topology import DISPATCHER_COMMANDS, LIVE_OUTPUT, TOPOLOGY

from tests.buses import finished
from tests.gateway import CHAIN, TOKEN, GatewayProcess, LinkedAgent, gateway_alone, house
from tests.integration.test_gateway_events import following, live, stuck_reader, watching

END_OF_STREAM = b"0\r\n\r\n"


class Line:
    """One connection of a client that says what it likes, and keeps it open."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def head(self) -> bytes:
        return bytes(await finished(self.reader.readuntil(b"\r\n\r\n")))

    async def rest(self) -> bytes:
        """Until the gateway hangs up."""
        return bytes(await finished(self.reader.read(-1)))


class Lines:
    def __init__(self, address: str) -> None:
        self._place = urlsplit(address)
        self._open: list[Line] = []

    async def begin(self, request: str, *fields: str, key: str = TOKEN, body: str = "") -> Line:
        line = Line(*await asyncio.open_connection(self._place.hostname, self._place.port))
        self._open.append(line)
        head = [f"{request} HTTP/1.1", "Host: x", f"Authorization: Bearer {key}", *fields]
        line.writer.write(("\r\n".join(head) + "\r\n\r\n" + body).encode())
        return line

    async def close(self) -> None:
        for line in self._open:
            line.writer.close()
            with contextlib.suppress(OSError):
                await line.writer.wait_closed()


@pytest.fixture
async def gateway(postgres_url: str, amqp_url: str, namespace: str) -> AsyncIterator[GatewayProcess]:
    places = {"RUNYARD_DATABASE_URL": postgres_url, "RUNYARD_AMQP_URL": amqp_url, "RUNYARD_AMQP_NAMESPACE": namespace}
    process = GatewayProcess(places)
    await process.start()
    yield process
    await process.close()
    await delete_topology(amqp_url, namespace, TOPOLOGY)


async def ready(address: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        while True:
            with contextlib.suppress(httpx.TransportError):
                if (await http.get(f"{address}/readyz")).status_code == 200:
                    return
            await asyncio.sleep(0.05)


async def test_streams_end_idle_connections_close_and_a_request_under_way_gets_its_answer(
    gateway: GatewayProcess, pool: asyncpg.Pool, amqp_url: str, namespace: str
) -> None:
    async with house(pool, bus=RabbitBus(amqp_url, namespace=namespace)) as home:
        await finished(ready(gateway.address), 60)
        agent: LinkedAgent = await home.agent()
        await agent.register()
        lines = Lines(gateway.address)
        try:
            idle = await lines.begin("GET /api/v1/agents")
            await idle.head()
            silent = await lines.begin("GET /api/v1/agents")  # and nothing after its answer was taken
            streams = [
                await lines.begin(f"GET /api/v1{path}", key=key)
                for path, key in (
                    ("/events", TOKEN),
                    ("/executions/stream", TOKEN),
                    (f"/agent/orders?instance={agent.process}", agent.key),
                )
            ]
            for stream in streams:
                assert b" 200 OK" in await stream.head()
                await finished(stream.reader.readuntil(b"\n\n"))  # which shows that it is open
            document = json.dumps(CHAIN)
            length = f"Content-Length: {len(document)}"
            request = await lines.begin("POST /api/v1/workflows", length, body=document[:20])

            gateway.terminate()
            for stream in streams:
                assert (await stream.rest()).endswith(END_OF_STREAM), "the reader knows that nothing is missing"
            await idle.rest()
            await silent.rest()
            request.writer.write(document[20:].encode())
            assert b" 201 Created" in await request.head()
            made = json.loads(await request.rest())
            code, log = await finished(gateway.ended())
        finally:
            await lines.close()
        assert (await home.call("GET", f"/workflows/{made['workflowId']}"))["name"] == CHAIN["name"]
        assert code == 0
        assert "exceeded" not in log and "Traceback" not in log, "nothing had to be cancelled"


async def test_a_request_that_is_not_answered_in_time_is_told_to_try_elsewhere(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "STOP_SECONDS", 0.1)
    asked = asyncio.Event()

    async def never_answer(_: Sequence[Request]) -> None:
        asked.set()

    bus = MemoryBus()
    await bus.open()
    await bus.consume(DISPATCHER_COMMANDS, Request, never_answer)
    async with gateway_alone(bus, pool) as home:
        asking = asyncio.create_task(home.http.post("/api/v1/agents", json={"name": "web-1"}))
        await finished(asked.wait())
        await finished(home.gateway.stop())
        answer = await finished(asking)
    assert answer.status_code == 503
    assert answer.json()["code"] == "unavailable" and "being stopped" in answer.json()["detail"]
    assert answer.headers["retry-after"] and answer.headers["connection"] == "close"


async def test_a_reader_that_does_not_take_the_end_of_its_stream_is_not_waited_for(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "STOP_SECONDS", 60)
    monkeypatch.setattr(open_streams, "LEAVE_SECONDS", 0.1)
    async with house(pool) as home:
        execution_id = await home.run(await home.publish())
        job_id = await home.start_job(execution_id)
        slow = await stuck_reader(home, f"/api/v1/executions/{execution_id}/events")
        async with watching(home, f"/executions/{execution_id}/events") as stream:
            await live(stream)
            for number in range(200):  # more than the sockets between them hold
                chunk = OutputChunk(
                    tenant_id="default", execution_id=execution_id, job_id=job_id, stream="stdout", number=number,
                    offset=number * 50_000, data=b"x" * 50_000,
                )  # fmt: skip
                await home.bus.broadcast(LIVE_OUTPUT, [chunk])
                await following(stream)
        await finished(home.gateway.stop(), 30)
        slow.close()
