"""Forgets what the gateway keeps for a while only: answers to repeated requests, and deliveries of webhooks."""

import asyncio
from typing import Final

import structlog
from runyard_shared.errors import Unavailable
from runyard_shared.loops import forever

from runyard_gateway.database import Database
from runyard_gateway.queries.kept_answers import KEEP_HOURS

EVERY_SECONDS: Final = 600.0
AT_ONCE: Final = 5000
KEEP_DELIVERIES_DAYS: Final = 30

_FORGET: Final = tuple(
    f"with gone as (delete from gateway.{table} where ctid = any(array(select ctid from gateway.{table}"  # noqa: S608
    f" where {since} < now() - interval '{age}' order by {since} limit {AT_ONCE} for update skip locked)) returning 1)"
    " select count(*) as total from gone"
    for table, since, age in (
        ("kept_answer", "created_at", f"{KEEP_HOURS} hours"),
        ("webhook_delivery", "received_at", f"{KEEP_DELIVERIES_DAYS} days"),
    )
)
_log = structlog.get_logger(__name__)


class Expiry:
    """Every gateway does it now and then; rows that another one is at are left to it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._loop: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._loop = forever(self._run(), "gateway expiry")

    async def stop(self) -> None:
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)
            self._loop = None

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            try:
                await self.forget()
            except Unavailable as outage:
                _log.warning("what has expired is forgotten later", reason=str(outage))

    async def forget(self) -> None:
        """Everything that has expired by now, a few thousand rows at a time. Raises `Unavailable`."""
        for statement in _FORGET:
            forgotten = AT_ONCE
            while forgotten == AT_ONCE:
                row = await self._database.fetch_row(statement)
                forgotten = 0 if row is None else row["total"]
