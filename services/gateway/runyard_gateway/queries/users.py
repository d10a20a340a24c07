"""Users, in the gateway's own table `gateway.users`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg
from runyard_shared.errors import Conflict

from runyard_gateway.answers import UserRow
from runyard_gateway.database import Database, Row
from runyard_gateway.permissions import Permission, known_permissions, permissions_of
from runyard_gateway.queries.api_keys import FURTHER_PERMISSIONS
from runyard_gateway.queries.columns import instant

_FURTHER = FURTHER_PERMISSIONS.format(roles="u.roles")
_COLUMNS = f"name, roles, disabled, created_at, email, display_name, oidc_subject, {_FURTHER} as further_permissions"
_PAGE = f"select {_COLUMNS} from gateway.users u where tenant_id = $1 and name > $2 order by name limit $3"  # noqa: S608
_ONE = f"select {_COLUMNS} from gateway.users u where tenant_id = $1 and name = $2"  # noqa: S608
_INSERT = (
    "insert into gateway.users as u"  # noqa: S608
    " (tenant_id, name, roles, disabled, created_at, email, display_name, oidc_subject, made_as)"
    f" values ($1, $2, $3, $4, $5, $6, $7, $8, $9::uuid) on conflict do nothing returning {_COLUMNS}"
)
_MADE = f"select {_COLUMNS} from gateway.users u where tenant_id = $1 and name = $2 and made_as = $3::uuid"  # noqa: S608
_UPDATE = (
    "update gateway.users u set roles = coalesce($3, roles), disabled = coalesce($4, disabled),"  # noqa: S608
    " email = case when $5 then $6 else email end, display_name = case when $7 then $8 else display_name end,"
    " oidc_subject = case when $9 then $10 else oidc_subject end"
    f" where tenant_id = $1 and name = $2 returning {_COLUMNS}"
)
_BY_SUBJECT = (
    "select u.name, u.roles, u.disabled or t.disabled as disabled,"  # noqa: S608
    f" {FURTHER_PERMISSIONS.format(roles='u.roles || $3::text[]')} as further_permissions"
    " from gateway.users u join gateway.tenant t on t.tenant_id = u.tenant_id"
    " where u.tenant_id = $1 and u.oidc_subject = $2"
)
_DELETE = (
    "with ended as (delete from gateway.session where tenant_id = $1 and user_name = $2)"
    " delete from gateway.users where tenant_id = $1 and name = $2 returning name"
)


class Unset:
    """Of a change: what is not given stays."""


UNSET = Unset()


@dataclass(frozen=True)
class About:
    """What is known of a person beside name and roles."""

    email: str | None = None
    display_name: str | None = None
    oidc_subject: str | None = None


NOTHING_MORE = About()


@dataclass(frozen=True)
class UserChange:
    """What is None (`roles`, `disabled`) or unset stays."""

    roles: Sequence[str] | None = None
    disabled: bool | None = None
    email: str | Unset | None = UNSET
    display_name: str | Unset | None = UNSET
    oidc_subject: str | Unset | None = UNSET


@dataclass(frozen=True)
class SignedIn:
    """A user as OpenID Connect knows it. `disabled`: itself or its tenant. `further_permissions`: of the tenant's own roles."""

    name: str
    roles: tuple[str, ...]
    disabled: bool
    further_permissions: frozenset[Permission]


class UserQueries:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, tenant_id: str, after_name: str, limit: int) -> list[UserRow]:
        """By name."""
        return [_user(row) for row in await self._database.fetch(_PAGE, tenant_id, after_name, limit)]

    async def user(self, tenant_id: str, name: str) -> UserRow | None:
        return _user_or_none(await self._database.fetch_row(_ONE, tenant_id, name))

    async def add(
        self,
        tenant_id: str,
        name: str,
        roles: Sequence[str],
        disabled: bool,
        at: datetime,
        about: About = NOTHING_MORE,
        *,
        made_as: str | None = None,
    ) -> UserRow | None:
        """None if the name or the subject is taken; not by the user that was made as `made_as` before."""
        row = await self._database.fetch_row(
            _INSERT, tenant_id, name, list(roles), disabled, at, about.email, about.display_name, about.oidc_subject, made_as
        )
        if row is None and made_as is not None:
            row = await self._database.fetch_row(_MADE, tenant_id, name, made_as)
        return _user_or_none(row)

    async def change(self, tenant_id: str, name: str, change: UserChange) -> UserRow | None:
        """None if there is no such user. Raises `Conflict` (`subject_taken`) if another user has the subject."""
        arguments: list[object] = [None if change.roles is None else list(change.roles), change.disabled]
        for each in (change.email, change.display_name, change.oidc_subject):
            arguments += (False, None) if isinstance(each, Unset) else (True, each)
        try:
            return _user_or_none(await self._database.fetch_row(_UPDATE, tenant_id, name, *arguments))
        except asyncpg.UniqueViolationError as error:
            raise Conflict("subject_taken", "Another user has this oidcSubject already.") from error

    async def by_subject(self, tenant_id: str, subject: str, group_roles: Sequence[str]) -> SignedIn | None:
        """Who signs in with this subject, with the permissions of `group_roles` added to those of its own roles."""
        row = await self._database.fetch_row(_BY_SUBJECT, tenant_id, subject, list(group_roles))
        if row is None:
            return None
        return SignedIn(row["name"], tuple(row["roles"]), row["disabled"], known_permissions(row["further_permissions"]))

    async def delete(self, tenant_id: str, name: str) -> bool:
        """With all keys. False if there is no such user."""
        return await self._database.fetch_row(_DELETE, tenant_id, name) is not None


def _user_or_none(row: Row | None) -> UserRow | None:
    return None if row is None else _user(row)


def _user(row: Row) -> UserRow:
    return UserRow(
        name=row["name"],
        roles=list(row["roles"]),
        permissions=sorted(permissions_of(row["roles"]) | known_permissions(row["further_permissions"])),
        disabled=row["disabled"],
        email=row["email"],
        display_name=row["display_name"],
        oidc_subject=row["oidc_subject"],
        created_at=instant(row["created_at"]) or "",
    )
