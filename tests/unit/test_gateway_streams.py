"""The tail of the log in one gateway: what a reader is given when broadcasts are lost or too many, and when all come back."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from runyard_gateway.public_event import event_frame
from runyard_gateway.streams.execution_stream import Outstanding
from runyard_gateway.streams.live_events import LiveEvents
from runyard_gateway.streams.log_tail import MAX_GAP, Joined, LogTail
from runyard_gateway.streams.recent_events import MAX_EVENTS
from runyard_gateway.streams.shared_reads import SharedReads
from runyard_gateway.streams.subscription import TAKE_BYTES, Backlog, LiveFrame, Subscription
from runyard_shared.contracts.feed import FeedBatch, Recorded
from runyard_shared.contracts.values import ExecutionStatus
from runyard_shared.errors import NotFound, Unavailable

AT = datetime(2026, 11, 22, 17, 5, 0, 123000, tzinfo=UTC)


def event(position: int, stream_id: str = "e1", topic: str = "node.skipped", data: bytes = b"{}") -> Recorded:
    return Recorded(
        position=position, stream_id=stream_id, version=position, tenant_id="default", topic=topic, recorded_at=AT,
        data=msgspec.Raw(data),
    )  # fmt: skip


class Log:
    """A log in memory in the place of `read.event`; `away` makes it raise."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.away = False
        self.reads = 0

    async def head(self) -> int:
        return self.length

    async def after(self, position: int, limit: int) -> list[Recorded]:
        if self.away:
            raise Unavailable("PostgreSQL is away")
        self.reads += 1
        await asyncio.sleep(0)
        return [event(each) for each in range(position + 1, min(self.length, position + limit) + 1)]


class Feed:
    """The bus, as far as the tail uses it."""

    def __init__(self) -> None:
        self.heard: Callable[[Sequence[FeedBatch]], None]
        self.tail: LogTail

    async def hear(self, exchange: str, item_type: Any, hearer: Any) -> "Feed":
        self.heard = hearer
        return self

    async def cancel(self) -> None:
        pass

    async def tell(self, *positions: int, log: str = "orchestrator") -> None:
        self.heard([FeedBatch(log=log, events=[event(each) for each in positions])])
        while self.tail.is_held_up:  # noqa: ASYNC110 - nobody but a test waits for it
            await asyncio.sleep(0)


class Tail(LogTail):
    """With readers that are near its end."""

    async def of_execution(self, execution_id: str, after: int) -> Subscription:
        return (await self.joined(execution_id, after)).subscription

    async def joined(self, execution_id: str, after: int) -> Joined:
        joined = await self.join_execution(execution_id, after)
        assert joined is not None
        return joined


@asynccontextmanager
async def following(log: Log) -> AsyncIterator[tuple[Feed, Tail]]:
    feed, tail = Feed(), Tail(log, 1 << 24, Backlog(1 << 26))  # type: ignore[arg-type]
    feed.tail = tail
    live = LiveEvents(feed, {"orchestrator": tail})  # type: ignore[arg-type]
    await live.start()
    yield feed, tail
    await live.stop()


async def offered(subscription: Subscription) -> list[int]:
    return positions(await subscription.take(0.01))


def positions(frames: Sequence[LiveFrame]) -> list[int]:
    return [frame.recorded.position for frame in frames if frame.recorded is not None]


async def test_a_gap_is_filled_before_anything_newer_and_repetitions_are_dropped() -> None:
    log = Log(10)
    async with following(log) as (feed, tail):
        subscription = await tail.of_execution("e1", 10)
        log.length = 18
        await feed.tell(14, 15)
        await feed.tell(15, 16)
        await feed.tell(3, 4)
        await feed.tell(17, 18, log="dispatcher")
        assert await offered(subscription) == [11, 12, 13, 14, 15, 16, 17, 18]


async def test_what_comes_while_the_store_is_read_waits_for_what_was_before_it() -> None:
    log = Log(10)
    async with following(log) as (feed, tail):
        subscription = await tail.of_execution("e1", 10)
        log.length = 15
        taking = asyncio.create_task(subscription.take(5))
        await asyncio.sleep(0)
        for positions_of in ((11,), (14, 15), (16,), (17, 18)):
            feed.heard([FeedBatch(log="orchestrator", events=[event(each) for each in positions_of])])
        assert positions(await taking) == [11], "with nothing before it, it is there at once"
        await feed.tell(19)
        assert await offered(subscription) == [12, 13, 14, 15, 16, 17, 18, 19]


async def test_while_the_store_is_away_nothing_newer_overtakes_what_is_missing() -> None:
    log = Log(10)
    async with following(log) as (feed, tail):
        subscription = await tail.of_execution("e1", 10)
        log.length, log.away = 12, True
        await feed.tell(12)
        assert await offered(subscription) == []
        assert tail.trouble is not None
        log.length, log.away = 13, False
        await feed.tell(13)
        assert await offered(subscription) == [11, 12, 13]
        assert tail.trouble is None


async def test_after_a_very_long_gap_readers_resume_by_themselves() -> None:
    log = Log(10)
    async with following(log) as (feed, tail):
        subscription = await tail.of_execution("e1", 10)
        log.length = 12 + MAX_GAP
        await feed.tell(log.length)
        assert subscription.closed
        again = await tail.of_execution("e1", log.length)
        log.length += 1
        await feed.tell(log.length)
        assert await offered(again) == [log.length]


async def test_only_those_who_watch_a_stream_are_offered_its_events() -> None:
    async with following(Log(0)) as (feed, tail):
        watcher, other = await tail.of_execution("e1", 0), await tail.of_execution("e2", 0)
        tenant = await tail.join_tenant("default", 0)
        assert tenant is not None
        await feed.tell(1, 2)
        seen = await offered(watcher), await offered(other), await offered(tenant.subscription)
        assert seen == ([1, 2], [], [1, 2])
        other.close()
        assert tail.is_watched("e1") and not tail.is_watched("e2")


async def test_of_a_thousand_who_come_back_to_a_new_gateway_one_reads_the_log_and_each_gets_what_it_missed() -> None:
    log = Log(4000)
    async with following(log) as (feed, tail):
        missed_since = range(3000, 4000)
        joined = await asyncio.gather(*(tail.joined("e1", after) for after in missed_since))
        assert [positions(each.frames) for each in joined] == [list(range(after + 1, 4001)) for after in missed_since]
        # the first of them reads from where it was; whoever is further behind reads what is missing before that
        assert log.reads <= 2
        contents = {id(each.frames[-1].content) for each in joined}
        assert len(contents) == 1, "each event is encoded once for all of them"
        await feed.tell(4001)
        assert {tuple(await offered(each.subscription)) for each in joined} == {(4001,)}


async def test_whoever_is_too_far_behind_reads_the_store_alone_and_the_rest_from_memory() -> None:
    log = Log(3 * MAX_EVENTS)
    async with following(log) as (feed, tail):
        assert await tail.join_execution("e1", 10) is None
        assert log.reads == 0
        near = await tail.joined("e1", 3 * MAX_EVENTS - 5)
        assert len(near.frames) == 5
        # what came while it was there is remembered, up to a limit
        log.length += MAX_EVENTS
        await feed.tell(*range(3 * MAX_EVENTS + 1, 4 * MAX_EVENTS + 1))
        reads = log.reads
        assert len((await tail.joined("e1", 3 * MAX_EVENTS)).frames) == MAX_EVENTS
        assert log.reads == reads
        assert len((await tail.joined("e1", 3 * MAX_EVENTS)).frames) == MAX_EVENTS


async def test_a_reader_whose_snapshot_is_ahead_of_the_feed_is_given_nothing_twice_and_waits_for_nothing() -> None:
    log = Log(10)
    async with following(log) as (feed, tail):
        await tail.of_execution("e0", 10)
        log.length = 15  # committed, and in the read model; the feed has not told it yet
        joined = await tail.join_execution("e1", 12, at_least=15)
        assert joined is not None and positions(joined.frames) == [13, 14, 15]
        await feed.tell(11, 12, 13, 14, 15, 16)
        assert await offered(joined.subscription) == [16]


async def test_a_bell_rings_for_its_tenant_and_its_topics_and_after_a_long_gap_in_any_case() -> None:
    log = Log(10)
    async with following(log) as (feed, tail):
        assert await tail.position() == 10
        bell = tail.bells.hang("default", lambda topic: topic.startswith("node."))
        other = tail.bells.hang("default", lambda topic: topic.startswith("approval."))
        elsewhere = tail.bells.hang("acme", lambda topic: True)
        waiting = asyncio.create_task(bell.after(10))
        await feed.tell(11)
        assert await waiting == 11 and (other.position, elsewhere.position) == (0, 0)
        log.length = 13 + MAX_GAP
        await feed.tell(log.length)
        assert (other.position, elsewhere.position) == (log.length - 1, log.length - 1)


async def test_a_reader_that_lets_too_much_wait_is_cut_off_and_keeps_nothing() -> None:
    aborted: list[bool] = []
    subscription = Subscription(100, lambda gone: None, Backlog(1000))
    subscription.abort = lambda: aborted.append(True)
    for _ in range(5):
        subscription.offer(LiveFrame(b"x" * 30))
    assert subscription.closed and aborted == [True]
    assert await subscription.take(0.01) == []


async def test_those_who_ask_for_the_same_at_once_are_given_one_answer_unless_it_is_too_old_or_a_refusal() -> None:
    reads = SharedReads[int](turns=4)
    begun: list[int] = []
    go_on = asyncio.Event()

    async def read() -> int:
        begun.append(len(begun) + 1)
        number = begun[-1]
        await go_on.wait()
        if number == 2:
            raise NotFound("execution_not_found", "It is not there yet.")
        return number

    same = [asyncio.create_task(reads.read("e1", read, lambda found: found >= 1)) for _ in range(1000)]
    newer = asyncio.create_task(reads.read("e1", read, lambda found: found >= 3))
    await asyncio.sleep(0)
    assert begun == []
    await asyncio.sleep(0)
    assert begun == [1]
    go_on.set()
    assert set(await asyncio.gather(*same)) == {1}
    with pytest.raises(NotFound):
        await newer
    assert await reads.read("e1", read, lambda found: True) == 3 and begun == [1, 2, 3]


async def test_when_all_together_let_too_much_wait_whoever_lets_most_wait_is_cut_off() -> None:
    backlog = Backlog(1000)
    slow, slower, quick = (Subscription(10_000, lambda gone: None, backlog) for _ in range(3))
    for _ in range(4):
        slow.offer(LiveFrame(b"x" * 100))
        slower.offer(LiveFrame(b"x" * 150))
    assert backlog.bytes == 1000 and not slower.closed
    quick.offer(LiveFrame(b"x"))
    assert (slow.closed, slower.closed, quick.closed) == (False, True, False)
    assert backlog.bytes == 401
    assert len(await slow.take(0.01)) == 4 and len(await quick.take(0.01)) == 1
    slow.close()
    assert backlog.bytes == 0


async def test_a_reader_is_given_a_part_of_much_that_waits_and_then_the_rest() -> None:
    subscription = Subscription(1 << 24, lambda gone: None)
    for number in range(10):
        subscription.offer(LiveFrame(b"%d" % number * (TAKE_BYTES // 4)))
    taken = [await subscription.take(0.01) for _ in range(4)]
    assert [len(each) for each in taken] == [4, 4, 2, 0]
    assert b"".join(frame.content[:1] for each in taken for frame in each) == b"0123456789"


async def test_a_reader_that_waits_is_shown_what_comes_at_once_and_one_that_is_behind_finds_it_in_its_place() -> None:
    shown: list[bytes] = []
    keeps_up = True

    def sink(frames: list[LiveFrame]) -> bool:
        if keeps_up:
            shown.append(b"".join(frame.content for frame in frames))
        return keeps_up

    backlog = Backlog(1 << 20)
    subscription = Subscription(1 << 20, lambda gone: None, backlog)
    subscription.sink = sink

    def tell(*contents: bytes) -> None:
        for content in contents:
            subscription.add(LiveFrame(content))
        subscription.flush()

    tell(b"0")
    assert [frame.content for frame in await subscription.take(5)] == [b"0"] and shown == []
    taking = asyncio.create_task(subscription.take(5))
    await asyncio.sleep(0)
    tell(b"1", b"2")
    assert shown == [b"12"] and backlog.bytes == 0
    keeps_up = False
    tell(b"3", b"4")
    keeps_up = True
    tell(b"5")  # the reader has its turn now: nothing overtakes
    assert [frame.content for frame in await taking] == [b"3", b"4", b"5"] and shown == [b"12"]
    assert backlog.bytes == 0


async def test_a_reader_that_cannot_be_shown_something_is_cut_off_and_the_others_are_shown_it() -> None:
    async with following(Log(0)) as (feed, tail):
        broken, sound = await tail.of_execution("e1", 0), await tail.of_execution("e1", 0)
        broken.sink = lambda frames: bool(1 // 0)
        taking = asyncio.create_task(broken.take(5)), asyncio.create_task(sound.take(5))
        await asyncio.sleep(0)
        await feed.tell(1)
        assert positions(await taking[1]) == [1]
        assert broken.closed and await taking[0] == []


async def test_what_was_forgotten_before_anybody_came_back_is_read_again_and_shown_once() -> None:
    log = Log(0)
    async with following(log) as (feed, tail):
        await tail.of_execution("e0", 0)
        log.length = MAX_EVENTS + 10
        await feed.tell(*range(1, log.length + 1))
        for after in (5, 2, MAX_EVENTS):
            joined = await tail.join_execution("e1", after)
            if joined is not None:
                assert positions(joined.frames) == list(range(after + 1, log.length + 1))
        near = await tail.joined("e1", 10)
        assert positions(near.frames) == list(range(11, log.length + 1))
        log.length += 20
        await feed.tell(*range(log.length - 19, log.length + 1))
        assert positions((await tail.joined("e1", 31)).frames) == list(range(32, log.length + 1))


def test_an_execution_is_over_when_its_status_is_final_and_nothing_is_left() -> None:
    outstanding = Outstanding(ExecutionStatus.RUNNING, 2, as_of=10)
    steps = [
        (9, "execution.completed", b"{}", False),  # is in the snapshot already
        (11, "job.scheduled", b'{"jobId":"j2"}', False),
        (12, "execution.cancelled", b"{}", False),
        (12, "approval.resolved", b'{"approvalId":"a1"}', False),
        (13, "job.cancelled", b'{"jobId":"j2"}', False),
        (14, "job.failed", b'{"jobId":"j1"}', True),
    ]
    for position, topic, data, over in steps:
        outstanding.apply(event(position, topic=topic, data=data))
        assert outstanding.nothing is over


def test_an_event_is_a_cloud_event_in_one_frame() -> None:
    frame = event_frame(event(7, topic="job.completed", data=b'{"jobId":"j1","output":{"revision":"x"}}'))
    head, data, end = frame.decode().split("data: ")[0], frame.decode().split("data: ")[1], frame[-2:]
    assert (head, end) == ("id: 7\nevent: job.completed\n", b"\n\n")
    assert msgspec.json.decode(data) == {
        "specversion": "1.0", "id": "7", "source": "/runyard/orchestrator", "type": "runyard.job.completed.v1", "subject": "e1",
        "time": "2026-11-22T17:05:00.123Z", "sequence": "7", "tenant": "default", "datacontenttype": "application/json",
        "data": {"jobId": "j1", "output": {"revision": "x"}},
    }  # fmt: skip
    revised = event_frame(event(8, topic="node.failed", data=b'{"nodeId":"n1","revision":2}'))
    assert b'"type":"runyard.node.failed.v2"' in revised


def test_an_execution_is_not_over_before_its_iterations_are() -> None:
    outstanding = Outstanding(ExecutionStatus.RUNNING, 0, as_of=0)
    for position, stream_id, topic, over in (
        (1, "i1", "iteration.started", False),
        (2, "e1", "execution.cancelled", False),
        (3, "i1", "iteration.cancelled", True),
    ):
        outstanding.apply(event(position, stream_id, topic))
        assert outstanding.nothing == over
