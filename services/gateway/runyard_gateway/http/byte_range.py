"""The header `Range` (RFC 9110): one range of bytes. What is no such range, or several of them, counts as not sent."""

import re

from runyard_shared.errors import Refusal

_range = re.compile(r"^bytes=(?:(?P<first>\d{1,18})-(?P<last>\d{0,18})|-(?P<suffix>\d{1,18}))$", re.IGNORECASE).match


class RangeNotSatisfiable(Refusal):
    """There is nothing of the range. `size`: the bytes there are."""

    def __init__(self, detail: str, size: int) -> None:
        super().__init__("range_not_satisfiable", detail, 416)
        self.size = size


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """(start, end), end excluded, within `size` bytes; None if all of them are asked for. Raises `RangeNotSatisfiable`."""
    asked = None if header is None else _range("".join(header.split()))
    if asked is None:
        return None
    if asked["suffix"] is not None:
        start, end = max(size - int(asked["suffix"]), 0), size
        start = end if int(asked["suffix"]) == 0 else start
    else:
        start = int(asked["first"])
        end = min(int(asked["last"]) + 1, size) if asked["last"] else size
        if asked["last"] and int(asked["last"]) < start:
            return None
    if start >= end:
        raise RangeNotSatisfiable(f"There are {size} bytes, and none of them is in the range that was asked for.", size)
    return start, end
