"""Sign-ins of the web app, in the gateway's own table `gateway.session`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from runyard_gateway.answers import Instant
from runyard_gateway.database import Database
from runyard_gateway.permissions import Permission, known_permissions
from runyard_gateway.queries.api_keys import FURTHER_PERMISSIONS, KEY_HOLDS, USER_HOLDS
from runyard_gateway.queries.columns import instant

_HOLDS = "s.token_sha256 = $1 and s.expires_at > now() and s.last_used_at > now() - make_interval(secs => $2)"
_FIND = (
    "select s.session_id::text as session_id, s.tenant_id, s.user_name, s.admin_proof, s.roles as group_roles, s.expires_at,"  # noqa: S608
    " s.last_used_at < now() - interval '1 minute' as stale, u.roles, k.scopes,"
    f" {FURTHER_PERMISSIONS.format(roles='u.roles || s.roles')} as further_permissions"
    " from gateway.session s"
    " left join gateway.users u on u.tenant_id = s.tenant_id and u.name = s.user_name"
    " left join gateway.tenant t on t.tenant_id = s.tenant_id"
    " left join gateway.api_key k on k.key_id = s.key_id"
    f" where {_HOLDS} and (s.admin_proof is not null or (u.name is not null and {USER_HOLDS}))"
    f" and (s.key_id is null or ({KEY_HOLDS}))"
)
_USED = "update gateway.session set last_used_at = now() where session_id = $1::uuid returning session_id"
_ADD = (
    "with over as (delete from gateway.session where expires_at < now())"
    " insert into gateway.session (session_id, token_sha256, tenant_id, user_name, key_id, admin_proof, roles, created_at,"
    " last_used_at, expires_at) values ($1::uuid, $2, $3, $4, $5::uuid, $6, $7, now(), now(),"
    " now() + make_interval(secs => $8)) returning expires_at"
)
_END = "delete from gateway.session where token_sha256 = $1 returning session_id"


@dataclass(frozen=True)
class FoundSession:
    """A session that holds. `roles` is None for the administrator of the settings, whose `admin_proof` is then to be checked;
    `group_roles` come from the token of the sign-in; `scopes` from the key that was signed in with."""

    session_id: str
    tenant_id: str
    user: str
    admin_proof: bytes | None
    roles: tuple[str, ...] | None
    group_roles: tuple[str, ...]
    further_permissions: frozenset[Permission]
    scopes: frozenset[Permission] | None
    expires_at: Instant


class SessionQueries:
    def __init__(self, database: Database, idle_seconds: float) -> None:
        self._database = database
        self._idle_seconds = idle_seconds

    async def find(self, token_sha256: bytes) -> FoundSession | None:
        """None for a session that is unknown, over, or whose key, user or tenant does not hold any more."""
        row = await self._database.fetch_row(_FIND, token_sha256, self._idle_seconds)
        if row is None:
            return None
        if row["stale"]:
            await self._database.fetch(_USED, row["session_id"])
        return FoundSession(
            row["session_id"],
            row["tenant_id"],
            row["user_name"],
            row["admin_proof"],
            None if row["admin_proof"] is not None else tuple(row["roles"]),
            tuple(row["group_roles"]),
            known_permissions(row["further_permissions"]),
            None if row["scopes"] is None else known_permissions(row["scopes"]),
            instant(row["expires_at"]) or "",
        )

    async def add(
        self,
        session_id: str,
        token_sha256: bytes,
        tenant_id: str,
        user: str,
        *,
        key_id: str | None,
        admin_proof: bytes | None,
        roles: Sequence[str],
        seconds: float,
    ) -> datetime | None:
        """Until when it lasts at most; removes those that are over."""
        row = await self._database.fetch_row(
            _ADD, session_id, token_sha256, tenant_id, user, key_id, admin_proof, list(roles), seconds
        )
        return None if row is None else row["expires_at"]

    async def end(self, token_sha256: bytes) -> None:
        """Idempotent."""
        await self._database.fetch(_END, token_sha256)
