"""Sessions of the web app: an opaque cookie instead of a key in the browser, kept as a hash.

A session holds no longer than what it was made with: its API key, its user and its tenant; one of the admin token ends when
the settings have another one.
"""

import hmac
import secrets
from dataclasses import dataclass
from hashlib import sha256

from pydantic import SecretStr
from runyard_shared.ids import new_id

from runyard_gateway.http.identity import Credential, CredentialType, Identity, distinct
from runyard_gateway.http.remembered import Remembered
from runyard_gateway.permissions import permissions_of
from runyard_gateway.queries.sessions import FoundSession, SessionQueries

TOKEN_PREFIX = "rs_"  # noqa: S105


@dataclass(frozen=True)
class _Known:
    session: FoundSession
    identity: Identity


class Sessions:
    """All sign-ins, by the hash of their cookie. `admin`: the identity that the admin token gives."""

    def __init__(self, queries: SessionQueries, admin: Identity, admin_token: SecretStr, lifetime_seconds: float) -> None:
        self._queries = queries
        self._admin = admin
        self._admin_token = admin_token.get_secret_value().encode()
        self._lifetime_seconds = lifetime_seconds
        self._remembered = Remembered(self._look_up)

    async def open(self, identity: Identity) -> str:
        """Signs in whoever showed the credentials of this identity; the token is for the cookie. Raises `Unavailable`."""
        token = TOKEN_PREFIX + secrets.token_urlsafe(32)
        credential = identity.credential
        is_admin = credential.type == CredentialType.ADMIN_TOKEN
        await self._queries.add(
            new_id(),
            _digest(token),
            identity.tenant_id,
            identity.actor,
            key_id=credential.credential_id if credential.type == CredentialType.API_KEY else None,
            admin_proof=self._proof(token) if is_admin else None,
            roles=credential.roles,
            seconds=self._lifetime_seconds,
        )
        return token

    async def identify(self, token: str) -> Identity | None:
        """None for a session that is over, or never was. Raises `Unavailable`."""
        if not token.startswith(TOKEN_PREFIX):
            return None
        known = await self._remembered.get(_digest(token))
        if known is None:
            return None
        proof = known.session.admin_proof
        if proof is not None and not hmac.compare_digest(proof, self._proof(token)):
            return None
        return known.identity

    async def still(self, identity: Identity) -> Identity | None:
        """The same session again, with what it may do now."""
        known = await self._remembered.get(identity.credential.secret_sha256)
        return None if known is None else known.identity

    async def end(self, token: str) -> None:
        """Idempotent."""
        await self._queries.end(_digest(token))
        self.forget()

    async def expires_at(self, token: str) -> str | None:
        """When it is over at the latest (RFC 3339); None if it is over."""
        known = await self._remembered.get(_digest(token))
        return None if known is None else known.session.expires_at

    def forget(self) -> None:
        self._remembered.forget()

    def _proof(self, token: str) -> bytes:
        """Which admin token it was, without a trace of it in the database: nobody there knows the cookie."""
        return hmac.digest(token.encode(), self._admin_token, "sha256")

    async def _look_up(self, digest: bytes) -> _Known | None:
        session = await self._queries.find(digest)
        if session is None:
            return None
        credential = Credential(CredentialType.SESSION, session.session_id, digest)
        if session.roles is None:
            admin = self._admin
            return _Known(session, Identity(admin.tenant_id, admin.actor, admin.roles, admin.permissions, credential))
        roles = distinct([*session.roles, *session.group_roles])
        permissions = permissions_of(roles) | session.further_permissions
        if session.scopes is not None:
            permissions &= session.scopes
        return _Known(session, Identity(session.tenant_id, session.user, roles, permissions, credential))


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()
