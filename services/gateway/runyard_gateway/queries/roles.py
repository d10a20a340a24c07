"""Roles that tenants made for themselves, in the gateway's own table `gateway.role`; and the labels that are in use."""

from collections.abc import Sequence
from datetime import datetime

from runyard_gateway.answers import RoleRow
from runyard_gateway.database import Database
from runyard_gateway.permissions import known_permissions

_ALL = (
    "select coalesce(r.name, used.name) as name, r.permissions, coalesce(used.users, 0) as users"
    " from (select name, permissions from gateway.role where tenant_id = $1) r"
    " full join (select role as name, count(*) as users from gateway.users, unnest(roles) as role"
    " where tenant_id = $1 group by role) used on used.name = r.name"
)
_PUT = (
    "insert into gateway.role (tenant_id, name, permissions, changed_at) values ($1, $2, $3, $4)"
    " on conflict (tenant_id, name) do update set permissions = excluded.permissions, changed_at = excluded.changed_at"
    " returning (select count(*) from gateway.users where tenant_id = $1 and $2 = any(roles)) as users"
)
_DELETE = "delete from gateway.role where tenant_id = $1 and name = $2 returning name"


class RoleQueries:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self, tenant_id: str) -> list[RoleRow]:
        """The tenant's own, and every other name that some user has as a role."""
        return [
            RoleRow(
                name=row["name"],
                permissions=sorted(known_permissions(row["permissions"] or ())),
                built_in=False,
                is_label=row["permissions"] is None,
                users=row["users"],
            )
            for row in await self._database.fetch(_ALL, tenant_id)
        ]

    async def put(self, tenant_id: str, name: str, permissions: Sequence[str], at: datetime) -> RoleRow:
        row = await self._database.fetch_row(_PUT, tenant_id, name, list(permissions), at)
        users = 0 if row is None else row["users"]
        return RoleRow(
            name=name, permissions=sorted(known_permissions(permissions)), built_in=False, is_label=False, users=users
        )

    async def delete(self, tenant_id: str, name: str) -> bool:
        """False if there is no such role."""
        return await self._database.fetch_row(_DELETE, tenant_id, name) is not None
