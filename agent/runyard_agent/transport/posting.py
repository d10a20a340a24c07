"""What goes up to one queue over HTTPS, in order: one request at a time, with all that gathered during the last one."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
import structlog
from runyard_shared.errors import Refusal, Revoked, RunyardError, Unavailable
from runyard_shared.messaging.call import Call

from runyard_agent.backoff import Backoff
from runyard_agent.server import Busy, Server

log = structlog.get_logger(__name__)
_BODY_BYTES: Final = 1024 * 1024
"""A body takes nothing more when it has reached this; one larger item goes by itself."""
_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 2.0
_encode = msgspec.json.Encoder().encode

Items = list[tuple[bytes, Call]]


class Posting:
    """`on_revoked(reason)`: the server does not let the agent in any more; then every `send` raises `Revoked`."""

    def __init__(self, server: Server, queue: str, on_revoked: Callable[[str], None]) -> None:
        self.trouble: str | None = None
        self._server = server
        self._queue = queue
        self._on_revoked = on_revoked
        self._waiting: deque[tuple[bytes, Call]] = deque()
        self._under_way: Items = []
        self._task: asyncio.Task[None] | None = None

    async def send(self, items: Sequence[Any], patience_seconds: float) -> None:
        """Returns when all are safe. Raises `Unavailable` after `patience_seconds`, `Revoked`, `Refusal`."""
        call = Call(len(items))
        self._waiting.extend((_encode(item), call) for item in items)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._post_all(), name=f"messages to {self._queue}")
        try:
            async with asyncio.timeout(patience_seconds):
                await call.future
        except TimeoutError:
            why = self.trouble or "it does not answer"
            raise Unavailable(f"the server took nothing for {self._queue} in {patience_seconds:g} s: {why}") from None

    async def close(self, reason: str) -> None:
        """Give up what is not safe yet."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._fail(Unavailable(reason))

    async def _post_all(self) -> None:
        # At the end of this turn of the loop, so that all who send in it share a request.
        await asyncio.sleep(0)
        while self._waiting:
            self._under_way = self._take()
            if self._under_way:
                await self._post(self._under_way)
                self._under_way = []

    def _take(self) -> Items:
        taken: Items = []
        size = 0
        while self._waiting and (not taken or size + len(self._waiting[0][0]) < _BODY_BYTES):
            body, call = self._waiting.popleft()
            if not call.future.done():  # nobody waits any more for what timed out before it was sent
                taken.append((body, call))
                size += len(body) + 1
        return taken

    async def _post(self, items: Items) -> None:
        """Until they are safe, or refused, or whoever sent them has given up, and may be sending them again."""
        body = b"[" + b",".join(item for item, _ in items) + b"]"
        backoff = Backoff(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
        while any(not call.future.done() for _, call in items):
            try:
                await self._server.say(body)
            except Unavailable as trouble:
                self.trouble = str(trouble)
                pause = backoff.seconds(trouble)
                if isinstance(trouble, Busy):  # until then it wants to hear of nobody
                    await asyncio.sleep(pause)
                else:  # what comes next does not wait for those who have given up
                    await asyncio.wait({call.future for _, call in items}, timeout=pause)
            except Revoked as gone:
                self._fail(gone)
                self._on_revoked(str(gone))
                return
            except Refusal as refusal:
                self.trouble = None
                await self._post_apart(items, refusal)
                return
            else:
                self.trouble = None
                for _, call in items:
                    call.settle()
                return

    async def _post_apart(self, items: Items, refusal: Refusal) -> None:
        """The server takes all of a list or nothing: what one caller may not send must not keep that of others."""
        calls = list(dict.fromkeys(call for _, call in items))
        if len(calls) > 1:
            for call in calls:
                await self._post([item for item in items if item[1] is call])
        elif not calls[0].future.done():
            log.error("the server refused what was sent", queue=self._queue, items=len(items), reason=str(refusal))
            calls[0].future.set_exception(refusal)

    def _fail(self, error: RunyardError) -> None:
        for _, call in (*self._under_way, *self._waiting):
            if not call.future.done():
                call.future.set_exception(error)
        self._waiting.clear()
