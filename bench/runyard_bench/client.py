"""The API as the benchmark uses it: prepared requests over a few kept connections, and event streams."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

from runyard_bench.connection import Answer, Connection, Frame, StreamConnection

IDLE_SECONDS = 2.0
"""A connection idle for longer is replaced before use: the gateway may be about to close it."""

PATIENCE_SECONDS = 30.0

Query = Mapping[str, str | int | list[str]]


class Refused(Exception):
    """The API answered with a problem document."""


class Client:
    """Speaks to one gateway. `call` uses one connection of its own; `connect` gives more."""

    def __init__(self, address: str, token: str) -> None:
        parts = urlsplit(address)
        assert parts.hostname is not None
        self._host, self._port = parts.hostname, parts.port or 80
        self._head = f"HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {token}\r\n"
        self._spare: Connection | None = None

    def prepare(self, method: str, path: str, body: bytes | None = None, query: Query | None = None) -> bytes:
        """A whole request. `path` is below `/api/v1`; `body` is JSON."""
        target = f"/api/v1{path}" + (f"?{urlencode(query, doseq=True)}" if query else "")
        head = f"{method} {target} {self._head}"
        if body is None:
            return f"{head}\r\n".encode()
        return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body

    async def connect(self) -> Connection:
        _, connection = await asyncio.get_running_loop().create_connection(Connection, self._host, self._port)
        return connection

    async def call(self, method: str, path: str, body: object = None) -> Any:
        """The decoded answer of status 2xx. Raises `Refused` on any other, `TimeoutError`, `ConnectionLost`."""
        content = None if body is None else msgspec.json.encode(body)
        answer = await self.send(self.prepare(method, path, content))
        if not 200 <= answer.status < 300:
            raise Refused(f"{method} {path}: {answer.status} {answer.body.decode(errors='replace')}")
        return msgspec.json.decode(answer.body) if answer.body else None

    async def send(self, request: bytes) -> Answer:
        """One prepared request on the client's own connection."""
        spare = self._spare
        if spare is None or not spare.open or asyncio.get_running_loop().time() - spare.idle_since > IDLE_SECONDS:
            if spare is not None:
                spare.close()
            self._spare = spare = await self.connect()
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await spare.send(request)

    @asynccontextmanager
    async def stream(self, path: str, on_frame: Callable[[Frame], None], query: Query | None = None) -> AsyncIterator[None]:
        """Inside, `on_frame` is called with each event of the stream at `path`. Raises `ConnectionLost` if there is none."""
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: StreamConnection(on_frame, time.time), self._host, self._port
        )
        ended = connection.send(self.prepare("GET", path, query=query))
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await connection.started
            yield
        finally:
            connection.close()
            await asyncio.gather(ended, return_exceptions=True)

    def close(self) -> None:
        if self._spare is not None:
            self._spare.close()
