"""Ranges of time in the days of a zone, and which rows of the rollups they are made of."""

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from runyard_gateway.rollup_cover import DAY, QUARTER, cover, end_of_quarter
from runyard_gateway.time_range import Interval, Stretch, at_most, stretches, suitable_interval
from runyard_projections.analytics.durations import bucket_of

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Asia/Beirut", "America/Havana")


def local(zone: str, text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def days(zone: str, starts: str, ends: str) -> list[float]:
    """Hours of each day."""
    whole = Stretch(local(zone, starts), local(zone, ends))
    return [each.length / timedelta(hours=1) for each in stretches(whole, Interval.DAY, ZoneInfo(zone))]


@pytest.mark.parametrize(
    ("zone", "starts", "ends", "hours"),
    [
        ("Europe/Berlin", "2026-03-28", "2026-03-31", [24, 23, 24]),
        ("Europe/Berlin", "2026-10-24", "2026-10-27", [24, 25, 24]),
        ("America/New_York", "2026-03-07", "2026-03-10", [24, 23, 24]),
        ("America/New_York", "2026-10-31", "2026-11-03", [24, 25, 24]),
        ("Asia/Kathmandu", "2026-03-28", "2026-03-30", [24, 24]),
        ("Australia/Lord_Howe", "2026-04-04", "2026-04-07", [24, 24.5, 24]),
        ("Asia/Beirut", "2026-03-28", "2026-03-31", [24, 23, 24]),  # midnight is skipped
        ("America/Havana", "2026-10-31", "2026-11-03", [24, 25, 24]),  # midnight comes twice
        ("Pacific/Apia", "2011-12-29", "2012-01-01", [24, 24]),  # the 30th was left out
        ("UTC", "2026-03-28T10:10", "2026-03-30T00:20", [13 + 50 / 60, 24, 1 / 3]),
    ],
)
def test_days_are_as_long_as_the_clocks_make_them(zone: str, starts: str, ends: str, hours: list[float]) -> None:
    assert days(zone, starts, ends) == pytest.approx(hours)


def test_weeks_begin_on_monday_and_hours_when_clocks_show_them() -> None:
    zone = ZoneInfo("Asia/Kathmandu")
    whole = Stretch(local("Asia/Kathmandu", "2026-03-25"), local("Asia/Kathmandu", "2026-04-08"))
    weeks = stretches(whole, Interval.WEEK, zone)
    assert [f"{each.starts.astimezone(zone):%a %H:%M}" for each in weeks] == ["Wed 00:00", "Mon 00:00", "Mon 00:00"]
    day = Stretch(local("Asia/Kathmandu", "2026-03-25"), local("Asia/Kathmandu", "2026-03-26"))
    hours = stretches(day, Interval.HOUR, zone)
    assert [each.starts.astimezone(zone).hour for each in hours] == list(range(24))
    assert {each.length for each in hours} == {timedelta(hours=1)}


def test_the_interval_suits_the_range() -> None:
    starts = local("Europe/Berlin", "2026-10-24")
    suits = {
        length: suitable_interval(Stretch(starts, starts + timedelta(days=length))).value for length in (1, 2, 3, 120, 121)
    }
    assert suits == {1: "hour", 2: "hour", 3: "day", 120: "day", 121: "week"}


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("seed", range(2))
def test_stretches_follow_each_other_and_fill_the_range(zone: str, seed: int) -> None:
    chance = random.Random(seed)
    for interval in Interval:
        starts = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(milliseconds=chance.randrange(365 * 86_400_000))
        whole = Stretch(starts, starts + timedelta(milliseconds=chance.randrange(1, 40 * 86_400_000)))
        parts = stretches(whole, interval, ZoneInfo(zone))
        assert (parts[0].starts, parts[-1].ends) == (whole.starts, whole.ends)
        assert all(one.ends == other.starts for one, other in pairwise(parts))
        assert all(part.starts < part.ends for part in parts)
        assert len(parts) <= at_most(whole, interval)


@pytest.mark.parametrize("seed", range(60))
def test_rows_and_pieces_count_each_instant_of_the_range_once_and_no_other(seed: int) -> None:
    chance = random.Random(seed)
    t0 = datetime(2026, 3, 28, tzinfo=UTC)
    grain = chance.choice((1, 60_000, 900_000, 3_600_000))
    starts = t0 + timedelta(milliseconds=chance.randrange(86_400_000) // grain * grain)
    lengths = (900_000, 86_400_000, 5 * 86_400_000)
    ends = starts + timedelta(milliseconds=(chance.randrange(chance.choice(lengths)) // grain + 1) * grain)
    covered = cover(Stretch(starts, ends), ends + timedelta(milliseconds=chance.randrange(-1_000_000, 1_000_000)))
    instants = [starts, ends, ends - timedelta(milliseconds=1), starts - timedelta(milliseconds=1)]
    instants += [t0 + timedelta(milliseconds=chance.randrange(-900_000, 7 * 86_400_000)) for _ in range(100)]
    instants += [starts + timedelta(milliseconds=chance.randrange(-900_000, 900_000)) for _ in range(50)]
    instants += [ends + timedelta(milliseconds=chance.randrange(-900_000, 900_000)) for _ in range(50)]
    for instant in instants:
        counted = sum(each.sign for each in covered.pieces if each.stretch.starts <= instant < each.stretch.ends)
        for rows in covered.rows:
            begins = datetime.fromtimestamp(instant.timestamp() // rows.width.total_seconds() * rows.width.total_seconds(), UTC)
            counted += rows.stretch.starts <= begins < rows.stretch.ends
        assert counted == (starts <= instant < ends)
    assert all(each.stretch.length < QUARTER for each in covered.pieces)


def test_a_year_that_ends_now_reads_few_rows_and_counts_next_to_nothing() -> None:
    now = local("Europe/Berlin", "2026-11-23T15:37")
    covered = cover(Stretch(local("Europe/Berlin", "2025-11-24"), now), now)
    assert [(each.width, round(each.stretch.length / each.width)) for each in covered.rows] == [
        (QUARTER, 4),
        (DAY, 364),
        (QUARTER, 59),
    ]
    (piece,) = covered.pieces
    assert (piece.sign, piece.stretch) == (-1, Stretch(now, end_of_quarter(now)))


def test_buckets_follow_each_other_and_are_narrow() -> None:
    buckets = [bucket_of(duration) for duration in range(10_000)]
    assert {after - before for before, after in pairwise(buckets)} == {0, 1}
    assert buckets[:64] == list(range(64))
    for duration in (64, 1000, 59_999, 86_400_000, 2**40 + 12_345, 2**62):
        assert bucket_of(duration) < bucket_of(duration + duration // 32 + 1) <= bucket_of(duration) + 2


def test_a_negative_duration_of_two_clocks_counts_as_none() -> None:
    assert bucket_of(-5) == 0
