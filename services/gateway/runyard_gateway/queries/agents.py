"""Agents, from the dispatcher's view `read.agent`."""

from collections.abc import Collection
from datetime import datetime

from runyard_gateway.answers import AgentRow, HeldJobs
from runyard_gateway.database import Database, Row
from runyard_gateway.queries.columns import instant
from runyard_gateway.queries.jobs_at_agents import held_jobs

_COLUMNS = (
    "agent_id::text as agent_id, name, pool, tags, actions, version, status, drained, reason, health, running, capacity,"
    " transport, key_fingerprint, created_at, registered_at, last_heartbeat_at"
)
_PAGE = (
    f"select {_COLUMNS} from read.agent where tenant_id = $1 and name > $2"  # noqa: S608
    " and ($3::text is null or pool = $3) and (cardinality($4::text[]) = 0 or status = any($4)) order by name limit $5"
)
_ONE = f"select {_COLUMNS} from read.agent where tenant_id = $1 and agent_id = $2::uuid"  # noqa: S608


class AgentQueries:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, tenant_id: str, after_name: str, limit: int, *, pool: str | None = None, statuses: Collection[str] = ()
    ) -> list[AgentRow]:
        """By name, which is unique in a tenant."""
        rows = await self._database.fetch(_PAGE, tenant_id, after_name, pool, list(statuses), limit)
        return [_agent(row) for row in rows]

    async def held_jobs(self, tenant_id: str, name: str, now: datetime) -> HeldJobs:
        return await held_jobs(self._database, tenant_id, name, now)

    async def agent(self, tenant_id: str, agent_id: str) -> AgentRow | None:
        row = await self._database.fetch_row(_ONE, tenant_id, agent_id)
        return None if row is None else _agent(row)


def _agent(row: Row) -> AgentRow:
    return AgentRow(
        agent_id=row["agent_id"],
        name=row["name"],
        pool=row["pool"],
        tags=list(row["tags"]),
        actions=list(row["actions"]),
        version=row["version"],
        status=row["status"],
        drained=row["drained"],
        reason=row["reason"] or None,
        health=row["health"],
        running=row["running"],
        capacity=row["capacity"],
        transport=row["transport"],
        key_fingerprint=row["key_fingerprint"],
        created_at=instant(row["created_at"]) or "",
        registered_at=instant(row["registered_at"]),
        last_heartbeat_at=instant(row["last_heartbeat_at"]),
    )
