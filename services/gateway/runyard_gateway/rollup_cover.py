"""Which rows of the rollups make up a range of time, and what is to be counted at its edges.

Rollups are by quarter of an hour and by UTC day. A range is the rows of whole days, those of the quarters around them, and at
each end perhaps a piece of a quarter: that is counted in the list of executions. Where it takes less, the whole quarter is
taken and the rest of it is counted, and subtracted: nothing has begun yet in what is left of the running one.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from runyard_gateway.time_range import Stretch

QUARTER: Final = timedelta(minutes=15)
DAY: Final = timedelta(days=1)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of this width that begin in the stretch."""

    width: timedelta
    stretch: Stretch


@dataclass(frozen=True, slots=True)
class Piece:
    """To be counted; `sign` is 1, or -1 if that is to be subtracted."""

    sign: int
    stretch: Stretch


@dataclass(frozen=True, slots=True)
class Cover:
    rows: tuple[Rows, ...]
    pieces: tuple[Piece, ...]


def end_of_quarter(at: datetime) -> datetime:
    """The first begin of a quarter after `at`."""
    return floor(at, QUARTER) + QUARTER


def cover(whole: Stretch, now: datetime) -> Cover:
    pieces = []
    first, last = floor(whole.starts, QUARTER), floor(whole.ends, QUARTER)
    if first == last:
        return Cover((), (Piece(1, whole),))
    begin, end = first, last
    if first < whole.starts:
        second = first + QUARTER
        if whole.starts - first < second - whole.starts:
            pieces.append(Piece(-1, Stretch(first, whole.starts)))
        else:
            pieces.append(Piece(1, Stretch(whole.starts, second)))
            begin = second
    if last < whole.ends:
        after = last + QUARTER
        if now < after or after - whole.ends < whole.ends - last:
            pieces.append(Piece(-1, Stretch(whole.ends, after)))
            end = after
        else:
            pieces.append(Piece(1, Stretch(last, whole.ends)))
    return Cover(tuple(_rows(begin, end)), tuple(pieces))


def _rows(begin: datetime, end: datetime) -> list[Rows]:
    first_day, last_day = floor(begin + (DAY - QUARTER), DAY), floor(end, DAY)
    if first_day >= last_day:
        parts = [Rows(QUARTER, Stretch(begin, end))]
    else:
        parts = [
            Rows(QUARTER, Stretch(begin, first_day)),
            Rows(DAY, Stretch(first_day, last_day)),
            Rows(QUARTER, Stretch(last_day, end)),
        ]
    return [part for part in parts if part.stretch.starts < part.stretch.ends]


def floor(at: datetime, width: timedelta) -> datetime:
    return EPOCH + (at - EPOCH) // width * width
