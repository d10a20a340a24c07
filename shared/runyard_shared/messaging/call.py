"""One call of `send`, which may travel as several lists: done when the last of them is."""

import asyncio

from runyard_shared.errors import Unavailable


class Call:
    __slots__ = ("future", "lists")

    def __init__(self, lists: int) -> None:
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.lists = lists

    def settle(self, problem: str | None = None) -> None:
        """One list is done; with `problem`, the call fails with `Unavailable`."""
        self.lists -= 1
        if self.future.done():
            return
        if problem is not None:
            self.future.set_exception(Unavailable(problem))
        elif self.lists == 0:
            self.future.set_result(None)
