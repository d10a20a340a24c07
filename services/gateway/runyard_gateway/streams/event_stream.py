"""One Server-Sent Events answer: sends what its source gives, a comment in silence, and notices when the reader is gone."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import structlog
from runyard_shared.errors import RunyardError
from starlette.types import Receive, Scope, Send

from runyard_gateway.http.asgi_extensions import ABORT, PUSH
from runyard_gateway.streams.subscription import Subscription

_log = structlog.get_logger(__name__)

KEEP_ALIVE = b": keep-alive\n\n"
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


class Connection:
    """The reader of one stream: whether it is still there, and how to end it."""

    def __init__(self) -> None:
        self._abort: Callable[[], None] | None = None
        self._push: Callable[[bytes], bool] | None = None
        self._subscription: Subscription | None = None
        self.gone = False
        self._stuck = False
        self.sending_since: float | None = None
        """Since when (`time.monotonic`) what was sent waits for the reader to take it; None if it does not wait."""

    def open(self, abort: Callable[[], None] | None, push: Callable[[bytes], bool] | None) -> None:
        self._abort = abort
        self._push = push

    def push(self, chunk: bytes) -> bool:
        """Sends it at once, for a source that waits for its subscription. False if that cannot be; then nothing was sent."""
        return self._push is not None and self._push(chunk)

    @property
    def can_push(self) -> bool:
        return self.push(b"")

    def attach(self, subscription: Subscription) -> None:
        """From now on a reader that is too slow for the subscription loses its connection, and one that left ends it."""
        self._subscription = subscription
        subscription.abort = self._abort
        if self.gone:
            subscription.close()

    @property
    def was_cut_off(self) -> bool:
        """Whether the reader was too slow, or did not read at all."""
        return self._stuck or (self._subscription is not None and self._subscription.too_slow)

    def leave(self) -> None:
        """Ends the stream in good order."""
        self.gone = True
        if self._subscription is not None:
            self._subscription.close()

    def cut_off(self) -> None:
        """Ends it at once, with whatever is unsent."""
        self._stuck = True
        self.leave()
        if self._abort is not None:
            self._abort()


Source = Callable[[Connection], AsyncGenerator[bytes, None]]
"""Gives chunks of whole frames; an empty chunk means silence. It ends when the stream does."""


class EventStream:
    """An ASGI answer: what `source` gives, its first frame with the fields in `greeting`. `on_end` is called last."""

    def __init__(
        self,
        source: Source,
        connection: Connection | None = None,
        greeting: bytes = b"",
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._source = source
        self._connection = connection or Connection()
        self._greeting = greeting
        self._on_end = on_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = self._connection
        extensions = scope.get("extensions", {})
        connection.open(extensions.get(ABORT), extensions.get(PUSH))
        watch = asyncio.create_task(_watch(receive, connection), name="event stream reader")
        try:
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            greeting = self._greeting
            try:
                async with aclosing(self._source(connection)) as chunks:
                    async for chunk in chunks:
                        connection.sending_since = time.monotonic()
                        await send({"type": "http.response.body", "body": greeting + (chunk or KEEP_ALIVE), "more_body": True})
                        greeting = b""
                        connection.sending_since = None
                        if connection.gone:
                            break
            except RunyardError as trouble:
                # The head is out, so there is no status left to say it with: the reader resumes and is told then.
                _log.warning("an event stream ended early", path=scope["path"], reason=str(trouble))
            await send({"type": "http.response.body", "body": b""})
        finally:
            self._on_end()
            connection.leave()
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)


async def _watch(receive: Receive, connection: Connection) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    connection.leave()
