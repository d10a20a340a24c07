"""API keys, in the gateway's own table `gateway.api_key`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from runyard_gateway.answers import ApiKeyRow
from runyard_gateway.database import Database, Row
from runyard_gateway.permissions import Permission, known_permissions
from runyard_gateway.queries.columns import instant

FURTHER_PERMISSIONS = (
    "array(select unnest(r.permissions) from gateway.role r where r.tenant_id = u.tenant_id and r.name = any({roles}))"
)
"""What roles that a tenant made for itself give; `u` is the user."""
KEY_HOLDS = "k.revoked_at is null and (k.expires_at is null or k.expires_at > now())"
USER_HOLDS = "not u.disabled and not t.disabled"

_OWNER = (
    "select k.key_id::text as key_id, k.last_used_at < now() - interval '1 minute' as stale, u.tenant_id, u.name, u.roles,"  # noqa: S608
    f" k.scopes, {FURTHER_PERMISSIONS.format(roles='u.roles')} as further_permissions"
    " from gateway.api_key k join gateway.users u on u.tenant_id = k.tenant_id and u.name = k.user_name"
    " join gateway.tenant t on t.tenant_id = u.tenant_id"
    f" where k.key_sha256 = $1 and {KEY_HOLDS} and {USER_HOLDS}"
)
_USED = "update gateway.api_key set last_used_at = now() where key_id = $1::uuid returning key_id"
_COLUMNS = "key_id::text as key_id, user_name, name, scopes, created_at, expires_at, revoked_at, last_used_at"
_INSERT = (
    "insert into gateway.api_key (key_id, tenant_id, user_name, key_sha256, created_at, expires_at, name, scopes)"  # noqa: S608
    " select $1::uuid, u.tenant_id, u.name, $4, $5, $6, $7, $8 from gateway.users u where u.tenant_id = $2 and u.name = $3"
    f" on conflict (key_id) do update set key_sha256 = excluded.key_sha256 returning {_COLUMNS}"
)
_PAGE = (
    f"select {_COLUMNS} from gateway.api_key where tenant_id = $1 and key_id < $2::uuid"  # noqa: S608
    " and ($3::text is null or user_name = $3) order by key_id desc limit $4"
)
_REVOKE = (
    "update gateway.api_key set revoked_at = coalesce(revoked_at, $3) where tenant_id = $1 and key_id = $2::uuid"  # noqa: S608
    f" and ($4::text is null or user_name = $4) returning {_COLUMNS}"
)


class KeyKey(NamedTuple):
    """Where a page ended."""

    key_id: UUID


NEWEST = KeyKey(UUID(int=2**128 - 1))


@dataclass(frozen=True)
class Owner:
    """Whose key it is. `scopes`: what the key is limited to, None for nothing."""

    key_id: str
    tenant_id: str
    name: str
    roles: tuple[str, ...]
    further_permissions: frozenset[Permission]
    scopes: frozenset[Permission] | None


class ApiKeyQueries:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def owner(self, key_sha256: bytes) -> Owner | None:
        """None for a key that is unknown, expired, revoked, or of a user or tenant that is disabled."""
        row = await self._database.fetch_row(_OWNER, key_sha256)
        if row is None:
            return None
        if row["stale"] is not False:
            await self._database.fetch(_USED, row["key_id"])
        return Owner(
            row["key_id"],
            row["tenant_id"],
            row["name"],
            tuple(row["roles"]),
            known_permissions(row["further_permissions"]),
            None if row["scopes"] is None else known_permissions(row["scopes"]),
        )

    async def add(
        self,
        tenant_id: str,
        key_id: str,
        user: str,
        key_sha256: bytes,
        at: datetime,
        expires_at: datetime | None,
        *,
        name: str = "",
        scopes: Sequence[str] | None = None,
    ) -> ApiKeyRow | None:
        """None if there is no such user. A key that was made under this id before opens nothing more: nobody has seen it."""
        row = await self._database.fetch_row(
            _INSERT, key_id, tenant_id, user, key_sha256, at, expires_at, name, None if scopes is None else list(scopes)
        )
        return None if row is None else _key(row)

    async def page(self, tenant_id: str, user: str | None, before: KeyKey, limit: int) -> list[ApiKeyRow]:
        """Newest first."""
        return [_key(row) for row in await self._database.fetch(_PAGE, tenant_id, before.key_id, user, limit)]

    async def revoke(self, tenant_id: str, key_id: str, at: datetime, user: str | None = None) -> ApiKeyRow | None:
        """A key that is revoked already stays as it is. None if there is no such key; `user`: if it is not theirs."""
        row = await self._database.fetch_row(_REVOKE, tenant_id, key_id, at, user)
        return None if row is None else _key(row)


def _key(row: Row) -> ApiKeyRow:
    return ApiKeyRow(
        key_id=row["key_id"],
        user=row["user_name"],
        name=row["name"],
        scopes=None if row["scopes"] is None else sorted(known_permissions(row["scopes"])),
        created_at=instant(row["created_at"]) or "",
        expires_at=instant(row["expires_at"]),
        revoked_at=instant(row["revoked_at"]),
        last_used_at=instant(row["last_used_at"]),
    )
