"""How often the projector writes. A quiet system sees every step at once; in a busy one the rows of a short execution are
written once or twice instead of at every step, which halves what the read models cost, PostgreSQL's part included."""

from typing import Final

WINDOW_SECONDS: Final = 0.2
EVENTS_AT_ONCE: Final = 500
"""So many events in a window are written as they come; what comes after them waits for the next window."""


class Pace:
    """Times are seconds of any one monotonic clock."""

    def __init__(self) -> None:
        self._window_ends_at = float("-inf")
        self._events = 0

    def rest_seconds(self, events: int, began_at: float, now: float) -> float:
        """How long to rest after a transaction of so many events that began at `began_at` and has just ended."""
        if began_at >= self._window_ends_at:
            self._window_ends_at = began_at + WINDOW_SECONDS
            self._events = 0
        self._events += events
        if self._events < EVENTS_AT_ONCE:
            return 0.0
        rest = max(0.0, self._window_ends_at - now)
        self._window_ends_at = float("-inf")  # whatever comes after the rest begins a window, however punctual the clock
        return rest
