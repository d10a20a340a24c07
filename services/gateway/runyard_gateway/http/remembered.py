"""What was found out about credentials a moment ago."""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from runyard_gateway.http.identity import MAX_REMEMBERED, REMEMBER_SECONDS

FoundT = TypeVar("FoundT")


class Remembered(Generic[FoundT]):
    """By the hash of what was shown, for `REMEMBER_SECONDS`. What opens nothing is not remembered."""

    def __init__(self, look_up: Callable[[bytes], Awaitable[FoundT | None]]) -> None:
        self._look_up = look_up
        self._found: OrderedDict[bytes, tuple[float, FoundT]] = OrderedDict()

    async def get(self, digest: bytes) -> FoundT | None:
        """What is remembered, else looked up now."""
        remembered = self._found.get(digest)
        if remembered is not None and remembered[0] > time.monotonic():
            return remembered[1]
        asked_at = time.monotonic()
        found = await self._look_up(digest)
        if found is None:
            self._found.pop(digest, None)
            return None
        # counted from before the question: what was revoked meanwhile may be in the answer
        self._found[digest] = (asked_at + REMEMBER_SECONDS, found)
        self._found.move_to_end(digest)
        if len(self._found) > MAX_REMEMBERED:
            self._found.popitem(last=False)
        return found

    def forget(self) -> None:
        """Something was changed here: nothing that is remembered counts any more."""
        self._found.clear()
