"""A real OpenID Connect provider to try: discovery, authorization code with PKCE, tokens and their keys, over HTTP."""

import json
import secrets
import time
from base64 import b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlencode

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.webserver import serving

AUDIENCE = "runyard-api"
CLIENT = "runyard web"
CLIENT_SECRET = "a secret: with + and %"
Json = dict[str, Any]

_KEYS = {f"rsa-{number}": rsa.generate_private_key(65537, 2048) for number in (1, 2)}


class IdentityProvider:
    """`person`: the claims of whoever sits at the browser. `away`: it answers nothing but 503."""

    def __init__(self) -> None:
        self.url = ""
        self.person: Json = {"sub": "u-1", "preferred_username": "alice", "groups": ["ops"]}
        self.away = False
        self.fetches: list[str] = []
        self.keys: dict[str, Any] = {"rsa-1": _KEYS["rsa-1"]}
        self.nonce: str | None = None
        """What the next ID token says instead of what it was asked for."""
        self._codes: dict[str, Json] = {}
        self.app = Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._discovery),
                Route("/keys", self._jwks),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
            ]
        )

    def rotate(self) -> None:
        """Another key signs from now on, and the one before is withdrawn."""
        self.keys = {"ec-1": ec.generate_private_key(ec.SECP256R1())} if "rsa-2" in self.keys else {"rsa-2": _KEYS["rsa-2"]}

    def token(self, **claims: Any) -> str:
        """A bearer token as programs send it; a claim of None is left out."""
        now = int(time.time())
        whole = {"iss": self.url, "aud": AUDIENCE, "iat": now, "exp": now + 300, **self.person, **claims}
        return self.sign({name: value for name, value in whole.items() if value is not None})

    def sign(self, claims: Json, *, key: Any = None, algorithm: str | None = None, key_id: str | None = None) -> str:
        known, private = next(iter(self.keys.items()))
        algorithm = algorithm or ("RS256" if known.startswith("rsa") else "ES256")
        return jwt.encode(claims, private if key is None else key, algorithm, headers={"kid": key_id or known})

    async def _discovery(self, request: Request) -> Response:
        self.fetches.append("discovery")
        if self.away:
            return Response(status_code=503)
        return JSONResponse(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys",
            }
        )

    async def _jwks(self, request: Request) -> Response:
        self.fetches.append("keys")
        listed: list[Json] = [{"kty": "oct", "kid": "shared", "k": "c2VjcmV0"}, {"kty": "unheard-of", "kid": "new"}]
        for key_id, key in self.keys.items():
            as_jwk = RSAAlgorithm.to_jwk if key_id.startswith("rsa") else ECAlgorithm.to_jwk
            listed.append({**json.loads(as_jwk(key.public_key())), "kid": key_id, "use": "sig"})
        return JSONResponse({"keys": listed})

    async def _authorize(self, request: Request) -> Response:
        """The person is signed in here already, so the browser is sent back at once."""
        query = dict(request.query_params)
        assert query["response_type"] == "code" and query["client_id"] == CLIENT and query["code_challenge_method"] == "S256"
        assert query["scope"] == "openid profile email"
        code = secrets.token_urlsafe(16)
        self._codes[code] = query
        return RedirectResponse(f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state'], 'extra': 1})}")

    async def _token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        kind, _, credentials = request.headers.get("authorization", "").partition(" ")
        user, _, password = b64decode(credentials).decode().partition(":") if kind == "Basic" else ("", "", "")
        if (unquote_plus(user), unquote_plus(password)) != (CLIENT, CLIENT_SECRET):
            return JSONResponse({"error": "invalid_client"}, 401)
        asked = self._codes.pop(form["code"], None)
        challenge = urlsafe_b64encode(sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        if asked is None or asked["code_challenge"] != challenge or asked["redirect_uri"] != form["redirect_uri"]:
            return JSONResponse({"error": "invalid_grant"}, 400)
        nonce = self.nonce or asked["nonce"]
        return JSONResponse({"token_type": "Bearer", "id_token": self.token(aud=CLIENT, nonce=nonce), "access_token": "-"})


@asynccontextmanager
async def identity_provider() -> AsyncIterator[IdentityProvider]:
    provider = IdentityProvider()
    async with serving(provider.app) as provider.url:
        yield provider
