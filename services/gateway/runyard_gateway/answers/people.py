"""Users, keys, roles, tenants, sessions, and who did what."""

from typing import Annotated, Literal

from msgspec import Meta

from runyard_gateway.answers.body import Body, Cursor, Id, Instant
from runyard_gateway.permissions import Permission
from runyard_gateway.shown_once import ShownOnce


class UserRow(Body):
    """`permissions`: what its roles give. `oidcSubject`: the claim `sub` of whoever signs in as this user."""

    name: str
    roles: list[str]
    permissions: list[Permission]
    disabled: Annotated[bool, Meta(description="While it is, no key, token or session of the user is taken")]
    email: str | None
    display_name: str | None
    oidc_subject: str | None
    created_at: Instant


class UserList(Body):
    items: list[UserRow]
    next_cursor: Cursor


class ApiKeyRow(Body):
    """`scopes`: what the key is limited to, of what its user may do; null for no limit."""

    key_id: Id
    user: str
    name: str
    scopes: list[Permission] | None
    created_at: Instant
    expires_at: Instant | None
    revoked_at: Instant | None
    last_used_at: Annotated[Instant | None, Meta(description="To the minute")]


class ApiKeyMade(ApiKeyRow):
    key: ShownOnce


class ApiKeyList(Body):
    items: list[ApiKeyRow]
    next_cursor: Cursor


class RoleRow(Body):
    """`isLabel`: nobody defined it; it gives no permission, and approvers may be chosen by it."""

    name: str
    permissions: list[Permission]
    built_in: bool
    is_label: bool
    users: Annotated[int, Meta(description="Who have it here; groups of an identity provider are not counted")]


class RoleList(Body):
    items: list[RoleRow]


class TenantRow(Body):
    """`timeZone`: days of analytics are days there, unless a request names another."""

    tenant_id: str
    name: str
    time_zone: str
    disabled: Annotated[bool, Meta(description="While it is, no key, token or session of the tenant is taken")]
    created_at: Instant


class TenantMade(TenantRow):
    """With its first administrator."""

    user: str
    key_id: Id
    key: ShownOnce


class TenantList(Body):
    items: list[TenantRow]
    next_cursor: Cursor


class SignInMethods(Body):
    """`oidc`: where a browser goes to sign in at the identity provider; null if there is none."""

    api_key: bool
    oidc: str | None


class SessionDetail(Body):
    """Who is signed in. `csrfToken` goes with every command as the header X-CSRF-Token; it and `expiresAt` are null for
    whoever did not come by cookie."""

    name: str
    tenant_id: str
    roles: list[str]
    permissions: list[Permission]
    csrf_token: str | None
    expires_at: Annotated[Instant | None, Meta(description="At the latest; earlier if it is not used")]


class AuditRow(Body):
    """One command. `credentialType`: what it was let in by; `credentialId`: the id of the key or the session, the subject of
    the token. `outcome` unknown: the gateway died before it had an answer. `code`: of the problem, if there was one."""

    audit_id: Id
    actor: str
    credential_type: Literal["admin_token", "api_key", "session", "token", "agent_key", "none"]
    credential_id: str | None
    source: Annotated[str, Meta(description="The address it came from")]
    operation: Annotated[str, Meta(description="`operationId` in /openapi.json")]
    target: Annotated[
        str | None,
        Meta(description="The ids and names in the path; of what is made, its name; of what is imported, what became of each"),
    ]
    outcome: Literal["done", "refused", "failed", "unknown"]
    status: int | None
    code: str | None
    started_at: Instant
    duration_ms: int | None


class AuditList(Body):
    items: list[AuditRow]
    next_cursor: Cursor


class Me(Body):
    name: str
    tenant_id: str
    roles: list[str]
    permissions: list[Permission]
