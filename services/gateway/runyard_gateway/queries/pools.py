"""Pools, from the dispatcher's view `read.pool`."""

from datetime import datetime

from runyard_gateway.answers import PoolJobs, PoolRow
from runyard_gateway.database import Database
from runyard_gateway.queries.jobs_at_agents import pool_jobs

_COLUMNS = "name, description, paused, paused_by, pause_reason, agents, online, capacity, running, waiting"
_ONE = f"select {_COLUMNS} from read.pool where tenant_id = $1 and name = $2"  # noqa: S608
_PAGE = f"select {_COLUMNS} from read.pool where tenant_id = $1 and name > $2 order by name limit $3"  # noqa: S608


class PoolQueries:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def pool(self, tenant_id: str, name: str) -> PoolRow | None:
        row = await self._database.fetch_row(_ONE, tenant_id, name)
        return None if row is None else PoolRow(**row)

    async def page(self, tenant_id: str, after_name: str, limit: int) -> list[PoolRow]:
        """By name."""
        return [PoolRow(**row) for row in await self._database.fetch(_PAGE, tenant_id, after_name, limit)]

    async def jobs(self, tenant_id: str, name: str, now: datetime) -> PoolJobs:
        return await pool_jobs(self._database, tenant_id, name, now)
