"""What a process tells those who look after it, over HTTP: `/metrics`, `/healthz` and `/readyz`.

`/healthz` is about this process alone: its event loop answers, and none of its loops has died; if it is not well, start it
anew. `/readyz` is about what the process needs: what does not work is said in words, and comes back by itself. Nobody signs in
here, so by default it listens on loopback, and only where a port was set.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Final, NamedTuple

import h11
import msgspec

from runyard_shared.errors import RunyardError
from runyard_shared.loops import broken_loops, forever
from runyard_shared.metrics import CONTENT_TYPE, LOOP_DELAY, exposition

_PATIENCE_SECONDS: Final = 10.0
_LOOK_EVERY_SECONDS: Final = 1.0
_TURN_BYTES: Final = 64 * 1024

CheckHealth = Callable[[], Awaitable[Mapping[str, str | None]]]
"""Trouble by part in words, None for none, after a look at what the process needs."""


class Ops(NamedTuple):
    """Where a process answers; nowhere without a port. Port 0 is any that is free."""

    host: str
    port: int | None


NOWHERE: Final = Ops("", None)


class CannotServeOps(RunyardError):
    """The address of `/metrics`, `/healthz` and `/readyz` cannot be had: RUNYARD_OPS_HOST and RUNYARD_OPS_PORT say which."""


class _Answer(NamedTuple):
    status: HTTPStatus
    content_type: str
    body: bytes


@asynccontextmanager
async def serving_ops(
    ops: Ops, check_health: CheckHealth, standing: Callable[[], Mapping[str, str]] = dict
) -> AsyncIterator[str | None]:
    """Answers within. Yields the address, `http://host:port`. `standing`: who does which share of the work, told beside what
    does not work. Raises `CannotServeOps`."""
    if ops.port is None:
        yield None
        return
    endpoint = _Endpoint(check_health, standing)
    try:
        server = await asyncio.start_server(endpoint.serve, ops.host, ops.port)
    except OSError as error:
        raise CannotServeOps(f"RUNYARD_OPS_HOST={ops.host}, RUNYARD_OPS_PORT={ops.port}: {error}") from error
    async with server:
        host, port = server.sockets[0].getsockname()[:2]
        yield f"http://{f'[{host}]' if ':' in host else host}:{port}"


async def watch_event_loop() -> None:
    """Measures, for ever, how late this process gets its turn."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + _LOOK_EVERY_SECONDS
        await asyncio.sleep(_LOOK_EVERY_SECONDS)
        LOOP_DELAY.observe(max(0.0, loop.time() - due))


@asynccontextmanager
async def watched_event_loop() -> AsyncIterator[None]:
    task = forever(watch_event_loop(), "event loop watch")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class _Endpoint:
    def __init__(self, check_health: CheckHealth, standing: Callable[[], Mapping[str, str]]) -> None:
        self._check_health = check_health
        self._standing = standing

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request, and good-bye: whoever asks comes every few seconds."""
        with suppress(OSError, TimeoutError, h11.RemoteProtocolError):  # whoever asked has gone, or asks what is no HTTP
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    connection = h11.Connection(h11.SERVER)
                    request = await _request(connection, reader)
                    if request is not None:
                        writer.write(_sent(connection, request, await self._answer(request)))
                        await writer.drain()
            finally:
                writer.close()

    async def _answer(self, request: h11.Request) -> _Answer:
        if request.method not in (b"GET", b"HEAD"):
            return _Answer(HTTPStatus.METHOD_NOT_ALLOWED, "text/plain", b"ask with GET\n")
        match request.target.partition(b"?")[0]:
            case b"/metrics":
                return _Answer(HTTPStatus.OK, CONTENT_TYPE, await exposition())
            case b"/healthz":
                return _in_words(dict(broken_loops()))
            case b"/readyz":
                return _in_words(await self._check_health(), self._standing())
        return _Answer(HTTPStatus.NOT_FOUND, "text/plain", b"there are /metrics, /healthz and /readyz\n")


def _in_words(parts: Mapping[str, str | None], standing: Mapping[str, str] | None = None) -> _Answer:
    well = not any(parts.values())
    words = {"status": "ok" if well else "unavailable", "parts": parts} | ({"standing": standing} if standing else {})
    body = msgspec.json.encode(words)
    return _Answer(HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE, "application/json", body + b"\n")


async def _request(connection: h11.Connection, reader: asyncio.StreamReader) -> h11.Request | None:
    """None if whoever connected said nothing."""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(_TURN_BYTES))
        elif isinstance(event, h11.Request):
            return event
        elif isinstance(event, h11.ConnectionClosed):
            return None


def _sent(connection: h11.Connection, request: h11.Request, answer: _Answer) -> bytes:
    headers = [
        ("content-type", answer.content_type),
        ("content-length", str(len(answer.body))),
        ("cache-control", "no-store"),
        ("connection", "close"),
    ]
    data = connection.send(h11.Response(status_code=answer.status, headers=headers)) or b""
    if request.method != b"HEAD":
        data += connection.send(h11.Data(data=answer.body)) or b""
    return data
