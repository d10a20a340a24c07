"""Which executions a bulk request with an Idempotency-Key was for, in the gateway's own table `gateway.bulk_request`."""

from dataclasses import dataclass
from datetime import datetime

from runyard_gateway.database import Database

KEEP_DAYS = 30

_FIND = (
    "select body_sha256, execution_ids::text[] as execution_ids, more from gateway.bulk_request"
    " where tenant_id = $1 and key = $2"
)
_KEEP = (
    "insert into gateway.bulk_request (tenant_id, key, body_sha256, execution_ids, more, created_at)"
    " values ($1, $2, $3, $4::uuid[], $5, $6) on conflict do nothing"
)
_DROP_OLD = "delete from gateway.bulk_request where tenant_id = $1 and created_at < $2::timestamptz - make_interval(days => $3)"


@dataclass(frozen=True)
class Chosen:
    """`more`: the filter found others beyond the limit."""

    body_sha256: bytes
    execution_ids: list[str]
    more: bool


class BulkRequestQueries:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def chosen(self, tenant_id: str, key: str) -> Chosen | None:
        row = await self._database.fetch_row(_FIND, tenant_id, key)
        return None if row is None else Chosen(row["body_sha256"], list(row["execution_ids"]), row["more"])

    async def keep(self, tenant_id: str, key: str, chosen: Chosen, at: datetime) -> Chosen:
        """What counts: of two requests with one key that come at once, the first one's choice."""
        await self._database.fetch(_DROP_OLD, tenant_id, at, KEEP_DAYS)
        await self._database.fetch(_KEEP, tenant_id, key, chosen.body_sha256, chosen.execution_ids, chosen.more, at)
        return await self.chosen(tenant_id, key) or chosen
