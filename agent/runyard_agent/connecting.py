"""From an address and a key to an open way to the server: enrolment, then RabbitMQ or HTTPS."""

import asyncio
from typing import Final

import structlog
from runyard_shared.contracts.link import Enrolment
from runyard_shared.errors import Unavailable

from runyard_agent.enrolment import enrol
from runyard_agent.identity import Identity
from runyard_agent.server import Server
from runyard_agent.settings import Settings
from runyard_agent.transport.amqp import AmqpTransport
from runyard_agent.transport.base import Transport
from runyard_agent.transport.https import HttpsTransport

log = structlog.get_logger(__name__)
_TRY_BROKER_SECONDS: Final = 10
"""Where the choice is the agent's: a network that lets only HTTPS out often drops everything else without an answer."""
_RETRY_SECONDS: Final = 0.5


async def connect(settings: Settings, server: Server, identity: Identity) -> tuple[Enrolment, Transport]:
    """Waits for whatever is away. Raises `Revoked`, and `Refusal` for what waiting would not change."""
    enrolment = await enrol(server, identity, settings.agent_transport)
    if enrolment.amqp is not None:
        amqp = AmqpTransport(server, identity, enrolment, enrolment.amqp, settings.agent_ca_file)
        if settings.agent_transport == "amqp":
            await _open(amqp)
            return enrolment, amqp
        try:
            await _try(amqp)
        except Unavailable as trouble:
            log.warning("RabbitMQ cannot be used from here, so it is HTTPS", reason=str(trouble))
            enrolment = await enrol(server, identity, "https")
        else:
            return enrolment, amqp
    https = HttpsTransport(server)
    await _open(https)
    return enrolment, https


async def _try(transport: Transport) -> None:
    """Raises `Unavailable`."""
    try:
        async with asyncio.timeout(_TRY_BROKER_SECONDS):
            await transport.open()
    except TimeoutError:
        trouble = transport.trouble or "it does not answer"
        await transport.close()
        raise Unavailable(trouble) from None


async def _open(transport: Transport) -> None:
    while True:
        try:
            await transport.open()
        except Unavailable as trouble:
            log.warning("waiting for the server", reason=str(trouble))
            await asyncio.sleep(_RETRY_SECONDS)
        else:
            return
