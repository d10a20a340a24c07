"""The identity provider: its discovery document and its public keys (JWKS), fetched when needed and kept.

A provider that is away stops nobody whose key is known already. An unknown key is looked for at the provider, but no more often
than every few seconds, so that made-up tokens cannot have us flood it; and keys are fetched anew now and then, so that one that
was withdrawn is not trusted for ever.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import jwt
import structlog
from runyard_shared.errors import RunyardError, Unavailable

from runyard_gateway.http.problems import Unauthorized

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures that a public key verifies. Never one whose key is a shared secret, and never `none`."""
KEY_TYPES = frozenset({"RSA", "EC", "OKP"})
FETCH_AGAIN_SECONDS = 5.0
"""Between two attempts to find an unknown key."""
KEEP_SECONDS = 600.0
"""After which the keys are fetched anew."""
LEEWAY_SECONDS = 60.0
"""By which clocks may differ."""
TIMEOUT_SECONDS = 5.0

_log = structlog.get_logger(__name__)


class NotAnIssuer(RunyardError):
    """What was found at RUNYARD_OIDC_ISSUER is not the discovery document of that issuer."""


_AWAY = (httpx.HTTPError, httpx.InvalidURL, ValueError, NotAnIssuer)


@dataclass(frozen=True)
class Endpoints:
    """Of the discovery document. `secret_in_body`: how the token endpoint wants the client's secret, else as Basic."""

    authorization: str
    token: str
    jwks: str
    secret_in_body: bool


@dataclass
class _Keys:
    by_id: dict[str, jwt.PyJWK] = field(default_factory=dict)
    fetched_at: float = float("-inf")
    tried_at: float = float("-inf")
    trouble: str | None = None


class Issuer:
    """`url` as tokens name it in `iss`."""

    def __init__(self, url: str, client: httpx.AsyncClient) -> None:
        self.url = url
        self.client = client
        self._endpoints: Endpoints | None = None
        self._keys = _Keys()
        self._fetching = asyncio.Lock()

    async def endpoints(self) -> Endpoints:
        """Raises `Unavailable` if the provider is away and they are not known yet."""
        if self._endpoints is None:
            try:
                self._endpoints = await self._discover()
            except _AWAY as error:
                raise self.away(error) from error
        return self._endpoints

    async def verify(self, token: str, audience: str) -> Mapping[str, Any]:
        """The claims of a token that this provider made for `audience` and that holds now. Raises `Unauthorized`, which says
        why not, and `Unavailable` if its key is unknown while the provider is away."""
        try:
            header = jwt.get_unverified_header(token)
            algorithm = header.get("alg")
            if algorithm not in ALGORITHMS:
                raise Unauthorized(
                    f"This token is signed with {str(algorithm)[:20]!r}; only {', '.join(ALGORITHMS)} are taken."
                )
            key = await self._key(header.get("kid"), algorithm)
            claims: dict[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=[algorithm],
                audience=audience,
                issuer=self.url,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError) as error:
            raise Unauthorized(f"This token is not valid here: {error}.") from error
        return claims

    async def _key(self, key_id: object, algorithm: str) -> jwt.PyJWK:
        keys = self._keys
        now = time.monotonic()
        found = _choose(keys.by_id, key_id, algorithm)
        if (found is None or now - keys.fetched_at > KEEP_SECONDS) and now - keys.tried_at > FETCH_AGAIN_SECONDS:
            async with self._fetching:
                if now - keys.tried_at > FETCH_AGAIN_SECONDS:
                    await self._fetch_keys()
            found = _choose(keys.by_id, key_id, algorithm)
        if found is not None:
            return found
        if keys.trouble is not None:
            raise Unavailable(keys.trouble)
        raise Unauthorized("This token is signed with a key that its issuer does not have.")

    async def _fetch_keys(self) -> None:
        """Those that are known stay if it fails."""
        keys = self._keys
        try:
            endpoints = await self._discover()
            document = await self._get(endpoints.jwks)
            keys.by_id = _parse(document)
        except _AWAY as error:
            keys.trouble = str(self.away(error))
            _log.warning("the keys of the identity provider could not be fetched", reason=keys.trouble)
        else:
            self._endpoints = endpoints
            keys.trouble = None
            keys.fetched_at = time.monotonic()
        # Counted from its end: a provider that takes long to fail is not asked all the time.
        keys.tried_at = time.monotonic()

    async def _discover(self) -> Endpoints:
        document = await self._get(f"{self.url.rstrip('/')}/.well-known/openid-configuration")
        if document.get("issuer") != self.url:
            raise NotAnIssuer(f"the discovery document is of {str(document.get('issuer'))[:200]!r}, and not of {self.url}")
        methods = document.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        try:
            return Endpoints(
                authorization=str(document["authorization_endpoint"]),
                token=str(document["token_endpoint"]),
                jwks=str(document["jwks_uri"]),
                secret_in_body="client_secret_basic" not in methods,
            )
        except KeyError as error:
            raise NotAnIssuer(f"the discovery document has no {error.args[0]}") from error

    async def _get(self, url: str) -> dict[str, Any]:
        answer = await self.client.get(url)
        answer.raise_for_status()
        document = answer.json()
        if not isinstance(document, dict):
            raise NotAnIssuer(f"what {url} answers is no JSON object")
        return document

    def away(self, error: Exception) -> Unavailable:
        return Unavailable(f"The identity provider {self.url} is away: {error or type(error).__name__}")


def _parse(document: Mapping[str, Any]) -> dict[str, jwt.PyJWK]:
    """Keys for signatures that we can use; others are left out. One without an id has its place in the list as one."""
    listed = document.get("keys")
    if not isinstance(listed, Sequence):
        raise NotAnIssuer("the key set has no keys")
    keys: dict[str, jwt.PyJWK] = {}
    for place, each in enumerate(listed):
        if isinstance(each, dict) and each.get("kty") in KEY_TYPES and each.get("use", "sig") == "sig":
            try:
                keys[str(each.get("kid", f"#{place}"))] = jwt.PyJWK(each)
            except (jwt.PyJWTError, ValueError, KeyError, TypeError) as error:
                _log.warning("a key of the identity provider cannot be used", kid=each.get("kid"), reason=str(error))
    return keys


def _choose(keys: Mapping[str, jwt.PyJWK], key_id: object, algorithm: str) -> jwt.PyJWK | None:
    """The key with this id; of a token that names none, the only one there is for its algorithm."""
    if isinstance(key_id, str):
        found = keys.get(key_id)
        return found if found is not None and _fits(found, algorithm) else None
    fitting = [key for key in keys.values() if _fits(key, algorithm)]
    return fitting[0] if len(fitting) == 1 else None


_KEY_TYPE = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}


def _fits(key: jwt.PyJWK, algorithm: str) -> bool:
    return key.key_type == _KEY_TYPE[algorithm[:2]]
