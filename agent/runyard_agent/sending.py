"""Sends that never give up: what an agent has to say about a job is said, however long the server is away."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

import structlog
from runyard_shared.errors import Revoked, Unavailable

from runyard_agent.transport.base import Transport

log = structlog.get_logger(__name__)
_RETRY_SECONDS: Final = 0.2
_RETRY_AFTER_BUG_SECONDS: Final = 2.0


async def send_until_safe(
    transport: Transport, queue: str, items: Sequence[Any], *, on_trouble: Callable[[], None] | None = None
) -> None:
    """Returns when the items are safe. `on_trouble` is called each time they could not be sent. Ends otherwise only by being
    cancelled, and with `Revoked`: this agent can send nothing any more."""
    while True:
        try:
            await transport.send(queue, items)
        except Unavailable as trouble:
            log.warning("waiting for the server", queue=queue, items=len(items), reason=str(trouble))
            pause = _RETRY_SECONDS
        except Revoked:
            raise
        except Exception:
            log.exception("a send failed, it is repeated", queue=queue, items=len(items))
            pause = _RETRY_AFTER_BUG_SECONDS
        else:
            return
        if on_trouble is not None:
            on_trouble()
        await asyncio.sleep(pause)
