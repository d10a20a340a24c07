"""From the claims of a verified token to a user of ours.

A user belongs to the `sub` of the identity provider. A name alone never makes anybody that user: whoever may choose a name at
the provider would otherwise become whom he likes here. So a new `sub` makes a new user, and one whose name is taken is refused
until an administrator says that both are one (`PATCH /users/{name}` with `oidcSubject`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runyard_shared.clock import Clock
from runyard_shared.errors import Forbidden

from runyard_gateway.http.identity import ADMIN, Credential, CredentialType, Identity, distinct
from runyard_gateway.http.problems import Unauthorized
from runyard_gateway.permissions import permissions_of
from runyard_gateway.queries.tenants import TenantQueries
from runyard_gateway.queries.users import About, SignedIn, UserQueries
from runyard_gateway.requests import NAME

MAX_SUBJECT = 255
_is_name = re.compile(NAME).match


@dataclass(frozen=True)
class ClaimNames:
    """Which claims say what; a dot leads into an object (`realm_access.roles`). `tenant`: empty, all are of one tenant.
    `roles_of_group`: what each group gives."""

    user: str
    groups: str
    tenant: str
    roles_of_group: Mapping[str, Sequence[str]]


class People:
    def __init__(self, names: ClaimNames, tenant_id: str, users: UserQueries, tenants: TenantQueries, clock: Clock) -> None:
        self._names = names
        self._tenant_id = tenant_id
        self._users = users
        self._tenants = tenants
        self._clock = clock

    async def identity(self, claims: Mapping[str, Any], secret_sha256: bytes) -> Identity:
        """Whose token it is; a user who is new is made. Raises `Forbidden` and `Unauthorized` with what to do, and
        `Unavailable`."""
        tenant_id = self._tenant_of(claims)
        subject = str(claims["sub"])
        if not 0 < len(subject) <= MAX_SUBJECT or "\0" in subject:
            raise Unauthorized("The claim sub of this token is no subject.")
        roles = self._roles_of(claims)
        user = await self._users.by_subject(tenant_id, subject, roles)
        if user is None:
            await self._make(tenant_id, subject, claims)
            user = await self._users.by_subject(tenant_id, subject, roles)
        if user is None:
            name = self._name_of(claims)
            raise Forbidden(
                "user_name_taken",
                f"There is a user {name} here that is not known to be you. An administrator says that it is, with PATCH"
                f' /api/v1/users/{name} {{"oidcSubject": "{subject}"}}.',
            )
        credential = Credential(CredentialType.TOKEN, subject, secret_sha256, float(claims["exp"]), roles)
        identity = _identity(tenant_id, user, credential)
        if identity is None:
            raise Unauthorized(f"The user {user.name} is disabled here.")
        return identity

    async def again(self, identity: Identity) -> Identity | None:
        """The same person now; None if that user is disabled or gone."""
        credential = identity.credential
        user = await self._users.by_subject(identity.tenant_id, credential.credential_id or "", credential.roles)
        return None if user is None else _identity(identity.tenant_id, user, credential)

    async def _make(self, tenant_id: str, subject: str, claims: Mapping[str, Any]) -> None:
        tenant = await self._tenants.tenant(tenant_id)
        if tenant is None or tenant.disabled:
            raise Forbidden("tenant_unknown", f"There is no tenant {tenant_id[:100]!r} here to sign in to.")
        verified = claims.get("email_verified", True) is not False
        about = About(
            email=_text(claims.get("email")) if verified else None,
            display_name=_text(claims.get("name")),
            oidc_subject=subject,
        )
        await self._users.add(tenant_id, self._name_of(claims), (), False, self._clock.now(), about)

    def _name_of(self, claims: Mapping[str, Any]) -> str:
        claim = self._names.user
        name = claim_of(claims, claim)
        if claim == "email" and claims.get("email_verified") is not True:
            raise Forbidden("no_user_name", "The identity provider does not say that your e-mail address is verified.")
        if not isinstance(name, str) or not _is_name(name) or name == ADMIN:
            raise Forbidden(
                "no_user_name",
                f"The claim {claim} of your token gives no user name: 1 to 200 characters without space, colon or slash, and"
                f" not {ADMIN}. RUNYARD_OIDC_USER_CLAIM chooses another claim.",
            )
        return name

    def _tenant_of(self, claims: Mapping[str, Any]) -> str:
        if not self._names.tenant:
            return self._tenant_id
        tenant_id = claim_of(claims, self._names.tenant)
        if not isinstance(tenant_id, str) or not tenant_id or "\0" in tenant_id:
            raise Forbidden("tenant_unknown", f"Your token names no tenant: its claim {self._names.tenant} should.")
        return tenant_id

    def _roles_of(self, claims: Mapping[str, Any]) -> tuple[str, ...]:
        groups = claim_of(claims, self._names.groups)
        listed = [groups] if isinstance(groups, str) else groups if isinstance(groups, list) else []
        return distinct([role for group in listed for role in self._names.roles_of_group.get(str(group), ())])


def claim_of(claims: Mapping[str, Any], name: str) -> Any:
    """A claim of exactly this name or, failing that, the one its dots lead to; None if there is none."""
    if name in claims:
        return claims[name]
    value: Any = claims
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _identity(tenant_id: str, user: SignedIn, credential: Credential) -> Identity | None:
    if user.disabled:
        return None
    roles = distinct([*user.roles, *credential.roles])
    return Identity(tenant_id, user.name, roles, permissions_of(roles) | user.further_permissions, credential)


def _text(value: object) -> str | None:
    return value[:200] if isinstance(value, str) and value and "\0" not in value else None
