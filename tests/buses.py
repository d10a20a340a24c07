"""What tests of the bus need: items, handlers that take notes, and a cable to RabbitMQ that can be cut."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from runyard_shared.contracts.base import Message
from runyard_shared.contracts.jobs import Parked
from runyard_shared.errors import Unavailable
from runyard_shared.messaging.amqp.declare import delete_topology
from runyard_shared.messaging.bus import Bus
from runyard_shared.messaging.memory import MemoryBus
from runyard_shared.messaging.rabbit import RabbitBus
from runyard_shared.messaging.topology import DEAD_LETTERS, PARKED, Topology

WORK = "work"
NEWS = "news"
PUBLIC = "public"
SMALL = Topology(queues=(WORK, PARKED, DEAD_LETTERS), exchanges=(NEWS,), public_exchange=PUBLIC, delivery_limit=3)


class Ping(Message, frozen=True, kw_only=True):
    number: int
    text: str = ""


class Pong(Message, frozen=True, kw_only=True):
    number: int


class Stray(Message, frozen=True, kw_only=True):
    """Nobody in these tests expects this one."""

    number: int


Item = Ping | Pong


def pings(*numbers: int) -> list[Ping]:
    return [Ping(number=number) for number in numbers]


class Notes:
    """A handler that notes what it gets, waits while `gate` is closed, and fails as told."""

    def __init__(self) -> None:
        self.calls: list[list[Any]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.away = False
        self.poison: set[int] = set()

    async def __call__(self, items: Sequence[Any]) -> None:
        self.calls.append(list(items))
        await self.gate.wait()
        if self.away:
            raise Unavailable("the database is away")
        for item in items:
            if item.number in self.poison:
                raise RuntimeError(f"cannot stand {item.number}")

    @property
    def numbers(self) -> list[int]:
        return [item.number for call in self.calls for item in call]


class ParkedNotes:
    """Notes what was parked."""

    def __init__(self) -> None:
        self.items: list[Parked] = []

    async def __call__(self, items: Sequence[Parked]) -> None:
        self.items += items


class Network:
    """Several users of one broker, each with a connection of its own where there is such a thing."""

    async def bus(self) -> Bus:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError


class MemoryNetwork(Network):
    def __init__(self) -> None:
        self._bus = MemoryBus(topology=SMALL)

    async def bus(self) -> Bus:
        return self._bus

    async def close(self) -> None:
        await self._bus.close()


class RabbitNetwork(Network):
    def __init__(self, url: str, namespace: str) -> None:
        self.url = url
        self.namespace = namespace
        self._buses: list[RabbitBus] = []

    async def bus(self, url: str | None = None, *, send_timeout_seconds: float = 30) -> RabbitBus:
        bus = RabbitBus(url or self.url, namespace=self.namespace, topology=SMALL, send_timeout_seconds=send_timeout_seconds)
        self._buses.append(bus)
        await bus.open()
        return bus

    async def close(self) -> None:
        for bus in self._buses:
            await bus.close()
        await delete_topology(self.url, self.namespace, SMALL)


class Cable:
    """Carries bytes between a bus and the broker until it is cut; then refuses to, until it is mended. With `tls`, it is
    what the bus speaks TLS with."""

    def __init__(self, url: str, tls: ssl.SSLContext | None = None) -> None:
        self._broker = urlsplit(url)
        self._tls = tls
        self._ends: set[asyncio.StreamWriter] = set()
        self._port = 0
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        login = self._broker.netloc.rpartition("@")[0]
        scheme = "amqps" if self._tls else "amqp"
        return self._broker._replace(scheme=scheme, netloc=f"{login}@127.0.0.1:{self._port}").geturl()

    async def mend(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self._port, ssl=self._tls)
        self._port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Both sides see the connection reset, as when a process is killed or a network fails."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for end in self._ends:
            end.transport.abort()
        while self._ends:  # noqa: ASYNC110 - it waits for the transports to notice
            await asyncio.sleep(0.001)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection(self._broker.hostname, self._broker.port)
        ends = {writer, there_writer}
        self._ends |= ends
        try:
            await asyncio.gather(self._pump(reader, there_writer), self._pump(there_reader, writer))
        finally:
            for end in ends:
                end.transport.abort()
            self._ends -= ends

    @staticmethod
    async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                target.write(data)
                await target.drain()
        target.transport.abort()


async def until(true: Callable[[], object], seconds: float = 20) -> None:
    """Wait until it holds; fails with a timeout if it never does."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - it waits for another process
            await asyncio.sleep(0.002)


async def finished(work: Awaitable[Any], seconds: float = 20) -> Any:
    async with asyncio.timeout(seconds):
        return await work
