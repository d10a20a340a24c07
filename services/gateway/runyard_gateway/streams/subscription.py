"""What waits for one reader of an event stream: bounded, and a reader that falls behind is cut off instead of buffered for."""

import asyncio
from collections import deque
from collections.abc import Callable

import structlog
from runyard_shared.contracts.feed import Recorded

from runyard_gateway.public_event import ORCHESTRATOR, event_frame

_log = structlog.get_logger(__name__)

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
    """Frames in order for one reader. The hub offers, the reader takes; after `close` nothing more is accepted.

    `sink` spares the reader a turn of the loop: while it waits in `take`, frames go to the sink, or to the reader if that
    returns False.
    """

    def __init__(self, limit_bytes: int, on_close: Callable[["Subscription"], None], backlog: Backlog | None = None) -> None:
        self._frames: deque[LiveFrame] = deque()
        self._limit_bytes = limit_bytes
        self._backlog = backlog or Backlog(limit_bytes)
        self._on_close = on_close
        self._waiter: asyncio.Future[None] | None = None
        self.abort: Callable[[], None] | None = None
        self.sink: Callable[[list[LiveFrame]], bool] | None = None
        self.bytes = 0
        self.closed = False
        self.too_slow = False
        self._backlog.add(self)

    def offer(self, frame: LiveFrame) -> None:
        """Called in the event loop. A reader that has too much waiting loses its connection, and resumes by itself."""
        self.add(frame)
        self._wake()

    def add(self, frame: LiveFrame) -> None:
        """As `offer`, when more comes or `flush`."""
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

    def flush(self) -> None:
        """Gives what was added to the sink, or wakes the reader."""
        if self._waiter is None:
            return  # the reader has something to do, and finds it afterwards
        if self._frames and self.sink is not None:
            frames = self._first()
            try:
                if not self.sink(frames):
                    self._put_back(frames)
            except Exception:  # noqa: BLE001 - one reader's trouble is not that of those who come after it
                _log.exception("a reader of an event stream is cut off: its frames cannot be shown")
                self.cut_off()
        if self._frames:
            self._wake()

    @property
    def half_full(self) -> bool:
        return not self.closed and self.bytes > self._limit_bytes // 2

    def cut_off(self) -> None:
        self.too_slow = True
        self.close()
        if self.abort is not None:
            self.abort()

    async def take(self, patience_seconds: float) -> list[LiveFrame]:
        """What waits, the first of it at least; an empty list when nothing had to be taken for `patience_seconds`, or when
        closed."""
        if not self._frames and not self.closed:
            loop = asyncio.get_running_loop()
            waiter = self._waiter = loop.create_future()
            alarm = loop.call_later(patience_seconds, self._wake)
            try:
                await waiter
            finally:
                self._waiter = None
                alarm.cancel()
        return self._first()

    def close(self) -> None:
        """Idempotent; wakes the reader."""
        if not self.closed:
            self.closed = True
            self._backlog.remove(self)
            self._backlog.bytes -= self.bytes
            self._frames.clear()
            self.bytes = 0
            self._on_close(self)
        self._wake()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _first(self) -> list[LiveFrame]:
        if self.bytes <= TAKE_BYTES:
            frames, size = list(self._frames), self.bytes
            self._frames.clear()
        else:
            frames, size = [], 0
            while self._frames and size < TAKE_BYTES:
                frames.append(self._frames.popleft())
                size += len(frames[-1].content)
        self.bytes -= size
        self._backlog.bytes -= size
        return frames

    def _put_back(self, frames: list[LiveFrame]) -> None:
        self._frames.extendleft(reversed(frames))
        size = sum(len(frame.content) for frame in frames)
        self.bytes += size
        self._backlog.bytes += size
