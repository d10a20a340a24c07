"""What happens, as the feed tells it: heard once in this process, and handed to the tail of the log it belongs to."""

from collections.abc import Callable, Mapping, Sequence

from runyard_shared.contracts.feed import FeedBatch, Recorded
from runyard_shared.messaging.bus import Bus, Subscription
from runyard_shared.messaging.topology import FEED

from runyard_gateway.streams.log_tail import LogTail


class LiveEvents:
    """`tails`: by the name of their log. `others`: who else wants to hear of a log, as it comes, gaps and all."""

    def __init__(
        self, bus: Bus, tails: Mapping[str, LogTail], others: Mapping[str, Callable[[list[Recorded]], None]] | None = None
    ) -> None:
        self._bus = bus
        self._tails = tails
        self._others = others or {}
        self._feed: Subscription | None = None

    @property
    def trouble(self) -> str | None:
        return next((tail.trouble for tail in self._tails.values() if tail.trouble is not None), None)

    async def start(self) -> None:
        self._feed = await self._bus.hear(FEED, FeedBatch, self._hear)
        for tail in self._tails.values():
            tail.start()

    async def stop(self) -> None:
        for tail in self._tails.values():
            await tail.stop()
        if self._feed is not None:
            await self._feed.cancel()

    def _hear(self, batches: Sequence[FeedBatch]) -> None:
        for batch in batches:
            if batch.log in self._others:
                self._others[batch.log](batch.events)
        for batch in batches:
            if batch.events and (tail := self._tails.get(batch.log)) is not None:
                tail.hear(batch.events)
