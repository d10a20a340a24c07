"""The projector's pace: at once while there is little to do, in larger steps while there is much."""

import pytest
from runyard_projections.pace import EVENTS_AT_ONCE, WINDOW_SECONDS, Pace


def test_a_quiet_system_never_waits() -> None:
    pace = Pace()
    assert all(pace.rest_seconds(17, tenth / 10, tenth / 10 + 0.01) == 0 for tenth in range(100))


def test_a_busy_system_is_written_about_once_in_a_window() -> None:
    pace, now, applied_until, transactions = Pace(), 10.0, 9.995, 0
    while now < 12.0:
        events, applied_until, began_at = round(20_000 * (now - applied_until)), now, now
        ended_at = began_at + 0.01
        now = ended_at + pace.rest_seconds(events, began_at, ended_at)
        transactions += 1
    windows = 2 / WINDOW_SECONDS
    assert windows <= transactions <= windows + 5


def test_a_burst_waits_for_the_end_of_its_window_and_no_longer() -> None:
    pace = Pace()
    assert pace.rest_seconds(EVENTS_AT_ONCE, 5.0, 5.05) == pytest.approx(WINDOW_SECONDS - 0.05)
    assert pace.rest_seconds(3, 5.0 + WINDOW_SECONDS, 5.0 + WINDOW_SECONDS) == 0


def test_a_slow_transaction_is_not_followed_by_a_rest() -> None:
    assert Pace().rest_seconds(EVENTS_AT_ONCE, 5.0, 6.0) == 0
