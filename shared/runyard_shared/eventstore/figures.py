"""How far a log is behind: what has not gone out of it, and which of its timers are due. Read from its tables when somebody
asks, so that every process of a service says the same, also of what another one should have done."""

# ruff: noqa: S608 - the schema is a name of our own; every value is a parameter

from collections.abc import Iterable
from typing import Final

import asyncpg

from runyard_shared.metrics import RELAY_BACKLOG, RELAY_BACKLOG_SECONDS, TIMERS_DUE, TIMERS_OVERDUE_SECONDS, Sample

_COUNTED: Final = 10_000
_WHAT: Final = {"relay": "work", "public": "public"}
"""What a checkpoint is of. That of the traces stands still where none are made any more."""


class LogFigures:
    """Of the log in `schema`; `read` is for `metrics.at_scrape`."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", schema: str) -> None:
        self._pool = pool
        self._log = schema
        self._backlog = f"""
            select c.relay, greatest(h.position - c.position, 0) as events, coalesce((
                select extract(epoch from now() - e.recorded_at) from {schema}.event e
                where e.position > c.position order by e.position limit 1
            ), 0)::float8 as seconds
            from {schema}.relay_checkpoint c cross join {schema}.log_head h
            where c.relay = any($1)
        """
        self._timers = f"""
            select count(*) as due, coalesce(extract(epoch from now() - min(due_at)), 0)::float8 as seconds
            from (select due_at from {schema}.timer where due_at <= now() order by due_at limit {_COUNTED}) due
        """

    async def read(self) -> Iterable[Sample]:
        samples: list[Sample] = []
        for relay, events, seconds in await self._pool.fetch(self._backlog, list(_WHAT)):
            labels = (self._log, _WHAT[relay])
            samples += [(RELAY_BACKLOG, labels, events), (RELAY_BACKLOG_SECONDS, labels, max(0.0, seconds))]
        ((due, seconds),) = await self._pool.fetch(self._timers)
        return [*samples, (TIMERS_DUE, (self._log,), due), (TIMERS_OVERDUE_SECONDS, (self._log,), seconds)]
