"""Signing in to the web app, by API key or at the identity provider; who is signed in; signing out.

The browser gets a cookie that scripts cannot read. What it may do with it is in `http/cookies.py`. Whom the identity provider
sends back in vain is led to the sign-in page, which has words for the code of the refusal; a program gets the refusal itself.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import structlog
from runyard_shared.errors import NotFound, Refusal, Unavailable
from starlette.types import ASGIApp

from runyard_gateway import answers, requests
from runyard_gateway.http.answer import Answer, json_answer
from runyard_gateway.http.cookies import CookieJar, csrf_token_of
from runyard_gateway.http.doorkeeper import Doorkeeper
from runyard_gateway.http.guesses import Guesses
from runyard_gateway.http.identity import NOBODY, CredentialType, Identity
from runyard_gateway.http.operation import Call, Operation
from runyard_gateway.http.problems import Unauthorized, problem_code
from runyard_gateway.http.sessions import Sessions
from runyard_gateway.oidc.sign_in import SECONDS, Begun, SignIn, SignInFailed

PATH = "/api/v1/session"
OIDC = f"{PATH}/oidc"
CALLBACK = f"{OIDC}/callback"
PAGE = "/sign-in"
_COOKIE = {"Set-Cookie": "The cookie of the session"}
_log = structlog.get_logger(__name__)


class SessionResource:
    """`sign_in`: None if no identity provider is set. `public_url`: where browsers reach the gateway; empty for wherever a
    request came to. `tenant_id`: in whose audit log attempts of unknown people are."""

    def __init__(
        self,
        sessions: Sessions,
        doorkeeper: Doorkeeper,
        jar: CookieJar,
        guesses: Guesses,
        sign_in: SignIn | None,
        *,
        lifetime_seconds: float,
        public_url: str,
        tenant_id: str,
    ) -> None:
        self._sessions = sessions
        self._doorkeeper = doorkeeper
        self._jar = jar
        self._guesses = guesses
        self._sign_in = sign_in
        self._lifetime_seconds = lifetime_seconds
        self._public_url = public_url.rstrip("/")
        self._tenant_id = tenant_id

    def operations(self) -> Sequence[Operation]:
        return (
            _operation("GET", PATH, self.show, "getSession", "Who is signed in, and the token that commands need",
                       answers.SessionDetail),
            _operation("POST", PATH, self.open, "signIn", "Sign in with an API key", answers.SessionDetail, status=201,
                       public=True, body=requests.SignIn, body_required=True, answer_headers=_COOKIE,
                       refusals={401: "unauthorized", 403: "csrf", 429: "too_many_attempts"}),
            _operation("DELETE", PATH, self.end, "signOut", "Sign out", None, status=204, answer_types=(),
                       refusals={403: "csrf"}),
            _operation("GET", f"{PATH}/methods", self.methods, "getSignInMethods", "How one can sign in here",
                       answers.SignInMethods, public=True),
            _operation("GET", OIDC, self.begin, "beginSignIn", "To the identity provider: for browsers", None, status=303,
                       answer_types=(), public=True, query=requests.SignInQuery,
                       refusals={404: "no_identity_provider", 503: "unavailable"}),
            _operation("GET", CALLBACK, self.finish, "finishSignIn", "Back from the identity provider: for browsers", None,
                       status=303, answer_types=(), public=True, query=requests.SignInAnswerQuery, signs_in=True,
                       answer_headers=_COOKIE,
                       refusals={400: "sign_in_failed", 401: "unauthorized", 404: "no_identity_provider",
                                 403: "user_name_taken, no_user_name, tenant_unknown", 503: "unavailable"}),
        )  # fmt: skip

    async def methods(self, call: Call) -> ASGIApp:
        return json_answer(answers.SignInMethods(api_key=True, oidc=None if self._sign_in is None else OIDC))

    async def show(self, call: Call) -> ASGIApp:
        if call.identity.credential.type != CredentialType.SESSION:
            return json_answer(_detail(call.identity, None, None))
        token = self._jar.read(call.headers, self._jar.session) or ""
        return json_answer(_detail(call.identity, csrf_token_of(token), await self._sessions.expires_at(token)))

    async def open(self, call: Call) -> ASGIApp:
        self._jar.require_own_origin(call.headers)
        body: requests.SignIn = call.body
        identity = await self._doorkeeper.identify_key(body.key.strip().encode(), call.source)
        if identity is None:
            # What is one too many is neither told apart from others nor written down: nobody can fill the log with it.
            self._guesses.failed(call.source)
            call.record.claim(self._tenant_id, NOBODY.actor)
            raise Unauthorized("This API key opens nothing here: it is unknown, expired or revoked.")
        call.record.sent_by(identity)
        call.record.begin()
        token = await self._open(call, identity)
        detail = _detail(identity, csrf_token_of(token), await self._sessions.expires_at(token))
        return json_answer(detail, 201, headers=[self._cookie(token)])

    async def end(self, call: Call) -> ASGIApp:
        token = self._jar.read(call.headers, self._jar.session)
        if token is not None and call.identity.credential.type == CredentialType.SESSION:
            await self._sessions.end(token)
        gone = self._jar.header(self._jar.session, "", 0)
        return Answer(204, [(b"cache-control", b"no-store"), gone], b"")

    # --- at the identity provider

    async def begin(self, call: Call) -> ASGIApp:
        query: requests.SignInQuery = call.query
        begun = Begun.new(query.return_to)
        try:
            address = await self._provider().address(begun, self._redirect_uri(call))
        except (Refusal, Unavailable) as trouble:
            return _refused(call, trouble, begun)
        return _see_other(address, self._jar.header(self._jar.sign_in, begun.as_cookie(), SECONDS))

    async def finish(self, call: Call) -> ASGIApp:
        cookie = self._jar.read(call.headers, self._jar.sign_in)
        begun = None if cookie is None else Begun.from_cookie(cookie)
        try:
            begun, identity = await self._finished(call, begun)
        except (Refusal, Unavailable) as trouble:
            return _refused(call, trouble, begun)
        call.record.sent_by(identity)
        call.record.begin()
        token = await self._open(call, identity)
        return _see_other(begun.return_to, self._cookie(token), self._jar.header(self._jar.sign_in, "", 0))

    async def _finished(self, call: Call, begun: Begun | None) -> tuple[Begun, Identity]:
        provider = self._provider()
        query: requests.SignInAnswerQuery = call.query
        if begun is None:
            raise SignInFailed("This browser has not begun a sign-in in the last ten minutes.")
        if query.error:
            reason = f"{query.error} {query.error_description}".strip()
            raise SignInFailed(f"The identity provider says: {reason[:300]}.")
        return begun, await provider.finish(begun, query.state, query.code, query.iss, self._redirect_uri(call))

    async def _open(self, call: Call, identity: Identity) -> str:
        """Another sign-in of this browser ends with it."""
        earlier = self._jar.read(call.headers, self._jar.session)
        if earlier is not None:
            await self._sessions.end(earlier)
        return await self._sessions.open(identity)

    def _cookie(self, token: str) -> tuple[bytes, bytes]:
        return self._jar.header(self._jar.session, token, self._lifetime_seconds)

    def _redirect_uri(self, call: Call) -> str:
        return (self._public_url or f"http://{call.header(b'host') or 'localhost'}") + CALLBACK

    def _provider(self) -> SignIn:
        if self._sign_in is None:
            raise NotFound("no_identity_provider", "No identity provider is set up here; sign in with an API key.")
        return self._sign_in


def _detail(identity: Identity, csrf_token: str | None, expires_at: str | None) -> answers.SessionDetail:
    return answers.SessionDetail(
        name=identity.actor,
        tenant_id=identity.tenant_id,
        roles=list(identity.roles),
        permissions=sorted(identity.permissions),
        csrf_token=csrf_token,
        expires_at=expires_at,
    )


def _refused(call: Call, trouble: Refusal | Unavailable, begun: Begun | None) -> Answer:
    """The page gets the code alone: an address whose words it repeated could make it say anything."""
    if "text/html" not in (call.header(b"accept") or ""):
        raise trouble
    if isinstance(trouble, Refusal) and trouble.status in (401, 403):
        # of somebody whom the provider knows: an administrator can mend it, and the detail says how
        _log.warning("a sign-in was refused", reason=trouble.detail)
    query = {"problem": problem_code(trouble)} | ({} if begun is None else {"returnTo": begun.return_to})
    return _see_other(f"{PAGE}?{urlencode(query)}")


def _see_other(address: str, *cookies: tuple[bytes, bytes]) -> Answer:
    headers = [(b"location", address.encode("ascii", "ignore")), (b"cache-control", b"no-store"), (b"content-length", b"0")]
    return Answer(303, [*headers, (b"referrer-policy", b"no-referrer"), *cookies], b"")


def _operation(method: str, path: str, handle: Any, name: str, summary: str, answer: Any, **options: Any) -> Operation:
    return Operation(
        method=method, path=path, handle=handle, name=name, summary=summary, tag="session", answer=answer, permission=None,
        **options,
    )  # fmt: skip
