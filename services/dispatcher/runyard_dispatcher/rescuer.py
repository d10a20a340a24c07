"""The rescuer: looks after agents that fell silent and after jobs that wait.

Silence is what was measured while messages could arrive: a broker that is away, a suspended process or a clock that jumps never
count for more than two rounds.
"""

import asyncio

import structlog
from runyard_shared.clock import Clock
from runyard_shared.errors import Unavailable
from runyard_shared.messaging.bus import Bus

from runyard_dispatcher.handlers import Handlers

_log = structlog.get_logger(__name__)


async def rescue_forever(handlers: Handlers, bus: Bus, clock: Clock, every_seconds: float) -> None:
    last = clock.now()
    while True:
        await asyncio.sleep(every_seconds)
        now = clock.now()
        elapsed_seconds = min(max((now - last).total_seconds(), 0.0), 2 * every_seconds)
        last = now
        try:
            await handlers.rescue(elapsed_seconds if bus.trouble is None else 0.0)
        except Unavailable as trouble:
            _log.warning("the rescuer waits", reason=str(trouble))
        except Exception:  # noqa: BLE001 - without its rounds no silent agent would ever be noticed
            _log.exception("a round of the rescuer failed; the next one tries again")
