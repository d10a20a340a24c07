"""Signals to a local process group, and whether anybody lives in it. A zombie does not: where nobody waits for orphans (process
1 of a container often does not), it stays in the group for ever, and no signal changes that."""

import asyncio
import os
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_FIRST_POLL_SECONDS: Final = 0.01
_LONGEST_POLL_SECONDS: Final = 0.2


def signal_group(group: int, number: int) -> bool:
    """False if nothing is left in the group."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # it runs as somebody else (sudo): there, and not ours to end
    return True


async def group_gone(group: int, within_seconds: float) -> bool:
    """Wait until nobody lives in the group, at most `within_seconds`."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_seconds
    poll = _FIRST_POLL_SECONDS
    while _lives(group):
        if loop.time() >= deadline:
            return False
        await asyncio.sleep(poll)
        poll = min(poll * 2, _LONGEST_POLL_SECONDS)
    return True


def _lives(group: int) -> bool:
    if not signal_group(group, 0):
        return False
    if not (_PROC / "self" / "stat").exists():
        return True
    return any(_is_member(entry, group) for entry in os.listdir(_PROC) if entry.isdigit())


def _is_member(process: str, group: int) -> bool:
    try:
        stat = (_PROC / process / "stat").read_bytes()
    except OSError:
        return False  # it has ended while we looked
    state, _parent, its_group, *_ = stat[stat.rindex(b")") + 2 :].split(maxsplit=3)
    return int(its_group) == group and state not in (b"Z", b"X")
