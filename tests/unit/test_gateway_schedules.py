"""The preview of a schedule says what the clocks do to it."""

from datetime import UTC, datetime

import pytest
from runyard_gateway.schedule_preview import CHANGED, FIRST, ONCE, SECOND, SKIPPED, checked_schedule, preview
from runyard_shared.errors import Invalid


def shown(cron: str, timezone: str, after: datetime, count: int) -> list[tuple[str, str | None]]:
    return [(f"{each.local:%d %H:%M %z}", each.remark) for each in preview(checked_schedule(cron, timezone), after, count)]


def test_a_time_of_the_day_that_the_clocks_skip_comes_after_the_gap() -> None:
    assert shown("30 2 * * *", "Europe/Berlin", datetime(2026, 3, 27, 12, tzinfo=UTC), 4) == [
        ("28 02:30 +0100", None), ("29 03:00 +0200", SKIPPED), ("30 02:30 +0200", None), ("31 02:30 +0200", None),
    ]  # fmt: skip
    assert shown("0 9 * * *", "America/New_York", datetime(2026, 3, 7, 12, tzinfo=UTC), 3) == [
        ("07 09:00 -0500", None), ("08 09:00 -0400", CHANGED), ("09 09:00 -0400", None),
    ]  # fmt: skip


def test_a_time_that_the_clocks_show_twice_comes_once_and_a_rhythm_twice() -> None:
    before = datetime(2026, 10, 24, 12, tzinfo=UTC)
    assert shown("30 2 * * *", "Europe/Berlin", before, 2) == [("25 02:30 +0200", ONCE), ("26 02:30 +0100", CHANGED)]
    night = datetime(2026, 10, 24, 23, 45, tzinfo=UTC)
    assert shown("*/30 * * * *", "Europe/Berlin", night, 5) == [
        ("25 02:00 +0200", FIRST), ("25 02:30 +0200", FIRST), ("25 02:00 +0100", SECOND), ("25 02:30 +0100", SECOND),
        ("25 03:00 +0100", None),
    ]  # fmt: skip


def test_both_the_expression_and_the_zone_are_told_at_once() -> None:
    with pytest.raises(Invalid) as refused:
        checked_schedule("61 * * * *", "Mars/Olympus")
    assert [problem.path for problem in refused.value.errors] == ["cron", "timezone"]
