"""`runyard-agent`: the agent as a process. SIGTERM and SIGINT end it in good order; a broker that is away is waited for."""

import asyncio
import signal
from typing import Final

import structlog
import uvloop
from runyard_shared.errors import Unavailable
from runyard_shared.logs import configure_logs
from runyard_shared.messaging.bus import Bus
from runyard_shared.messaging.rabbit import RabbitBus

from runyard_agent.app import Agent, create
from runyard_agent.settings import Settings
from runyard_agent.transport.bus import BusTransport

log = structlog.get_logger(__name__)
_RETRY_SECONDS: Final = 0.5


def main() -> None:
    settings = Settings()
    configure_logs("agent", settings.log_format)
    uvloop.run(_run(settings))


async def _run(settings: Settings) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    bus = RabbitBus(settings.amqp_url, namespace=settings.amqp_namespace)
    starting = asyncio.create_task(_start(settings, bus))
    stopped = asyncio.create_task(stopping.wait())
    await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
    else:
        agent = starting.result()
        log.info("started", agent=settings.agent_name)
        await stopped
        log.info("stopping", agent=settings.agent_name, running_jobs_get_seconds=settings.stop_grace_seconds)
        await agent.stop()
    await bus.close()


async def _start(settings: Settings, bus: Bus) -> Agent:
    while True:
        try:
            await bus.open()
            break
        except (Unavailable, OSError) as trouble:
            log.warning("waiting for the broker", trouble=str(trouble))
            await asyncio.sleep(_RETRY_SECONDS)
    agent = await create(settings, transport=BusTransport(bus, settings.tenant_id, settings.agent_name))
    await agent.start()
    return agent


if __name__ == "__main__":
    main()
