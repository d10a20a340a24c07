"""The gateway's own tables, with the tenant of the settings in them: made at its start, or as soon as PostgreSQL is there; what
needs none is answered before."""

import asyncio

import asyncpg
import structlog
from runyard_shared.errors import Unavailable
from runyard_shared.eventstore.migrate import migrate
from runyard_shared.eventstore.outage import outages_as_unavailable

RETRY_SECONDS = 0.5
_TENANT = "insert into gateway.tenant (tenant_id, name, created_at) values ($1, $1, now()) on conflict do nothing"
_log = structlog.get_logger(__name__)


class OwnTables:
    """The schema `gateway`."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", tenant_id: str) -> None:
        self._pool = pool
        self._tenant_id = tenant_id
        self._retrying: asyncio.Task[None] | None = None
        self.trouble: str | None = None

    async def start(self) -> None:
        """Returns when they are there, or when it is clear that this takes longer; then it goes on in the background."""
        if not await self._make():
            self._retrying = asyncio.create_task(self._make_until_made(), name="gateway tables")

    async def stop(self) -> None:
        if self._retrying is not None:
            self._retrying.cancel()
            await asyncio.gather(self._retrying, return_exceptions=True)

    async def _make_until_made(self) -> None:
        while not await self._make():  # noqa: ASYNC110 - it asks a database
            await asyncio.sleep(RETRY_SECONDS)

    async def _make(self) -> bool:
        try:
            with outages_as_unavailable():
                await migrate(self._pool, "gateway", "runyard_gateway")
                await self._pool.execute(_TENANT, self._tenant_id)
        except Unavailable as outage:
            if self.trouble is None:
                _log.warning("the gateway's tables are made later", reason=str(outage))
            self.trouble = str(outage)
            return False
        self.trouble = None
        return True
