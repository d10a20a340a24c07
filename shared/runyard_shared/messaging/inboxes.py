"""The inbox partitions of a service that this process consumes; which those are is settled by `Shares`."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from runyard_shared.messaging.bus import Bus, Handler, Subscription
from runyard_shared.shares import Share


class Inboxes:
    """`queues`: all there are. `gained` is called before the first item of a partition is handled, `settled` when it is
    consumed. `weight`: of each, as a share."""

    def __init__(
        self,
        bus: Bus,
        queues: Sequence[str],
        item_type: Any,
        handler: Handler[Any],
        *,
        gained: Callable[[], None] = lambda: None,
        settled: Callable[[], None] = lambda: None,
        weight: int = 1,
    ) -> None:
        self._bus = bus
        self._queues = queues
        self._item_type = item_type
        self._handler = handler
        self._gained = gained
        self._settled = settled
        self._weight = weight
        self._subscriptions: dict[str, Subscription] = {}

    def shares(self) -> list[Share]:
        return [Share(queue, partial(self._begin, queue), partial(self._end, queue), self._weight) for queue in self._queues]

    def has(self, queue: str) -> bool:
        return queue in self._subscriptions

    async def _begin(self, queue: str) -> None:
        self._gained()
        self._subscriptions[queue] = await self._bus.consume(queue, self._item_type, self._handler)
        self._settled()

    async def _end(self, queue: str) -> None:
        await self._subscriptions.pop(queue).cancel()
