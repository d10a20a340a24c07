"""Cron schedules in time zones: what is wrong with one, when it comes, and what changes of the clocks do to it (R50)."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runyard_shared.schedule import ScheduleError, cron_problem, parse_schedule, timezone_problem


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def comes(cron: str, zone: str, after: str, count: int) -> list[str]:
    """The next instants as the clocks of the zone show them."""
    schedule = parse_schedule(cron, zone)
    return [instant.astimezone(schedule.zone).strftime("%d %H:%M%z") for instant in schedule.upcoming(at(after), count)]


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("0 6 * * 1-5", None),
        ("*/15 8-17 1,15 JAN-MAR mon", None),
        ("0 0 L * *", None),
        ("", "has 0 fields; a cron expression has five: minute, hour, day of month, month, day of week"),
        ("0 0 6 * * *", "has 6 fields"),
        ("@daily", "must be five fields; write 0 0 * * * for @daily"),
        ("61 * * * *", "minute '61' must be 0-59"),
        ("*/0 24 * * x", "minute '*/0' must be 0-59"),
        ("*/0 24 * * x", "hour '24' must be 0-23"),
        ("*/0 24 * * x", "day of week 'x' must be 0-7 or SUN-SAT"),
        ("5-3 * * * *", "minute '5-3'"),
        ("² * * * *", "minute '²'"),
        ("0 0 30 2 *", "never comes"),
        ("1," * 100 + "1 * * * *", "longer than 200 characters"),
    ],
)
def test_what_is_wrong_with_an_expression_is_said_field_by_field(cron: str, words: str | None) -> None:
    problem = cron_problem(cron)
    assert problem is None if words is None else problem is not None and words in problem


@pytest.mark.parametrize("zone", ["", "Berlin", "Europe", "../etc/passwd", "Europe/Berlin\0", "/etc/localtime"])
def test_a_time_zone_must_be_one_of_iana(zone: str) -> None:
    assert "there is no time zone" in (timezone_problem(zone) or "")
    with pytest.raises(ScheduleError, match=r"has 1 field.*there is no time zone"):
        parse_schedule("x", zone)


@pytest.mark.parametrize(
    ("cron", "zone", "after", "expected"),
    [
        # a time of the day that is skipped comes when the gap is over
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00Z", ["29 03:00+0200", "30 02:30+0200"]),
        ("30 2 * * *", "America/New_York", "2026-03-07T12:00Z", ["08 03:00-0400", "09 02:30-0400"]),
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00Z", ["04 02:30+1100", "05 02:15+1100"]),
        # two times in the gap are one instant
        ("0,30 2 * * *", "Europe/Berlin", "2026-03-28T12:00Z", ["29 03:00+0200", "30 02:00+0200"]),
        # a time of the day that comes twice counts the first time
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00Z", ["25 02:30+0200", "26 02:30+0100"]),
        ("30 1 * * *", "America/New_York", "2026-10-31T12:00Z", ["01 01:30-0400", "02 01:30-0500"]),
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00Z", ["05 01:45+1100", "06 01:45+1030"]),
        # where nothing changes, nothing is special
        ("30 2 * * *", "Asia/Kolkata", "2026-03-28T21:30Z", ["30 02:30+0530", "31 02:30+0530"]),
        ("30 2 * * *", "UTC", "2026-03-28T12:00Z", ["29 02:30+0000", "30 02:30+0000"]),
    ],
)
def test_a_time_of_the_day_comes_once_a_day_whatever_the_clocks_do(
    cron: str, zone: str, after: str, expected: list[str]
) -> None:
    assert comes(cron, zone, after, 2) == expected


@pytest.mark.parametrize(
    ("cron", "zone", "after", "expected"),
    [
        ("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:30Z", ["29 03:00+0200", "29 03:30+0200"]),
        (
            "*/30 * * * *",
            "Europe/Berlin",
            "2026-10-24T23:30Z",
            ["25 02:00+0200", "25 02:30+0200", "25 02:00+0100", "25 02:30+0100", "25 03:00+0100"],
        ),
        ("30 * * * *", "America/New_York", "2026-11-01T05:00Z", ["01 01:30-0400", "01 01:30-0500", "01 02:30-0500"]),
        # half an hour is skipped, half an hour comes twice
        ("0 * * * *", "Australia/Lord_Howe", "2026-10-03T14:30Z", ["04 03:00+1100", "04 04:00+1100"]),
        (
            "*/15 1 * * *",
            "Australia/Lord_Howe",
            "2026-04-04T14:20Z",
            ["05 01:30+1100", "05 01:45+1100", "05 01:30+1030", "05 01:45+1030", "06 01:00+1030"],
        ),
        ("*/15 2 * * *", "Australia/Lord_Howe", "2026-10-03T14:30Z", ["04 02:30+1100", "04 02:45+1100", "05 02:00+1100"]),
        ("*/20 * * * *", "Asia/Kolkata", "2026-03-29T00:00Z", ["29 05:40+0530", "29 06:00+0530"]),
    ],
)
def test_a_rhythm_follows_the_clocks_on_the_wall(cron: str, zone: str, after: str, expected: list[str]) -> None:
    assert comes(cron, zone, after, len(expected)) == expected


def test_every_fifteen_minutes_is_every_fifteen_minutes_of_real_time_over_a_whole_year() -> None:
    for zone in ("Europe/Berlin", "Australia/Lord_Howe", "UTC"):
        schedule = parse_schedule("*/15 * * * *", zone)
        for changes in ("2026-03-28T00:00Z", "2026-04-04T00:00Z", "2026-10-03T00:00Z", "2026-10-24T00:00Z"):
            found = schedule.upcoming(at(changes), 200)
            assert {later - earlier for earlier, later in pairwise(found)} == {timedelta(minutes=15)}


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["30 2 * * *", "*/20 1-3 * * *", "0 */2 * * *", "15,45 2,3 * * 0", "* * 1 4 *", "0 0 29 2 *"]),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC", "Africa/Casablanca"]),
    st.integers(0, 10 * 366 * 86_400),
)
def test_instants_rise_and_are_found_from_anywhere_before_them(cron: str, zone: str, seconds: int) -> None:
    schedule, start = parse_schedule(cron, zone), at("2020-01-01T00:00Z") + timedelta(seconds=seconds)
    found = schedule.upcoming(start, 5)
    assert found == sorted(set(found))
    assert found[0] > start
    assert all(schedule.includes(instant) for instant in found)
    assert schedule.latest(start, found[-1], 3) == found[-3:]
    assert schedule.latest(start, found[-1], 9) == found
    assert not any(start < instant < found[0] for instant in schedule.upcoming(start - timedelta(days=2), 3))


def test_the_last_instants_of_a_long_absence_are_found_without_walking_through_all_of_it() -> None:
    schedule = parse_schedule("* * * * *", "Europe/Berlin")
    found = schedule.latest(at("1990-01-01T00:00Z"), at("2026-10-25T01:30:30Z"), 100)
    assert len(found) == 100
    assert found[-1] == at("2026-10-25T01:30Z")
