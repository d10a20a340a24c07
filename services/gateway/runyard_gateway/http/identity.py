"""Who is asking: an API key says it. The administrator's is in the settings, all others are in the database, as hashes.

A key's answer is remembered for a moment, so that requests stay as fast as without a database and a revoked key stays open
no longer than that.
"""

import time
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from hmac import compare_digest

from pydantic import SecretStr
from runyard_shared.errors import Refusal

from runyard_gateway.http.problems import Unauthorized
from runyard_gateway.permissions import EVERYTHING, Permission, permissions_of
from runyard_gateway.queries.api_keys import ApiKeyQueries

ADMIN = "admin"
"""The user of the admin token; nobody else can have the name."""
KEY_PREFIX = b"rk_"
REMEMBER_SECONDS = 1.0
MAX_REMEMBERED = 10_000


@dataclass(frozen=True)
class Identity:
    """Whoever sent a request. `actor` is what events and logs name."""

    tenant_id: str
    actor: str
    roles: tuple[str, ...] = ()
    holds_admin_token: bool = False

    @cached_property
    def permissions(self) -> frozenset[Permission]:
        return EVERYTHING if self.holds_admin_token else permissions_of(self.roles)

    @cached_property
    def as_approver(self) -> list[str]:
        """What an approval's list of approvers may call it: its name, or `role:` and one of its roles."""
        return [self.actor, *(f"role:{role}" for role in self.roles)]

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    def require(self, permission: Permission) -> None:
        """Raises `Refusal` (403, `forbidden`), which names the permission."""
        if permission not in self.permissions:
            hint = (
                "Only the admin token gives it."
                if permission == Permission.INSTALLATION
                else "Ask an administrator for a role."
            )
            detail = f"This needs the permission {permission}, which {self.actor} does not have. {hint}"
            raise Refusal("forbidden", detail, 403, extra={"permission": permission.value})


class ApiKeys:
    """The keys that open this gateway."""

    def __init__(self, tenant_id: str, admin_token: SecretStr, queries: ApiKeyQueries) -> None:
        self._admin = Identity(tenant_id, ADMIN, (ADMIN,), holds_admin_token=True)
        self._admin_hash = sha256(admin_token.get_secret_value().encode()).digest()
        self._queries = queries
        self._remembered: OrderedDict[bytes, tuple[float, Identity]] = OrderedDict()

    async def identify(self, authorization: bytes | None) -> Identity:
        """Raises `Unauthorized`, which says what to send but never what was wrong with a key; `Unavailable`."""
        if authorization is None:
            raise Unauthorized("Send an API key as the header Authorization: Bearer <key>.")
        scheme, _, given = authorization.partition(b" ")
        key = given.strip()
        digest = sha256(key).digest()
        if scheme.lower() == b"bearer":
            if compare_digest(digest, self._admin_hash):
                return self._admin
            if key.startswith(KEY_PREFIX) and (identity := await self._look_up(digest)) is not None:
                return identity
        raise Unauthorized("This API key is not known here. Send a valid one as Authorization: Bearer <key>.")

    def forget(self) -> None:
        """Users or keys were changed here: nothing that is remembered counts any more."""
        self._remembered.clear()

    async def _look_up(self, digest: bytes) -> Identity | None:
        remembered = self._remembered.get(digest)
        if remembered is not None and remembered[0] > time.monotonic():
            return remembered[1]
        asked_at = time.monotonic()
        owner = await self._queries.owner(digest)
        if owner is None:
            self._remembered.pop(digest, None)
            return None
        identity = Identity(owner.tenant_id, owner.name, owner.roles)
        # counted from before the question: what was revoked meanwhile may be in the answer
        self._remembered[digest] = (asked_at + REMEMBER_SECONDS, identity)
        self._remembered.move_to_end(digest)
        if len(self._remembered) > MAX_REMEMBERED:
            self._remembered.popitem(last=False)
        return identity
