"""Sends to one place, in order, each list confirmed before the next goes.

What is handed in while a message is under way becomes the next message: alone, an item goes at once; under load, lists grow by
themselves. With one message on its way at a time, order survives every retry.
"""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Final

from msgspec.json import encode

from runyard_shared.errors import Invalid
from runyard_shared.messaging.amqp.channel import Channel, WireClosed
from runyard_shared.messaging.amqp.frames import publish_head
from runyard_shared.messaging.call import Call

MAX_ITEMS: Final = 256
MAX_BYTES: Final = 256 * 1024
"""A message takes nothing more when it has reached either; one larger item goes by itself."""
MAX_ITEM_BYTES: Final = 8 * 1024 * 1024
"""RabbitMQ 4 ends the connection over a message above 16 MiB."""


def encoded_lists(items: Sequence[Any]) -> Iterator[tuple[bytes, int]]:
    """The items as JSON lists without their brackets, within the limits of a message, and how many are in each."""
    body = encode(items)
    if len(items) == 1 and len(body) > MAX_ITEM_BYTES:
        raise Invalid(
            "message_too_large", f"a message may have {MAX_ITEM_BYTES} bytes; this one has {len(body)}: make it smaller"
        )
    if len(items) == 1 or (len(items) <= MAX_ITEMS and len(body) <= MAX_BYTES):
        yield body[1:-1], len(items)
    else:
        middle = len(items) // 2
        yield from encoded_lists(items[:middle])
        yield from encoded_lists(items[middle:])


class Sender:
    """`place`: what people call it."""

    def __init__(self, place: str, *, exchange: str, routing_key: str) -> None:
        self._place = place
        self._exchange = exchange
        self._routing_key = routing_key
        self._channel: Channel | None = None
        self._head = b""
        self._waiting: deque[tuple[bytes, int, Call]] = deque()
        self._under_way: list[Call] = []
        self._body = b""
        self._flush_planned = False

    async def send(self, items: Sequence[Any], timeout_seconds: float) -> None:
        """Returns when all are confirmed. Raises `TimeoutError`, `Unavailable` (no such queue), `Invalid` (too large)."""
        lists = list(encoded_lists(items))
        call = Call(len(lists))
        self._waiting.extend((body, count, call) for body, count in lists)
        if not self._flush_planned and not self._under_way:
            # At the end of this turn of the loop, so that all who send in it share a message.
            self._flush_planned = True
            asyncio.get_running_loop().call_soon(self._flush)
        async with asyncio.timeout(timeout_seconds):
            await call.future

    def attach(self, channel: Channel) -> None:
        """Send on this channel from now on, first again what was not confirmed on the last one."""
        self._channel = channel
        self._head = publish_head(channel.number, self._exchange, self._routing_key, True)
        if not all(call.future.done() for call in self._under_way):
            self._publish()
        else:  # whoever sent it has given up, and may be sending it again
            self._under_way.clear()
            self._flush()

    def detach(self) -> None:
        self._channel = None

    def fail(self, reason: str) -> None:
        """Tell all who wait that it will not happen."""
        for call in [*self._under_way, *(call for _, _, call in self._waiting)]:
            call.settle(reason)
        self._waiting.clear()

    def _flush(self) -> None:
        self._flush_planned = False
        if self._channel is None or self._under_way:
            return
        bodies: list[bytes] = []
        items = size = 0
        while self._waiting and items < MAX_ITEMS and size < MAX_BYTES:
            body, count, call = self._waiting[0]
            if bodies and (items + count > MAX_ITEMS or size + len(body) > MAX_BYTES):
                break
            self._waiting.popleft()
            if not call.future.done():  # nobody waits any more for what timed out before it was sent
                bodies.append(body)
                self._under_way.append(call)
                items += count
                size += len(body)
        if bodies:
            self._body = b"[" + b",".join(bodies) + b"]"
            self._publish()

    def _publish(self) -> None:
        if self._channel is not None:
            try:
                self._channel.publish_safely(self._routing_key, self._head, self._body, self._settled)
            except WireClosed:
                self._channel = None  # the next wire's `attach` sends it again

    def _settled(self, problem: str | None) -> None:
        calls, self._under_way = self._under_way, []
        for call in calls:
            call.settle(problem and f"RabbitMQ did not take a message for {self._place}: {problem}")
        if problem is not None and self._channel is not None:
            # The queue is not there, or its broker cannot serve it: connecting again declares it again.
            self._channel.end_wire(f"a message for {self._place} came back: {problem}")
        self._flush()
