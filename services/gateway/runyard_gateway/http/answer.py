"""A whole answer in one piece. Streams (`streams/`) are the other kind; a handler returns either, as an ASGI application."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.types import Receive, Scope, Send

from runyard_gateway.http.asgi_extensions import JOIN

Headers = list[tuple[bytes, bytes]]

WITHOUT_BODY = frozenset({204, 304})
JSON_TYPE = b"application/json"

_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Answer:
    """Status, headers and body, sent at once."""

    status: int
    headers: Headers
    body: bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        join = scope.get("extensions", {}).get(JOIN)
        if join is not None and self.body and scope["method"] != "HEAD" and self.status not in WITHOUT_BODY:
            join()
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body})


def json_answer(
    value: Any, status: int = 200, *, content_type: bytes = JSON_TYPE, headers: Iterable[tuple[bytes, bytes]] = ()
) -> Answer:
    """`value`: anything msgspec encodes."""
    return bytes_answer(_encode(value), status, content_type=content_type, headers=headers)


def nothing_answer() -> Answer:
    """204."""
    return Answer(204, [(b"cache-control", b"no-store")], b"")


def bytes_answer(body: bytes, status: int = 200, *, content_type: bytes, headers: Iterable[tuple[bytes, bytes]] = ()) -> Answer:
    fixed = [(b"content-type", content_type), (b"content-length", b"%d" % len(body)), (b"cache-control", b"no-store")]
    return Answer(status, [*fixed, *headers], body)
