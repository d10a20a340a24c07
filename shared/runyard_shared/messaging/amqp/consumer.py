"""Consumes one queue in order: what has come in is handled together, then acknowledged together.

Deliveries wait here until the handler is free; the broker sends at most `PREFETCH` messages ahead of the acknowledgements, so
memory is bounded however slow the handler is. A consumer outlives its channel: after a reconnection it is attached to a new
one, and the broker delivers again what had not been acknowledged.

What came by the exchange that agents publish to is held against the name in its routing key, which the broker vouches for.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import time
from typing import Any, Final, NamedTuple

import msgspec
import structlog

from runyard_shared.loops import forever
from runyard_shared.messaging.amqp.channel import Channel, ChannelClosed, Origin, WireClosed
from runyard_shared.messaging.amqp.wire import Wire
from runyard_shared.messaging.bus import Hearer, Waiting
from runyard_shared.messaging.delivery import Delivery
from runyard_shared.messaging.senders import trespass
from runyard_shared.messaging.topology import sender_of

PREFETCH: Final = 128
HEARD: Final = 1 / 4
"""Of the messages that may be unacknowledged: so many are acknowledged together by who hears broadcasts."""

_log = structlog.get_logger(__name__)

Declare = Callable[[Channel], Awaitable[str]]
"""Makes sure on a fresh channel that the queue is there; gives its name."""


class Refused(NamedTuple):
    """A body that is no item of the queue, or that its sender may not say. `sender`: as in `Parked`."""

    body: bytes
    reason: str
    sender: str


class Consumer:
    """`agents`: the exchange by which agents speak, if any do. With a `hearer`, that is called at once for each message, and
    the handler of the delivery not at all."""

    def __init__(
        self,
        declare: Declare,
        item_type: Any,
        delivery: Delivery,
        ended: Callable[["Consumer"], None],
        *,
        max_items: int,
        prefetch: int = PREFETCH,
        agents: str | None = None,
        hearer: Hearer[Any] | None = None,
    ) -> None:
        self._declare = declare
        self._item = msgspec.json.Decoder(item_type)
        self._list = msgspec.json.Decoder(list[item_type])
        self._delivery = delivery
        self._ended = ended
        self._max_items = max_items
        self._prefetch = prefetch
        self._agents = agents
        self._hearer = hearer
        self._channel: Channel | None = None
        self._waiting: deque[tuple[int, bytes, Origin, int]] = deque()
        self._in_hand = (0, 0)
        """How many messages are being handled, and when the oldest of them was sent."""
        self._arrived = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._attaching = asyncio.Lock()
        """A reconnection must not bring to life what is being cancelled."""

    @property
    def trouble(self) -> str | None:
        if self._loop is not None and self._loop.done() and not self._loop.cancelled():
            return f"a consumer ended: {self._loop.exception()!r}"
        return None

    @property
    def queue(self) -> str:
        """What people call it."""
        return self._delivery.queue

    @property
    def waiting(self) -> Waiting:
        """What was delivered here and is not done with. `seconds` is by the clock of whoever sent it."""
        messages, since = self._in_hand
        if not messages and self._waiting:
            since = self._waiting[0][3]
        return Waiting(messages + len(self._waiting), max(0.0, time() - since) if since else 0.0)

    async def attach(self, wire: Wire) -> None:
        """Consume on this wire from now on. Raises `WireClosed`, `ChannelClosed`."""
        async with self._attaching:
            if self._delivery.cancelled.is_set():
                return
            channel = await wire.open_channel(prefetch=self._prefetch)
            self._waiting.clear()
            self._channel = channel
            self._made_ready(channel)
            await channel.consume(await self._declare(channel), self._on_delivery)
            if self._loop is None and self._hearer is None:
                self._loop = forever(self._run(), f"consumer of {self._delivery.queue}")

    async def cancel(self) -> None:
        """Take nothing more, and wait for the handler that is under way."""
        if self._delivery.cancelled.is_set():
            return
        self._delivery.cancelled.set()
        self._arrived.set()
        if self._loop is not None:
            await self._loop
            self._loop = None
        async with self._attaching:
            if self._channel is not None:
                channel, self._channel = self._channel, None
                with suppress(WireClosed, ChannelClosed, TimeoutError):  # then the broker has put everything back already
                    await channel.close()
        self._ended(self)

    def _made_ready(self, channel: Channel) -> None:
        """For consumers that want more of a channel than its deliveries."""

    def _on_delivery(self, tag: int, body: bytes, origin: Origin, sent_at: int) -> None:
        if self._delivery.cancelled.is_set():
            return
        self._waiting.append((tag, body, origin, sent_at))
        if self._hearer is None:
            self._arrived.set()
        else:
            self._hear(self._hearer)

    def _hear(self, hearer: Hearer[Any]) -> None:
        tag, items, refused = self._take()
        for _, reason, _ in refused:
            _log.error("message_dropped", reason=reason)
        try:
            if items:
                hearer(items)
        except Exception as problem:  # noqa: BLE001 - broadcasts may be lost, and the connection is not only for them
            _log.error("message_dropped", reason=f"{type(problem).__name__}: {problem}", exc_info=problem)
        if self._channel is not None and tag % max(1, int(self._prefetch * HEARD)) == 0:
            with suppress(WireClosed):
                self._channel.acknowledge(tag)

    async def _run(self) -> None:
        while not self._delivery.cancelled.is_set():
            if not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
                continue
            channel = self._channel
            before, sent_at = len(self._waiting), self._waiting[0][3]
            tag, items, refused = self._take()
            self._in_hand = (before - len(self._waiting), sent_at)
            for body, reason, sender in refused:
                if not await self._delivery.park(body, reason, 0, sender=sender):
                    return
            if items and not await self._delivery.deliver(items):
                return
            self._in_hand = (0, 0)
            if channel is not None:
                with suppress(WireClosed):  # then the broker delivers the list again, and its handler ignores it
                    channel.acknowledge(tag)

    def _take(self) -> tuple[int, list[Any], list[Refused]]:
        """The last delivery tag of what is taken, its items, and what cannot be read or was not its sender's to say."""
        tag = 0
        items: list[Any] = []
        refused: list[Refused] = []
        while self._waiting and len(items) < self._max_items:
            tag, body, origin, _ = self._waiting.popleft()
            try:
                read = self._list.decode(body)
            except (msgspec.DecodeError, UnicodeDecodeError):
                read = self._read_singly(body, self._sender(origin), refused)
            if origin is None or origin[0] != self._agents:
                items += read
            else:
                self._take_own(read, origin, items, refused)
        return tag, items, refused

    def _sender(self, origin: Origin) -> str:
        return "/".join(sender_of(origin[1])) if origin is not None and origin[0] == self._agents else ""

    def _read_singly(self, body: bytes, sender: str, refused: list[Refused]) -> list[Any]:
        try:
            raws = msgspec.json.decode(body, type=list[msgspec.Raw])
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            refused.append(Refused(body, f"not a JSON list: {problem}", sender))
            return []
        read: list[Any] = []
        for raw in raws:
            try:
                read.append(self._item.decode(raw))
            except (msgspec.DecodeError, UnicodeDecodeError) as problem:
                refused.append(Refused(bytes(raw), f"not readable: {problem}", sender))
        return read

    def _take_own(self, read: list[Any], origin: tuple[str, str], items: list[Any], refused: list[Refused]) -> None:
        """What an agent may say, among `items`; else `refused`."""
        for item in read:
            reason = trespass(item, *sender_of(origin[1]))
            if reason is None:
                items.append(item)
            else:
                refused.append(Refused(msgspec.json.encode(item), reason, self._sender(origin)))
