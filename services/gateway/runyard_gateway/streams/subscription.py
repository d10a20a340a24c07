"""What waits for one reader of an event stream: bounded, and a reader that falls behind is cut off instead of buffered for."""

import asyncio
from collections import deque
from collections.abc import Callable

from runyard_shared.contracts.feed import Recorded

from runyard_gateway.public_event import ORCHESTRATOR, event_frame

TAKE_BYTES = 256 * 1024
"""A reader is given about so much at once: what it is being sent can no longer be taken back."""


class LiveFrame:
    """A frame for any number of readers. `recorded` is None if it is no event of the log (output, rows of a page)."""

    __slots__ = ("_content", "recorded")

    recorded: Recorded | None

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.recorded = None

    @property
    def content(self) -> bytes:
        return self._content


class EventFrame(LiveFrame):
    """An event of a log, encoded when the first reader needs it."""

    __slots__ = ("_log",)

    recorded: Recorded

    def __init__(self, recorded: Recorded, log: str = ORCHESTRATOR) -> None:
        self._content = b""
        self._log = log
        self.recorded = recorded

    @property
    def content(self) -> bytes:
        if not self._content:
            self._content = event_frame(self.recorded, self._log)
        return self._content


class Backlog:
    """All that waits for all readers of a process. When it is too much, whoever lets most of it wait is cut off."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._readers: set[Subscription] = set()
        self.bytes = 0

    def add(self, reader: "Subscription") -> None:
        self._readers.add(reader)

    def remove(self, reader: "Subscription") -> None:
        self._readers.discard(reader)

    def relieve(self) -> None:
        while self.bytes > self._limit_bytes and self._readers:
            max(self._readers, key=lambda reader: reader.bytes).cut_off()


class Subscription:
    """Frames in order for one reader. The hub offers, the reader takes; after `close` nothing more is accepted."""

    def __init__(self, limit_bytes: int, on_close: Callable[["Subscription"], None], backlog: Backlog | None = None) -> None:
        self._frames: deque[LiveFrame] = deque()
        self._limit_bytes = limit_bytes
        self._backlog = backlog or Backlog(limit_bytes)
        self._on_close = on_close
        self._something = asyncio.Event()
        self.abort: Callable[[], None] | None = None
        self.bytes = 0
        self.closed = False
        self.too_slow = False
        self._backlog.add(self)

    def offer(self, frame: LiveFrame) -> None:
        """Called in the event loop. A reader that has too much waiting loses its connection, and resumes by itself."""
        if self.closed:
            return
        size = len(frame.content)
        self._frames.append(frame)
        self.bytes += size
        self._backlog.bytes += size
        if self.bytes > self._limit_bytes:
            self.cut_off()
        else:
            self._backlog.relieve()
        self._something.set()

    @property
    def half_full(self) -> bool:
        return not self.closed and self.bytes > self._limit_bytes // 2

    def cut_off(self) -> None:
        self.too_slow = True
        self.close()
        if self.abort is not None:
            self.abort()

    async def take(self, patience_seconds: float) -> list[LiveFrame]:
        """What waits, the first of it at least; an empty list after `patience_seconds` of silence or when closed."""
        if not self._frames and not self.closed:
            try:
                async with asyncio.timeout(patience_seconds):
                    await self._something.wait()
            except TimeoutError:
                return []
        if self.bytes <= TAKE_BYTES:
            frames, size = list(self._frames), self.bytes
            self._frames.clear()
        else:
            frames, size = [], 0
            while self._frames and size < TAKE_BYTES:
                frames.append(self._frames.popleft())
                size += len(frames[-1].content)
        if not self._frames:
            self._something.clear()
        self.bytes -= size
        self._backlog.bytes -= size
        return frames

    def close(self) -> None:
        """Idempotent; wakes the reader."""
        if not self.closed:
            self.closed = True
            self._backlog.remove(self)
            self._backlog.bytes -= self.bytes
            self._frames.clear()
            self.bytes = 0
            self._on_close(self)
        self._something.set()
