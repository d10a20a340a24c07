"""People sign in at the identity provider: the authorization code flow with PKCE, state and nonce (RFC 6749, 7636, 9700).

What must be the same when the browser comes back is kept in a cookie of that browser alone, for ten minutes: so nobody can have
another one's browser finish a sign-in that he began, and any gateway can finish what another one began.
"""

import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from typing import Any
from urllib.parse import urlencode

import httpx
import structlog
from pydantic import SecretStr
from runyard_shared.errors import Refusal

from runyard_gateway.http.identity import Identity
from runyard_gateway.oidc.issuer import Issuer
from runyard_gateway.oidc.people import People
from runyard_gateway.requests import OWN_PATH

SECONDS = 600
_is_own_path = re.compile(OWN_PATH).match
_log = structlog.get_logger(__name__)


class SignInFailed(Refusal):
    """The browser came back with something that is not the end of a sign-in it began."""

    def __init__(self, detail: str) -> None:
        super().__init__("sign_in_failed", f"{detail} Begin again at /api/v1/session/oidc.", 400)


@dataclass(frozen=True)
class Begun:
    """A sign-in under way, as the browser's cookie keeps it."""

    state: str
    nonce: str
    verifier: str
    return_to: str

    @classmethod
    def new(cls, return_to: str) -> "Begun":
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        return cls(state, nonce, verifier, return_to)

    def as_cookie(self) -> str:
        path = urlsafe_b64encode(self.return_to.encode()).rstrip(b"=").decode()
        return ".".join((self.state, self.nonce, self.verifier, path))

    @classmethod
    def from_cookie(cls, value: str) -> "Begun | None":
        parts = value.split(".")
        if len(parts) != 4:
            return None
        try:
            path = urlsafe_b64decode(parts[3] + "=" * (-len(parts[3]) % 4)).decode()
        except (NotBase64, ValueError):
            return None
        return cls(parts[0], parts[1], parts[2], path) if _is_own_path(path) else None


class SignIn:
    def __init__(self, issuer: Issuer, people: People, client_id: str, client_secret: SecretStr, scopes: str) -> None:
        self._issuer = issuer
        self._people = people
        self._client_id = client_id
        self._client_secret = client_secret.get_secret_value()
        self._scopes = scopes

    async def address(self, begun: Begun, redirect_uri: str) -> str:
        """Where the browser goes to. Raises `Unavailable` if the provider is away."""
        endpoints = await self._issuer.endpoints()
        challenge = urlsafe_b64encode(sha256(begun.verifier.encode()).digest()).rstrip(b"=").decode()
        query = urlencode(
            {
                "response_type": "code",
                "client_id": self._client_id,
                "redirect_uri": redirect_uri,
                "scope": self._scopes,
                "state": begun.state,
                "nonce": begun.nonce,
                "code_challenge": challenge,
                "code_challenge_method": "S256",
            }
        )
        return f"{endpoints.authorization}{'&' if '?' in endpoints.authorization else '?'}{query}"

    async def finish(self, begun: Begun, state: str, code: str, issuer: str | None, redirect_uri: str) -> Identity:
        """Who it is. Raises `SignInFailed`; `Unauthorized` or `Forbidden` for whom the provider knows and we do not let in;
        `Unavailable`."""
        if not compare_digest(begun.state.encode(), state.encode()):
            raise SignInFailed("This is not the sign-in that was begun in this browser.")
        if issuer is not None and issuer != self._issuer.url:
            raise SignInFailed("This answer comes from another identity provider.")
        token = await self._exchange(code, begun.verifier, redirect_uri)
        claims = await self._issuer.verify(token, self._client_id)
        if not compare_digest(str(claims.get("nonce", "")).encode(), begun.nonce.encode()):
            raise SignInFailed("The identity provider's token was made for another sign-in.")
        if claims.get("azp", self._client_id) != self._client_id:
            raise SignInFailed("The identity provider's token was made for another client.")
        return await self._people.identity(claims, sha256(token.encode()).digest())

    async def _exchange(self, code: str, verifier: str, redirect_uri: str) -> str:
        """The ID token for the code."""
        endpoints = await self._issuer.endpoints()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        options: dict[str, Any] = {}
        if not self._client_secret or endpoints.secret_in_body:
            form["client_id"] = self._client_id
        if self._client_secret and endpoints.secret_in_body:
            form["client_secret"] = self._client_secret
        elif self._client_secret:
            options["auth"] = httpx.BasicAuth(_form_encoded(self._client_id), _form_encoded(self._client_secret))
        try:
            answer = await self._issuer.client.post(endpoints.token, data=form, **options)
            document = answer.json() if answer.content else {}
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise self._issuer.away(error) from error
        if answer.status_code >= 500:
            raise self._issuer.away(httpx.HTTPError(f"its token endpoint answers {answer.status_code}"))
        if answer.is_error or not isinstance(document, dict) or not isinstance(document.get("id_token"), str):
            reason = str(document.get("error", answer.status_code) if isinstance(document, dict) else answer.status_code)[:100]
            _log.warning("the identity provider refused a sign-in", reason=reason)
            raise SignInFailed(f"The identity provider did not confirm it ({reason}).")
        return str(document["id_token"])


def _form_encoded(text: str) -> str:
    """As RFC 6749 (2.3.1) wants both halves of HTTP Basic."""
    return urlencode({"": text})[1:]
