"""From an ASGI request to a handler and back: who asks, query, body, handler, and any error as a problem document.

One object for each path, which Starlette's router calls as an ASGI application: no middleware, no request object.
"""

from collections.abc import Mapping, Sequence

import structlog
from runyard_shared.errors import NotFound
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from runyard_gateway.http.agent_keys import AgentKeys
from runyard_gateway.http.bodies import ClientGone, parse_model, read_body
from runyard_gateway.http.identity import ApiKeys, Identity
from runyard_gateway.http.operation import Call, Operation, RawBody
from runyard_gateway.http.problems import MethodNotAllowed, UnsupportedMediaType, problem_answer
from runyard_gateway.http.query import parse_query

_log = structlog.get_logger(__name__)

NOBODY = Identity(tenant_id="", actor="nobody")


class Endpoint:
    """All operations of one path."""

    def __init__(self, operations: Sequence[Operation], keys: ApiKeys, agent_keys: AgentKeys, body_limit: int) -> None:
        self._by_method = {operation.method: operation for operation in operations}
        for operation in operations:
            if operation.method == "GET" and not operation.stream:
                self._by_method.setdefault("HEAD", operation)
        self._keys = keys
        self._agent_keys = agent_keys
        self._body_limit = body_limit

    @property
    def methods(self) -> frozenset[str]:
        return frozenset(self._by_method)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            answer = await self._answer(scope, receive)
        except ClientGone:
            _log.debug("the client hung up before its request was complete", path=scope["path"])
            return
        except Exception as trouble:  # noqa: BLE001  # this is where every error becomes an answer
            answer = problem_answer(trouble)
        await answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> ASGIApp:
        operation = self._by_method.get(scope["method"])
        if operation is None:
            raise MethodNotAllowed(scope["method"], self._by_method)
        headers: Mapping[bytes, bytes] = dict(scope["headers"])
        identity = await self._identify(operation, headers.get(b"authorization"))
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
        return await operation.handle(Call(identity, scope["path_params"], headers, query, body))

    async def _identify(self, operation: Operation, authorization: bytes | None) -> Identity:
        if operation.public:
            return NOBODY
        keys = self._agent_keys if operation.for_agents else self._keys
        return await keys.identify(authorization)


def create_router(operations: Sequence[Operation], keys: ApiKeys, agent_keys: AgentKeys, body_limit: int) -> Router:
    """The ASGI application of all operations, matched in the order given."""
    by_path: dict[str, list[Operation]] = {}
    for operation in operations:
        by_path.setdefault(operation.path, []).append(operation)
    routes = [Route(path, Endpoint(each, keys, agent_keys, body_limit)) for path, each in by_path.items()]
    return Router(routes, redirect_slashes=False, default=_no_route)


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
