"""`runyard-agent`: the agent as a process. SIGTERM and SIGINT end it in good order; a server that is away is waited for.

It ends by itself only when it cannot be used as it was started: 2 if it is not configured, 3 if the server does not let it in.
"""

import asyncio
import signal
import sys
from collections.abc import Iterable
from typing import Final

import structlog
import uvloop
from runyard_shared.errors import Refusal, Revoked, RunyardError
from runyard_shared.logs import configure_logs
from runyard_shared.metrics import Sample, at_scrape, ready
from runyard_shared.ops import Ops, serving_ops, watched_event_loop
from runyard_shared.tracing import start_tracing, stop_tracing

from runyard_agent import cli
from runyard_agent.app import Agent, create
from runyard_agent.check import check
from runyard_agent.connecting import connect
from runyard_agent.identity import Identity
from runyard_agent.redacted_log import RedactedLog
from runyard_agent.server import NotConfigured, Server
from runyard_agent.settings import Settings
from runyard_agent.transport.base import Transport
from runyard_agent.version import VERSION

log = structlog.get_logger(__name__)
STOPPED: Final = 0
FAILED: Final = 1
NOT_CONFIGURED: Final = 2
REVOKED: Final = 3


def main() -> None:
    given = cli.parse(sys.argv[1:])
    try:
        settings = cli.settings_of(given)
        if given.command == "check":
            sys.exit(uvloop.run(check(settings, sys.stdout)))
        logs = RedactedLog(sys.stderr.buffer, encoding="utf-8", errors="backslashreplace")
        configure_logs("agent", settings.log_format, settings.log_level, stream=logs)
        start_tracing("agent", settings)
        sys.exit(uvloop.run(_run(settings)))
    except NotConfigured as problem:
        _end(str(problem), NOT_CONFIGURED)
    except Refusal as refusal:
        _end(refusal.detail, NOT_CONFIGURED)
    except Revoked as gone:
        _end(f"the server does not let this agent in: {gone}", REVOKED)
    except RunyardError as error:
        _end(str(error), FAILED)


def _end(words: str, code: int) -> None:
    print(f"runyard-agent: {words}", file=sys.stderr)  # noqa: T201 - the command line's own words
    sys.exit(code)


async def _run(settings: Settings) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    server = Server(settings)
    identity = Identity.open(settings.agent_state_dir)
    log.info("starting", version=VERSION, server=server.url, state_directory=str(identity.directory))
    process = _Process(settings, server, identity)
    at_scrape(process.read_health)
    try:
        async with (
            watched_event_loop(),
            serving_ops(Ops(settings.ops_host, settings.ops_port), process.check_health) as address,
        ):
            if address is not None:
                log.info("answers /metrics, /healthz and /readyz", address=address)
            return await process.run(stopping)
    finally:
        await process.close()
        await server.close()
        identity.close()
        await stop_tracing()


class _Process:
    def __init__(self, settings: Settings, server: Server, identity: Identity) -> None:
        self._settings = settings
        self._server = server
        self._identity = identity
        self._transport: Transport | None = None
        self._agent: Agent | None = None

    async def check_health(self) -> dict[str, str | None]:
        """Trouble by part, in words."""
        if self._agent is None:
            return {"server": f"the agent waits for {self._server.url} to let it in"}
        return self._agent.health()

    async def read_health(self) -> Iterable[Sample]:
        return ready("agent", await self.check_health())

    async def run(self, stopping: asyncio.Event) -> int:
        """Until it is told to stop, or was revoked. Raises what `connect` raises."""
        stopped = asyncio.create_task(stopping.wait())
        starting = asyncio.create_task(self._start())
        await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            return STOPPED
        agent = starting.result()
        revoked = asyncio.create_task(agent.revoked.wait())
        await asyncio.wait({revoked, stopped}, return_when=asyncio.FIRST_COMPLETED)
        was_revoked = agent.revoked.is_set()
        stopped.cancel()
        revoked.cancel()
        if not was_revoked:
            log.info("stopping", running_jobs_get_seconds=self._settings.stop_grace_seconds)
        await agent.stop()
        self._agent = None
        return REVOKED if was_revoked else STOPPED

    async def close(self) -> None:
        if self._agent is not None:
            await self._agent.stop()
        if self._transport is not None:
            await self._transport.close()

    async def _start(self) -> Agent:
        enrolment, self._transport = await connect(self._settings, self._server, self._identity)
        structlog.contextvars.bind_contextvars(tenant_id=enrolment.tenant_id)
        self._agent = await create(self._settings, enrolment=enrolment, key=self._identity.key, transport=self._transport)
        await self._agent.start()
        log.info("started", agent=enrolment.name, pool=enrolment.pool, transport=enrolment.transport)
        return self._agent


if __name__ == "__main__":
    main()
