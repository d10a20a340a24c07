"""One keep-alive HTTP/1.1 connection with one request outstanding, at a cost that a benchmark can neglect.

On two cores a usual client (0.5 ms a request) would take what it is meant to measure. This one writes prepared bytes, parses
with httptools, and takes the few forms of answer that the gateway gives.
"""

import asyncio
from collections.abc import Callable
from typing import NamedTuple, cast

import httptools


class ConnectionLost(Exception):
    """The gateway closed the connection before its answer was complete."""


class Answer(NamedTuple):
    status: int
    body: bytes


class Connection(asyncio.Protocol):
    """Use `connect`; then `send` again and again, awaiting each."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._chunks: list[bytes] = []
        self._answered: asyncio.Future[Answer] | None = None
        self.idle_since = self._loop.time()

    @property
    def open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def send(self, request: bytes) -> asyncio.Future[Answer]:
        """The answer to `request`, a whole request as bytes. The future raises `ConnectionLost`."""
        self._answered = answered = self._loop.create_future()
        if self._transport is None or self._transport.is_closing():
            answered.set_exception(ConnectionLost())
        else:
            self._transport.write(request)
        return answered

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(ConnectionLost(str(error or "closed by the gateway")))

    def on_body(self, chunk: bytes) -> None:
        self._chunks.append(chunk)

    def on_message_complete(self) -> None:
        answer = Answer(self._parser.get_status_code(), b"".join(self._chunks))
        self._chunks.clear()
        self.idle_since = self._loop.time()
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(answer)


class Frame(NamedTuple):
    """One Server-Sent Event. `received_at`: seconds of `time.time`."""

    event: str
    data: bytes
    received_at: float


class StreamConnection(Connection):
    """A connection whose one answer is an event stream: every frame goes to `on_frame` as it comes.

    `send` is answered when the stream ends; `started` is set when its head has come.
    """

    def __init__(self, on_frame: Callable[[Frame], None], clock: Callable[[], float]) -> None:
        super().__init__()
        self._on_frame = on_frame
        self._clock = clock
        self._rest = b""
        self.started = self._loop.create_future()

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status == 200:
            self.started.set_result(None)
        else:
            self.started.set_exception(ConnectionLost(f"the event stream was answered with status {status}"))

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        if not self.started.done():
            self.started.set_exception(ConnectionLost(str(error or "closed by the gateway")))

    def on_body(self, chunk: bytes) -> None:
        received_at = self._clock()
        *frames, self._rest = (self._rest + chunk).split(b"\n\n")
        for frame in frames:
            event, data = "", b""
            for line in frame.split(b"\n"):
                if line.startswith(b"event: "):
                    event = line[7:].decode()
                elif line.startswith(b"data: "):
                    data = line[6:]
            if event:
                self._on_frame(Frame(event, data, received_at))
