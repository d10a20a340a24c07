"""How far something derived from a log has come: one position, kept in the log's own schema, that only ever grows."""

# ruff: noqa: S608 - the schema is a name of our own; every value is a parameter

import asyncpg

from runyard_shared.eventstore.outage import outages_as_unavailable


class Checkpoint:
    """The position of the relay `relay` of the log in `schema`. Raises `Unavailable` while the database is away."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", schema: str, relay: str = "relay") -> None:
        self._pool = pool
        self._relay = relay
        self._select = f"select position from {schema}.relay_checkpoint where relay = $1"
        self._insert = f"insert into {schema}.relay_checkpoint (relay, position) values ($1, $2) on conflict (relay) do nothing"
        self._upsert = (
            f"insert into {schema}.relay_checkpoint as c (relay, position) values ($1, $2)"
            " on conflict (relay) do update set position = excluded.position where c.position < excluded.position"
        )

    async def begin(self, position: int) -> int:
        """The saved position; `position`, saved now, if nothing was ever saved."""
        with outages_as_unavailable():
            await self._pool.execute(self._insert, self._relay, position)
        return await self.load()

    async def load(self) -> int:
        """0 if nothing was ever saved."""
        with outages_as_unavailable():
            return await self._pool.fetchval(self._select, self._relay) or 0

    async def save(self, position: int) -> None:
        with outages_as_unavailable():
            await self._pool.execute(self._upsert, self._relay, position)
