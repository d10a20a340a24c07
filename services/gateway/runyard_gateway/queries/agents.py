"""Agents, from the dispatcher's view `read.agent`."""

from runyard_gateway.answers import AgentRow
from runyard_gateway.database import Database
from runyard_gateway.queries.columns import instant

_PAGE = (
    "select agent_id::text as agent_id, name, pool, tags, actions, version, status, reason, health, running, capacity,"
    " registered_at, last_heartbeat_at from read.agent where tenant_id = $1 and name > $2 order by name limit $3"
)


class AgentQueries:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, tenant_id: str, after_name: str, limit: int) -> list[AgentRow]:
        """By name, which is unique in a tenant."""
        return [
            AgentRow(
                agent_id=row["agent_id"],
                name=row["name"],
                pool=row["pool"],
                tags=list(row["tags"]),
                actions=list(row["actions"]),
                version=row["version"],
                status=row["status"],
                reason=row["reason"] or None,
                health=row["health"],
                running=row["running"],
                capacity=row["capacity"],
                registered_at=instant(row["registered_at"]) or "",
                last_heartbeat_at=instant(row["last_heartbeat_at"]) or "",
            )
            for row in await self._database.fetch(_PAGE, tenant_id, after_name, limit)
        ]
