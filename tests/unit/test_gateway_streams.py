"""The tail of the log in one gateway: what a subscription is offered when broadcasts are lost, late or too many."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from runyard_gateway.public_event import event_frame
from runyard_gateway.streams.execution_stream import Outstanding
from runyard_gateway.streams.live_events import MAX_GAP, LiveEvents
from runyard_gateway.streams.subscription import LiveFrame, Subscription
from runyard_shared.contracts.feed import FeedBatch, Recorded
from runyard_shared.contracts.values import ExecutionStatus
from runyard_shared.errors import Unavailable

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

    async def head(self) -> int:
        return self.length

    async def after(self, position: int, limit: int) -> list[Recorded]:
        if self.away:
            raise Unavailable("PostgreSQL is away")
        return [event(each) for each in range(position + 1, min(self.length, position + limit) + 1)]


class Feed:
    """The bus, as far as the tail uses it."""

    def __init__(self) -> None:
        self.hear: Callable[[Sequence[FeedBatch]], Awaitable[None]]

    async def listen(self, exchange: str, item_type: Any, handler: Any) -> "Feed":
        self.hear = handler
        return self

    async def cancel(self) -> None:
        pass

    async def tell(self, *positions: int, log: str = "orchestrator") -> None:
        await self.hear([FeedBatch(log=log, events=[event(each) for each in positions])])


async def tail(log: Log, buffer_bytes: int = 1 << 20) -> tuple[Feed, LiveEvents]:
    feed = Feed()
    live = LiveEvents(feed, log, buffer_bytes, {})  # type: ignore[arg-type]
    await live.start()
    return feed, live


async def offered(subscription: Subscription) -> list[int]:
    return [frame.recorded.position for frame in await subscription.take(0.01) if frame.recorded is not None]


async def test_a_gap_is_filled_before_anything_newer_and_repetitions_are_dropped() -> None:
    log = Log(10)
    feed, live = await tail(log)
    subscription = await live.subscribe_to_execution("e1")
    log.length = 18
    await feed.tell(14, 15)
    await feed.tell(15, 16)
    await feed.tell(3, 4)
    await feed.tell(17, 18, log="dispatcher")
    assert await offered(subscription) == [11, 12, 13, 14, 15, 16, 17, 18]
    await live.stop()


async def test_while_the_store_is_away_nothing_newer_overtakes_what_is_missing() -> None:
    log = Log(10)
    feed, live = await tail(log)
    subscription = await live.subscribe_to_tenant("default")
    log.length, log.away = 12, True
    await feed.tell(12)
    assert await offered(subscription) == []
    assert live.trouble is not None
    log.length, log.away = 13, False
    await feed.tell(13)
    assert await offered(subscription) == [11, 12, 13]
    assert live.trouble is None
    await live.stop()


async def test_after_a_very_long_gap_readers_resume_by_themselves() -> None:
    log = Log(10)
    feed, live = await tail(log)
    subscription = await live.subscribe_to_execution("e1")
    log.length = 12 + MAX_GAP
    await feed.tell(log.length)
    assert subscription.closed
    again = await live.subscribe_to_execution("e1")
    log.length += 1
    await feed.tell(log.length)
    assert await offered(again) == [log.length]
    await live.stop()


async def test_only_those_who_watch_a_stream_are_offered_its_events() -> None:
    feed, live = await tail(Log(0))
    watcher, other, tenant = (
        await live.subscribe_to_execution("e1"),
        await live.subscribe_to_execution("e2"),
        await live.subscribe_to_tenant("default"),
    )
    await feed.tell(1, 2)
    assert (await offered(watcher), await offered(other), await offered(tenant)) == ([1, 2], [], [1, 2])
    other.close()
    assert live.is_watched("e1") and not live.is_watched("e2")
    await live.stop()


async def test_a_reader_that_lets_too_much_wait_is_cut_off_and_keeps_nothing() -> None:
    aborted: list[bool] = []
    subscription = Subscription(100, lambda gone: None)
    subscription.abort = lambda: aborted.append(True)
    for _ in range(5):
        subscription.offer(LiveFrame(b"x" * 30))
    assert subscription.closed and aborted == [True]
    assert await subscription.take(0.01) == []


def test_an_execution_is_over_when_its_status_is_final_and_nothing_is_left() -> None:
    outstanding = Outstanding(ExecutionStatus.RUNNING, ["j1", "a1"], as_of=10)
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
    revised = event_frame(event(8, topic="job.completed", data=b'{"jobId":"j1","revision":2}'))
    assert b'"type":"runyard.job.completed.v2"' in revised


def test_an_execution_is_not_over_before_its_iterations_are() -> None:
    outstanding = Outstanding(ExecutionStatus.RUNNING, [], as_of=0)
    for position, stream_id, topic, over in (
        (1, "i1", "iteration.started", False),
        (2, "e1", "execution.cancelled", False),
        (3, "i1", "iteration.cancelled", True),
    ):
        outstanding.apply(event(position, stream_id, topic))
        assert outstanding.nothing == over
