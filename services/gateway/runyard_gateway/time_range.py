"""A range of time cut into the hours, days or weeks of a time zone, as its clocks show them: days have 23 to 25 hours."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

_DAY: Final = timedelta(days=1)
_QUARTER: Final = timedelta(minutes=15)


class Interval(StrEnum):
    """Weeks begin on Monday."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"


@dataclass(frozen=True, slots=True)
class Stretch:
    """From `starts` on, until before `ends`; both UTC."""

    starts: datetime
    ends: datetime

    @property
    def length(self) -> timedelta:
        return self.ends - self.starts


def suitable_interval(whole: Stretch) -> Interval:
    """Hours for up to two days, weeks for more than 120."""
    if whole.length <= timedelta(days=2, hours=1):  # two days, one of which may have 25 hours
        return Interval.HOUR
    return Interval.DAY if whole.length <= timedelta(days=120, hours=1) else Interval.WEEK


def stretches(whole: Stretch, interval: Interval, zone: ZoneInfo) -> list[Stretch]:
    """All of them, empty days of executions too, in order; the first and the last may be parts."""
    edges = _hours(whole, zone) if interval == Interval.HOUR else _midnights(whole, zone, weekly=interval == Interval.WEEK)
    edges = [whole.starts, *edges, whole.ends]
    return [Stretch(starts, ends) for starts, ends in pairwise(edges)]


def at_most(whole: Stretch, interval: Interval) -> int:
    """How many stretches there can be."""
    hours = {Interval.HOUR: 1, Interval.DAY: 23, Interval.WEEK: 7 * 24 - 1}[interval]
    return int(whole.length / timedelta(hours=hours)) + 2


def _hours(whole: Stretch, zone: ZoneInfo) -> list[datetime]:
    """Where the clocks show a full hour; offsets are multiples of a quarter of an hour."""
    seconds = int(whole.starts.timestamp())
    at = datetime.fromtimestamp(seconds - seconds % 900, UTC) + _QUARTER
    found = []
    while at < whole.ends:
        shown = at.astimezone(zone)
        if shown.minute == 0 and shown.second == 0 and at > whole.starts:
            found.append(at)
        at += _QUARTER
    return found


def _midnights(whole: Stretch, zone: ZoneInfo, *, weekly: bool) -> list[datetime]:
    """A midnight that the clocks skip is the instant at which they skip it, one that comes twice the first of them. A date
    that a zone has left out begins where the next one does, and is none."""
    found: list[datetime] = []
    for day in _dates(whole, zone):
        at = datetime.combine(day, time(), zone).astimezone(UTC)
        if whole.starts < at < whole.ends and not (found and found[-1] >= at) and not (weekly and day.weekday() != 0):
            found.append(at)
    return found


def _dates(whole: Stretch, zone: ZoneInfo) -> Iterator[date]:
    day, last = whole.starts.astimezone(zone).date(), whole.ends.astimezone(zone).date()
    while day <= last:
        yield day
        day += _DAY
