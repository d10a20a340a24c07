"""Bytes from the broker become deliveries, however TCP cuts them."""

import asyncio
from datetime import UTC, datetime
from time import time

import pytest
from pamqp import commands
from pamqp.body import ContentBody
from pamqp.frame import marshal
from pamqp.header import ContentHeader
from runyard_shared.messaging.amqp import frames
from runyard_shared.messaging.amqp.channel import Channel, Origin, WireClosed
from runyard_shared.messaging.amqp.wire import Wire

BODIES = [b"[1]", b"", b"x" * 50]
ORIGINS: list[Origin] = [None, ("agents", "acme.münchen-1.status"), ("news", "")]


def delivery(tag: int, body: bytes, origin: Origin, piece: int = 20) -> bytes:
    exchange, routing_key = origin or ("", "work")
    deliver = commands.Basic.Deliver(consumer_tag="work", delivery_tag=tag, exchange=exchange, routing_key=routing_key)
    pieces = [body[start : start + piece] for start in range(0, len(body), piece)]
    head = marshal(deliver, 1) + marshal(ContentHeader(body_size=len(body)), 1)
    return head + b"".join(marshal(ContentBody(piece), 1) for piece in pieces)


class Line:
    """Notes what a channel writes."""

    largest_payload = 16

    def __init__(self) -> None:
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += data

    def forget(self, number: int) -> None:
        raise AssertionError(number)

    def abort(self, reason: str) -> None:
        raise AssertionError(reason)


async def test_deliveries_are_whole_wherever_the_stream_is_cut() -> None:
    sent = [(tag, body, origin) for tag, (body, origin) in enumerate(zip(BODIES, ORIGINS, strict=True), 1)]
    stream = b"".join(delivery(*each) for each in sent)
    for cut in range(len(stream) + 1):
        wire = Wire()
        got: list[tuple[int, bytes, Origin, int]] = []
        channel = Channel(wire, 1)
        channel.on_delivery = lambda *each, got=got: got.append(each)
        wire._channels[1] = channel
        wire.data_received(stream[:cut])
        wire.data_received(stream[cut:])
        assert got == [(*each, 0) for each in sent]
        assert not wire.closed.done()


async def test_what_cannot_be_read_ends_the_wire_with_a_reason() -> None:
    wire = Wire()
    wire.data_received(frames.FRAME_HEAD.pack(frames.METHOD, 0, 4) + b"\xff\xff\xff\xff" + frames.END)
    assert (await wire.closed).startswith("the broker sent what could not be read")


async def test_a_time_that_others_give_is_read_and_one_that_is_not_the_last_of_the_properties_is_left() -> None:
    at = datetime(2026, 11, 23, tzinfo=UTC)
    for properties, expected in (
        (commands.Basic.Properties(headers={"a": 1}, priority=3, timestamp=at), int(at.timestamp())),
        (commands.Basic.Properties(timestamp=at, app_id="x"), 0),
        (commands.Basic.Properties(), 0),
    ):
        frame = marshal(ContentHeader(0, 3, properties), 1)
        assert frames.sent_at(frame, 7, len(frame) - 1) == expected


async def test_a_body_above_the_size_of_a_frame_is_split_and_reads_back_the_same() -> None:
    line = Line()
    Channel(line, 1).publish(frames.publish_head(1, "news", "", False), b"y" * 40)
    got: list[tuple[int, bytes, Origin, int]] = []
    wire = Wire()
    reader = wire._channels[1] = Channel(wire, 1)
    reader.on_delivery = lambda *each: got.append(each)
    reader.delivery_begins(5, None)
    publish = marshal(commands.Basic.Publish(exchange="news", routing_key=""), 1)
    assert line.written.startswith(publish)
    wire.data_received(line.written[len(publish) :])
    ((tag, body, origin, sent_at),) = got
    assert (tag, body, origin) == (5, b"y" * 40, None)
    assert abs(time() - sent_at) < 10, "it says when it was sent"


@pytest.mark.parametrize("multiple", [True, False])
async def test_a_confirmation_settles_one_message_or_all_before_it(multiple: bool) -> None:
    settled: dict[str, str | None] = {}
    channel = Channel(Line(), 1)
    for queue in ("a", "b", "c"):
        channel.publish_safely(queue, b"", b"[]", lambda problem, queue=queue: settled.update({queue: problem}))  # type: ignore[misc]
    channel.confirmed(2, multiple=multiple, accepted=True)
    assert settled == ({"a": None, "b": None} if multiple else {"b": None})
    channel.return_begins("c", "NO_ROUTE")
    channel.content_begins(0, 0)
    channel.confirmed(3, multiple=False, accepted=True)
    assert settled["c"] == "NO_ROUTE"


async def test_nobody_waits_for_an_answer_on_a_wire_that_ended() -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
        _, wire = await asyncio.get_running_loop().create_connection(Wire, *server.sockets[0].getsockname())
        channel = wire._channels[1] = Channel(wire, 1)
        asking = asyncio.create_task(channel.call(commands.Channel.Open()))
        await asyncio.sleep(0)
        wire.abort("the cable was cut")
        with pytest.raises(WireClosed, match="the cable was cut"):
            await asking
        with pytest.raises(WireClosed, match="the cable was cut"):
            await channel.call(commands.Channel.Open())
