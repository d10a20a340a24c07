"""From an ASGI request to a handler and back: who asks, query, body, handler, and any error as a problem document.

One object for each path, which Starlette's router calls as an ASGI application: no middleware, no request object.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Literal

import structlog
from runyard_shared.errors import NotFound, Unavailable
from starlette.routing import BaseRoute, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from runyard_gateway.access_log import Access
from runyard_gateway.audit import AuditLog, Record
from runyard_gateway.http.agent_keys import AgentKeys
from runyard_gateway.http.answer import Answer
from runyard_gateway.http.asgi_extensions import ABORT
from runyard_gateway.http.bodies import ClientGone, parse_model, read_body
from runyard_gateway.http.doorkeeper import Doorkeeper
from runyard_gateway.http.identity import NOBODY, Identity
from runyard_gateway.http.operation import Call, Operation, RawBody
from runyard_gateway.http.problems import MethodNotAllowed, UnsupportedMediaType, problem_answer, problem_code
from runyard_gateway.http.query import parse_query
from runyard_gateway.http.source import Sources

_log = structlog.get_logger(__name__)


class Endpoint:
    """All operations of one path."""

    def __init__(
        self,
        operations: Sequence[Operation],
        doorkeeper: Doorkeeper,
        agent_keys: AgentKeys,
        audit: AuditLog,
        sources: Sources,
        body_limit: int,
        *,
        access_log: bool,
    ) -> None:
        self._by_method = {operation.method: operation for operation in operations}
        for operation in operations:
            if operation.method == "GET" and not operation.stream:
                self._by_method.setdefault("HEAD", operation)
        self._doorkeeper = doorkeeper
        self._agent_keys = agent_keys
        self._audit = audit
        self._sources = sources
        self._body_limit = body_limit
        self._access_log = access_log

    @property
    def methods(self) -> frozenset[str]:
        return frozenset(self._by_method)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        operation = self._by_method.get(scope["method"])
        if operation is None:
            await problem_answer(MethodNotAllowed(scope["method"], self._by_method))(scope, receive, send)
            return
        headers: Mapping[bytes, bytes] = dict(scope["headers"])
        access = self._access_log and Access(operation, headers)
        source = self._sources.of(scope, headers)
        record = self._audit.record(operation.name, source, scope["path_params"]) if operation.is_command else None
        code: str | None = None
        try:
            answer = await self._answer(operation, scope, receive, headers, source, record, access)
        except ClientGone:
            _log.debug("the client hung up before its request was complete", path=scope["path"])
            return
        except asyncio.CancelledError:  # by the server, which stops: see `STOP_SECONDS`
            _stay_to_answer()
            trouble = Unavailable("This gateway is being stopped, and the answer did not come in time")
            answer, code = problem_answer(trouble), problem_code(trouble)
        except Exception as error:  # noqa: BLE001  # this is where every error becomes an answer
            answer, code = problem_answer(error), problem_code(error)
        status = answer.status if isinstance(answer, Answer) else operation.status
        if record is not None:
            await record.end(status, code)
        try:
            await answer(scope, receive, send)
        except asyncio.CancelledError:
            _stay_to_answer()
            _log.warning("an answer is broken off: the gateway stops", path=scope["path"])
            scope["extensions"][ABORT]()  # so that nobody takes it for whole
        finally:
            if access:
                access.say(status, source, code, record)

    async def _answer(
        self,
        operation: Operation,
        scope: Scope,
        receive: Receive,
        headers: Mapping[bytes, bytes],
        source: str,
        record: Record | None,
        access: "Access | Literal[False]",
    ) -> ASGIApp:
        identity = await self._identify(operation, headers, source)
        if access:
            access.identity = identity
        if record is not None and not operation.public:
            record.sent_by(identity)
        if operation.permission is not None:
            identity.require(operation.permission)
        query = parse_query(operation.query, scope["query_string"])
        body: object = None
        if operation.body is not None:
            media_type = _media_type(headers, operation)
            content = await read_body(receive, headers.get(b"content-length"), operation.body_limit or self._body_limit)
            if operation.body is RawBody:
                body = RawBody(content, media_type)
            else:
                body = parse_model(operation.body, content, required=operation.body_required)  # type: ignore[arg-type]
        if record is not None and not operation.public:
            record.makes(body)
            record.begin()
        return await operation.handle(Call(identity, scope["path_params"], headers, query, body, source, record))

    async def _identify(self, operation: Operation, headers: Mapping[bytes, bytes], source: str) -> Identity:
        if operation.public:
            return NOBODY
        if operation.for_agents:
            return await self._agent_keys.identify(headers.get(b"authorization"))
        return await self._doorkeeper.identify(headers, operation.method, source)


def create_router(
    operations: Sequence[Operation],
    doorkeeper: Doorkeeper,
    agent_keys: AgentKeys,
    audit: AuditLog,
    sources: Sources,
    body_limit: int,
    web_app: Sequence[BaseRoute],
    *,
    access_log: bool,
) -> Router:
    """The ASGI application of all operations, matched in the order given, and of the web app."""
    by_path: dict[str, list[Operation]] = {}
    for operation in operations:
        by_path.setdefault(operation.path, []).append(operation)
    routes = [
        Route(path, Endpoint(each, doorkeeper, agent_keys, audit, sources, body_limit, access_log=access_log))
        for path, each in by_path.items()
    ]
    return Router([*routes, *web_app], redirect_slashes=False, default=_no_route)


def _stay_to_answer() -> None:
    """The cancellation was heard, and this task goes on to its end."""
    if (task := asyncio.current_task()) is not None:
        task.uncancel()


async def _no_route(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        trouble = NotFound("route_not_found", f"There is nothing at {scope['path']}. See /docs for what there is.")
        await problem_answer(trouble)(scope, receive, send)
    else:
        await send({"type": "websocket.close", "code": 1000})


def _media_type(headers: Mapping[bytes, bytes], operation: Operation) -> str:
    """The media type of the body, the operation's first one if the client does not say."""
    given = headers.get(b"content-type")
    if given is None:
        return operation.body_types[0]
    media_type = given.split(b";", 1)[0].strip().lower().decode("latin-1")
    if media_type not in operation.body_types:
        raise UnsupportedMediaType(media_type, operation.body_types)
    return media_type
