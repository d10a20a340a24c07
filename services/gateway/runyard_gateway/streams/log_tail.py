"""The tail of one log in this process: mends the gaps of the feed from the store, and hands events to subscriptions.

Events reach a subscription in order and without a gap from the moment it was made; a gap in the feed (broadcasts may be lost)
is read from the store before anything newer is handed on. The last events are remembered, so that whoever was away for a
moment catches up from memory, and a gateway that has just started reads them once for all who come back. While nobody watches,
events are only counted.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from time import time
from typing import NamedTuple

import structlog
from runyard_shared.contracts.feed import Recorded
from runyard_shared.errors import Unavailable
from runyard_shared.loops import forever

from runyard_gateway.metrics import STREAM
from runyard_gateway.public_event import ORCHESTRATOR, execution_of
from runyard_gateway.queries.events import EventQueries
from runyard_gateway.streams.bell import Bells
from runyard_gateway.streams.recent_events import MAX_EVENTS, RecentEvents
from runyard_gateway.streams.subscription import Backlog, EventFrame, LiveFrame, Subscription

_log = structlog.get_logger(__name__)

LOOK_EVERY_SECONDS = 1.0
TURN_SECONDS = 0.02
PAGE = 1000
MAX_HELD_UP = 128
"""So many batches wait for the store; what comes then is read from there as well."""
MAX_GAP = 20_000
"""A longer gap is not replayed to everybody: readers are cut off and resume from the store, each at its own pace."""


class Joined(NamedTuple):
    """`frames`: what was committed before the subscription was made and after what the reader has."""

    subscription: Subscription
    frames: list[EventFrame]


class LogTail:
    """Subscriptions by execution (its iterations included) and by tenant."""

    def __init__(self, events: EventQueries, buffer_bytes: int, backlog: Backlog, log: str = ORCHESTRATOR) -> None:
        self._events = events
        self._buffer_bytes = buffer_bytes
        self._backlog = backlog
        self._name = log
        self._of_execution: dict[str, set[Subscription]] = {}
        self._of_tenant: dict[str, set[Subscription]] = {}
        self.bells = Bells()
        self._recent = RecentEvents()
        self._last: int | None = None
        self._in_order = asyncio.Lock()
        self._held_up: deque[list[Recorded]] = deque()
        """Batches that come after something which is being read from the store."""
        self._going_on: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self.trouble: str | None = None

    def start(self) -> None:
        self._looking = forever(self._look_for_lost_events(), f"gateway feed repair {self._name}")

    async def stop(self) -> None:
        tasks = [task for task in (self._looking, self._going_on) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def position(self) -> int:
        """Everything up to it is in the store; whoever begins to watch without another await hears of everything after it."""
        if not self.anything_is_watched:
            async with self._in_order:
                if not self.anything_is_watched:
                    self._restart(await self._events.head())
        return self._last or 0

    def last_of_execution(self, execution_id: str) -> int:
        """The position of the last event that any reader may have been given; 0 if none is remembered."""
        frames = self._recent.of_execution(execution_id, 0)
        return frames[-1].recorded.position if frames else 0

    async def join_execution(self, execution_id: str, after: int, at_least: int = 0) -> Joined | None:
        """Everything after `after`, from now on; None if that is too long ago to be remembered: then it is in the store.

        `at_least`: a committed position up to which everything must be among the frames, or in what the reader has.
        """
        return await self._join(self._of_execution, execution_id, after, at_least, self._recent.of_execution)

    async def join_tenant(self, tenant_id: str, after: int) -> Joined | None:
        """As `join_execution`."""
        return await self._join(self._of_tenant, tenant_id, after, 0, self._recent.of_tenant)

    def offer_to_execution(self, execution_id: str, frame: LiveFrame) -> None:
        """A frame that is no event of the log (live output)."""
        for subscription in tuple(self._of_execution.get(execution_id, ())):
            subscription.offer(frame)

    async def let_read(self, execution_id: str) -> None:
        """Gives readers their turn, and those that are half way to being cut off a moment more: what came in one go must not
        cut off who keeps up. One that does not holds up the others for less than a second before it is cut off."""
        await asyncio.sleep(0)
        subscriptions = tuple(self._of_execution.get(execution_id, ()))
        with suppress(TimeoutError):
            async with asyncio.timeout(TURN_SECONDS):
                while any(each.half_full for each in subscriptions):  # noqa: ASYNC110 - readers have no common event
                    await asyncio.sleep(TURN_SECONDS / 20)

    def is_watched(self, execution_id: str) -> bool:
        return execution_id in self._of_execution

    @property
    def anything_is_watched(self) -> bool:
        return bool(self._of_execution or self._of_tenant or self.bells)

    def hear(self, events: list[Recorded]) -> None:
        """A batch of the feed. Hands on what is new, at once or after whatever is missing before it."""
        if self._held_up or self._in_order.locked():
            if len(self._held_up) < MAX_HELD_UP:
                self._held_up.append(events)
        elif not self.anything_is_watched or self._last is None:
            self._restart(max(events[-1].position, self._last or 0))
        elif events[0].position > self._last + 1:
            self._held_up.append(events)
        else:
            self._hand_on(events)
        if self._held_up and (self._going_on is None or self._going_on.done()):
            self._going_on = asyncio.create_task(self._go_on(), name=f"gateway feed {self._name}")

    @property
    def is_held_up(self) -> bool:
        """Whether something is read from the store before what came after it."""
        return bool(self._held_up)

    async def _go_on(self) -> None:
        while self._held_up:
            try:
                await self._take(self._held_up[0])
            except Exception:  # noqa: BLE001 - the next batch finds what is missing
                _log.exception("events of the feed are left for later")
            self._held_up.popleft()

    async def _take(self, events: list[Recorded]) -> None:
        """If the store is away the batch is left for later."""
        async with self._in_order:
            first, last = events[0].position, events[-1].position
            if not self.anything_is_watched or self._last is None:
                self._restart(max(last, self._last or 0))
                return
            if first > self._last + 1:
                try:
                    await self._fill(first - 1)
                except Unavailable as trouble:
                    self.trouble = f"events after {self._last} cannot be read: {trouble}"
                    return
            self._hand_on(events)

    async def _join(
        self,
        watching: dict[str, set[Subscription]],
        key: str,
        after: int,
        at_least: int,
        recent: Callable[[str, int], list[EventFrame]],
    ) -> Joined | None:
        if not (self.anything_is_watched and self._recent.after <= after and self._recent.last >= at_least):
            async with self._in_order:
                if not self.anything_is_watched:
                    self._restart(await self._events.head())
                if self._recent.last < at_least:
                    await self._fill(None)
                if self._recent.after > after and not await self._recall(after):
                    return None
                return self._joined(watching, key, recent(key, after))
        return self._joined(watching, key, recent(key, after))

    def _joined(self, watching: dict[str, set[Subscription]], key: str, frames: list[EventFrame]) -> Joined:
        """Without an await between what is remembered and what will be offered."""

        def forget(gone: Subscription) -> None:
            subscriptions = watching.get(key, set())
            subscriptions.discard(gone)
            if not subscriptions:
                watching.pop(key, None)

        subscription = Subscription(self._buffer_bytes, forget, self._backlog)
        watching.setdefault(key, set()).add(subscription)
        return Joined(subscription, frames)

    async def _recall(self, after: int) -> bool:
        """Reads what came after `after` and is not remembered, unless it is too much."""
        upto = self._recent.after
        if self._recent.last - after > MAX_EVENTS:
            return False
        missing: list[EventFrame] = []
        last = after
        while last < upto:
            events = await self._events.after(last, limit=min(PAGE, upto - last))
            if not events:
                break  # retention has dropped what was there
            missing += [EventFrame(event, self._name) for event in events if event.position <= upto]
            last = events[-1].position
        self._recent.prepend(missing, after)
        return True

    async def _fill(self, upto: int | None) -> None:
        """Reads the store after the last event handed on, until `upto` or its end."""
        while upto is None or (self._last or 0) < upto:
            events = await self._events.after(self._last or 0, limit=PAGE)
            if events and (upto or events[-1].position) - (self._last or 0) > MAX_GAP:
                self._cut_off_everybody(upto or events[-1].position)
                break
            self._hand_on(events)
            if len(events) < PAGE:
                break
        self.trouble = None

    def _hand_on(self, events: Iterable[Recorded]) -> None:
        of_execution, of_tenant, recent = self._of_execution, self._of_tenant, self._recent
        given: set[Subscription] = set()
        oldest: Recorded | None = None
        for event in events:
            if self._last is not None and event.position <= self._last:
                continue
            oldest = oldest or event
            self._last = event.position
            frame = EventFrame(event, self._name)
            recent.append(frame)
            for subscription in (*of_execution.get(execution_of(event), ()), *of_tenant.get(event.tenant_id, ())):
                subscription.add(frame)
                given.add(subscription)
            self.bells.ring(event)
        for subscription in given:
            subscription.flush()
        if given and oldest is not None:
            STREAM.observe(max(0.0, time() - oldest.recorded_at.timestamp()))

    def _restart(self, position: int) -> None:
        self._last = position
        self._recent.restart(position)

    def _cut_off_everybody(self, last: int) -> None:
        _log.warning("the feed has a long gap; event streams resume from the store", after=self._last, until=last)
        for subscription in self._subscriptions():
            subscription.cut_off()
        self._restart(last)
        self.bells.ring_all(last)

    def _subscriptions(self) -> list[Subscription]:
        every = (*self._of_execution.values(), *self._of_tenant.values())
        return [subscription for subscriptions in every for subscription in subscriptions]

    async def _look_for_lost_events(self) -> None:
        """A lost broadcast is noticed by the next one; this notices when there is no next one."""
        seen = self._last
        while True:
            await asyncio.sleep(LOOK_EVERY_SECONDS)
            if self.anything_is_watched and self._last is not None and self._last == seen:
                try:
                    async with self._in_order:
                        await self._fill(None)
                except Unavailable as trouble:
                    self.trouble = f"events after {self._last} cannot be read: {trouble}"
            seen = self._last
