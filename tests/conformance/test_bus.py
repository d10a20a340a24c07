"""What every user of a bus may rely on, whichever it is."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence

import msgspec
import pytest
from runyard_shared.contracts.jobs import Parked
from runyard_shared.errors import Conflict, Unavailable
from runyard_shared.messaging.bus import Bus, Publication
from runyard_shared.messaging.topology import PARKED

from tests.buses import (
    NEWS,
    PUBLIC,
    WORK,
    Item,
    MemoryNetwork,
    Network,
    Notes,
    ParkedNotes,
    Ping,
    Pong,
    RabbitNetwork,
    Stray,
    pings,
    until,
)


@pytest.fixture(params=["memory", "amqp_url"])
async def network(request: pytest.FixtureRequest, namespace: str) -> AsyncIterator[Network]:
    network: Network = MemoryNetwork()
    if request.param == "amqp_url":
        network = RabbitNetwork(request.getfixturevalue("amqp_url"), namespace)
    yield network
    await network.close()


@pytest.fixture
async def here(network: Network) -> Bus:
    return await network.bus()


@pytest.fixture
async def there(network: Network) -> Bus:
    return await network.bus()


async def test_what_one_process_sends_arrives_in_the_order_of_its_calls(here: Bus, there: Bus) -> None:
    notes = Notes()
    await there.consume(WORK, Item, notes)
    async with asyncio.TaskGroup() as calls:
        for number in range(0, 3000, 3):
            calls.create_task(here.send(WORK, pings(number, number + 1, number + 2)))
            if number % 30 == 0:
                await asyncio.sleep(0)
    await until(lambda: len(notes.numbers) == 3000)
    assert notes.numbers == list(range(3000))


async def test_a_lone_item_goes_at_once_and_a_crowd_goes_together(here: Bus, there: Bus) -> None:
    notes = Notes()
    await there.consume(WORK, Item, notes)
    await here.send(WORK, pings(0))
    await until(lambda: notes.calls == [pings(0)])
    notes.gate.clear()
    async with asyncio.TaskGroup() as calls:
        calls.create_task(here.send(WORK, pings(1)))
        await until(lambda: notes.numbers == [0, 1])
        for number in range(2, 200):
            calls.create_task(here.send(WORK, pings(number)))
        await asyncio.sleep(0.1)
        notes.gate.set()
    await until(lambda: len(notes.numbers) == 200)
    assert len(notes.calls) <= 4


async def test_one_handler_call_gets_about_as_much_as_it_asked_for(here: Bus, there: Bus) -> None:
    notes = Notes()
    await there.consume(WORK, Item, notes, max_items=50)
    async with asyncio.TaskGroup() as calls:
        for number in range(400):
            calls.create_task(here.send(WORK, pings(number)))
    await until(lambda: len(notes.numbers) == 400)
    assert max(len(call) for call in notes.calls) < 50 + 256


async def test_a_list_too_long_for_one_message_arrives_whole_and_in_order(here: Bus, there: Bus) -> None:
    notes = Notes()
    await there.consume(WORK, Item, notes)
    await here.send(WORK, [Ping(number=number, text="x" * 2000) for number in range(1000)])
    await until(lambda: len(notes.numbers) == 1000)
    assert notes.numbers == list(range(1000))


async def test_what_is_sent_before_anybody_consumes_is_waiting(here: Bus, there: Bus) -> None:
    notes = Notes()
    sending = asyncio.create_task(here.send(WORK, [Ping(number=1), Pong(number=2)]))
    await asyncio.sleep(0.05)
    await there.consume(WORK, Item, notes)
    await sending
    await until(lambda: notes.calls == [[Ping(number=1), Pong(number=2)]])


async def test_while_a_part_is_away_the_same_list_comes_again_and_nothing_is_parked(here: Bus, there: Bus) -> None:
    notes, parked = Notes(), ParkedNotes()
    notes.away = True
    await there.consume(WORK, Item, notes)
    await there.consume(PARKED, Parked, parked)
    sending = asyncio.create_task(here.send(WORK, pings(1, 2)))
    await until(lambda: len(notes.calls) >= 4)
    notes.away = False
    await sending
    await here.send(WORK, pings(3))
    await until(lambda: notes.numbers[-1] == 3)
    assert notes.calls[:-1] == [pings(1, 2)] * (len(notes.calls) - 1)
    assert parked.items == []


async def test_a_poison_item_is_parked_by_itself_and_the_rest_of_its_list_is_handled(here: Bus, there: Bus) -> None:
    handled: list[int] = []
    parked = ParkedNotes()

    async def handle(items: Sequence[Ping]) -> None:
        if any(item.number == 2 for item in items):
            raise RuntimeError("cannot stand 2")
        handled.extend(item.number for item in items)

    await there.consume(WORK, Item, handle)
    await there.consume(PARKED, Parked, parked)
    await here.send(WORK, pings(1, 2, 3))
    await here.send(WORK, pings(4))
    await until(lambda: parked.items and len(handled) == 3)
    assert handled == [1, 3, 4]
    (poison,) = parked.items
    assert poison.queue == WORK
    assert msgspec.json.decode(poison.body, type=Item) == Ping(number=2)
    assert poison.reason == "RuntimeError: cannot stand 2"
    assert poison.attempts == 3


async def test_an_item_that_fails_once_is_not_parked(here: Bus, there: Bus) -> None:
    calls: list[int] = []
    parked = ParkedNotes()

    async def handle(items: Sequence[Ping]) -> None:
        calls.extend(item.number for item in items)
        if len(calls) == 1:
            raise RuntimeError("a bad moment")

    await there.consume(WORK, Item, handle)
    await there.consume(PARKED, Parked, parked)
    await here.send(WORK, pings(1))
    await here.send(WORK, pings(2))
    await until(lambda: calls == [1, 1, 2])
    assert parked.items == []


async def test_an_item_of_a_type_that_the_consumer_does_not_know_is_parked_by_itself(here: Bus, there: Bus) -> None:
    notes, parked = Notes(), ParkedNotes()
    await there.consume(WORK, Item, notes)
    await there.consume(PARKED, Parked, parked)
    await here.send(WORK, [Ping(number=1), Stray(number=2), Ping(number=3)])
    await until(lambda: parked.items and notes.calls)
    assert notes.calls == [pings(1, 3)]
    (stray,) = parked.items
    assert msgspec.json.decode(stray.body) == {"type": "Stray", "number": 2}
    assert stray.reason.startswith("not readable: ")


async def test_one_consumer_is_active_and_another_takes_over_when_it_goes(network: Network, here: Bus) -> None:
    first, second = Notes(), Notes()
    active = await (await network.bus()).consume(WORK, Item, first)
    await (await network.bus()).consume(WORK, Item, second)
    for number in range(5):
        await here.send(WORK, pings(number))
    await until(lambda: first.numbers == [0, 1, 2, 3, 4])
    await active.cancel()
    await here.send(WORK, pings(5))
    await until(lambda: second.numbers == [5])
    assert first.numbers == [0, 1, 2, 3, 4]


async def test_what_a_cancelled_consumer_could_not_handle_goes_to_the_next_in_order(network: Network, here: Bus) -> None:
    first, second = Notes(), Notes()
    first.away = True
    active = await (await network.bus()).consume(WORK, Item, first)
    await (await network.bus()).consume(WORK, Item, second)
    async with asyncio.TaskGroup() as calls:
        for number in range(20):
            calls.create_task(here.send(WORK, pings(number)))
        await until(lambda: len(first.calls) > 1)
        await active.cancel()
    await until(lambda: len(second.numbers) == 20)
    assert second.numbers == list(range(20))


async def test_cancelling_waits_for_the_handler_that_is_under_way(here: Bus, there: Bus) -> None:
    notes = Notes()
    notes.gate.clear()
    subscription = await there.consume(WORK, Item, notes)
    sending = asyncio.create_task(here.send(WORK, pings(1)))
    await until(lambda: notes.calls)
    cancelling = asyncio.create_task(subscription.cancel())
    await asyncio.sleep(0.05)
    assert not cancelling.done()
    notes.gate.set()
    await cancelling
    await sending
    assert notes.calls == [pings(1)]


async def test_a_queue_that_the_topology_does_not_name_is_refused(here: Bus) -> None:
    with pytest.raises(ValueError, match="no queue nowhere"):
        await here.send("nowhere", pings(1))
    with pytest.raises(ValueError, match="no queue nowhere"):
        await here.consume("nowhere", Item, Notes())


async def test_a_broadcast_reaches_everybody_who_listens_then(network: Network, here: Bus) -> None:
    early, late = Notes(), Notes()
    await (await network.bus()).listen(NEWS, Item, early)
    await here.broadcast(NEWS, pings(1, 2))
    await until(lambda: early.numbers == [1, 2])
    listening = await (await network.bus()).listen(NEWS, Item, late)
    await here.broadcast(NEWS, pings(3))
    await until(lambda: early.numbers == [1, 2, 3] and late.numbers == [3])
    await listening.cancel()
    await here.broadcast(NEWS, pings(4))
    await until(lambda: early.numbers == [1, 2, 3, 4])
    assert late.numbers == [3]


async def test_a_listener_that_is_too_slow_loses_the_oldest_broadcasts(here: Bus, there: Bus) -> None:
    slow, fast = Notes(), Notes()
    slow.gate.clear()
    await there.listen(NEWS, Item, slow, max_waiting=10)
    await there.listen(NEWS, Item, fast)
    for number in range(500):
        await here.broadcast(NEWS, pings(number))
    await until(lambda: len(fast.numbers) == 500)
    slow.gate.set()
    await until(lambda: slow.numbers[-1] == 499)
    assert len(slow.numbers) <= 1 + 10 + 10
    assert slow.numbers == sorted(slow.numbers)


async def test_what_a_listener_cannot_read_or_handle_is_dropped_and_not_parked(here: Bus, there: Bus) -> None:
    notes, parked = Notes(), ParkedNotes()
    notes.poison.add(2)
    await there.listen(NEWS, Item, notes)
    await there.consume(PARKED, Parked, parked)
    await here.broadcast(NEWS, [Ping(number=1), Stray(number=7), Ping(number=2), Ping(number=3)])
    await here.broadcast(NEWS, pings(4))
    await until(lambda: notes.numbers[-1:] == [4])
    assert notes.numbers[:3] == [1, 2, 3]
    assert 7 not in notes.numbers
    assert parked.items == []


async def test_who_hears_broadcasts_is_called_with_each_at_once_until_it_cancels(here: Bus, there: Bus) -> None:
    heard: list[int] = []

    def hear(items: Sequence[Item]) -> None:
        if any(item == Ping(number=2) for item in items):
            raise ValueError("two")
        heard.extend(item.number for item in items if isinstance(item, Ping))

    hearing = await there.hear(NEWS, Item, hear)
    await here.broadcast(NEWS, [Ping(number=1), Stray(number=7)])
    for number in range(2, 300):  # more than a broker sends without acknowledgements
        await here.broadcast(NEWS, pings(number))
    await until(lambda: heard[-1:] == [299])
    assert heard == [1, *range(3, 300)]
    await hearing.cancel()
    notes = Notes()
    await there.listen(NEWS, Item, notes)
    await here.broadcast(NEWS, pings(300))
    await until(lambda: notes.numbers == [300])
    assert heard[-1] == 299


async def test_a_mailbox_gets_what_is_posted_while_it_is_open(here: Bus, there: Bus) -> None:
    notes = Notes()
    await here.post("box", pings(1))
    mailbox = await there.open_mailbox("box", Item, notes)
    await here.post("box", pings(2, 3))
    await here.post("box", pings(4))
    await until(lambda: len(notes.numbers) == 3)
    await mailbox.cancel()
    await here.post("box", pings(5))
    again = Notes()
    await there.open_mailbox("box", Item, again)
    await here.post("box", pings(6))
    await until(lambda: again.numbers == [6])
    assert notes.numbers == [2, 3, 4]


async def test_a_mailbox_has_one_holder(here: Bus, there: Bus) -> None:
    notes = Notes()
    await there.open_mailbox("box", Item, notes)
    with pytest.raises(Conflict) as refusal:
        await here.open_mailbox("box", Item, Notes())
    assert refusal.value.code == "mailbox_taken"
    await here.post("box", pings(1))
    await until(lambda: notes.numbers == [1])


async def test_closing_tells_those_who_still_wait_to_send(network: Network, here: Bus, there: Bus) -> None:
    notes = Notes()
    notes.away = True
    await there.consume(WORK, Item, notes)
    sending = asyncio.create_task(here.send(WORK, pings(1)))
    await until(lambda: notes.calls)
    if isinstance(network, MemoryNetwork):
        await network.close()
        with pytest.raises(Unavailable):
            await sending
    else:
        await sending  # the broker has it: nobody waits


async def test_ten_thousand_items_make_the_way(here: Bus, there: Bus) -> None:
    notes = Notes()
    await there.consume(WORK, Item, notes)
    began, cpu = time.perf_counter(), time.process_time()
    async with asyncio.TaskGroup() as senders:

        async def send(first: int) -> None:
            for number in range(first, first + 100):
                await here.send(WORK, pings(number))

        for first in range(0, 10_000, 100):
            senders.create_task(send(first))
    await until(lambda: len(notes.numbers) == 10_000)
    seconds = time.perf_counter() - began
    print(  # noqa: T201 - a figure to look at, not to judge by
        f"{type(here).__name__}: {10_000 / seconds:,.0f} items/s from 100 senders, "
        f"{(time.process_time() - cpu) * 100:.1f} µs CPU each, {len(notes.calls)} handler calls"
    )
    assert sorted(notes.numbers) == list(range(10_000))


async def test_what_is_published_needs_nobody_who_wants_it_and_only_the_public_exchange_takes_it(here: Bus) -> None:
    await here.publish(PUBLIC, "application/json", [Publication(f"acme.{number}", b"[]") for number in range(100)])
    await here.publish(PUBLIC, "application/json", [])
    with pytest.raises(ValueError, match="no public exchange"):
        await here.publish(NEWS, "application/json", [Publication("acme.a", b"[]")])
