"""Being let in: the agent shows its key and the public half of its key pair, and learns who it is and how to talk.

Waits, with the reason in the log, while the server is away or another process of the agent is connected. Only a key that the
server does not know ends it.
"""

import asyncio
import random
from typing import Final

import structlog
from runyard_shared.contracts.link import Enrolment
from runyard_shared.errors import Conflict, Refusal, Unavailable

from runyard_agent.identity import Identity
from runyard_agent.server import Busy, Server

log = structlog.get_logger(__name__)
_FIRST_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 10.0


async def enrol(server: Server, identity: Identity, transport: str) -> Enrolment:
    """The enrolment; it is remembered. Raises `Revoked`, and `Refusal` for what waiting would not change."""
    pause = _FIRST_PAUSE_SECONDS
    while True:
        try:
            enrolment = await server.enrol(identity.key, transport)
        except Conflict as taken:
            log.warning("waiting: another process is connected as this agent", trouble=taken.detail)
            wait = pause
        except Refusal:
            raise
        except Unavailable as trouble:
            log.warning("waiting for the server", trouble=str(trouble))
            wait = trouble.retry_after_seconds if isinstance(trouble, Busy) else pause
        else:
            identity.remember(enrolment)
            log.info("enrolled", agent=enrolment.name, pool=enrolment.pool, transport=enrolment.transport)
            return enrolment
        # not all agents at the same moment, after an outage
        await asyncio.sleep(wait * random.uniform(0.75, 1.25))  # noqa: S311 - no secret
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
