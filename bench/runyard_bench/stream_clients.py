"""`python -m runyard_bench.stream_clients`: many readers of event streams, in a process apart and as cheap as they can be.

Told what to do by lines of JSON on its input, it answers each with a line. A reader looks for the times in what it receives and
for nothing else, so that a thousand of them take little of what they are to measure.
"""

import asyncio
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast
from urllib.parse import urlsplit

import msgspec
import uvloop

from runyard_bench.quantities import percentile

DAY = 86_400.0
OPEN_AT_ONCE = 100
PATIENCE_SECONDS = 60.0
_TIMES = {
    "event": re.compile(rb'"time":"[0-9-]{10}T(\d\d):(\d\d):(\d\d\.\d{3})Z"'),
    "row": re.compile(rb'"finishedAt":"[0-9-]{10}T(\d\d):(\d\d):(\d\d\.\d{3})Z"'),
}
_LAST_ID = re.compile(rb"(?:^|\n)id: (\d+)\n")


class Group(msgspec.Struct):
    """`clients` readers of these paths, each of one; `times`: what is looked for, `event` or `row`."""

    name: str
    paths: list[str]
    clients: int
    times: str = "event"


class Order(msgspec.Struct):
    """`open` groups, `measure` from now on, `report`, cut all connections and `return` with what was received last, `quit`."""

    do: str
    address: str = ""
    token: str = ""
    groups: list[Group] = []


class Figures(msgspec.Struct):
    """Seconds from the times in what was received until it was."""

    received: int
    p50: float
    p99: float


class Reply(msgspec.Struct):
    """`seconds`: what the order took; `cpu_seconds`: of this process since `measure`; `lost`: connections that were closed."""

    seconds: float
    cpu_seconds: float = 0.0
    lost: int = 0
    figures: dict[str, Figures] = {}


@dataclass
class Measured:
    """What the readers of a group have seen."""

    times: "re.Pattern[bytes]"
    day_began_at: float
    latencies: list[float] = field(default_factory=list)
    lost: int = 0


class Reader(asyncio.Protocol):
    """One connection."""

    def __init__(self, request: str, measured: Measured) -> None:
        self._request = request
        self._measured = measured
        self._transport: asyncio.Transport | None = None
        self.last_id = b""
        self.began: asyncio.Future[None]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.began = asyncio.get_running_loop().create_future()
        resume = f"Last-Event-ID: {self.last_id.decode()}\r\n" if self.last_id else ""
        self._transport.write(f"{self._request}{resume}\r\n".encode())

    def data_received(self, data: bytes) -> None:
        now = time.time()
        if not self.began.done():
            if data.startswith(b"HTTP/1.1 200"):
                self.began.set_result(None)
            else:
                self.began.set_exception(ConnectionError(data[:200].decode(errors="replace")))
            return
        if (at := data.rfind(b"id: ")) >= 0 and (found := _LAST_ID.search(data, max(0, at - 1))) is not None:
            self.last_id = found[1]
        since_midnight = now - self._measured.day_began_at
        for hours, minutes, seconds in self._measured.times.findall(data):
            then = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
            self._measured.latencies.append((since_midnight - then) % DAY)

    def connection_lost(self, error: Exception | None) -> None:
        if self._transport is None:
            return
        self._transport = None
        self._measured.lost += 1
        if not self.began.done():
            self.began.set_exception(ConnectionError(str(error or "closed")))

    def cut(self) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()


class Readers:
    def __init__(self, order: Order) -> None:
        parts = urlsplit(order.address)
        self._host, self._port = parts.hostname or "", parts.port or 80
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
        self.measured: dict[str, Measured] = {}
        self._readers: list[Reader] = []
        for group in order.groups:
            self.measured[group.name] = measured = Measured(_TIMES[group.times], midnight)
            for number in range(group.clients):
                path = group.paths[number % len(group.paths)]
                head = f"GET /api/v1{path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {order.token}\r\n"
                self._readers.append(Reader(head, measured))

    async def connect(self, at_once: int) -> None:
        """Returns when all of them are being answered."""
        turns = asyncio.Semaphore(at_once)

        async def one(reader: Reader) -> None:
            async with turns:
                await asyncio.get_running_loop().create_connection(lambda: reader, self._host, self._port)
                await reader.began

        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.gather(*map(one, self._readers))

    async def come_back(self) -> None:
        """All at once, each with the last position it has."""
        for reader in self._readers:
            reader.cut()
        await asyncio.sleep(0.1)
        await self.connect(len(self._readers))


def figures(measured: Mapping[str, Measured]) -> dict[str, Figures]:
    return {
        name: Figures(len(seen), _percentile(seen, 50), _percentile(seen, 99))
        for name, seen in ((name, each.latencies) for name, each in measured.items())
    }


def _percentile(values: Sequence[float], percent: float) -> float:
    return percentile(values, percent) if values else 0.0


async def main() -> None:
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    readers: Readers | None = None
    cpu_at = time.process_time()
    while line := await lines.readline():
        order = msgspec.json.decode(line, type=Order)
        began_at = time.perf_counter()
        reply = Reply(0.0)
        match order.do:
            case "open":
                readers = Readers(order)
                await readers.connect(OPEN_AT_ONCE)
            case "measure" if readers is not None:
                for measured in readers.measured.values():
                    measured.latencies.clear()
                    measured.lost = 0
                cpu_at = time.process_time()
            case "report" if readers is not None:
                reply.cpu_seconds = time.process_time() - cpu_at
                reply.lost = sum(each.lost for each in readers.measured.values())
                reply.figures = figures(readers.measured)
            case "return" if readers is not None:
                await readers.come_back()
            case _:
                return
        reply.seconds = time.perf_counter() - began_at
        sys.stdout.buffer.write(msgspec.json.encode(reply) + b"\n")
        sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(main())
