"""What is not about workflows: who am I, is the gateway well, what can be called."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from starlette.types import ASGIApp

from runyard_gateway import answers
from runyard_gateway.docs_page import DOCS_PAGE
from runyard_gateway.http.answer import bytes_answer, json_answer
from runyard_gateway.http.operation import Call, Operation
from runyard_gateway.openapi import openapi_document

CheckHealth = Callable[[], Awaitable[Mapping[str, str | None]]]


class System:
    def __init__(self, check_health: CheckHealth) -> None:
        self._check_health = check_health
        self._openapi = b""

    def operations(self) -> Sequence[Operation]:
        return (
            Operation(method="GET", path="/api/v1/me", handle=self.me, name="getMe", tag="system",
                      summary="Who this API key is, and what it may do", answer=answers.Me, permission=None),
            Operation(method="GET", path="/healthz", handle=self.alive, name="getHealth", tag="system", public=True,
                      permission=None,
                      summary="The process answers", answer=answers.Health),
            Operation(method="GET", path="/readyz", handle=self.ready, name="getReadiness", tag="system", public=True,
                      permission=None,
                      summary="The gateway has what it needs; else 503 and what is the matter", answer=answers.Health),
            Operation(method="GET", path="/openapi.json", handle=self.openapi, name="getOpenapi", tag="system", public=True,
                      permission=None,
                      summary="This document", answer=dict),
            Operation(method="GET", path="/docs", handle=self.docs, name="getDocs", tag="system", public=True, permission=None,
                      summary="This document as a page", answer_types=("text/html",)),
        )  # fmt: skip

    def document(self, operations: Sequence[Operation]) -> None:
        """All operations there are, these included; called once, before the first request."""
        self._openapi = json_answer(openapi_document(operations)).body

    async def me(self, call: Call) -> ASGIApp:
        identity = call.identity
        me = answers.Me(
            name=identity.actor,
            tenant_id=identity.tenant_id,
            roles=list(identity.roles),
            permissions=sorted(identity.permissions),
        )
        return json_answer(me)

    async def alive(self, call: Call) -> ASGIApp:
        return json_answer(answers.Health(status="ok", parts={}))

    async def ready(self, call: Call) -> ASGIApp:
        parts = dict(await self._check_health())
        well = not any(parts.values())
        return json_answer(answers.Health(status="ok" if well else "unavailable", parts=parts), 200 if well else 503)

    async def openapi(self, call: Call) -> ASGIApp:
        return bytes_answer(self._openapi, content_type=b"application/json")

    async def docs(self, call: Call) -> ASGIApp:
        return bytes_answer(DOCS_PAGE, content_type=b"text/html; charset=utf-8", headers=[(b"content-security-policy", CSP)])


CSP = b"default-src 'none'; connect-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'"
