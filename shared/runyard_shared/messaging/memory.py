"""The bus within one process, for standalone and for tests of anything that needs one.

Items are passed as they are: they are immutable. There is no broker to keep them, so `send` returns only when the handler has
returned, and whoever sends waits as long as the consumer is slow: that bounds what waits here.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Any, Final, NamedTuple, get_args

import msgspec
import structlog

from runyard_shared.clock import Clock, SystemClock
from runyard_shared.contracts.jobs import Parked
from runyard_shared.errors import Conflict
from runyard_shared.loops import forever
from runyard_shared.messaging.bus import Handler, Hearer, Publication, Subscription, Waiting
from runyard_shared.messaging.call import Call
from runyard_shared.messaging.delivery import Delivery
from runyard_shared.messaging.topology import PARKED, TOPOLOGY, Topology

log = structlog.get_logger(__name__)

MAX_ITEMS: Final = 256
MAX_WAITING: Final = 10_000


class MemoryBus:
    def __init__(self, *, topology: Topology = TOPOLOGY, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._queues = {name: _Queue(name, MAX_WAITING if name == PARKED else None) for name in topology.queues}
        self._listeners: dict[str, list[_Queue]] = {name: [] for name in topology.exchanges}
        self._hearers: dict[str, list[_Hearing]] = {name: [] for name in topology.exchanges}
        self._public_exchange = topology.public_exchange
        self._mailboxes: dict[str, _Queue] = {}
        self._consumers: list[_Consumer] = []

    @property
    def in_process(self) -> bool:
        return True

    async def open(self) -> None:
        """There is nothing to connect to."""

    async def close(self) -> None:
        for consumer in list(self._consumers):
            await consumer.cancel()
        for queue in self._queues.values():
            queue.abandon()

    @property
    def trouble(self) -> str | None:
        return None

    async def waiting(self) -> dict[str, Waiting]:
        """By work queue that is consumed."""
        return {name: queue.waiting for name, queue in self._queues.items() if queue.is_consumed}

    async def send(self, queue: str, items: Sequence[Any]) -> None:
        """Returns when the items are handled. Waits for the first consumer of the queue; when the last one has gone, raises
        `Unavailable`, so that what is being stopped never waits for what has stopped already."""
        if items:
            lists = [items[start : start + MAX_ITEMS] for start in range(0, len(items), MAX_ITEMS)]
            call = Call(len(lists))
            for each in lists:
                self._queue(queue).send(each, call)
            await call.future

    async def consume(self, queue: str, item_type: Any, handler: Handler[Any], *, max_items: int = 256) -> Subscription:
        delivery = Delivery(queue, handler, self._park, self._clock)
        return self._subscribe(self._queue(queue), item_type, delivery, max_items, lambda: None)

    async def broadcast(self, exchange: str, items: Sequence[Any]) -> None:
        for listener in self._listeners[exchange]:
            listener.put(list(items))
        for hearing in tuple(self._hearers[exchange]):
            hearing.hear(items)

    async def listen(self, exchange: str, item_type: Any, handler: Handler[Any], *, max_waiting: int = 10_000) -> Subscription:
        listeners, own = self._listeners[exchange], _Queue(exchange, max_waiting)
        listeners.append(own)
        delivery = Delivery(exchange, handler, None, self._clock)
        return self._subscribe(own, item_type, delivery, MAX_ITEMS, lambda: listeners.remove(own))

    async def hear(self, exchange: str, item_type: Any, hearer: Hearer[Any]) -> Subscription:
        hearing = _Hearing(_Reader(item_type), hearer, self._hearers[exchange].remove)
        self._hearers[exchange].append(hearing)
        return hearing

    async def publish(self, exchange: str, content_type: str, publications: Sequence[Publication]) -> None:
        """Nobody outside can bind a queue to a bus within this process, so what is published goes nowhere."""
        if exchange != self._public_exchange:
            raise ValueError(f"no public exchange {exchange} in the topology")

    async def post(self, mailbox: str, items: Sequence[Any]) -> None:
        own = self._mailboxes.get(mailbox)
        if own is not None:
            own.put(list(items))

    async def open_mailbox(self, mailbox: str, item_type: Any, handler: Handler[Any]) -> Subscription:
        if mailbox in self._mailboxes:
            raise Conflict("mailbox_taken", f"the mailbox {mailbox} is open already: close it, or use another name")
        own = self._mailboxes[mailbox] = _Queue(mailbox, MAX_WAITING)
        delivery = Delivery(mailbox, handler, self._park, self._clock)
        return self._subscribe(own, item_type, delivery, MAX_ITEMS, lambda: self._mailboxes.pop(mailbox))

    def on_reconnect(self, callback: Callable[[], Awaitable[None]]) -> None:
        """This bus is never away, so it never calls back."""

    def _queue(self, name: str) -> "_Queue":
        if name not in self._queues:
            raise ValueError(f"no queue {name} in the topology")
        return self._queues[name]

    def _subscribe(
        self, queue: "_Queue", item_type: Any, delivery: Delivery, max_items: int, ended: Callable[[], object]
    ) -> "_Consumer":
        def forget() -> None:
            self._consumers.remove(consumer)
            ended()

        consumer = _Consumer(queue, _Reader(item_type), delivery, max_items, forget)
        self._consumers.append(consumer)
        return consumer

    async def _park(self, parked: Parked) -> None:
        self._queues[PARKED].put([parked])


class _Queue:
    """Waiting lists in order. The first of its consumers is the active one; the others stand by."""

    def __init__(self, name: str, max_waiting: int | None) -> None:
        self._name = name
        self._abandoned = False
        self._consumers: list[_Consumer] = []
        self._waiting: deque[_Entry] = deque(maxlen=max_waiting)  # full, it drops the oldest
        self._in_hand: list[_Entry] = []

    @property
    def is_consumed(self) -> bool:
        return bool(self._consumers)

    @property
    def waiting(self) -> Waiting:
        oldest = self._in_hand[0] if self._in_hand else self._waiting[0] if self._waiting else None
        return Waiting(len(self._waiting) + len(self._in_hand), 0.0 if oldest is None else monotonic() - oldest.at)

    def put(self, items: Sequence[Any], call: Call | None = None) -> None:
        self._waiting.append(_Entry(items, call, monotonic()))
        self._wake()

    def send(self, items: Sequence[Any], call: Call) -> None:
        """As `put`, but somebody waits."""
        if self._abandoned:
            call.settle(f"nobody consumes {self._name} any more")
        else:
            self.put(items, call)

    def add(self, consumer: "_Consumer") -> None:
        self._consumers.append(consumer)
        self._abandoned = False
        self._wake()

    def remove(self, consumer: "_Consumer") -> None:
        self._consumers.remove(consumer)
        if self._consumers:
            self._wake()
        else:
            self.abandon()

    def abandon(self) -> None:
        """Nobody will handle what waits: whoever sent it is told."""
        self._abandoned = True
        kept = [entry for entry in self._waiting if entry.call is None]
        waiting, self._waiting = self._waiting, deque(kept, self._waiting.maxlen)
        for entry in waiting:
            if entry.call is not None:
                entry.call.settle(f"nobody consumes {self._name} any more")

    def _wake(self) -> None:
        if self._consumers:
            self._consumers[0].arrived.set()

    def take(self, max_items: int) -> "list[_Entry]":
        taken: list[_Entry] = []
        count = 0
        while self._waiting and count < max_items:
            entry = self._waiting.popleft()
            if entry.call is None or not entry.call.future.done():  # nobody waits for what was cancelled
                taken.append(entry)
                count += len(entry.items)
        self._in_hand = taken
        return taken

    def done(self, taken: "list[_Entry]") -> None:
        """Handled: whoever sent it is told."""
        self._in_hand = []
        for entry in taken:
            if entry.call is not None:
                entry.call.settle()

    def give_back(self, taken: "list[_Entry]") -> None:
        self._in_hand = []
        self._waiting.extendleft(reversed(taken))


class _Entry(NamedTuple):
    """A list of items, who waits for it to be handled, and since when (monotonic)."""

    items: Sequence[Any]
    call: Call | None
    at: float


class _Consumer:
    def __init__(
        self, queue: _Queue, reader: "_Reader", delivery: Delivery, max_items: int, ended: Callable[[], object]
    ) -> None:
        self.arrived = asyncio.Event()
        self._queue = queue
        self._reader = reader
        self._delivery = delivery
        self._max_items = max_items
        self._ended = ended
        self._loop = forever(self._run(), f"consumer of {delivery.queue}")
        queue.add(self)

    async def cancel(self) -> None:
        """Take nothing more, and wait for the handler that is under way."""
        if self._delivery.cancelled.is_set():
            return
        self._delivery.cancelled.set()
        self.arrived.set()
        await self._loop
        self._queue.remove(self)
        self._ended()

    async def _run(self) -> None:
        while True:
            await self.arrived.wait()
            self.arrived.clear()
            while not self._delivery.cancelled.is_set() and (taken := self._queue.take(self._max_items)):
                items = taken[0].items if len(taken) == 1 else [item for entry in taken for item in entry.items]
                if not await self._deliver(items):
                    self._queue.give_back(taken)
                    return
                self._queue.done(taken)
            if self._delivery.cancelled.is_set():
                return

    async def _deliver(self, items: Sequence[Any]) -> bool:
        items, unreadable = self._reader.read(items)
        for body, reason in unreadable:
            if not await self._delivery.park(body, reason, 0):
                return False
        return not items or await self._delivery.deliver(items)


class _Hearing:
    def __init__(self, reader: "_Reader", hearer: Hearer[Any], ended: Callable[["_Hearing"], None]) -> None:
        self._reader = reader
        self._hearer = hearer
        self._ended = ended
        self._cancelled = False

    def hear(self, items: Sequence[Any]) -> None:
        items, unreadable = self._reader.read(items)
        for _, reason in unreadable:
            log.error("message_dropped", reason=reason)
        try:
            if items:
                self._hearer(items)
        except Exception as problem:  # who broadcasts has nothing to do with it
            log.error("message_dropped", reason=f"{type(problem).__name__}: {problem}", exc_info=problem)

    async def cancel(self) -> None:
        if not self._cancelled:
            self._cancelled = True
            self._ended(self)


class _Reader:
    """Holds senders to the type of the queue, as a broker's consumer would by decoding."""

    def __init__(self, item_type: Any) -> None:
        self._types = frozenset(get_args(item_type) or (item_type,))
        self._decoder = msgspec.json.Decoder(item_type)

    def read(self, items: Sequence[Any]) -> tuple[Sequence[Any], list[tuple[bytes, str]]]:
        """The items of the right type, and the bodies of the others with the reason."""
        if all(type(item) in self._types for item in items):
            return items, []
        good: list[Any] = []
        unreadable: list[tuple[bytes, str]] = []
        for item in items:
            body = msgspec.json.encode(item)
            try:
                good.append(self._decoder.decode(body))
            except msgspec.DecodeError as problem:
                unreadable.append((body, f"not readable: {problem}"))
        return good, unreadable
