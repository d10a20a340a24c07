"""One Server-Sent Events answer: sends what its source gives, a comment in silence, and notices when the reader is gone."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import structlog
from runyard_shared.errors import RunyardError
from starlette.types import Receive, Scope, Send

from runyard_gateway.http.server import ABORT
from runyard_gateway.streams.subscription import Subscription

_log = structlog.get_logger(__name__)

KEEP_ALIVE = b": keep-alive\n\n"
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


class Connection:
    """The reader of one stream: whether it is still there, and how to drop it."""

    def __init__(self, abort: Callable[[], None] | None) -> None:
        self._abort = abort
        self._subscription: Subscription | None = None
        self.gone = False

    def attach(self, subscription: Subscription) -> None:
        """From now on a reader that is too slow for the subscription loses its connection, and one that left ends it."""
        self._subscription = subscription
        subscription.abort = self._abort
        if self.gone:
            subscription.close()

    def leave(self) -> None:
        self.gone = True
        if self._subscription is not None:
            self._subscription.close()


Source = Callable[[Connection], AsyncGenerator[bytes, None]]
"""Gives chunks of whole frames; an empty chunk means silence. It ends when the stream does."""


class EventStream:
    """An ASGI answer. `source` is iterated once the head of the answer is sent."""

    def __init__(self, source: Source) -> None:
        self._source = source

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = Connection(scope.get("extensions", {}).get(ABORT))
        watch = asyncio.create_task(_watch(receive, connection), name="event stream reader")
        try:
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            try:
                async with aclosing(self._source(connection)) as chunks:
                    async for chunk in chunks:
                        await send({"type": "http.response.body", "body": chunk or KEEP_ALIVE, "more_body": True})
                        if connection.gone:
                            break
            except RunyardError as trouble:
                # The head is out, so there is no status left to say it with: the reader resumes and is told then.
                _log.warning("an event stream ended early", path=scope["path"], trouble=str(trouble))
            await send({"type": "http.response.body", "body": b""})
        finally:
            connection.leave()
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)


async def _watch(receive: Receive, connection: Connection) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    connection.leave()
