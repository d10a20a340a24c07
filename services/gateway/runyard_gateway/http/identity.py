"""Who is asking: one tenant and one administrator's API key, compared in constant time and kept only as a hash."""

from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest

from pydantic import SecretStr

from runyard_gateway.http.problems import Unauthorized


@dataclass(frozen=True)
class Identity:
    """Whoever sent a request. `actor` is what events and logs name."""

    tenant_id: str
    actor: str


class ApiKeys:
    """The keys that open this gateway."""

    def __init__(self, tenant_id: str, admin_token: SecretStr) -> None:
        self._admin = Identity(tenant_id, "admin")
        self._admin_hash = sha256(admin_token.get_secret_value().encode()).digest()

    def identify(self, authorization: bytes | None) -> Identity:
        """Raises `Unauthorized`, which says what to send but never what was wrong with a key."""
        if authorization is None:
            raise Unauthorized("Send an API key as the header Authorization: Bearer <key>.")
        scheme, _, key = authorization.partition(b" ")
        if scheme.lower() != b"bearer" or not compare_digest(sha256(key.strip()).digest(), self._admin_hash):
            raise Unauthorized("This API key is not known here. Send a valid one as Authorization: Bearer <key>.")
        return self._admin
