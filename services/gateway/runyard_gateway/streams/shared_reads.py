"""Reads that many ask for at the same time, done once: whoever comes while one is under way is given what it finds."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from runyard_shared.errors import Unavailable

T = TypeVar("T")


class SharedReads(Generic[T]):
    """`turns`: so many reads at the same time."""

    def __init__(self, turns: int) -> None:
        self._turns = asyncio.Semaphore(turns)
        self._under_way: dict[Hashable, asyncio.Task[T]] = {}

    async def read(self, key: Hashable, read: Callable[[], Awaitable[T]], is_enough: Callable[[T], bool]) -> T:
        """What was found. What another's read has found counts only if it is enough, and a refusal does not: it may have begun
        before what we know of had happened. An outage is the same for all."""
        other = self._under_way.get(key)
        if other is not None:
            await asyncio.wait((other,))
            error = other.exception()
            if isinstance(error, Unavailable):
                raise error
            if error is None and is_enough(other.result()):
                return other.result()
        own = self._under_way[key] = asyncio.create_task(self._in_turn(read), name="gateway shared read")
        own.add_done_callback(lambda done: self._forget(key, done))
        return await asyncio.shield(own)

    def _forget(self, key: Hashable, done: asyncio.Task[T]) -> None:
        if self._under_way.get(key) is done:
            del self._under_way[key]

    async def _in_turn(self, read: Callable[[], Awaitable[T]]) -> T:
        async with self._turns:
            return await read()
