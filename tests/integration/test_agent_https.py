"""The agent's way over HTTPS when the server, or the network before it, does not do what it should."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import msgspec
import pytest
from pydantic import SecretStr
from runyard_agent.server import Server
from runyard_agent.settings import Settings
from runyard_agent.transport.https import HttpsTransport
from runyard_shared.contracts.jobs import AgentHeartbeat, AgentOrder, CancelJob, OutputChunk
from runyard_shared.contracts.link import LinkMessage
from runyard_shared.errors import Conflict, Refusal, Revoked, Unavailable
from runyard_shared.messaging.topology import AGENT_STATUS, JOB_OUTPUT
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.agents import until
from tests.webserver import serving

KEY = "rya_a-key-for-tests"
Answer = Callable[[], Awaitable[Response]]


def problem(status: int, code: str, detail: str, **headers: str) -> Response:
    body = {"type": f"urn:runyard:problem:{code}", "status": status, "detail": detail, "code": code}
    return JSONResponse(body, status, headers=headers, media_type="application/problem+json")


class Troubled:
    """A server that answers as it is told, and otherwise well. `beat`: whether streams give signs of life; `beats`: how many
    they gave, 50 ms apart."""

    def __init__(self) -> None:
        self.url = ""
        self.bodies: list[list[Any]] = []
        self.streams: list[asyncio.Queue[bytes | None]] = []
        self.instances: list[str] = []
        self.keys: list[str] = []
        self.before_messages: deque[Response] = deque()
        self.before_orders: deque[Response] = deque()
        self.refuse: Callable[[Any], bool] = lambda item: False
        self.gate = asyncio.Event()
        self.gate.set()
        self.beat = True
        self.beats = 0

    @property
    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/api/v1/agent", self._who),
                Route("/api/v1/agent/orders", self._orders),
                Route("/api/v1/agent/messages", self._messages, methods=["POST"]),
            ]
        )

    @property
    def said(self) -> list[Any]:
        return [item for body in self.bodies for item in body]

    def give(self, data: bytes) -> None:
        self.streams[-1].put_nowait(data)

    async def _who(self, request: Request) -> Response:
        who = {"agentId": "a", "tenantId": "default", "name": "agent-1", "pool": "default"}
        return JSONResponse(who | {"serverTime": "2026-11-22T12:00:00.000Z"})

    async def _orders(self, request: Request) -> Response:
        self.instances.append(request.query_params["instance"])
        self.keys.append(request.headers["authorization"])
        if self.before_orders:
            return self.before_orders.popleft()
        stream: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.streams.append(stream)
        return StreamingResponse(self._frames(stream), media_type="text/event-stream")

    async def _frames(self, stream: asyncio.Queue[bytes | None]) -> AsyncIterator[bytes]:
        yield b": open\n\n"
        while True:
            try:
                async with asyncio.timeout(0.05):
                    data = await stream.get()
            except TimeoutError:
                if self.beat:
                    self.beats += 1
                    yield b":\n\n"
                continue
            if data is None:
                return
            yield data

    async def _messages(self, request: Request) -> Response:
        items = msgspec.json.decode(await request.body(), type=list[LinkMessage])
        await self.gate.wait()
        if any(self.refuse(item) for item in items):
            return problem(403, "not_for_this_agent", "Nothing was taken.")
        if self.before_messages:
            return self.before_messages.popleft()
        self.bodies.append(items)
        return Response(status_code=204)


@pytest.fixture
async def server() -> AsyncIterator[Troubled]:
    troubled = Troubled()
    async with serving(troubled.app) as troubled.url:
        yield troubled
        for stream in troubled.streams:
            stream.put_nowait(None)


@pytest.fixture
async def link(server: Troubled) -> AsyncIterator[HttpsTransport]:
    async for each in linked(server.url):
        yield each


async def linked(url: str) -> AsyncIterator[HttpsTransport]:
    client = Server(Settings(url=url, agent_key=SecretStr(KEY)))
    transport = HttpsTransport(client, patience_seconds=1.5, silence_seconds=0.5)
    yield transport
    await transport.close()
    await client.close()


class Orders:
    """A handler that keeps what it gets."""

    def __init__(self) -> None:
        self.items: list[AgentOrder] = []

    async def __call__(self, orders: Sequence[AgentOrder]) -> None:
        self.items += orders


def beat(number: int) -> AgentHeartbeat:
    return AgentHeartbeat(tenant_id="default", name="agent-1", session_id=str(number), leases=[])


def numbers(items: Sequence[AgentHeartbeat]) -> list[int]:
    return [int(item.session_id) for item in items]


def order(job_id: str) -> bytes:
    return b"data: " + msgspec.json.encode([CancelJob(job_id=job_id, dispatch=1)]) + b"\n\n"


async def test_what_gathers_while_a_request_is_under_way_is_sent_with_the_next_in_order(
    server: Troubled, link: HttpsTransport
) -> None:
    server.gate.clear()
    sends = [asyncio.create_task(link.send(AGENT_STATUS, [beat(0)]))]
    await asyncio.sleep(0.1)
    sends += [asyncio.create_task(link.send(AGENT_STATUS, [beat(2 * n + 1), beat(2 * n + 2)])) for n in range(50)]
    await asyncio.sleep(0)
    server.gate.set()
    await asyncio.gather(*sends)
    assert numbers(server.said) == list(range(101))
    assert [len(body) for body in server.bodies] == [1, 100]


async def test_large_output_goes_in_bodies_of_at_most_a_mebibyte(server: Troubled, link: HttpsTransport) -> None:
    chunks = [
        OutputChunk(
            tenant_id="default", execution_id="e", job_id="j", stream="stdout", number=n, offset=n * 65536, data=bytes(65536)
        )
        for n in range(40)
    ]
    await link.send(JOB_OUTPUT, chunks)
    assert [chunk.number for chunk in server.said] == list(range(40))
    assert max(len(msgspec.json.encode(body)) for body in server.bodies) <= 1024 * 1024
    assert len(server.bodies) <= 5


async def test_a_busy_server_is_asked_again_when_it_said(server: Troubled, link: HttpsTransport) -> None:
    server.before_messages.append(problem(503, "unavailable", "no broker", **{"retry-after": "1"}))
    began_at = time.monotonic()
    await link.send(AGENT_STATUS, [beat(1)])
    assert time.monotonic() - began_at >= 1
    assert numbers(server.said) == [1]


async def test_a_server_that_takes_nothing_is_waited_for_and_then_named(server: Troubled, link: HttpsTransport) -> None:
    server.before_messages.extend(problem(503, "unavailable", "the queues do not take them") for _ in range(100))
    with pytest.raises(Unavailable, match="the queues do not take them"):
        await link.send(AGENT_STATUS, [beat(1)])
    assert link.trouble == "the queues do not take them"
    server.before_messages.clear()
    await link.send(AGENT_STATUS, [beat(2)])
    assert numbers(server.said) == [2]
    assert link.trouble is None


async def test_what_the_server_refuses_from_one_does_not_keep_that_of_others(server: Troubled, link: HttpsTransport) -> None:
    server.refuse = lambda item: item.session_id == "2"
    server.gate.clear()
    sends = [asyncio.create_task(link.send(AGENT_STATUS, [beat(n)])) for n in range(4)]
    await asyncio.sleep(0)
    server.gate.set()
    results = await asyncio.gather(*sends, return_exceptions=True)
    assert [type(result) for result in results] == [type(None), type(None), Refusal, type(None)]
    assert numbers(server.said) == [0, 1, 3]


async def test_a_silent_stream_is_dead_and_opened_again_by_the_same_process(server: Troubled, link: HttpsTransport) -> None:
    reconnects = 0

    async def reconnected() -> None:
        nonlocal reconnects
        reconnects += 1

    link.on_reconnect(reconnected)
    orders = Orders()
    await link.receive(orders)
    await until(lambda: server.beats > 20)
    assert (len(server.streams), reconnects, link.trouble) == (1, 0, None)
    server.beat = False
    await until(lambda: link.trouble is not None)
    assert "it is silent" in str(link.trouble)
    server.beat = True
    await until(lambda: reconnects > 0)
    server.give(order("after"))
    await until(lambda: len(orders.items) == 1)
    assert len(set(server.instances)) == 1
    assert set(server.keys) == {f"Bearer {KEY}"}


async def test_a_stream_that_ends_is_opened_again_and_the_agent_is_told(server: Troubled, link: HttpsTransport) -> None:
    told = asyncio.Event()

    async def reconnected() -> None:
        told.set()

    link.on_reconnect(reconnected)
    orders = Orders()
    await link.receive(orders)
    server.give(order("before"))
    await until(lambda: len(orders.items) == 1)
    server.before_orders.append(problem(503, "unavailable", "it stops"))
    server.streams[-1].put_nowait(None)
    await asyncio.wait_for(told.wait(), 30)
    server.give(order("after"))
    await until(lambda: len(orders.items) == 2)
    assert [each.job_id for each in orders.items if isinstance(each, CancelJob)] == ["before", "after"]


async def test_orders_survive_odd_line_ends_odd_pieces_and_one_that_cannot_be_read(
    server: Troubled, link: HttpsTransport
) -> None:
    orders = Orders()
    await link.receive(orders)
    odd = order("one\u2028line\x85").replace(b"\n", b"\r\n")
    for piece in (odd[:9], odd[9:-1], odd[-1:], b'data: [{"type": "FromTheFuture"}]\n\n', b"event: x\nid: 7\n" + order("last")):
        server.give(piece)
        await asyncio.sleep(0.01)
    await until(lambda: len(orders.items) == 2)
    assert [each.job_id for each in orders.items if isinstance(each, CancelJob)] == ["one\u2028line\x85", "last"]


async def test_a_second_process_is_told_so_and_may_try_again(server: Troubled, link: HttpsTransport) -> None:
    server.before_orders.append(problem(409, "agent_connected", "Another process is connected as agent agent-1."))
    with pytest.raises(Conflict, match="Another process is connected") as taken:
        await link.receive(Orders())
    assert taken.value.code == "mailbox_taken"
    await link.receive(Orders())
    assert link.trouble is None


async def test_a_revoked_agent_is_told_once_and_says_nothing_more(server: Troubled, link: HttpsTransport) -> None:
    told: list[str] = []
    link.on_revoked(told.append)
    await link.receive(Orders())
    server.before_messages.append(problem(401, "unauthorized", "This agent key is not known here."))
    server.before_orders.extend(problem(401, "unauthorized", "This agent key is not known here.") for _ in range(3))
    sends = [asyncio.create_task(link.send(AGENT_STATUS, [beat(n)])) for n in range(3)]
    results = await asyncio.gather(*sends, return_exceptions=True)
    assert [type(result) for result in results] == [Revoked] * 3
    with pytest.raises(Revoked):
        await link.send(JOB_OUTPUT, [beat(9)])
    server.streams[-1].put_nowait(None)
    await until(lambda: len(server.before_orders) == 2)
    assert told == ["This agent key is not known here."]
    assert server.said == []


async def test_a_401_of_something_between_is_not_the_servers(server: Troubled, link: HttpsTransport) -> None:
    server.before_messages.extend(HTMLResponse("<h1>Log in to the guest network</h1>", 401) for _ in range(2))
    server.before_orders.append(HTMLResponse("<h1>Log in to the guest network</h1>", 401))
    await link.send(AGENT_STATUS, [beat(1)])
    await link.receive(Orders())
    assert numbers(server.said) == [1]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (RedirectResponse("https://new.example.com/", 301), "sends agents on to https://new.example.com/"),
        (HTMLResponse("nothing here", 404), "there is no Runyard server at"),
        (HTMLResponse("bad gateway", 502), "answers with 502 Bad Gateway"),
    ],
)
async def test_a_wrong_address_is_named(server: Troubled, link: HttpsTransport, answer: Response, words: str) -> None:
    server.before_orders.extend([answer] * 20)
    with pytest.raises(Unavailable, match=words):
        await link.receive(Orders())


async def test_nobody_at_the_address_is_said_within_the_patience() -> None:
    async for link in linked("http://127.0.0.1:1"):
        with pytest.raises(Unavailable, match=r"http://127\.0\.0\.1:1 cannot be reached"):
            await link.open()
        with pytest.raises(Unavailable, match=r"http://127\.0\.0\.1:1 cannot be reached"):
            await link.send(AGENT_STATUS, [beat(1)])
