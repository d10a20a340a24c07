"""Tenants, in the gateway's own table `gateway.tenant`."""

from datetime import datetime

from runyard_gateway.answers import TenantRow
from runyard_gateway.database import Database, Row
from runyard_gateway.queries.columns import instant

_COLUMNS = "tenant_id, name, time_zone, disabled, created_at"
_PAGE = f"select {_COLUMNS} from gateway.tenant where tenant_id > $1 order by tenant_id limit $2"  # noqa: S608
_ONE = f"select {_COLUMNS} from gateway.tenant where tenant_id = $1"  # noqa: S608
_INSERT = (
    f"with made as (insert into gateway.tenant ({_COLUMNS}) values ($1, $2, $3, false, $4)"  # noqa: S608
    f" on conflict do nothing returning {_COLUMNS}),"
    " first_user as (insert into gateway.users (tenant_id, name, roles, created_at)"
    " select tenant_id, $5, '{admin}', created_at from made returning tenant_id, name),"
    " first_key as (insert into gateway.api_key (key_id, tenant_id, user_name, key_sha256, created_at, name)"
    " select $6::uuid, tenant_id, name, $7, $4, 'first' from first_user)"
    f" select {_COLUMNS} from made"
)
_AGAIN = (
    "update gateway.api_key k set key_sha256 = $3 from gateway.tenant t"  # noqa: S608
    " where k.key_id = $1::uuid and k.tenant_id = $2 and t.tenant_id = k.tenant_id"
    f" returning {', '.join(f't.{each}' for each in _COLUMNS.split(', '))}"
)
_UPDATE = (
    "update gateway.tenant set name = coalesce($2, name), time_zone = coalesce($3, time_zone),"  # noqa: S608
    f" disabled = coalesce($4, disabled) where tenant_id = $1 returning {_COLUMNS}"
)


class TenantQueries:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, after: str, limit: int) -> list[TenantRow]:
        """By id."""
        return [_tenant(row) for row in await self._database.fetch(_PAGE, after, limit)]

    async def tenant(self, tenant_id: str) -> TenantRow | None:
        row = await self._database.fetch_row(_ONE, tenant_id)
        return None if row is None else _tenant(row)

    async def add(
        self, tenant_id: str, name: str, time_zone: str, at: datetime, *, user: str, key_id: str, key_sha256: bytes
    ) -> TenantRow | None:
        """With its first administrator, and a key for that. None if the id is taken; not by the tenant whose first key was made
        under this `key_id` before: that one gets the new key in place of one that nobody has seen."""
        row = await self._database.fetch_row(_INSERT, tenant_id, name, time_zone, at, user, key_id, key_sha256)
        if row is None:
            row = await self._database.fetch_row(_AGAIN, key_id, tenant_id, key_sha256)
        return None if row is None else _tenant(row)

    async def change(self, tenant_id: str, name: str | None, time_zone: str | None, disabled: bool | None) -> TenantRow | None:
        """What is None stays. None if there is no such tenant."""
        row = await self._database.fetch_row(_UPDATE, tenant_id, name, time_zone, disabled)
        return None if row is None else _tenant(row)


def _tenant(row: Row) -> TenantRow:
    return TenantRow(
        tenant_id=row["tenant_id"],
        name=row["name"],
        time_zone=row["time_zone"],
        disabled=row["disabled"],
        created_at=instant(row["created_at"]) or "",
    )
