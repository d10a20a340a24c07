"""Loops that run for as long as their owner does: the committer, the relay, the timers, whatever keeps a connection.

Each of them handles what can go wrong and goes on. One that ends by an exception all the same has a bug, and its process looks
well from outside while it does nothing more; so it is remembered here, `/healthz` says it, and whoever watches starts the
process anew.
"""

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any

import structlog

_log = structlog.get_logger(__name__)
_broken: dict[str, str] = {}


def forever(loop: Coroutine[Any, Any, None], name: str) -> "asyncio.Task[None]":
    """The loop as a task of that name, to be cancelled by its owner. One that is started again is no longer broken."""
    _broken.pop(name, None)
    task = asyncio.create_task(loop, name=name)
    task.add_done_callback(_ended)
    return task


def broken_loops() -> Mapping[str, str]:
    """Loops of this process that ended by an exception, by name, and by which."""
    return _broken


def _ended(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("a loop has ended that never should", part=task.get_name(), exc_info=error)
        _broken[task.get_name()] = repr(error)
