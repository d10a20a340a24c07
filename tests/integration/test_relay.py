"""What was committed goes out: all of it, in order, whatever the broker or the process does in between."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from runyard_shared.contracts.feed import FeedBatch, Recorded
from runyard_shared.errors import Unavailable
from runyard_shared.eventstore.checkpoint import Checkpoint
from runyard_shared.eventstore.follower import Follower
from runyard_shared.eventstore.relay import Relay
from runyard_shared.ids import new_id
from runyard_shared.messaging.bus import Handler, Hearer, Publication, Subscription

from tests.eventstores import SCHEMA, Log, make_log, names, open_log, until


class Outlet:
    """The sending side of a bus, with a gate for each queue: closed, sends wait; broken, they fail."""

    trouble: str | None = None
    in_process = False

    def __init__(self) -> None:
        self.feed: list[FeedBatch] = []
        self.sends: dict[str, list[list[str]]] = {"even": [], "odd": []}
        self.published: list[Publication] = []
        self.begun: list[list[str]] = []
        self.broken: set[str] = set()
        self._gates = {gate: asyncio.Event() for gate in ("even", "odd", "public")}
        self.open_gate(*self._gates)

    def open_gate(self, *queues: str) -> None:
        for queue in queues:
            self._gates[queue].set()

    def close_gate(self, queue: str) -> None:
        self._gates[queue].clear()

    def work(self, queue: str) -> list[str]:
        return [item for items in self.sends[queue] for item in items]

    def seen(self) -> list[str]:
        return [name for batch in self.feed for name in names(batch.events)]

    def public(self) -> list[str]:
        """The ids of what was published, in order."""
        return [event["id"] for publication in self.published for event in json.loads(publication.body)]

    async def send(self, queue: str, items: Sequence[Any]) -> None:
        self.begun.append(list(items))
        await self._gates[queue].wait()
        if queue in self.broken:
            raise Unavailable("the broker is away")
        self.sends[queue].append(list(items))

    async def broadcast(self, exchange: str, items: Sequence[Any]) -> None:
        assert exchange == "feed"
        self.feed.extend(items)

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def publish(self, exchange: str, content_type: str, publications: Sequence[Publication]) -> None:
        assert (exchange, content_type) == ("runyard.events", "application/cloudevents-batch+json")
        await self._gates["public"].wait()
        if "public" in self.broken:
            raise Unavailable("the broker is away")
        self.published += publications

    async def post(self, mailbox: str, items: Sequence[Any]) -> None:
        raise AssertionError("a relay that is alone posts nothing")

    async def consume(self, queue: str, item_type: Any, handler: Handler[Any], *, max_items: int = 256) -> Subscription:
        raise AssertionError("the relay consumes nothing")

    async def listen(self, exchange: str, item_type: Any, handler: Handler[Any], *, max_waiting: int = 10_000) -> Subscription:
        raise AssertionError("the relay listens to nothing")

    async def hear(self, exchange: str, item_type: Any, hearer: Hearer[Any]) -> Subscription:
        raise AssertionError("the relay hears nothing")

    async def open_mailbox(self, mailbox: str, item_type: Any, handler: Handler[Any]) -> Subscription:
        raise AssertionError("a relay that is alone has no mailbox")

    def on_reconnect(self, callback: Any) -> None:
        raise AssertionError("the relay tries again by itself")


class BetweenProcesses(Outlet):
    """With a mailbox, whose post may get lost."""

    def __init__(self) -> None:
        super().__init__()
        self.is_lost = False
        self.posted = 0
        self._take: Handler[FeedBatch] | None = None

    async def post(self, mailbox: str, items: Sequence[Any]) -> None:
        assert mailbox == "relay.sample"
        self.posted += len(items)
        if self._take is not None and not self.is_lost:
            await self._take(items)

    async def open_mailbox(self, mailbox: str, item_type: Any, handler: Handler[Any]) -> Subscription:
        assert (mailbox, self._take) == ("relay.sample", None)
        self._take = handler
        return self

    async def cancel(self) -> None:
        self._take = None


def route(row: Recorded) -> Iterable[tuple[str, str]]:
    """Numbers go to the queue of their kind; anything else makes no work."""
    (name,) = names([row])
    if name.isdigit():
        yield ("odd" if int(name) % 2 else "even"), name


@pytest.fixture
async def log(postgres_url: str) -> AsyncIterator[Log]:
    await make_log(postgres_url)
    async with open_log(postgres_url) as log:
        yield log


@asynccontextmanager
async def relaying(log: Log, outlet: Outlet, **options: Any) -> AsyncIterator[Relay]:
    public = Checkpoint(log.pool, SCHEMA, "public")
    relay = Relay("sample", log.store, outlet, route, Checkpoint(log.pool, SCHEMA), public=public, **options)
    log.store.on_commit = relay.committed
    await relay.start()
    try:
        yield relay
    finally:
        await relay.stop()


async def write(log: Log, *numbers: int) -> None:
    for number in numbers:
        await log.append(new_id(), 0, str(number))


def strings(*numbers: int) -> list[str]:
    return [str(number) for number in numbers]


async def test_everything_goes_out_in_order_and_work_goes_where_it_belongs(log: Log) -> None:
    outlet = Outlet()
    async with relaying(log, outlet) as relay:
        await write(log, *range(10))
        await log.append(new_id(), 0, "nobody's")
        await until(lambda: relay.position == 11 and len(outlet.seen()) == 11)
        assert (relay.lag, relay.trouble) == (0, None)
    assert outlet.seen() == [*strings(*range(10)), "nobody's"]
    assert {batch.log for batch in outlet.feed} == {"sample"}
    assert outlet.work("even") == strings(0, 2, 4, 6, 8)
    assert outlet.work("odd") == strings(1, 3, 5, 7, 9)


async def test_what_is_committed_during_a_send_goes_out_together(log: Log) -> None:
    outlet = Outlet()
    outlet.close_gate("even")
    async with relaying(log, outlet) as relay:
        await write(log, 0)
        await until(lambda: outlet.begun == [["0"]])
        await write(log, *range(2, 12))
        outlet.open_gate("even")
        await until(lambda: relay.position == 11)
    assert outlet.sends == {"even": [["0"], strings(2, 4, 6, 8, 10)], "odd": [strings(3, 5, 7, 9, 11)]}


async def test_the_feed_does_not_wait_for_a_slow_queue(log: Log) -> None:
    outlet = Outlet()
    outlet.close_gate("even")
    async with relaying(log, outlet) as relay:
        await write(log, *range(6))
        await until(lambda: outlet.seen() == strings(*range(6)))
        assert relay.position == 0
        assert relay.lag == 6


async def test_a_send_that_fails_is_tried_until_it_succeeds_and_said_meanwhile(log: Log) -> None:
    outlet = Outlet()
    outlet.broken.add("even")
    await write(log, 0, 1, 2, 3)
    async with relaying(log, outlet) as relay:
        await until(lambda: relay.trouble is not None)
        assert "the broker is away" in str(relay.trouble)
        assert await Checkpoint(log.pool, SCHEMA).load() == 0
        outlet.broken.clear()
        await until(lambda: relay.position == 4 and relay.trouble is None)
    assert outlet.work("even") == strings(0, 2)
    assert outlet.work("odd") == strings(1, 3), "the other queue got its work once"


async def test_after_a_crash_everything_past_the_checkpoint_goes_out_again(log: Log) -> None:
    await write(log, 0, 1)
    async with relaying(log, Outlet()) as relay:
        await until(lambda: relay.position == 2)
    stuck = Outlet()
    stuck.close_gate("even")
    async with relaying(log, stuck):
        await write(log, 2, 3)
        await until(lambda: stuck.seen() == strings(2, 3))
    assert stuck.work("even") == []
    after = Outlet()
    async with relaying(log, after) as relay:
        await write(log, 4)
        await until(lambda: relay.position == 5)
        await until(lambda: after.seen() == strings(2, 3, 4))  # the feed goes out at its own pace
    assert after.work("even") == strings(2, 4)
    assert after.work("odd") == strings(3)


async def test_the_checkpoint_passes_only_what_was_confirmed(log: Log) -> None:
    outlet = Outlet()
    async with relaying(log, outlet) as relay:
        await write(log, 0)
        await until(lambda: relay.position == 1)
        outlet.close_gate("odd")
        await write(log, 1, 2)
        await until(lambda: outlet.work("even") == strings(0))
    assert await Checkpoint(log.pool, SCHEMA).load() == 1


async def test_a_commit_that_nobody_told_of_goes_out_too(log: Log, postgres_url: str) -> None:
    outlet = Outlet()
    async with relaying(log, outlet) as relay, open_log(postgres_url) as other:
        await write(other, 0)
        await until(lambda: relay.position == 1)
        await write(other, 2)
        await write(log, 4)
        await until(lambda: relay.position == 3 and len(outlet.seen()) == 3)
    assert outlet.seen() == strings(0, 2, 4)
    assert outlet.work("even") == strings(0, 2, 4)


async def test_what_does_not_fit_in_memory_is_read_from_the_log(log: Log) -> None:
    outlet = Outlet()
    outlet.close_gate("even")
    async with relaying(log, outlet, max_bytes_in_memory=200) as relay:
        numbers = list(range(0, 2400, 2))
        for start in range(0, len(numbers), 300):
            await asyncio.gather(*(write(log, number) for number in numbers[start : start + 300]))
        outlet.open_gate("even")
        await until(lambda: relay.position == len(numbers))
        await until(lambda: len(outlet.seen()) == len(numbers))
        await write(log, 5000)
        await until(lambda: relay.position == len(numbers) + 1)
    committed = names(await log.store.read(0, 5000))
    assert outlet.work("even") == committed
    assert outlet.seen() == committed


async def test_a_follower_that_falls_behind_keeps_no_more_than_its_bound_in_memory(log: Log) -> None:
    follower = Follower(log.store, 0, max_bytes_in_memory=1000)
    kept = []

    def committed(rows: list[Recorded]) -> None:
        follower.committed(rows)
        kept.append(follower.bytes_in_memory)

    log.store.on_commit = committed
    await write(log, *range(100, 200))
    assert follower.lag == 100
    assert 500 < max(kept) <= 1000
    followed: list[Recorded] = []
    while rows := await follower.next():
        followed += rows
        follower.advance(rows[-1].position)
    assert names(followed) == strings(*range(100, 200))
    assert (follower.lag, follower.bytes_in_memory) == (0, 0)


async def test_a_relay_without_its_database_says_so_and_goes_on_later(log: Log) -> None:
    outlet = Outlet()
    relay = Relay("sample", log.store, outlet, route, Checkpoint(log.pool, SCHEMA))
    assert relay.trouble == "the relay is not running"
    await write(log, 0)
    await log.pool.execute(f"alter table {SCHEMA}.event rename to hidden")
    await relay.start()
    try:
        await until(lambda: relay.trouble is not None)
        assert "does not exist" in str(relay.trouble)
        await log.pool.execute(f"alter table {SCHEMA}.hidden rename to event")
        await until(lambda: relay.position == 1 and relay.trouble is None)
    finally:
        await relay.stop()
    assert outlet.work("even") == ["0"]


async def test_everything_is_published_under_the_tenant_and_the_topic(log: Log) -> None:
    outlet = Outlet()
    async with relaying(log, outlet) as relay:
        await write(log, 0, 1, 2)
        await until(lambda: relay.published == 3)
    assert {publication.routing_key for publication in outlet.published} == {"default.node.skipped"}
    assert outlet.public() == ["1", "2", "3"]
    assert await Checkpoint(log.pool, SCHEMA, "public").load() == 3


async def test_publications_that_fail_hold_up_nothing_else_and_come_in_the_end_also_after_a_crash(log: Log) -> None:
    outlet = Outlet()
    async with relaying(log, outlet) as relay:
        await write(log, 0)
        await until(lambda: relay.published == 1)
        outlet.broken.add("public")
        await write(log, 1, 2)
        await until(lambda: relay.position == 3 and relay.trouble is not None)
        assert "the public events" in str(relay.trouble)
    assert outlet.public() == ["1"]
    after = Outlet()
    async with relaying(log, after) as relay:
        await until(lambda: relay.published == 3)
    assert after.public() == ["2", "3"]
    assert after.seen() == [], "the rest had gone out"


async def test_a_log_that_is_published_for_the_first_time_begins_with_what_happens_now(log: Log) -> None:
    await write(log, 0, 1)
    stuck, after = Outlet(), Outlet()
    stuck.broken.add("public")
    async with relaying(log, stuck):
        await write(log, 2)
        await until(lambda: stuck.seen() == strings(0, 1, 2))
    async with relaying(log, after) as relay:
        await until(lambda: relay.published == 3)
    assert after.public() == ["3"], "also if the first start came to nothing"


@asynccontextmanager
async def two_processes(log: Log, postgres_url: str, outlet: Outlet) -> AsyncIterator[tuple[Log, list[Relay]]]:
    """The other one's log, and the relay of each; none of them is started."""
    async with open_log(postgres_url) as other:
        relays = [
            Relay("sample", each.store, outlet, route, Checkpoint(each.pool, SCHEMA), shared=True) for each in (log, other)
        ]
        log.store.on_commit, other.store.on_commit = relays[0].committed, relays[1].committed
        try:
            yield other, relays
        finally:
            for relay in relays:
                await relay.stop()


async def test_one_process_relays_what_all_of_them_commit_once_and_in_order(log: Log, postgres_url: str) -> None:
    outlet = BetweenProcesses()
    async with two_processes(log, postgres_url, outlet) as (other, (relay, _)):
        await relay.start()
        await asyncio.gather(write(log, *range(0, 100, 2)), write(other, *range(100, 200, 2)))
        await until(lambda: relay.position == 100)
        await until(lambda: len(outlet.seen()) == 100)
    committed = names(await log.store.read(0, 1000))
    assert outlet.work("even") == committed == outlet.seen()
    assert outlet.posted


async def test_what_another_process_could_not_tell_is_read_from_the_log(log: Log, postgres_url: str) -> None:
    outlet = BetweenProcesses()
    outlet.is_lost = True
    async with two_processes(log, postgres_url, outlet) as (other, (relay, _)):
        await relay.start()
        await write(other, 0, 2)
        await write(log, 4)  # its position shows that something is missing
        await until(lambda: relay.position == 3)
        await write(other, 6)  # and nothing shows this, but a look at the log
        await until(lambda: relay.position == 4)
    assert outlet.work("even") == strings(0, 2, 4, 6)


async def test_another_process_goes_on_where_the_one_that_relayed_has_stopped(log: Log, postgres_url: str) -> None:
    outlet = BetweenProcesses()
    async with two_processes(log, postgres_url, outlet) as (other, (relay, successor)):
        await relay.start()
        await write(log, 0, 2)
        await until(lambda: relay.position == 2)
        await relay.stop()
        await write(log, 4)
        await write(other, 6)
        await successor.start()
        await write(log, 8)
        await until(lambda: successor.position == 5)
    assert outlet.work("even") == strings(0, 2, 4, 6, 8)


async def test_batches_that_come_in_the_wrong_order_are_followed_in_the_right_one(log: Log) -> None:
    follower = Follower(log.store, 0)
    told: list[list[Recorded]] = []
    log.store.on_commit = told.append
    for number in range(4):
        await write(log, number)
    for rows in (told[2], told[1], told[3]):
        follower.committed(rows)
    asyncio.get_running_loop().call_later(0.005, follower.committed, told[0])
    assert names(await follower.next()) == strings(0, 1, 2, 3)
