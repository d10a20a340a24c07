"""The tail of the log in this process: hears the feed once, mends its gaps from the store, and hands events to subscriptions.

Events reach a subscription in order and without a gap from the moment it was made; a gap in the feed (broadcasts may be lost)
is read from the store before anything newer is handed on. While nobody watches, events are only counted.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

import structlog
from runyard_shared.contracts.feed import FeedBatch, Recorded
from runyard_shared.errors import Unavailable
from runyard_shared.messaging.bus import Bus
from runyard_shared.messaging.bus import Subscription as BusSubscription
from runyard_shared.messaging.topology import FEED

from runyard_gateway.public_event import event_frame, execution_of
from runyard_gateway.queries.events import EventQueries
from runyard_gateway.streams.subscription import LiveFrame, Subscription

_log = structlog.get_logger(__name__)

LOG = "orchestrator"
LOOK_EVERY_SECONDS = 1.0
TURN_SECONDS = 0.02
MAX_GAP = 20_000
"""A longer gap is not replayed to everybody: readers are cut off and resume from the store, each at its own pace."""


class LiveEvents:
    """Subscriptions by execution (its iterations included) and by tenant.

    `others`: who else in this process wants to hear of other logs, by log: as it comes, gaps and all.
    """

    def __init__(
        self, bus: Bus, events: EventQueries, buffer_bytes: int, others: Mapping[str, Callable[[list[Recorded]], None]]
    ) -> None:
        self._bus = bus
        self._events = events
        self._buffer_bytes = buffer_bytes
        self._others = others
        self._by_key: dict[str, set[Subscription]] = {}
        self._last: int | None = None
        self._in_order = asyncio.Lock()
        self._feed: BusSubscription | None = None
        self._looking: asyncio.Task[None] | None = None
        self._ending = False
        self.trouble: str | None = None

    async def start(self) -> None:
        self._feed = await self._bus.listen(FEED, FeedBatch, self._hear)
        self._looking = asyncio.create_task(self._look_for_lost_events(), name="gateway feed repair")

    def end_streams(self) -> None:
        """Ends every stream in good order, now and from now on."""
        self._ending = True
        for subscription in [each for subscriptions in self._by_key.values() for each in subscriptions]:
            subscription.close()

    async def stop(self) -> None:
        self.end_streams()
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        if self._feed is not None:
            await self._feed.cancel()

    async def subscribe_to_execution(self, execution_id: str) -> Subscription:
        return await self._subscribe(f"execution {execution_id}")

    async def subscribe_to_tenant(self, tenant_id: str) -> Subscription:
        return await self._subscribe(f"tenant {tenant_id}")

    def offer_to_execution(self, execution_id: str, frame: LiveFrame) -> None:
        """A frame that is no event of the log (live output)."""
        for subscription in tuple(self._by_key.get(f"execution {execution_id}", ())):
            subscription.offer(frame)

    async def let_read(self, execution_id: str) -> None:
        """Gives readers their turn, and those that are half way to being cut off a moment more: what came in one go must not
        cut off who keeps up. One that does not holds up the others for less than a second before it is cut off."""
        await asyncio.sleep(0)
        subscriptions = tuple(self._by_key.get(f"execution {execution_id}", ()))
        with suppress(TimeoutError):
            async with asyncio.timeout(TURN_SECONDS):
                while any(each.half_full for each in subscriptions):  # noqa: ASYNC110 - readers have no common event
                    await asyncio.sleep(TURN_SECONDS / 20)

    def is_watched(self, execution_id: str) -> bool:
        return f"execution {execution_id}" in self._by_key

    @property
    def anything_is_watched(self) -> bool:
        return bool(self._by_key)

    async def _subscribe(self, key: str) -> Subscription:
        """Everything committed after this returns will be offered."""

        def forget(gone: Subscription) -> None:
            subscriptions = self._by_key.get(key, set())
            subscriptions.discard(gone)
            if not subscriptions:
                self._by_key.pop(key, None)

        subscription = Subscription(self._buffer_bytes, forget)
        if self._ending:
            subscription.close()
            return subscription
        self._by_key.setdefault(key, set()).add(subscription)
        if self._last is None:
            try:
                async with self._in_order:
                    self._last = self._last or await self._events.head()
            except BaseException:
                subscription.close()
                raise
        return subscription

    async def _hear(self, batches: Sequence[FeedBatch]) -> None:
        for batch in batches:
            if batch.log in self._others:
                self._others[batch.log](batch.events)
        async with self._in_order:
            for batch in batches:
                if batch.log == LOG and batch.events:
                    await self._take(batch.events)

    async def _take(self, events: list[Recorded]) -> None:
        """Hands on what is new, after whatever is missing before it. If the store is away the batch is left for later."""
        first, last = events[0].position, events[-1].position
        if not self._by_key or self._last is None:
            self._last = max(last, self._last or 0)
            return
        if first > self._last + 1:
            try:
                await self._fill(first - 1)
            except Unavailable as trouble:
                self.trouble = f"events after {self._last} cannot be read: {trouble}"
                return
        self._hand_on(events)

    async def _fill(self, upto: int | None) -> None:
        """Reads the store after the last event handed on, until `upto` or its end."""
        while upto is None or (self._last or 0) < upto:
            events = await self._events.after(self._last or 0, limit=1000)
            if events and (upto or events[-1].position) - (self._last or 0) > MAX_GAP:
                self._cut_off_everybody(upto or events[-1].position)
                break
            self._hand_on(events)
            if len(events) < 1000:
                break
        self.trouble = None

    def _hand_on(self, events: Iterable[Recorded]) -> None:
        by_key = self._by_key
        for event in events:
            if self._last is not None and event.position <= self._last:
                continue
            self._last = event.position
            watching_execution = by_key.get(f"execution {execution_of(event)}")
            watching_tenant = by_key.get(f"tenant {event.tenant_id}")
            if watching_execution or watching_tenant:
                frame = LiveFrame(event_frame(event), event)
                for subscription in (*(watching_execution or ()), *(watching_tenant or ())):
                    subscription.offer(frame)

    def _cut_off_everybody(self, last: int) -> None:
        _log.warning("the feed has a long gap; event streams resume from the store", after=self._last, upto=last)
        for subscription in [each for subscriptions in self._by_key.values() for each in subscriptions]:
            subscription.cut_off()
        self._last = last

    async def _look_for_lost_events(self) -> None:
        """A lost broadcast is noticed by the next one; this notices when there is no next one."""
        seen = self._last
        while True:
            await asyncio.sleep(LOOK_EVERY_SECONDS)
            if self._by_key and self._last is not None and self._last == seen:
                try:
                    async with self._in_order:
                        await self._fill(None)
                except Unavailable as trouble:
                    self.trouble = f"events after {self._last} cannot be read: {trouble}"
            seen = self._last
