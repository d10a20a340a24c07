"""Consumes one queue in order: what has come in is handled together, then acknowledged together.

Deliveries wait here until the handler is free; the broker sends at most `PREFETCH` messages ahead of the acknowledgements, so
memory is bounded however slow the handler is. A consumer outlives its channel: after a reconnection it is attached to a new
one, and the broker delivers again what had not been acknowledged.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

import msgspec

from runyard_shared.messaging.amqp.channel import Channel, ChannelClosed, WireClosed
from runyard_shared.messaging.amqp.wire import Wire
from runyard_shared.messaging.delivery import Delivery

PREFETCH: Final = 128

Declare = Callable[[Channel], Awaitable[str]]
"""Makes sure on a fresh channel that the queue is there; gives its name."""


class Consumer:
    def __init__(
        self,
        declare: Declare,
        item_type: Any,
        delivery: Delivery,
        ended: Callable[["Consumer"], None],
        *,
        max_items: int,
        prefetch: int = PREFETCH,
    ) -> None:
        self._declare = declare
        self._item = msgspec.json.Decoder(item_type)
        self._list = msgspec.json.Decoder(list[item_type])
        self._delivery = delivery
        self._ended = ended
        self._max_items = max_items
        self._prefetch = prefetch
        self._channel: Channel | None = None
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._arrived = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._attaching = asyncio.Lock()
        """A reconnection must not bring to life what is being cancelled."""

    @property
    def trouble(self) -> str | None:
        if self._loop is not None and self._loop.done() and not self._loop.cancelled():
            return f"a consumer ended: {self._loop.exception()!r}"
        return None

    async def attach(self, wire: Wire) -> None:
        """Consume on this wire from now on. Raises `WireClosed`, `ChannelClosed`."""
        async with self._attaching:
            if self._delivery.cancelled.is_set():
                return
            channel = await wire.open_channel(prefetch=self._prefetch)
            self._waiting.clear()
            self._channel = channel
            await channel.consume(await self._declare(channel), self._on_delivery)
            if self._loop is None:
                self._loop = asyncio.create_task(self._run())

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
                with suppress(WireClosed, ChannelClosed):  # then the broker has put everything back already
                    await channel.close()
        self._ended(self)

    def _on_delivery(self, tag: int, body: bytes) -> None:
        self._waiting.append((tag, body))
        self._arrived.set()

    async def _run(self) -> None:
        while not self._delivery.cancelled.is_set():
            if not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
                continue
            channel = self._channel
            tag, items, unreadable = self._take()
            for body, reason in unreadable:
                if not await self._delivery.park(body, reason, 0):
                    return
            if items and not await self._delivery.deliver(items):
                return
            if channel is not None:
                with suppress(WireClosed):  # then the broker delivers the list again, and its handler ignores it
                    channel.acknowledge(tag)

    def _take(self) -> tuple[int, list[Any], list[tuple[bytes, str]]]:
        """The last delivery tag of what is taken, its items, and what cannot be read with the reason."""
        tag = 0
        items: list[Any] = []
        unreadable: list[tuple[bytes, str]] = []
        while self._waiting and len(items) < self._max_items:
            tag, body = self._waiting.popleft()
            try:
                items += self._list.decode(body)
            except (msgspec.DecodeError, UnicodeDecodeError):
                self._take_singly(body, items, unreadable)
        return tag, items, unreadable

    def _take_singly(self, body: bytes, items: list[Any], unreadable: list[tuple[bytes, str]]) -> None:
        try:
            raws = msgspec.json.decode(body, type=list[msgspec.Raw])
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            unreadable.append((body, f"not a JSON list: {problem}"))
            return
        for raw in raws:
            try:
                items.append(self._item.decode(raw))
            except (msgspec.DecodeError, UnicodeDecodeError) as problem:
                unreadable.append((bytes(raw), f"not readable: {problem}"))
