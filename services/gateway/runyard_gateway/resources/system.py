"""What is not about workflows: who am I, is the gateway well, how busy it is, what can be called."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence

from pydantic import SecretStr
from runyard_shared.errors import Refusal
from runyard_shared.loops import broken_loops
from runyard_shared.metrics import CONTENT_TYPE, exposition
from starlette.types import ASGIApp

from runyard_gateway import answers
from runyard_gateway.docs_page import DOCS_PAGE
from runyard_gateway.http.answer import bytes_answer, json_answer
from runyard_gateway.http.operation import Call, Operation
from runyard_gateway.http.problems import Unauthorized
from runyard_gateway.openapi import openapi_document
from runyard_gateway.projection_health import in_words, status_of
from runyard_gateway.queries.parked_messages import ParkedMessageQueries
from runyard_gateway.queries.projections import Lag, ProjectionQueries

CheckHealth = Callable[[], Awaitable[Mapping[str, str | None]]]


class System:
    """`metrics_token`: what `/metrics` asks for; None if it asks for nothing, empty if it is shown to nobody."""

    def __init__(
        self,
        check_health: CheckHealth,
        projections: ProjectionQueries,
        parked: ParkedMessageQueries,
        *,
        metrics_token: SecretStr | None,
        stale_after_seconds: float,
    ) -> None:
        self._check_health = check_health
        self._projections = projections
        self._parked = parked
        self._metrics_token = metrics_token
        self._stale_after_seconds = stale_after_seconds
        self._documented: Sequence[Operation] = ()
        self._openapi = b""

    def operations(self) -> Sequence[Operation]:
        return (
            Operation(method="GET", path="/api/v1/me", handle=self.me, name="getMe", tag="system",
                      summary="Who this API key is, and what it may do", answer=answers.Me, permission=None),
            Operation(method="GET", path="/healthz", handle=self.alive, name="getHealth", tag="system", public=True,
                      permission=None,
                      summary="The process answers and none of its loops has died; else 503: start it anew",
                      answer=answers.Health),
            Operation(method="GET", path="/readyz", handle=self.ready, name="getReadiness", tag="system", public=True,
                      permission=None,
                      summary="The gateway has what it needs; else 503 and what is the matter", answer=answers.Health),
            Operation(method="GET", path="/metrics", handle=self.metrics, name="getMetrics", tag="system", public=True,
                      permission=None, answer_types=(CONTENT_TYPE,),
                      refusals={401: "unauthorized", 403: "metrics_not_shown"},
                      summary="Figures for Prometheus, with RUNYARD_METRICS_TOKEN as bearer token if that is set"),
            Operation(method="GET", path="/openapi.json", handle=self.openapi, name="getOpenapi", tag="system", public=True,
                      permission=None,
                      summary="This document", answer=dict),
            Operation(method="GET", path="/docs", handle=self.docs, name="getDocs", tag="system", public=True, permission=None,
                      summary="This document as a page", answer_types=("text/html",)),
        )  # fmt: skip

    def document(self, operations: Sequence[Operation]) -> None:
        """All operations there are, these included; called once, before the first request."""
        self._documented = operations

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
        broken = broken_loops()
        health = answers.Health(status="unavailable" if broken else "ok", parts={**broken}, notes={})
        return json_answer(health, 503 if broken else 200)

    async def ready(self, call: Call) -> ASGIApp:
        parts = dict(await self._check_health())
        notes: dict[str, str] = {}
        if not any(parts.values()):
            lags = await self._projections.lags()
            upkeep = await self._projections.upkeep()
            parts["read models"] = self._staleness(lags)
            for lag in lags:
                status, reason = status_of(lag, upkeep.get(("rebuild", lag.name)))
                if status == "rebuilding":
                    reason = in_words(lag) if lag.seconds > self._stale_after_seconds else None
                if reason is not None:
                    notes[lag.name] = reason
            if waiting := await self._parked.count():
                notes["parked messages"] = f"{waiting:,} could not be handled: see `runyard admin parked list`"
        well = not any(parts.values())
        status_code = 200 if well else 503
        return json_answer(answers.Health(status="ok" if well else "unavailable", parts=parts, notes=notes), status_code)

    async def metrics(self, call: Call) -> ASGIApp:
        self._may_see_metrics(call)
        return bytes_answer(await exposition(), content_type=CONTENT_TYPE.encode())

    async def openapi(self, call: Call) -> ASGIApp:
        if not self._openapi:  # a fifth of a second: no gateway starts later for it, and no stream waits
            self._openapi = await asyncio.to_thread(lambda: json_answer(openapi_document(self._documented)).body)
        return bytes_answer(self._openapi, content_type=b"application/json")

    async def docs(self, call: Call) -> ASGIApp:
        return bytes_answer(DOCS_PAGE, content_type=b"text/html; charset=utf-8", headers=[(b"content-security-policy", CSP)])

    def _staleness(self, lags: Sequence[Lag]) -> str | None:
        stale = [f"{lag.name}: {in_words(lag)}" for lag in lags if lag.seconds > self._stale_after_seconds]
        return "; ".join(stale) or None

    def _may_see_metrics(self, call: Call) -> None:
        if self._metrics_token is None:
            return
        token = self._metrics_token.get_secret_value()
        if not token:
            detail = "Figures are shown on loopback, or to whoever has the token. Set RUNYARD_METRICS_TOKEN for the gateway."
            raise Refusal("metrics_not_shown", detail, 403)
        given = (call.header(b"authorization") or "").partition(" ")
        if given[0].lower() != "bearer" or not hmac.compare_digest(given[2].strip().encode(), token.encode()):
            raise Unauthorized("Send the token of RUNYARD_METRICS_TOKEN as a bearer token.")


CSP = b"default-src 'none'; connect-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'"
