"""Whose an agent key is, from the dispatcher's function `read.agent_by_key`."""

from dataclasses import dataclass

from runyard_gateway.database import Database

_BY_KEY = "select agent_id::text as agent_id, tenant_id, name, pool, status from read.agent_by_key($1)"


@dataclass(frozen=True)
class KeyOwner:
    agent_id: str
    tenant_id: str
    name: str
    pool: str
    status: str


class AgentKeyQueries:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def agent(self, key_hash: str) -> KeyOwner | None:
        """By the SHA-256 (hex) of the key. None for a key that is unknown, rotated or revoked."""
        row = await self._database.fetch_row(_BY_KEY, key_hash)
        return None if row is None else KeyOwner(**row)
