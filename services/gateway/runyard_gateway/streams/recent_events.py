"""The last events of a log, in memory: so that any number of readers that come back at once catch up at the price of one."""

from collections import deque
from collections.abc import Sequence

from runyard_gateway.public_event import execution_of
from runyard_gateway.streams.subscription import EventFrame

MAX_EVENTS = 10_000
MAX_BYTES = 16 * 1024 * 1024
_OVERHEAD = 500
"""Bytes that an event takes besides its data."""

Frames = deque[EventFrame]


class RecentEvents:
    """All events with positions in (`after`, `last`], consecutive; the oldest are dropped when they become too many.

    Most are forgotten before anybody comes back, so only when somebody does are they sorted by execution and tenant.
    """

    def __init__(self, position: int = 0) -> None:
        self._all: Frames = deque()
        self._of_execution: dict[str, Frames] = {}
        self._of_tenant: dict[str, Frames] = {}
        self._bytes = 0
        self._sorted = position
        """Up to here."""
        self.after = position
        self.last = position

    def restart(self, position: int) -> None:
        """Remembers nothing, and goes on after `position`."""
        if self._all:
            self._all.clear()
            self._of_execution.clear()
            self._of_tenant.clear()
            self._bytes = 0
        self.after = self.last = self._sorted = position

    def append(self, frame: EventFrame) -> None:
        """The event that follows `last`."""
        recorded = frame.recorded
        self._all.append(frame)
        self._bytes += len(recorded.data) + _OVERHEAD
        self.last = recorded.position
        while self._bytes > MAX_BYTES or len(self._all) > MAX_EVENTS:
            self._forget_first()

    def prepend(self, frames: Sequence[EventFrame], after: int) -> None:
        """All events between `after` and what is remembered."""
        self._sort()
        for frame in reversed(frames):
            recorded = frame.recorded
            self._all.appendleft(frame)
            _frames(self._of_execution, execution_of(recorded)).appendleft(frame)
            _frames(self._of_tenant, recorded.tenant_id).appendleft(frame)
            self._bytes += len(recorded.data) + _OVERHEAD
        self.after = after

    def of_execution(self, execution_id: str, after: int) -> list[EventFrame]:
        self._sort()
        return _since(self._of_execution.get(execution_id), after)

    def of_tenant(self, tenant_id: str, after: int) -> list[EventFrame]:
        self._sort()
        return _since(self._of_tenant.get(tenant_id), after)

    def _sort(self) -> None:
        for frame in _since(self._all, self._sorted):
            _frames(self._of_execution, execution_of(frame.recorded)).append(frame)
            _frames(self._of_tenant, frame.recorded.tenant_id).append(frame)
        self._sorted = self.last

    def _forget_first(self) -> None:
        recorded = self._all.popleft().recorded
        self._bytes -= len(recorded.data) + _OVERHEAD
        self.after = recorded.position
        if recorded.position > self._sorted:
            return
        for frames_by_key, key in ((self._of_execution, execution_of(recorded)), (self._of_tenant, recorded.tenant_id)):
            frames = frames_by_key[key]
            frames.popleft()
            if not frames:
                del frames_by_key[key]


def _frames(by_key: dict[str, Frames], key: str) -> Frames:
    frames = by_key.get(key)
    if frames is None:
        by_key[key] = frames = deque()
    return frames


def _since(frames: Frames | None, after: int) -> list[EventFrame]:
    found: list[EventFrame] = []
    for frame in reversed(frames or ()):
        if frame.recorded.position <= after:
            break
        found.append(frame)
    found.reverse()
    return found
