"""Users, in the gateway's own table `gateway.users`."""

from collections.abc import Sequence
from datetime import datetime

from runyard_gateway.answers import UserRow
from runyard_gateway.database import Database, Row
from runyard_gateway.permissions import permissions_of
from runyard_gateway.queries.columns import instant

_COLUMNS = "name, roles, disabled, created_at"
_PAGE = f"select {_COLUMNS} from gateway.users where tenant_id = $1 and name > $2 order by name limit $3"  # noqa: S608
_ONE = f"select {_COLUMNS} from gateway.users where tenant_id = $1 and name = $2"  # noqa: S608
_INSERT = (
    "insert into gateway.users (tenant_id, name, roles, disabled, created_at) values ($1, $2, $3, $4, $5)"  # noqa: S608
    f" on conflict do nothing returning {_COLUMNS}"
)
_UPDATE = f"update gateway.users set roles = $3, disabled = $4 where tenant_id = $1 and name = $2 returning {_COLUMNS}"  # noqa: S608
_DELETE = "delete from gateway.users where tenant_id = $1 and name = $2 returning name"


class UserQueries:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, tenant_id: str, after_name: str, limit: int) -> list[UserRow]:
        """By name."""
        return [_user(row) for row in await self._database.fetch(_PAGE, tenant_id, after_name, limit)]

    async def user(self, tenant_id: str, name: str) -> UserRow | None:
        return _user_or_none(await self._database.fetch_row(_ONE, tenant_id, name))

    async def add(self, tenant_id: str, name: str, roles: Sequence[str], disabled: bool, at: datetime) -> UserRow | None:
        """None if the name is taken."""
        return _user_or_none(await self._database.fetch_row(_INSERT, tenant_id, name, list(roles), disabled, at))

    async def change(self, tenant_id: str, name: str, roles: Sequence[str], disabled: bool) -> UserRow | None:
        """None if there is no such user."""
        return _user_or_none(await self._database.fetch_row(_UPDATE, tenant_id, name, list(roles), disabled))

    async def delete(self, tenant_id: str, name: str) -> bool:
        """With all keys. False if there is no such user."""
        return await self._database.fetch_row(_DELETE, tenant_id, name) is not None


def _user_or_none(row: Row | None) -> UserRow | None:
    return None if row is None else _user(row)


def _user(row: Row) -> UserRow:
    return UserRow(
        name=row["name"],
        roles=list(row["roles"]),
        permissions=sorted(permissions_of(row["roles"])),
        disabled=row["disabled"],
        created_at=instant(row["created_at"]) or "",
    )
