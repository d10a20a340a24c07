"""Running one service as a process of its own: connect, start, wait for a signal, stop in good order.

A part that is away when the process starts is waited for, not died of; SIGTERM and SIGINT stop it at any time.
"""

import asyncio
import gc
import signal
from collections.abc import Awaitable, Callable
from typing import Literal, Protocol, TypeVar

import asyncpg
import structlog
import uvloop

from runyard_shared.clock import Clock, SystemClock
from runyard_shared.errors import Unavailable
from runyard_shared.logs import LogLevel, configure_logs
from runyard_shared.messaging.bus import Bus
from runyard_shared.messaging.rabbit import RabbitBus
from runyard_shared.tracing import start_tracing, stop_tracing

_RETRY_SECONDS = 0.5
_log = structlog.get_logger(__name__)


class Service(Protocol):
    """What every service's `app.create` gives."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def health(self) -> dict[str, str | None]: ...


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


def run_service(name: str, settings: SettingsT, create: Create[SettingsT]) -> None:
    """Run the service `name` until SIGTERM or SIGINT."""
    configure_logs(name, settings.log_format, settings.log_level)
    start_tracing(name, settings)
    uvloop.run(_run(name, settings, create))


def calm_garbage_collector() -> None:
    """For a process that makes and drops many small objects, hardly any of them in cycles: collect cycles, but seldom.

    A quarter of the CPU time of a busy projector went into looking for them at Python's defaults.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


async def _run(name: str, settings: SettingsT, create: Create[SettingsT]) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    bus = RabbitBus(settings.amqp_url, namespace=settings.amqp_namespace)
    pool = await _until_there("PostgreSQL", lambda: _connect(settings.database_url), stopping)
    if pool is None:
        return
    if await _until_there("RabbitMQ", lambda: _open(bus), stopping):
        service = await create(settings, bus=bus, pool=pool, clock=SystemClock())
        await service.start()
        calm_garbage_collector()
        _log.info("started", service=name)
        await stopping.wait()
        _log.info("stopping", service=name)
        await service.stop()
        await bus.close()
    await pool.close()
    await stop_tracing()


async def _connect(database_url: str) -> "asyncpg.Pool[asyncpg.Record]":
    return await asyncpg.create_pool(database_url, min_size=2, max_size=10, reset=keep_as_it_is)


async def keep_as_it_is(_connection: object) -> None:
    """What a pool does with a connection that comes back: nothing. Nobody leaves session state behind, and asyncpg's own reset
    is one more round trip for each query."""


async def _open(bus: Bus) -> bool:
    await bus.open()
    return True


async def _until_there(part: str, connect: Callable[[], Awaitable[ResultT]], stopping: asyncio.Event) -> ResultT | None:
    """What `connect` gives, as soon as it does; None if the process is to stop before."""
    while not stopping.is_set():
        try:
            return await connect()
        except (OSError, asyncpg.PostgresError, Unavailable, TimeoutError) as error:
            _log.warning(f"waiting for {part}", reason=str(error) or type(error).__name__)
            await asyncio.sleep(_RETRY_SECONDS)
    return None
