"""How long to wait before a server that is away is asked again: longer and longer, as long as it said if it did, and not all
agents until the same moment."""

import random

from runyard_agent.server import Busy


class Backoff:
    def __init__(self, first_seconds: float, longest_seconds: float) -> None:
        self._first = first_seconds
        self._longest = longest_seconds
        self._next = first_seconds

    def seconds(self, trouble: Exception | None = None) -> float:
        """Until the next attempt, after one that ended with `trouble`."""
        pause, self._next = self._next, min(self._next * 2, self._longest)
        if isinstance(trouble, Busy):
            return trouble.retry_after_seconds + random.uniform(0, pause)  # noqa: S311 - no secret
        return pause * random.uniform(0.75, 1.25)  # noqa: S311 - no secret

    def reset(self) -> None:
        """It went well: the next pause is the first again."""
        self._next = self._first
