"""How a list of items meets its handler: the same promises on every bus.

The handler gets the whole list. If it says `Unavailable`, a part it needs is away, and the same list comes again, later and
later, for as long as it takes. If it fails in another way, the items come one by one, and one that has failed three times is
parked, alone, with its reason; the rest is handled. Where there is no place to park (broadcasts, which may be lost anyway, and
an agent, whose account does not reach so far) it is dropped, with the same words in the log.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter
from typing import Any, Final

import msgspec
import structlog

from runyard_shared.clock import Clock, rfc3339
from runyard_shared.contracts.jobs import Parked
from runyard_shared.errors import Unavailable
from runyard_shared.messaging.bus import Handler
from runyard_shared.metrics import HANDLER_ITEMS, HANDLER_SECONDS, HANDLER_WAITS, PARKED, queue_label

log = structlog.get_logger(__name__)

ATTEMPTS: Final = 3
FIRST_PAUSE_SECONDS: Final = 0.05
LONGEST_PAUSE_SECONDS: Final = 5.0
PARKED_BYTES: Final = 4 * 1024 * 1024
"""Of a larger body only the beginning is parked: it must fit into a message again."""

Park = Callable[[Parked], Awaitable[None]]


class Delivery:
    """Hands the items of one queue to one handler. Without `park` nothing is parked. `cancelled` interrupts a pause between
    attempts."""

    def __init__(self, queue: str, handler: Handler[Any], park: Park | None, clock: Clock) -> None:
        self.queue = queue
        self._handler = handler
        self._park = park
        self._clock = clock
        label = queue_label(queue)
        self._items = HANDLER_ITEMS.labels(label)
        self._seconds = HANDLER_SECONDS.labels(label)
        self._waits = HANDLER_WAITS.labels(label)
        self._parked = PARKED.labels(label)
        self.cancelled = asyncio.Event()

    async def deliver(self, items: Sequence[Any]) -> bool:
        """Whether the items are done with: handled or parked. False: cancelled before that, so they must come again."""
        try:
            if not await self._available(self._measured, items):
                return False
        except Exception as problem:  # noqa: BLE001 - whatever a handler raises, its queue goes on
            log.warning("handler_failed", queue=self.queue, items=len(items), reason=repr(problem))
            for item in items:
                if not await self._alone(item, problem if len(items) == 1 else None):
                    return False
        return True

    async def park(
        self, body: bytes, reason: str, attempts: int, problem: Exception | None = None, *, sender: str = ""
    ) -> bool:
        """Put away what cannot be handled; waits until the bus has it. False: cancelled before that."""
        if self._park is None:
            log.error("message_dropped", queue=self.queue, reason=reason, attempts=attempts, exc_info=problem)
            return True
        self._parked.inc()
        log.error("message_parked", queue=self.queue, reason=reason, attempts=attempts, exc_info=problem)
        parked = Parked(
            queue=self.queue,
            body=body[:PARKED_BYTES],
            reason=reason,
            attempts=attempts,
            parked_at=rfc3339(self._clock.now()),
            sender=sender,
        )
        return await self._available(self._park, parked)

    async def _alone(self, item: Any, problem: Exception | None) -> bool:
        """`problem`: how the first attempt of this item alone has failed, if there was one."""
        attempts = 0 if problem is None else 1
        while attempts < ATTEMPTS:
            if attempts and await self._pause(FIRST_PAUSE_SECONDS * 2**attempts):
                return False
            try:
                return await self._available(self._measured, [item])
            except Exception as again:  # noqa: BLE001 - counted, and parked with its reason in the end
                problem = again
                attempts += 1
        return await self.park(msgspec.json.encode(item), f"{type(problem).__name__}: {problem}", attempts, problem)

    async def _measured(self, items: Sequence[Any]) -> None:
        """The handler, with a look at the clock around each list."""
        began_at = perf_counter()
        try:
            await self._handler(items)
        finally:
            self._seconds.observe(perf_counter() - began_at)
        self._items.observe(len(items))

    async def _available(self, call: Callable[[Any], Awaitable[None]], argument: Any) -> bool:
        """Call until it no longer says `Unavailable`. False: cancelled meanwhile."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                await call(argument)
            except Unavailable as problem:
                self._waits.inc()
                log.warning("handler_waits", queue=self.queue, reason=str(problem), again_in_seconds=pause)
                if await self._pause(pause):
                    return False
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            else:
                return True

    async def _pause(self, seconds: float) -> bool:
        """Whether the delivery was cancelled."""
        try:
            async with asyncio.timeout(seconds):
                await self.cancelled.wait()
        except TimeoutError:
            return False
        return True
