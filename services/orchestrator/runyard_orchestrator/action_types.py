"""Action types that agents offer beyond the built-in ones, as the dispatcher tells them: what a publish may refer to."""

from collections.abc import Sequence

import asyncpg
from runyard_shared.eventstore.outage import outages_as_unavailable


class ActionTypes:
    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    async def add(self, tenant_id: str, actions: Sequence[str]) -> None:
        with outages_as_unavailable():
            await self._pool.execute(
                "insert into orchestrator.action_type (tenant_id, name) select $1, unnest($2::text[]) on conflict do nothing",
                tenant_id,
                list(actions),
            )

    async def known(self, tenant_id: str) -> frozenset[str]:
        with outages_as_unavailable():
            rows = await self._pool.fetch("select name from orchestrator.action_type where tenant_id = $1", tenant_id)
        return frozenset(row["name"] for row in rows)
