"""What an agent may count on, whichever way it talks with its server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import pytest
from runyard_agent.transport.base import Transport
from runyard_shared.contracts.jobs import AgentHeartbeat, AgentOrder, CancelJob, OutputChunk, RunJob, SessionRefused
from runyard_shared.contracts.reports import JobStarted
from runyard_shared.errors import Conflict, Unavailable
from runyard_shared.ids import new_id
from runyard_shared.messaging.topology import (
    AGENT_STATUS,
    JOB_OUTPUT,
    LIVE_OUTPUT,
    agent_mailbox,
    orchestrator_inbox,
)

from tests import agent_ways
from tests.agent_ways import Way, Wired
from tests.agents import NAME, TENANT, Desk, until


@pytest.fixture
async def memory() -> AsyncIterator[Way]:
    async with agent_ways.memory() as way:
        yield way


@pytest.fixture
async def amqp(amqp_url: str, management_url: str, namespace: str) -> AsyncIterator[Way]:
    async with agent_ways.amqp(amqp_url, management_url, namespace) as way:
        yield way


@pytest.fixture
async def https(pool: Any) -> AsyncIterator[Way]:
    async with agent_ways.https(pool) as way:
        yield way


BY_SERVER = {"none": "memory", "amqp_url": "amqp", "postgres_url": "https"}
"""The parameters name the server that a way needs, so that it is launched in time."""


@pytest.fixture(params=["none", "amqp_url", "postgres_url"], ids=["memory", "amqp", "https"])
def way(request: pytest.FixtureRequest) -> Way:
    found: Way = request.getfixturevalue(BY_SERVER[request.param])
    return found


@pytest.fixture(params=["amqp_url", "postgres_url"], ids=["amqp", "https"])
def wired(request: pytest.FixtureRequest) -> Wired:
    found: Wired = request.getfixturevalue(BY_SERVER[request.param])
    return found


async def desk_of(way: Way) -> Desk:
    return await Desk(way.bus).open()


async def opened(way: Way) -> Transport:
    transport = way.transport()
    await transport.open()
    return transport


class Orders:
    def __init__(self) -> None:
        self.items: list[AgentOrder] = []

    async def __call__(self, orders: Sequence[AgentOrder]) -> None:
        self.items += orders


def beat(number: int) -> AgentHeartbeat:
    return AgentHeartbeat(tenant_id=TENANT, name=NAME, session_id=str(number), leases=[("j", number)])


def chunk(number: int, data: bytes) -> OutputChunk:
    offset = number * len(data)
    return OutputChunk(tenant_id=TENANT, execution_id="e", job_id="j", stream="stdout", number=number, offset=offset, data=data)


def cancel(number: int) -> CancelJob:
    return CancelJob(job_id=str(number), dispatch=number)


async def posted_until(way: Way, orders: Orders, count: int) -> None:
    """Orders may be lost while a connection is; whoever gives them repeats them."""
    async with asyncio.timeout(15):
        while len(orders.items) < count:
            await way.bus.post(agent_mailbox(TENANT, NAME), [cancel(0)])
            await asyncio.sleep(0.05)


async def test_what_is_sent_to_a_queue_is_there_in_the_order_of_the_calls_when_send_returns(way: Way) -> None:
    desk = await desk_of(way)
    transport = await opened(way)
    await asyncio.gather(*(transport.send(AGENT_STATUS, [beat(2 * n), beat(2 * n + 1)]) for n in range(100)))
    await until(lambda: len(desk.heartbeats) == 200)
    assert [int(each.session_id) for each in desk.heartbeats] == list(range(200))
    assert desk.heartbeats[7].leases == [("j", 7)]


async def test_reports_and_output_reach_their_queues_whole(way: Way) -> None:
    desk = await desk_of(way)
    live: list[Any] = []

    async def watch(items: Sequence[Any]) -> None:
        live.extend(items)

    await way.bus.listen(LIVE_OUTPUT, OutputChunk, watch)
    transport = await opened(way)
    executions = [new_id() for _ in range(20)]
    for execution_id in executions:
        started = JobStarted(tenant_id=TENANT, execution_id=execution_id, job_id="j", dispatch=1, agent=NAME)
        await transport.send(orchestrator_inbox(execution_id), [started])
    data = bytes(range(256)) * 256
    await transport.send(JOB_OUTPUT, [chunk(n, data) for n in range(50)])
    await until(lambda: len(desk.output) == 50 and len(desk.reports) == 20)
    assert {report.execution_id for report in desk.reports} == set(executions)
    kept = [each for each in desk.output if isinstance(each, OutputChunk)]
    assert [each.number for each in kept] == list(range(50))
    assert all(each.data == data for each in kept)
    await until(lambda: len(live) == 50)


async def test_orders_come_in_order_and_as_they_were_given(way: Way) -> None:
    orders = Orders()
    transport = await opened(way)
    await transport.receive(orders)
    given = [
        RunJob(
            tenant_id=TENANT, execution_id="e", job_id="j", node_id="n", attempt=1, dispatch=2, session_id="s",
            action="script.bash", params={"script": "echo 'ä\u2028\\n'"}, connection="c", sealed_connection=bytes(range(256)),
        ),
        *(cancel(number) for number in range(100)),
        SessionRefused(session_id="s", reason="silent", revoked=False),
    ]  # fmt: skip
    for order in given:
        await way.bus.post(agent_mailbox(TENANT, NAME), [order])
    await until(lambda: len(orders.items) == len(given))
    assert orders.items == given


async def test_a_second_process_is_refused_until_the_first_has_let_go(way: Way) -> None:
    first, second = await opened(way), await opened(way)
    orders = Orders()
    mailbox = await first.receive(Orders())
    with pytest.raises(Conflict) as taken:
        await second.receive(orders)
    assert taken.value.code == "mailbox_taken"
    await mailbox.cancel()

    async with asyncio.timeout(30):
        while True:
            try:
                await second.receive(orders)
            except Conflict:
                await asyncio.sleep(0.05)
            else:
                break
    await posted_until(way, orders, 1)


async def test_nothing_more_is_handled_after_the_mailbox_was_closed(way: Way) -> None:
    orders = Orders()
    transport = await opened(way)
    mailbox = await transport.receive(orders)
    await posted_until(way, orders, 1)
    await mailbox.cancel()
    seen = len(orders.items)
    await way.bus.post(agent_mailbox(TENANT, NAME), [cancel(1)])
    await asyncio.sleep(0.1)
    assert len(orders.items) == seen


async def test_without_a_server_open_says_so(wired: Wired) -> None:
    await wired.cable.cut()
    with pytest.raises(Unavailable):
        await wired.transport().open()


async def test_what_is_sent_while_the_connection_is_lost_arrives_in_order_when_it_is_back(wired: Wired) -> None:
    desk = await desk_of(wired)
    transport = await opened(wired)
    await transport.receive(Orders())
    await transport.send(AGENT_STATUS, [beat(0)])
    await wired.cable.cut()
    await until(lambda: transport.trouble is not None)
    sends = [asyncio.create_task(transport.send(AGENT_STATUS, [beat(number)])) for number in range(1, 20)]
    await asyncio.sleep(0.3)
    assert not any(send.done() for send in sends)
    await wired.cable.mend()
    await asyncio.gather(*sends)
    await until(lambda: len({each.session_id for each in desk.heartbeats}) == 20)
    assert list(dict.fromkeys(int(each.session_id) for each in desk.heartbeats)) == list(range(20))
    await until(lambda: transport.trouble is None)


async def test_a_connection_that_breaks_during_a_flood_loses_nothing_and_swaps_nothing(wired: Wired) -> None:
    desk = await desk_of(wired)
    transport = await opened(wired)

    async def flood() -> None:
        for number in range(300):
            await transport.send(AGENT_STATUS, [beat(number)])

    flooding = asyncio.create_task(flood())
    for _ in range(3):
        await asyncio.sleep(0.1)
        await wired.cable.cut()
        await wired.cable.mend()
    await asyncio.wait_for(flooding, 60)
    await until(lambda: len({each.session_id for each in desk.heartbeats}) == 300)
    # one may come twice, but none after one that was sent later
    assert list(dict.fromkeys(int(each.session_id) for each in desk.heartbeats)) == list(range(300))


async def test_a_server_that_stays_away_is_said_after_a_while(wired: Wired) -> None:
    transport = await opened(wired)
    await wired.cable.cut()
    with pytest.raises(Unavailable):
        await transport.send(AGENT_STATUS, [beat(0)])


async def test_after_a_lost_connection_the_agent_is_told_and_gets_orders_again(wired: Wired) -> None:
    told: list[str | None] = []
    transport = await opened(wired)

    async def reconnected() -> None:
        told.append(transport.trouble)

    transport.on_reconnect(reconnected)
    orders = Orders()
    await transport.receive(orders)
    await posted_until(wired, orders, 1)
    await wired.cable.cut()
    await until(lambda: transport.trouble is not None)
    seen = len(orders.items)
    await wired.cable.mend()
    await until(lambda: bool(told), within_seconds=20)
    await posted_until(wired, orders, seen + 1)
    assert told == [None]


async def test_a_callback_that_fails_does_not_end_the_connection(wired: Wired) -> None:
    transport = await opened(wired)
    called: list[str] = []

    def failing(name: str) -> Callable[[], Awaitable[None]]:
        async def call() -> None:
            called.append(name)
            raise RuntimeError(name)

        return call

    transport.on_reconnect(failing("first"))
    transport.on_reconnect(failing("second"))
    orders = Orders()
    await transport.receive(orders)
    await wired.cable.cut()
    await wired.cable.mend()
    await until(lambda: called == ["first", "second"], within_seconds=20)
    await posted_until(wired, orders, 1)
