"""Cron schedules: five fields and an IANA time zone in, instants out. Pure; what an expression matches is cronsim's business.

What a change of the clocks does to a schedule is ours, and of two kinds. One that names its minutes and hours (`30 2 * * *`)
means a time of the day: it comes once each day. A time that the clocks skip comes at the instant after the gap, a time that
comes twice counts the first time only. One whose minute or hour begins with `*` (`*/15 * * * *`) means a rhythm: it comes
whenever a clock on the wall shows such a time, so not in the gap, and twice where an hour is repeated.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from runyard_shared.errors import RunyardError

MAX_EXPRESSION: Final = 200
"""Characters of an expression."""

_FIELDS: Final = (
    ("minute", "0-59"),
    ("hour", "0-23"),
    ("day of month", "1-31"),
    ("month", "1-12 or JAN-DEC"),
    ("day of week", "0-7 or SUN-SAT, both 0 and 7 being Sunday"),
)
_NICKNAMES: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_PROBE: Final = datetime(2000, 1, 1, tzinfo=UTC)
_MINUTE: Final = timedelta(minutes=1)
_SECOND: Final = timedelta(seconds=1)
_STRIDE: Final = timedelta(hours=12)
"""No zone changes its offset twice within it."""


class ScheduleError(RunyardError):
    """Not a cron expression, or not a time zone; the message says what is wrong with each field."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Make it with `parse_schedule`."""

    cron: str
    zone: ZoneInfo

    def next_after(self, at: datetime) -> datetime | None:
        """The first instant after `at`, UTC; None if there is none within 50 years."""
        if self._is_rhythm():
            return self._next_in_rhythm(at)
        for wall in _walls(self.cron, _wall(at, self.zone)):
            instant = _first(wall, self.zone)
            if instant > at:
                return instant
        return None

    def upcoming(self, after: datetime, count: int) -> list[datetime]:
        """The next instants after `after`, at most `count`."""
        found: list[datetime] = []
        instant = self.next_after(after)
        while instant is not None and len(found) < count:
            found.append(instant)
            instant = self.next_after(instant)
        return found

    def includes(self, instant: datetime) -> bool:
        return self.next_after(instant - _SECOND) == instant

    def latest(self, after: datetime, until: datetime, limit: int) -> list[datetime]:
        """The last `limit` instants after `after` and not after `until`, in order; however long ago `after` is."""
        window = timedelta(hours=1)
        while True:
            start = max(after, until - window)
            found: deque[datetime] = deque(maxlen=limit)
            instant = self.next_after(start)
            while instant is not None and instant <= until:
                found.append(instant)
                instant = self.next_after(instant)
            if len(found) == limit or start == after:
                return list(found)
            window *= 2

    def _is_rhythm(self) -> bool:
        minute, hour = self.cron.split()[:2]
        return minute.startswith("*") or hour.startswith("*")

    def _next_in_rhythm(self, at: datetime) -> datetime | None:
        """Time is a row of stretches in which the zone keeps its offset, and within each of them clocks go on evenly."""
        offset = _offset(at, self.zone)
        after = _wall(at, self.zone)
        while (wall := next(_walls(self.cron, after), None)) is not None:
            instant = (wall - offset).replace(tzinfo=UTC)
            change = _change_of_offset(at, instant, self.zone)
            if change is None:
                return instant
            at, offset = change, _offset(change, self.zone)
            after = _wall(change, self.zone) - _SECOND
        return None


def parse_schedule(cron: str, timezone: str) -> Schedule:
    """Raises `ScheduleError` with everything that is wrong with the two."""
    problems = [problem for problem in (cron_problem(cron), timezone_problem(timezone)) if problem is not None]
    if problems:
        raise ScheduleError("; ".join(problems))
    return Schedule(cron, ZoneInfo(timezone))


def cron_problem(cron: str) -> str | None:
    """What is wrong with a cron expression, in words; None if nothing is. One that never comes is wrong too."""
    if len(cron) > MAX_EXPRESSION:
        return f"is longer than {MAX_EXPRESSION} characters"
    if cron.strip().lower() in _NICKNAMES:
        return f"must be five fields; write {_NICKNAMES[cron.strip().lower()]} for {cron.strip()}"
    fields = cron.split()
    if len(fields) != len(_FIELDS):
        names = ", ".join(name for name, _ in _FIELDS)
        return f"has {len(fields)} field{'s' if len(fields) != 1 else ''}; a cron expression has five: {names}"
    wrong = [
        f"{name} {text!r} must be {allowed}, as a number, a list (1,15), a range (9-17) or with a step (*/5)"
        for place, (text, (name, allowed)) in enumerate(zip(fields, _FIELDS, strict=True))
        if not _is_field(text, place)
    ]
    if wrong:
        return "; ".join(wrong)
    try:
        comes = next(_walls(cron, _PROBE), None) is not None
    except CronSimError:
        comes = False
    return None if comes else "never comes: no such day is in any of these months"


def timezone_problem(timezone: str) -> str | None:
    """What is wrong with the name of a time zone, in words; None if nothing is."""
    try:
        ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):
        return f"there is no time zone {timezone!r}; use an IANA name such as Europe/Berlin, America/New_York or UTC"
    return None


def _is_field(text: str, place: int) -> bool:
    """Whether the field would do if all others were `*`."""
    fields = ["*"] * len(_FIELDS)
    fields[place] = text
    try:
        CronSim(" ".join(fields), _PROBE)
    except CronSimError:
        return False
    return True


def _walls(cron: str, after: datetime) -> Iterator[datetime]:
    """The times after `after` as a clock on the wall shows them, where clocks are never changed."""
    return CronSim(cron, after)


def _offset(at: datetime, zone: ZoneInfo) -> timedelta:
    offset = at.astimezone(zone).utcoffset()
    if offset is None:
        raise TypeError(f"{zone} has no offset")
    return offset


def _wall(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None)


def _first(wall: datetime, zone: ZoneInfo) -> datetime:
    """When the clocks first show it; if they skip it, when they are past it."""
    while True:
        instant = wall.replace(tzinfo=zone).astimezone(UTC)
        if _wall(instant, zone) == wall:
            return instant
        wall += _MINUTE


def _change_of_offset(after: datetime, until: datetime, zone: ZoneInfo) -> datetime | None:
    """The first instant after `after`, and not after `until`, at which the zone has another offset; to the second."""
    offset = _offset(after, zone)
    same = after
    while same < until:
        then = min(same + _STRIDE, until)
        if _offset(then, zone) == offset:
            same = then
            continue
        low, high = int(same.timestamp()), int(then.timestamp())
        while high - low > 1:
            middle = (low + high) // 2
            if _offset(datetime.fromtimestamp(middle, UTC), zone) == offset:
                low = middle
            else:
                high = middle
        return datetime.fromtimestamp(high, UTC)
    return None
