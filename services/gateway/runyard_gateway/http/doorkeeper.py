"""Who is asking, whatever they show for it: an API key, a token of the identity provider, or the cookie of the web app.

A header `Authorization` wins over a cookie. A cookie opens commands only together with the CSRF token.
"""

from collections.abc import Mapping
from hashlib import sha256

from runyard_gateway.http.api_keys import ApiKeys
from runyard_gateway.http.cookies import CookieJar
from runyard_gateway.http.guesses import Guesses
from runyard_gateway.http.identity import CredentialType, Identity
from runyard_gateway.http.problems import Unauthorized
from runyard_gateway.http.sessions import Sessions
from runyard_gateway.http.tokens import Tokens

CHANGES_NOTHING = frozenset({"GET", "HEAD"})


class Doorkeeper:
    """`tokens`: None if no identity provider is set."""

    def __init__(self, keys: ApiKeys, sessions: Sessions, tokens: Tokens | None, jar: CookieJar, guesses: Guesses) -> None:
        self._keys = keys
        self._sessions = sessions
        self._tokens = tokens
        self._jar = jar
        self._guesses = guesses

    async def identify(self, headers: Mapping[bytes, bytes], method: str, source: str) -> Identity:
        """Raises `Unauthorized`, which says what to send but never what was wrong with a key; `TooManyAttempts`; `Forbidden`
        (`csrf`) for a command with a cookie alone; `Unavailable`."""
        authorization = headers.get(b"authorization")
        if authorization is None:
            return await self._identify_by_cookie(headers, method)
        scheme, _, given = authorization.partition(b" ")
        key = given.strip()
        identity = await self.identify_key(key, source) if scheme.lower() == b"bearer" else None
        if identity is None and self._tokens is not None and scheme.lower() == b"bearer":
            identity = await self._tokens.identify(key)
        if identity is None:
            self._guesses.failed(source)
            raise Unauthorized(
                "This API key opens nothing here: it is unknown, expired or revoked. Send one as Authorization: Bearer <key>."
            )
        return identity

    async def identify_key(self, key: bytes, source: str) -> Identity | None:
        """Whose API key it is, the admin token included; None for what is none that opens anything."""
        digest = sha256(key).digest()
        keys = self._keys
        if (not keys.admin_is_guessable or self._guesses.may_try(source)) and keys.is_admin(digest):
            return keys.admin
        return await keys.identify(key, digest)

    async def still(self, identity: Identity) -> Identity | None:
        """Whoever has the same credentials now, with what they permit now; None if they open nothing any more. Raises
        `Unavailable`."""
        match identity.credential.type:
            case CredentialType.API_KEY:
                return await self._keys.still(identity)
            case CredentialType.SESSION:
                return await self._sessions.still(identity)
            case CredentialType.TOKEN:
                return None if self._tokens is None else await self._tokens.still(identity)
        return identity

    def forget(self) -> None:
        """Users, keys, roles or tenants were changed here: nothing that is remembered counts any more."""
        self._keys.forget()
        self._sessions.forget()
        if self._tokens is not None:
            self._tokens.forget()

    async def _identify_by_cookie(self, headers: Mapping[bytes, bytes], method: str) -> Identity:
        token = self._jar.read(headers, self._jar.session)
        if token is None:
            raise Unauthorized("Send an API key as the header Authorization: Bearer <key>.")
        identity = await self._sessions.identify(token)
        if identity is None:
            raise Unauthorized("This session is over. Sign in again.")
        if method not in CHANGES_NOTHING:
            self._jar.require_csrf(headers, token)
        return identity
