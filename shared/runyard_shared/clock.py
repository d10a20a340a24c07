"""Time as an argument: the only place that reads the wall clock.

All instants are timezone-aware UTC datetimes, truncated to milliseconds, because that is what is stored and shown.
"""

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time. Adapters: `SystemClock` in services, `FrozenClock` in tests."""

    def now(self) -> datetime: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return to_milliseconds(datetime.now(UTC))


class FrozenClock:
    """A clock that moves only when told to."""

    def __init__(self, at: datetime) -> None:
        self._at = to_milliseconds(at)

    def now(self) -> datetime:
        return self._at

    def advance(self, seconds: float) -> None:
        self._at = to_milliseconds(self._at + timedelta(seconds=seconds))


def to_milliseconds(at: datetime) -> datetime:
    """The same instant without its microseconds below a millisecond."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def rfc3339(at: datetime) -> str:
    """`2026-11-22T17:05:00.123Z`: the one text form of an instant in answers and logs."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
