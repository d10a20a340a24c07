"""Being let in: the agent shows its key and the public half of its key pair, and learns who it is and how to talk.

Waits, with the reason in the log, while the server is away or another process of the agent is connected. Only a key that the
server does not know ends it.
"""

import asyncio
from typing import Final

import structlog
from runyard_shared.contracts.link import Enrolment
from runyard_shared.errors import Conflict, Unavailable

from runyard_agent.backoff import Backoff
from runyard_agent.identity import Identity
from runyard_agent.server import Server

log = structlog.get_logger(__name__)
_FIRST_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 5.0


async def enrol(server: Server, identity: Identity, transport: str) -> Enrolment:
    """The enrolment; it is remembered. Raises `Revoked`, and `Refusal` for what waiting would not change."""
    backoff = Backoff(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
    while True:
        try:
            enrolment = await server.enrol(identity.key, transport)
        except Conflict as taken:
            log.warning("waiting: another process is connected as this agent", reason=taken.detail)
            wait = backoff.seconds()
        except Unavailable as trouble:
            log.warning("waiting for the server", reason=str(trouble))
            wait = backoff.seconds(trouble)
        else:
            _remember(identity, enrolment)
            log.info("enrolled", agent=enrolment.name, pool=enrolment.pool, transport=enrolment.transport)
            return enrolment
        await asyncio.sleep(wait)


def _remember(identity: Identity, enrolment: Enrolment) -> None:
    """Only `runyard-agent check` misses it: a full disk does not keep the agent from its work."""
    try:
        identity.remember(enrolment)
    except OSError as problem:
        log.warning("what was enrolled could not be written down", reason=str(problem))
