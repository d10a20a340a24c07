"""Running one service as a process of its own: connect, start, wait for a signal, stop in good order.

A part that is away when the process starts is waited for, not died of; SIGTERM and SIGINT stop it at any time.
"""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Literal, Protocol, TypeVar

import asyncpg
import structlog
import uvloop

from runyard_shared.clock import Clock, SystemClock
from runyard_shared.errors import Unavailable
from runyard_shared.logs import LogLevel, configure_logs
from runyard_shared.messaging.bus import Bus
from runyard_shared.messaging.rabbit import RabbitBus
from runyard_shared.metrics import Sample, at_scrape, queues, ready, shares
from runyard_shared.ops import NOWHERE, CannotServeOps, Ops, serving_ops, watched_event_loop
from runyard_shared.tracing import start_tracing, stop_tracing

_RETRY_SECONDS = 0.5
_CLOSE_SECONDS = 3.0
"""Nothing hangs on a good-bye to PostgreSQL."""
_STOP_SECONDS = 20.0
"""Longer than all that may be under way takes: then PostgreSQL or RabbitMQ hangs, and what is not finished comes again."""
_log = structlog.get_logger(__name__)


class Part(Protocol):
    """What can be started and stopped, and says how it is: trouble by part of it, in words, None for none."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def health(self) -> dict[str, str | None]: ...


class Service(Part, Protocol):
    """What every service's `app.create` gives."""

    async def check_health(self) -> dict[str, str | None]:
        """As `health`, after trying what it needs."""

    def standing(self) -> dict[str, str]:
        """Who does each share of the service's work: "here", or which other process. Nothing where each does everything."""


class ProcessSettings(Protocol):
    """The settings that every process needs."""

    database_url: str
    amqp_url: str
    amqp_namespace: str
    log_format: Literal["human", "json"]
    log_level: LogLevel
    tracing: bool


SettingsT = TypeVar("SettingsT", bound=ProcessSettings)
SettingsIn_contra = TypeVar("SettingsIn_contra", bound=ProcessSettings, contravariant=True)
ResultT = TypeVar("ResultT")


class Create(Protocol[SettingsIn_contra]):
    """A service's `app.create`."""

    async def __call__(
        self, settings: SettingsIn_contra, *, bus: Bus, pool: "asyncpg.Pool[asyncpg.Record]", clock: Clock
    ) -> Service: ...


def run_service(name: str, settings: SettingsT, create: Create[SettingsT], ops: Ops = NOWHERE) -> None:
    """Run the service `name` until SIGTERM or SIGINT. `ops`: where it answers to those who look after it, unless it does so by
    itself."""
    configure_logs(name, settings.log_format, settings.log_level)
    start_tracing(name, settings)
    try:
        uvloop.run(_run(name, settings, create, ops))
    except CannotServeOps as trouble:
        sys.exit(str(trouble))


def calm_garbage_collector() -> None:
    """For a process that makes and drops many small objects, hardly any of them in cycles: collect cycles, but seldom.

    A quarter of the CPU time of a busy projector went into looking for them at Python's defaults.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


class _Health:
    """Of the process: before there is a service, what it waits for."""

    def __init__(self, name: str) -> None:
        self.waits_for: dict[str, str | None] = {"start": "the process starts"}
        self.service: Service | None = None
        self._name = name

    async def check(self) -> Mapping[str, str | None]:
        return self.waits_for if self.service is None else await self.service.check_health()

    def standing(self) -> Mapping[str, str]:
        return {} if self.service is None else self.service.standing()

    async def read(self) -> Iterable[Sample]:
        health = self.waits_for if self.service is None else self.service.health()
        return [*ready(self._name, health), *shares(self._name, self.standing())]


async def _run(name: str, settings: SettingsT, create: Create[SettingsT], ops: Ops) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    health = _Health(name)
    at_scrape(health.read)
    async with watched_event_loop(), serving_ops(ops, health.check, health.standing) as address:
        if address is not None:
            _log.info("answers /metrics, /healthz and /readyz", address=address)
        await _serve(name, settings, create, health, stopping)


async def _serve(name: str, settings: SettingsT, create: Create[SettingsT], health: _Health, stopping: asyncio.Event) -> None:
    bus = RabbitBus(settings.amqp_url, namespace=settings.amqp_namespace)

    async def read_queues() -> Iterable[Sample]:
        return queues(await bus.waiting())

    pool = await _until_there("PostgreSQL", lambda: _connect(settings.database_url), health, stopping)
    if pool is None:
        return
    if await _until_there("RabbitMQ", lambda: _open(bus), health, stopping):
        service = await create(settings, bus=bus, pool=pool, clock=SystemClock())
        await service.start()
        health.service = service
        at_scrape(read_queues)
        calm_garbage_collector()
        _log.info("started", service=name)
        await stopping.wait()
        _log.info("stopping", service=name)
        loop = asyncio.get_running_loop()
        loop.call_later(_STOP_SECONDS, _give_up, name, service)
        began_at = loop.time()
        await service.stop()
        await bus.close()
        await _close(pool)
        _log.info("stopped", service=name, seconds=round(loop.time() - began_at, 2))
    else:
        await _close(pool)
    await stop_tracing()


def _give_up(name: str, service: Service) -> None:
    """Without another await, each of which may hang as well."""
    trouble = "; ".join(f"{part}: {words}" for part, words in service.health().items() if words)
    reason = trouble or "something that it needs does not answer"
    _log.error("ended before it had stopped in good order", service=name, seconds=_STOP_SECONDS, reason=reason)
    os._exit(1)


async def _close(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    try:
        async with asyncio.timeout(_CLOSE_SECONDS):
            await pool.close()
    except TimeoutError:
        _log.warning("the sessions of PostgreSQL are cut off: it does not answer")


async def _connect(database_url: str) -> "asyncpg.Pool[asyncpg.Record]":
    return await asyncpg.create_pool(database_url, min_size=2, max_size=10, reset=keep_as_it_is)


async def keep_as_it_is(_connection: object) -> None:
    """What a pool does with a connection that comes back: nothing. Nobody leaves session state behind, and asyncpg's own reset
    is one more round trip for each query."""


async def _open(bus: Bus) -> bool:
    await bus.open()
    return True


async def _until_there(
    part: str, connect: Callable[[], Awaitable[ResultT]], health: _Health, stopping: asyncio.Event
) -> ResultT | None:
    """What `connect` gives, as soon as it does; None if the process is to stop before."""
    while not stopping.is_set():
        try:
            there = await connect()
        except (OSError, asyncpg.PostgresError, Unavailable, TimeoutError) as error:
            reason = str(error) or type(error).__name__
            _log.warning("waiting", part=part, reason=reason)
            health.waits_for = {part: f"the process waits for {part} to start: {reason}"}
            await asyncio.sleep(_RETRY_SECONDS)
        else:
            health.waits_for = {"start": "the process starts"}
            return there
    return None
