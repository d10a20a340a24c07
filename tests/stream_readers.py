"""Readers of event streams as browsers are: they come back with the last id they have, and may be cut off at any byte."""

import asyncio
import json
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tests.gateway import TOKEN


class Seen(NamedTuple):
    event: str
    position: int | None
    data: Any


class StreamReader:
    """`address`: where the gateway is now. `on_frame` is told of every whole frame. It reads until `ends` is received, or until
    its key opens nothing any more."""

    def __init__(
        self,
        address: Callable[[], str],
        path: str,
        on_frame: Callable[[Seen], None],
        *,
        ends: str = "",
        token: str = TOKEN,
        after: int | None = None,
    ) -> None:
        self._address = address
        self._path = path
        self._on_frame = on_frame
        self._ends = ends
        self._token = token
        self._writer: asyncio.StreamWriter | None = None
        self.last_id = after
        self.connections = 0
        self.refusals: list[int] = []

    async def read(self) -> None:
        known = -1
        while not await self._read_once():
            longest = 0.05 if self.connections != known else 0.5  # nobody was there
            known = self.connections
            await asyncio.sleep(random.uniform(0, longest))

    def cut(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()

    async def _read_once(self) -> bool:
        """Whether the stream was read to its end."""
        place = urlsplit(self._address())
        resume = "" if self.last_id is None else f"Last-Event-ID: {self.last_id}\r\n"
        with suppress(OSError, asyncio.IncompleteReadError):
            reader, self._writer = await asyncio.open_connection(place.hostname, place.port)
            try:
                head = f"GET /api/v1{self._path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self._token}\r\n{resume}\r\n"
                self._writer.write(head.encode())
                status = int((await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1])
                if status != 200:
                    self.refusals.append(status)
                    return status == 401
                self.connections += 1
                return await self._read_frames(reader)
            finally:
                self._writer.transport.abort()
        return False

    async def _read_frames(self, reader: asyncio.StreamReader) -> bool:
        fields: dict[bytes, bytes] = {}
        while (line := await reader.readline()) and line != b"0\r\n":  # which is the end of the answer
            if line == b"\n":
                if b"event" in fields:
                    position = int(fields[b"id"]) if b"id" in fields else None
                    seen = Seen(fields[b"event"].decode(), position, json.loads(fields[b"data"]))
                    self.last_id = self.last_id if position is None else position
                    self._on_frame(seen)
                    if seen.event == self._ends:
                        return True
                fields = {}
            elif line.endswith(b"\n") and b": " in line:
                name, value = line.rstrip(b"\r\n").split(b": ", 1)
                fields[name] = value
        return False
