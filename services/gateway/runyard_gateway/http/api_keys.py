"""API keys: the administrator's is in the settings, all others are in the database, as hashes."""

from hashlib import sha256
from hmac import compare_digest

from pydantic import SecretStr

from runyard_gateway.http.identity import ADMIN, Credential, CredentialType, Identity
from runyard_gateway.http.remembered import Remembered
from runyard_gateway.permissions import EVERYTHING, permissions_of
from runyard_gateway.queries.api_keys import ApiKeyQueries

KEY_PREFIX = b"rk_"
GUESSABLE_BELOW = 32
"""An admin token with fewer characters could be found by trying, if one could try for ever."""


class ApiKeys:
    """The keys that open this gateway."""

    def __init__(self, tenant_id: str, admin_token: SecretStr, queries: ApiKeyQueries) -> None:
        token = admin_token.get_secret_value().encode()
        self._admin_hash = sha256(token).digest()
        credential = Credential(CredentialType.ADMIN_TOKEN, secret_sha256=self._admin_hash)
        self.admin = Identity(tenant_id, ADMIN, (ADMIN,), EVERYTHING, credential)
        self.admin_is_guessable = len(token) < GUESSABLE_BELOW
        self._queries = queries
        self._remembered = Remembered(self._look_up)

    def is_admin(self, digest: bytes) -> bool:
        """`digest`: the SHA-256 of what was shown."""
        return compare_digest(digest, self._admin_hash)

    async def identify(self, key: bytes, digest: bytes) -> Identity | None:
        """Whose key it is, other than the administrator's; None for one that opens nothing. Raises `Unavailable`."""
        return await self._remembered.get(digest) if key.startswith(KEY_PREFIX) else None

    async def still(self, identity: Identity) -> Identity | None:
        """The same key again, with what it may do now."""
        return await self._remembered.get(identity.credential.secret_sha256)

    def forget(self) -> None:
        self._remembered.forget()

    async def _look_up(self, digest: bytes) -> Identity | None:
        owner = await self._queries.owner(digest)
        if owner is None:
            return None
        permissions = permissions_of(owner.roles) | owner.further_permissions
        if owner.scopes is not None:
            permissions &= owner.scopes
        credential = Credential(CredentialType.API_KEY, owner.key_id, digest)
        return Identity(owner.tenant_id, owner.name, owner.roles, permissions, credential)
