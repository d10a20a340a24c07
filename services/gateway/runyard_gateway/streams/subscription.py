"""What waits for one reader of an event stream: bounded, and a reader that falls behind is cut off instead of buffered for."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from runyard_shared.contracts.feed import Recorded


class LiveFrame(NamedTuple):
    """A frame ready to send, encoded once for all its readers. `recorded` is None if it is no event of the log (output)."""

    content: bytes
    recorded: Recorded | None = None


class Subscription:
    """Frames in order for one reader. The hub offers, the reader takes; after `close` nothing more is accepted."""

    def __init__(self, limit_bytes: int, on_close: Callable[["Subscription"], None]) -> None:
        self._frames: deque[LiveFrame] = deque()
        self._bytes = 0
        self._limit_bytes = limit_bytes
        self._on_close = on_close
        self._something = asyncio.Event()
        self.abort: Callable[[], None] | None = None
        self.closed = False
        self.too_slow = False

    def offer(self, frame: LiveFrame) -> None:
        """Called in the event loop. A reader that has too much waiting loses its connection, and resumes by itself."""
        if self.closed:
            return
        self._frames.append(frame)
        self._bytes += len(frame.content)
        if self._bytes > self._limit_bytes:
            self.cut_off()
        self._something.set()

    @property
    def half_full(self) -> bool:
        return not self.closed and self._bytes > self._limit_bytes // 2

    def cut_off(self) -> None:
        self.too_slow = True
        self.close()
        if self.abort is not None:
            self.abort()

    async def take(self, patience_seconds: float) -> list[LiveFrame]:
        """All that waits; an empty list after `patience_seconds` of silence or when closed."""
        if not self._frames and not self.closed:
            try:
                async with asyncio.timeout(patience_seconds):
                    await self._something.wait()
            except TimeoutError:
                return []
        self._something.clear()
        frames = list(self._frames)
        self._frames.clear()
        self._bytes = 0
        return frames

    def close(self) -> None:
        """Idempotent; wakes the reader."""
        if not self.closed:
            self.closed = True
            self._frames.clear()
            self._on_close(self)
        self._something.set()
