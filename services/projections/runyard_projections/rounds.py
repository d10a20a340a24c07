"""A duty that comes round again and again as long as the service runs: an hour after it was done, soon after it was not."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import structlog
from runyard_shared.errors import RunyardError
from runyard_shared.eventstore.outage import is_outage
from runyard_shared.loops import forever

_log = structlog.get_logger(__name__)

EVERY_SECONDS: Final = 3600.0


class Rounds:
    """`failing`: what cannot be done when the duty raises, in words. `not_now`: errors that say that somebody else is at it."""

    def __init__(
        self,
        name: str,
        duty: Callable[[], Awaitable[None]],
        *,
        failing: str,
        not_now: tuple[type[Exception], ...],
        retry_seconds: float,
    ) -> None:
        self._name = name
        self._duty = duty
        self._failing = failing
        self._not_now = not_now
        self._retry_seconds = retry_seconds
        self._task: asyncio.Task[None] | None = None
        self._trouble: str | None = None

    @property
    def trouble(self) -> str | None:
        """Why it is not done, in words; None when it is."""
        return self._trouble

    def start(self) -> None:
        self._task = forever(self._run(), self._name)

    async def stop(self) -> None:
        """What is under way is given up."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        while True:
            seconds = await self._once()
            await asyncio.sleep(seconds)

    async def _once(self) -> float:
        """Returns after how many seconds it comes round again."""
        try:
            await self._duty()
        except self._not_now as reason:
            _log.info("later", part=self._name, reason=str(reason) or type(reason).__name__)
            return self._retry_seconds
        except Exception as error:  # noqa: BLE001 - nothing is lost, it is tried again and the health says it
            trouble = f"{self._failing}: {error or type(error).__name__}"
            if trouble != self._trouble:
                expected = is_outage(error) or isinstance(error, RunyardError)
                _log.warning("trouble", reason=trouble, exc_info=None if expected else error)
            self._trouble = trouble
            return self._retry_seconds
        self._trouble = None
        return EVERY_SECONDS
