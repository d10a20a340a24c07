"""What the bus on RabbitMQ promises beyond any bus: that nothing confirmed is lost when connections are."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aio_pika
import msgspec
import pytest
from runyard_shared.contracts.commands import Reply, Request, ResumePool
from runyard_shared.contracts.jobs import Parked
from runyard_shared.errors import Invalid, Unavailable
from runyard_shared.messaging.amqp.consumer import PREFETCH
from runyard_shared.messaging.amqp.declare import delete_topology
from runyard_shared.messaging.bus import Publication
from runyard_shared.messaging.rabbit import FIRST_PAUSE_SECONDS, AgentAccount, RabbitBus
from runyard_shared.messaging.requests import Requests, post_replies
from runyard_shared.messaging.topology import (
    AGENT_STATUS,
    DEAD_LETTERS,
    DISPATCHER_COMMANDS,
    FEED,
    LIVE_OUTPUT,
    PARKED,
    TOPOLOGY,
    agent_mailbox,
)

from tests.buses import NEWS, PUBLIC, SMALL, WORK, Cable, Item, Notes, ParkedNotes, Ping, RabbitNetwork, pings, until
from tests.certificates import server_certificate


@pytest.fixture
async def network(amqp_url: str, namespace: str) -> AsyncIterator[RabbitNetwork]:
    network = RabbitNetwork(amqp_url, namespace)
    yield network
    await network.close()


@pytest.fixture
async def cable(amqp_url: str) -> AsyncIterator[Cable]:
    cable = Cable(amqp_url)
    await cable.mend()
    yield cable
    await cable.cut()


async def waiting_in(network: RabbitNetwork, queue: str) -> int:
    """How many messages of the queue the broker has not handed to anybody."""
    async with await aio_pika.connect(network.url) as connection:
        declared = await (await connection.channel()).get_queue(f"{network.namespace}.{queue}")
        return declared.declaration_result.message_count or 0


async def delete_queue(network: RabbitNetwork, queue: str) -> None:
    async with await aio_pika.connect(network.url) as connection:
        await (await connection.channel()).queue_delete(f"{network.namespace}.{queue}")


async def publish_raw(network: RabbitNetwork, queue: str, body: bytes) -> None:
    async with await aio_pika.connect(network.url) as connection:
        exchange = (await connection.channel()).default_exchange
        await exchange.publish(aio_pika.Message(body), routing_key=f"{network.namespace}.{queue}")


async def test_a_list_that_was_not_acknowledged_comes_to_the_next_consumer(network: RabbitNetwork, cable: Cable) -> None:
    here = await network.bus()
    first, second = Notes(), Notes()
    first.gate.clear()
    await (await network.bus(cable.url)).consume(WORK, Item, first)
    await here.send(WORK, pings(1, 2))
    await here.send(WORK, pings(3))
    await until(lambda: first.numbers == [1, 2])
    await (await network.bus()).consume(WORK, Item, second)
    await cable.cut()
    await until(lambda: second.numbers == [1, 2, 3])
    first.gate.set()


async def test_who_asked_and_lost_the_answer_with_the_connection_asks_again(
    amqp_url: str, namespace: str, cable: Cable
) -> None:
    here, there = (RabbitBus(url, namespace=namespace) for url in (amqp_url, cable.url))
    await here.open()
    await there.open()
    asker = Requests(there, "gateway-1")
    await asker.open()
    asked: list[str] = []

    async def answer(requests: Sequence[Request]) -> None:
        asked.extend(request.request_id for request in requests)
        if len(asked) == 1:
            await cable.cut()
        replies = [(request.reply_to or "", Reply(request_id=request.request_id, result={})) for request in requests]
        await post_replies(here, replies)
        if len(asked) == 1:
            await cable.mend()

    await here.consume(DISPATCHER_COMMANDS, Request, answer)
    try:
        command = ResumePool(pool="default")
        reply = await asker.ask(DISPATCHER_COMMANDS, command, tenant_id="default", actor="ada")
        assert reply.result == {} and len(asked) > 1 and set(asked) == {reply.request_id}
    finally:
        await there.close()
        await here.close()
        await delete_topology(amqp_url, namespace, TOPOLOGY)


async def test_a_consumer_whose_connection_was_lost_consumes_again(network: RabbitNetwork, cable: Cable) -> None:
    here = await network.bus()
    notes, heard, posted = Notes(), Notes(), Notes()
    there = await network.bus(cable.url)
    again = asyncio.Event()

    async def reconnected() -> None:
        again.set()

    there.on_reconnect(reconnected)
    await there.consume(WORK, Item, notes)
    await there.listen(NEWS, Item, heard)
    await there.open_mailbox("box", Item, posted)
    await cable.cut()
    await until(lambda: there.trouble)
    assert there.trouble
    assert there.trouble.startswith("RabbitMQ")
    await here.send(WORK, pings(1))
    assert not again.is_set()
    await cable.mend()
    await again.wait()
    assert there.trouble is None
    await here.broadcast(NEWS, pings(2))
    await here.post("box", pings(3))
    await until(lambda: (notes.numbers, heard.numbers, posted.numbers) == ([1], [2], [3]))


async def test_whatever_send_confirmed_arrives_in_order_however_often_the_connection_is_lost(
    network: RabbitNetwork, cable: Cable
) -> None:
    notes = Notes()
    await (await network.bus()).consume(WORK, Item, notes)
    here = await network.bus(cable.url)
    stop = asyncio.Event()
    sent = 0

    async def send() -> None:
        nonlocal sent
        while not stop.is_set():
            first, sent = sent, sent + 2
            await asyncio.gather(here.send(WORK, pings(first)), here.send(WORK, pings(first + 1)))

    async with asyncio.TaskGroup() as senders:
        sending = [senders.create_task(send()) for _ in range(10)]
        for _ in range(5):
            before = len(notes.numbers)
            await until(lambda before=before: len(notes.numbers) > before + 50)  # type: ignore[misc]
            await cable.cut()
            await cable.mend()
        stop.set()
    assert all(task.done() for task in sending)
    await until(lambda: len(set(notes.numbers)) == sent)
    firsts = list(dict.fromkeys(notes.numbers))
    assert firsts == list(range(sent))


async def test_sending_waits_for_an_absent_broker_and_then_says_so(network: RabbitNetwork, cable: Cable) -> None:
    notes = Notes()
    await (await network.bus()).consume(WORK, Item, notes)
    here = await network.bus(cable.url, send_timeout_seconds=0.5)
    await cable.cut()
    with pytest.raises(Unavailable, match=r"RabbitMQ took nothing for work in 0\.5 s: RabbitMQ"):
        await here.send(WORK, pings(1))
    await here.broadcast(NEWS, pings(2))
    await here.post("box", pings(3))
    await cable.mend()
    await until(lambda: here.trouble is None)
    await here.send(WORK, pings(4))
    await until(lambda: notes.numbers == [4])


async def test_opening_says_when_there_is_no_broker(amqp_url: str, cable: Cable) -> None:
    await cable.cut()
    with pytest.raises(Unavailable, match="RabbitMQ cannot be reached"):
        await RabbitBus(cable.url, send_timeout_seconds=0.5).open()


async def test_opening_says_when_the_login_is_refused(amqp_url: str) -> None:
    stranger = amqp_url.replace("://", "://nobody:wrong@", 1) if "@" not in amqp_url else amqp_url.replace("://", "://not-", 1)
    with pytest.raises(Unavailable, match="ACCESS_REFUSED"):
        await RabbitBus(stranger, send_timeout_seconds=0.5).open()


async def test_closing_tells_those_who_still_wait_for_a_confirmation(network: RabbitNetwork, cable: Cable) -> None:
    here = await network.bus(cable.url)
    await cable.cut()
    sending = asyncio.create_task(here.send(WORK, pings(1)))
    await until(lambda: here.trouble)
    await here.close()
    with pytest.raises(Unavailable, match="closed"):
        await sending


async def test_what_a_slow_consumer_cannot_take_waits_in_the_broker(network: RabbitNetwork) -> None:
    here, there = await network.bus(), await network.bus()
    notes = Notes()
    notes.gate.clear()
    await there.consume(WORK, Item, notes)
    for number in range(PREFETCH * 2):
        await here.send(WORK, pings(number))
    assert await waiting_in(network, WORK) == PREFETCH
    notes.gate.set()
    await until(lambda: notes.numbers == list(range(PREFETCH * 2)))


async def test_a_body_that_is_no_list_is_parked_as_it_is_and_the_queue_goes_on(network: RabbitNetwork) -> None:
    here = await network.bus()
    notes, parked = Notes(), ParkedNotes()
    await here.consume(WORK, Item, notes)
    await here.consume(PARKED, Parked, parked)
    garbage = [b"", b"{", b'{"type":"Ping","number":1}', b"\xff\xfe", b'[{"type":"Ping","number":1},']
    for body in garbage:
        await publish_raw(network, WORK, body)
    await here.send(WORK, pings(2))
    await until(lambda: len(parked.items) == len(garbage) and notes.calls)
    assert notes.calls == [pings(2)]
    assert [item.body for item in parked.items] == garbage
    assert all(item.queue == WORK and item.reason.startswith("not a JSON list: ") for item in parked.items)


async def test_one_unreadable_item_does_not_spoil_its_list(network: RabbitNetwork) -> None:
    here = await network.bus()
    notes, parked = Notes(), ParkedNotes()
    await here.consume(WORK, Item, notes)
    await here.consume(PARKED, Parked, parked)
    good = msgspec.json.encode(Ping(number=1)).decode()
    await publish_raw(network, WORK, f'[{good},{{"type":"Ping"}},7,{good}]'.encode())
    await until(lambda: len(parked.items) == 2 and notes.calls)
    assert notes.calls == [pings(1, 1)]
    assert [item.body for item in parked.items] == [b'{"type":"Ping"}', b"7"]


async def test_a_message_that_takes_its_consumer_down_again_and_again_ends_as_a_dead_letter(
    network: RabbitNetwork, cable: Cable
) -> None:
    here = await network.bus()
    notes = Notes()
    notes.gate.clear()
    there = await network.bus(cable.url)
    await there.consume(WORK, Item, notes)
    await here.send(WORK, pings(7))
    for _ in range(SMALL.delivery_limit + 1):
        while await waiting_in(network, WORK):  # noqa: ASYNC110 - it waits for the broker
            await asyncio.sleep(0.01)
        await cable.cut()
        await until(lambda: there.trouble)
        await cable.mend()
        await until(lambda: not there.trouble)
    dead = ParkedNotes()
    await here.consume(DEAD_LETTERS, Parked, dead)
    await until(lambda: dead.items)
    (letter,) = dead.items
    assert (letter.queue, letter.attempts, letter.sender) == (WORK, SMALL.delivery_limit + 1, "")
    assert msgspec.json.decode(letter.body, type=list[Item]) == pings(7)
    assert letter.reason.startswith("RabbitMQ gave up on it")
    assert abs(datetime.now(UTC) - datetime.fromisoformat(letter.parked_at)) < timedelta(minutes=5)
    notes.gate.set()


async def test_an_item_of_some_megabytes_arrives_and_one_too_large_is_refused(network: RabbitNetwork) -> None:
    here, there = await network.bus(), await network.bus()
    notes = Notes()
    await there.consume(WORK, Item, notes)
    large = Ping(number=1, text="x" * 3_000_000)
    await here.send(WORK, [Ping(number=0), large, Ping(number=2)])
    await until(lambda: len(notes.numbers) == 3)
    assert [item for call in notes.calls for item in call] == [Ping(number=0), large, Ping(number=2)]
    with pytest.raises(Invalid) as refusal:
        await here.send(WORK, [Ping(number=3, text="x" * 9_000_000)])
    assert refusal.value.code == "message_too_large"


async def test_a_queue_that_somebody_deleted_is_made_again(network: RabbitNetwork) -> None:
    here = await network.bus()
    await delete_queue(network, WORK)
    with pytest.raises(Unavailable, match="NO_ROUTE"):
        await here.send(WORK, pings(1))
    await here.send(WORK, pings(2))
    notes = Notes()
    await here.consume(WORK, Item, notes)
    await until(lambda: notes.numbers == [2])
    again = asyncio.Event()

    async def reconnected() -> None:
        again.set()

    here.on_reconnect(reconnected)
    await delete_queue(network, WORK)
    await again.wait()
    await here.send(WORK, pings(3))
    await until(lambda: notes.numbers == [2, 3])


async def test_whoever_would_consume_a_deleted_queue_is_told_and_may_try_again(network: RabbitNetwork) -> None:
    here = await network.bus()
    notes = Notes()
    await delete_queue(network, WORK)
    with pytest.raises(Unavailable, match="NOT_FOUND"):
        await here.consume(WORK, Item, notes)
    await here.consume(WORK, Item, notes)
    await here.send(WORK, pings(1))
    await until(lambda: notes.numbers == [1])


async def test_installations_with_different_namespaces_do_not_meet(network: RabbitNetwork, amqp_url: str) -> None:
    other = RabbitNetwork(amqp_url, f"{network.namespace}x")
    try:
        here, stranger = await network.bus(), await other.bus()
        mine, theirs = Notes(), Notes()
        for bus, notes in ((here, mine), (stranger, theirs)):
            await bus.consume(WORK, Item, notes)
            await bus.listen(NEWS, Item, notes)
            await bus.open_mailbox("box", Item, notes)
        await here.send(WORK, pings(1))
        await here.broadcast(NEWS, pings(2))
        await here.post("box", pings(3))
        await stranger.post("box", pings(4))
        await until(lambda: sorted(mine.numbers) == [1, 2, 3] and theirs.numbers == [4])
    finally:
        await other.close()


async def test_as_an_agent_the_bus_asks_for_nothing_that_an_agent_may_not_do() -> None:
    bus = RabbitBus("amqp://127.0.0.1:1", account=AgentAccount("acme", "web-1"))
    with pytest.raises(ValueError, match="no way for an agent to the queue parked"):
        await bus.send(PARKED, pings(1))
    with pytest.raises(ValueError, match="agent web-1 may not consume a work queue"):
        await bus.consume(AGENT_STATUS, Item, Notes())
    with pytest.raises(ValueError, match="agent web-1 may not listen"):
        await bus.listen(FEED, Item, Notes())
    with pytest.raises(ValueError, match="agent web-1 may not post"):
        await bus.post(agent_mailbox("acme", "db-1"), pings(1))
    with pytest.raises(ValueError, match="agent web-1 may not open another mailbox than its own"):
        await bus.open_mailbox(agent_mailbox("acme", "db-1"), Item, Notes())
    await bus.broadcast(LIVE_OUTPUT, pings(1))


async def test_what_is_published_comes_to_the_queues_that_others_have_bound_in_order_and_as_what_it_is(
    network: RabbitNetwork,
) -> None:
    here = await network.bus()
    large = b"[" + b"1," * 200_000 + b"1]"
    async with await aio_pika.connect(network.url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind(f"{network.namespace}.{PUBLIC}", "acme.#")
        await here.publish(
            PUBLIC, "application/x-list", [Publication(f"acme.a.{number}", b"[%d]" % number) for number in range(50)]
        )
        await here.publish(PUBLIC, "application/x-list", [Publication("globex.a.b", b"[]"), Publication("acme.large", large)])
        got = [await queue.get() for _ in range(51)]
    assert [message.body for message in got] == [*(b"[%d]" % number for number in range(50)), large]
    assert [message.routing_key for message in got] == [*(f"acme.a.{number}" for number in range(50)), "acme.large"]
    assert {message.content_type for message in got} == {"application/x-list"}
    assert {message.delivery_mode for message in got} == {aio_pika.DeliveryMode.PERSISTENT}


async def test_whatever_publish_confirmed_is_there_in_order_however_often_the_connection_is_lost(
    network: RabbitNetwork, cable: Cable
) -> None:
    here = await network.bus(cable.url)
    async with await aio_pika.connect(network.url) as connection:
        queue = await (await connection.channel()).declare_queue(exclusive=True)
        await queue.bind(f"{network.namespace}.{PUBLIC}", "#")
        numbers: list[int] = []

        async def take(message: aio_pika.abc.AbstractIncomingMessage) -> None:
            numbers.append(int(message.body))

        await queue.consume(take, no_ack=True)
        for cut in range(4):
            first = cut * 300
            publications = [Publication("acme.a.b", b"%d" % number) for number in range(first, first + 300)]
            publishing = asyncio.create_task(here.publish(PUBLIC, "x", publications))
            await asyncio.sleep(0)
            await cable.cut()
            with pytest.raises(Unavailable):
                await publishing
                raise Unavailable("it was confirmed before the connection was cut")
            await cable.mend()
            while True:
                try:
                    await here.publish(PUBLIC, "x", publications)
                    break
                except Unavailable:
                    await asyncio.sleep(0.01)
        await until(lambda: len(set(numbers)) == 1200)
    assert list(dict.fromkeys(numbers)) == list(range(1200))


async def test_publishing_to_an_exchange_that_somebody_deleted_makes_it_again(network: RabbitNetwork) -> None:
    here = await network.bus()
    async with await aio_pika.connect(network.url) as connection:
        await (await connection.channel()).exchange_delete(f"{network.namespace}.{PUBLIC}")
    with pytest.raises(Unavailable):
        await here.publish(PUBLIC, "x", [Publication("a", b"[]")])
    await until(lambda: here.trouble is None)
    await here.publish(PUBLIC, "x", [Publication("a", b"[]")])


def test_an_agent_needs_nothing_that_only_services_have_installed() -> None:
    program = """
import asyncio, sys
sys.modules["aio_pika"] = sys.modules["faststream"] = sys.modules["asyncpg"] = sys.modules["eventsourcing"] = None
from runyard_shared.errors import Unavailable
from runyard_shared.messaging.bus import Publication
from runyard_shared.messaging.rabbit import AgentAccount, RabbitBus
try:
    asyncio.run(RabbitBus("amqp://127.0.0.1:1", account=AgentAccount("t", "a"), send_timeout_seconds=1).open())
except Unavailable as problem:
    print(problem)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert "RabbitMQ cannot be reached" in done.stdout


async def test_a_bus_whose_new_login_is_refused_too_asks_again_after_a_pause(amqp_url: str) -> None:
    asked: list[float] = []
    wrong = amqp_url.replace("://", "://not-", 1)

    async def renew() -> str:
        asked.append(asyncio.get_running_loop().time())
        return amqp_url if len(asked) == 3 else wrong

    bus = RabbitBus(wrong, account=AgentAccount("acme", "web-1"), renew=renew)
    await bus.open()
    assert bus.trouble is None
    assert asked[2] - asked[0] > FIRST_PAUSE_SECONDS
    await bus.close()


async def test_a_broker_with_a_certificate_of_a_private_authority_is_spoken_to_only_when_that_is_named(
    amqp_url: str, tmp_path: Path
) -> None:
    certificate = server_certificate(tmp_path)
    ca_file = tmp_path / "authority.pem"
    ca_file.write_text(certificate.authority)
    cable = Cable(amqp_url, certificate.context())
    await cable.mend()
    agent = AgentAccount("acme", "web-1")
    stranger = RabbitBus(cable.url, account=agent)
    opening = asyncio.create_task(stranger.open())
    await until(lambda: "CERTIFICATE_VERIFY_FAILED" in str(stranger.trouble))
    opening.cancel()
    await stranger.close()
    bus = RabbitBus(cable.url, account=agent, ca_file=ca_file)
    await bus.open()
    assert bus.trouble is None
    await bus.close()
    await cable.cut()


async def test_a_bus_that_is_closed_while_it_connects_leaves_nothing_behind(amqp_url: str, network: RabbitNetwork) -> None:
    mine = asyncio.all_tasks()
    for moment in range(40):
        bus = RabbitBus(amqp_url, namespace=network.namespace, topology=SMALL)
        opening = asyncio.create_task(bus.open())
        for _ in range(moment):
            await asyncio.sleep(0.0005)
        await bus.close()
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
        assert not (left := asyncio.all_tasks() - mine), (moment, left)
