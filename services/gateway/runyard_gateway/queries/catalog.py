"""What a workflow may refer to in a tenant, from the dispatcher's views: for publish, and for who edits."""

import msgspec
from runyard_shared.contracts.actions import ActionType
from runyard_shared.contracts.commands import Catalog

from runyard_gateway.database import Database, Reader

_POOLS = "select name from read.pool where tenant_id = $1 order by name"
_AGENTS = "select name from read.agent where tenant_id = $1 and status <> 'revoked' order by name"
_CONNECTIONS = "select name, kind from read.connection where tenant_id = $1 order by name"
_ACTIONS = (
    "select type, params::text as params, output::text as output, connections, needs_connection, description"
    " from read.action_type where tenant_id = $1 order by type"
)


class CatalogQueries:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def catalog(self, tenant_id: str) -> Catalog:
        async with self._database.snapshot() as reader:
            return Catalog(
                pools=[row["name"] for row in await reader.fetch(_POOLS, tenant_id)],
                agents=[row["name"] for row in await reader.fetch(_AGENTS, tenant_id)],
                connections={row["name"]: row["kind"] for row in await reader.fetch(_CONNECTIONS, tenant_id)},
                actions=await _announced(reader, tenant_id),
            )

    async def announced_actions(self, tenant_id: str) -> list[ActionType]:
        """The action types that did not come with Runyard, by name."""
        return await _announced(self._database, tenant_id)


async def _announced(reader: Reader, tenant_id: str) -> list[ActionType]:
    return [
        ActionType(
            type=row["type"],
            params=msgspec.json.decode(row["params"]),
            output=msgspec.json.decode(row["output"]),
            connections=list(row["connections"]),
            needs_connection=row["needs_connection"],
            description=row["description"],
        )
        for row in await reader.fetch(_ACTIONS, tenant_id)
    ]
