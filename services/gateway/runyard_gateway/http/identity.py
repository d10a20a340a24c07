"""Who sent a request, what that may do, and by what it was let in."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from runyard_shared.errors import Refusal

from runyard_gateway.permissions import Permission

ADMIN = "admin"
"""The user of the admin token; nobody else can have the name."""
REMEMBER_SECONDS = 1.0
"""How long an answer about credentials counts: requests stay as fast as without a database, and what was revoked by another
gateway stays open no longer than that."""
MAX_REMEMBERED = 10_000


class CredentialType(StrEnum):
    """What somebody was let in by."""

    ADMIN_TOKEN = "admin_token"  # noqa: S105
    API_KEY = "api_key"
    SESSION = "session"
    TOKEN = "token"  # noqa: S105
    AGENT_KEY = "agent_key"
    NONE = "none"


@dataclass(frozen=True)
class Credential:
    """`credential_id`: the id of the key or the session, the subject of a token; nothing that opens anything.

    `secret_sha256`: what was shown, hashed. Of a token: `until`, when it expires (seconds since 1970), and `roles`, those that
    the groups in it give.
    """

    type: CredentialType
    credential_id: str | None = None
    secret_sha256: bytes = field(default=b"", repr=False)
    until: float | None = None
    roles: tuple[str, ...] = ()


NO_CREDENTIAL = Credential(CredentialType.NONE)


@dataclass(frozen=True)
class Identity:
    """Whoever sent a request. `actor` is what events and logs name; `permissions` what all of its roles give, as far as its
    credential goes."""

    tenant_id: str
    actor: str
    roles: tuple[str, ...] = ()
    permissions: frozenset[Permission] = frozenset()
    credential: Credential = NO_CREDENTIAL

    @cached_property
    def as_approver(self) -> list[str]:
        """What an approval's list of approvers may call it: its name, or `role:` and one of its roles."""
        return [self.actor, *(f"role:{role}" for role in self.roles)]

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    def require(self, permission: Permission) -> None:
        """Raises `Refusal` (403, `forbidden`), which names the permission."""
        if permission in self.permissions:
            return
        hint = "Ask an administrator for a role that has it, or for a key with that scope."
        if permission == Permission.INSTALLATION:
            hint = "Only the admin token gives it."
        detail = f"This needs the permission {permission}, which {self.actor} does not have here. {hint}"
        raise Refusal("forbidden", detail, 403, extra={"permission": permission.value})


def distinct(roles: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(roles))


NOBODY = Identity(tenant_id="", actor="nobody")
