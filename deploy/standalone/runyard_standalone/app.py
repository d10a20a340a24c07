"""All of Runyard in one process: an embedded PostgreSQL, the in-process bus, every service and one agent.

The services are the same as in the distributed form; only the adapters behind their ports differ. What dies here with a
`kill -9` is nothing but memory: the log and the leases are in PostgreSQL, and every service goes on from there.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from types import TracebackType

import asyncpg
import runyard_agent.app
import runyard_agent.settings
import runyard_approvals.app
import runyard_approvals.settings
import runyard_dispatcher.app
import runyard_dispatcher.settings
import runyard_gateway.app
import runyard_gateway.settings
import runyard_orchestrator.app
import runyard_orchestrator.settings
import runyard_projections.app
import runyard_projections.settings
import structlog
from pydantic import SecretStr
from runyard_agent.redacted_log import RedactedLog
from runyard_agent.transport.bus import BusTransport
from runyard_shared.clock import SystemClock
from runyard_shared.errors import RunyardError
from runyard_shared.logs import configure_logs
from runyard_shared.messaging.memory import MemoryBus
from runyard_shared.metrics import Sample, at_scrape, no_longer_at_scrape, queues, ready
from runyard_shared.ops import watched_event_loop
from runyard_shared.process import Part, keep_as_it_is
from runyard_shared.tracing import start_tracing, stop_tracing

from runyard_standalone.local_agent import LocalAgent
from runyard_standalone.ports import HOST, USUAL_PORT, first_free
from runyard_standalone.postgres import DirectoryInUse, EmbeddedPostgres
from runyard_standalone.secret_files import admin_token, master_key
from runyard_standalone.settings import Settings

AGENT = "local"
TENANT = "default"
STOP_GRACE_SECONDS = 2.0
"""How long jobs may go on after Ctrl-C."""

_log = structlog.get_logger(__name__)


class AlreadyRunning(RunyardError):
    """Another standalone works on the data directory."""


class Standalone:
    """Runs between `async with` and its end. `address` and `token` are what a client needs."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._data_dir = settings.data_dir.absolute()
        self._parts = AsyncExitStack()
        self.address = ""
        self.token = ""
        self.log_path = self._data_dir / "runyard.log"

    async def __aenter__(self) -> "Standalone":
        """Every part is started after the parts that it needs. Raises `AlreadyRunning`, `PostgresError`, `CannotListen`."""
        try:
            await self._start()
        except BaseException:
            await self._parts.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the parts in reverse order: first nothing new comes in, at last the database is closed."""
        await self._parts.aclose()

    async def _start(self) -> None:
        settings, clock = self._settings, SystemClock()
        self._data_dir.mkdir(parents=True, exist_ok=True)
        postgres = EmbeddedPostgres(self._data_dir / "postgres")
        try:
            await asyncio.to_thread(postgres.start)
        except DirectoryInUse as in_use:
            raise AlreadyRunning(self._already_running()) from in_use
        self._parts.callback(postgres.stop)
        self._log_to_file()
        start_tracing("standalone", settings)
        self._parts.push_async_callback(stop_tracing)
        self.token = admin_token(self._data_dir, settings.admin_token.get_secret_value() if settings.admin_token else None)

        pool = await self._parts.enter_async_context(
            asyncpg.create_pool(postgres.dsn, min_size=4, max_size=20, reset=keep_as_it_is)
        )
        bus = MemoryBus()
        await bus.open()
        self._parts.push_async_callback(bus.close)

        await self._parts.enter_async_context(watched_event_loop())

        async def read_queues() -> Iterable[Sample]:
            return queues(await bus.waiting())

        at_scrape(read_queues)
        self._parts.callback(no_longer_at_scrape, read_queues)
        database = postgres.dsn
        await self._run(
            await runyard_projections.app.create(self._projections_settings(database), bus=bus, pool=pool, clock=clock)
        )
        await self._run(
            await runyard_dispatcher.app.create(
                runyard_dispatcher.settings.Settings(database_url=database, master_keys=SecretStr(master_key(self._data_dir))),
                bus=bus,
                pool=pool,
                clock=clock,
            )
        )
        await self._run(
            await runyard_orchestrator.app.create(
                runyard_orchestrator.settings.Settings(database_url=database), bus=bus, pool=pool, clock=clock
            )
        )
        await self._start_agent(bus)
        gateway = await runyard_gateway.app.create(
            runyard_gateway.settings.Settings(
                database_url=database, host=HOST, port=self._port(), admin_token=SecretStr(self.token)
            ),
            bus=bus,
            pool=pool,
            clock=clock,
        )
        await self._run(gateway)
        self.address = gateway.address
        await self._run(
            await runyard_approvals.app.create(_approvals_settings(database, self.address), bus=bus, pool=pool, clock=clock)
        )
        self._announce()

    def _projections_settings(self, database: str) -> runyard_projections.settings.Settings:
        """Old history is archived beside the rest of the data, unless RUNYARD_ARCHIVE_DIR names a place."""
        settings = runyard_projections.settings.Settings(database_url=database)
        return settings.model_copy(update={"archive_dir": settings.archive_dir or self._data_dir / "archive"})

    async def _start_agent(self, bus: MemoryBus) -> None:
        directory = self._data_dir / "agent"
        local = LocalAgent(bus, directory, tenant_id=TENANT, name=AGENT)
        enrolment = await local.enrol()
        settings = runyard_agent.settings.Settings(agent_state_dir=directory, stop_grace_seconds=STOP_GRACE_SECONDS)
        transport = BusTransport(bus, enrolment.tenant_id, enrolment.name)
        await self._run(await runyard_agent.app.create(settings, enrolment=enrolment, key=local.key, transport=transport))

    async def _run(self, service: Part) -> None:
        # registered first: a start that fails half way is ended too
        self._parts.push_async_callback(_logged(service.stop, type(service).__module__))
        await service.start()
        name = type(service).__module__.split(".")[0].removeprefix("runyard_")

        async def read_health() -> Iterable[Sample]:
            return ready(name, service.health())

        at_scrape(read_health)
        self._parts.callback(no_longer_at_scrape, read_health)

    def _port(self) -> int:
        return first_free(USUAL_PORT, 0) if self._settings.port is None else self._settings.port

    def _announce(self) -> None:
        path = self._data_dir / "address"
        path.write_text(self.address + "\n")
        self._parts.callback(path.unlink, missing_ok=True)

    def _already_running(self) -> str:
        address = self._data_dir / "address"
        where = f" at {address.read_text().strip()}" if address.exists() else ""
        return (
            f"Runyard already runs{where}, on the data in {self._data_dir}.\n"
            "Stop it first, or set RUNYARD_DATA_DIR and RUNYARD_PORT to run a second one."
        )

    def _log_to_file(self) -> None:
        log = self._parts.enter_context(RedactedLog(self.log_path.open("ab"), encoding="utf-8"))
        configure_logs("standalone", self._settings.log_format, self._settings.log_level, stream=log)


def _approvals_settings(database: str, address: str) -> runyard_approvals.settings.Settings:
    """What is not said otherwise: links lead here, and the one user there is may notify the own machine and network."""
    settings = runyard_approvals.settings.Settings(database_url=database)
    usual = {"public_url": address, "allow_private_notifications": True}
    return settings.model_copy(update={name: value for name, value in usual.items() if name not in settings.model_fields_set})


def _logged(stop: Callable[[], Awaitable[None]], name: str) -> Callable[[], Awaitable[None]]:
    """A service that cannot stop must not keep the others, and PostgreSQL, from being stopped."""

    async def stop_or_say_why() -> None:
        try:
            await stop()
        except Exception:  # noqa: BLE001 - it is logged
            _log.exception("a service did not stop in good order", service=name)

    return stop_or_say_why
