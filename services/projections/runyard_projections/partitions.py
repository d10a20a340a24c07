"""Partitions of the read models by month, made ahead of time. What has none goes to the default partition, and leaves it when
the partition is made: nothing is lost by being late, but a large default partition takes long to look through."""

from typing import Final

import asyncpg

from runyard_projections.projection import LIVE

AHEAD: Final = "7 days"
_PATIENCE_MS: Final = 1000


async def create_partitions(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """Make what is missing for this month and, in its last days, for the next. Raises `LockNotAvailableError` if a table was in
    use for long."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(f"set local lock_timeout = {_PATIENCE_MS}")
        await connection.execute(f"select {LIVE}.create_partitions('{AHEAD}')")
