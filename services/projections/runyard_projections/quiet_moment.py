"""Tables are exchanged in a moment in which nobody uses them: whoever comes meanwhile waits for no longer than that."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import asyncpg
from runyard_shared.errors import RunyardError

from runyard_projections.projection import Connection

_ATTEMPTS: Final = 200
_PATIENCE_MS: Final = 50
_PAUSE_SECONDS: Final = 0.05


class InUse(RunyardError):
    """The tables were in use all the time; later it may work."""


async def in_a_quiet_moment(connection: Connection, exchange: Callable[[], Awaitable[None]]) -> None:
    """`exchange` takes all its locks first; it is tried again and again until it has them all at once. What the caller's
    transaction did before stays. Raises `InUse`."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            async with connection.transaction():
                await connection.execute(f"set local lock_timeout = {_PATIENCE_MS}")
                await exchange()
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            if attempt == _ATTEMPTS:
                raise InUse("the tables were in use all the time") from None
            await asyncio.sleep(_PAUSE_SECONDS)
        else:
            return
