"""Output as one long answer: read from the store piece by piece, as fast as the reader takes it, and never more than a piece in
memory."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import structlog
from runyard_shared.errors import RunyardError
from starlette.types import Receive, Scope, Send

from runyard_gateway.http.answer import Headers
from runyard_gateway.http.asgi_extensions import ABORT
from runyard_gateway.queries.output import OutputQueries

PIECE_BYTES = 1024 * 1024

_log = structlog.get_logger(__name__)


class CutShort(RunyardError):
    """What was promised is not there (any more)."""


class OutputBytes:
    """An ASGI answer with the bytes from `start` to `end` (excluded). With `mark_missing`, which needs headers without a
    length, a line stands where bytes are missing; else a missing byte cuts the answer short, as a lost connection would."""

    def __init__(
        self,
        queries: OutputQueries,
        job_id: str,
        stream: str,
        start: int,
        end: int,
        *,
        status: int,
        headers: Headers,
        mark_missing: bool,
    ) -> None:
        self._queries = queries
        self._job_id = job_id
        self._stream = stream
        self._start = start
        self._end = end
        self._status = status
        self._headers = headers
        self._mark_missing = mark_missing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self._status, "headers": self._headers})
        if scope["method"] != "HEAD":
            try:
                async with aclosing(self._parts()) as parts:
                    async for part in parts:
                        await send({"type": "http.response.body", "body": part, "more_body": True})
            except RunyardError as trouble:
                # The head is out: a connection that breaks is the only way left to say that this is not all.
                _log.warning("an output was cut short", path=scope["path"], reason=str(trouble))
                if ABORT in scope.get("extensions", {}):
                    scope["extensions"][ABORT]()
                return
        await send({"type": "http.response.body", "body": b""})

    async def _parts(self) -> AsyncGenerator[bytes, None]:
        at = self._start
        while at < self._end:
            pieces = await self._queries.pieces(self._job_id, self._stream, at, min(PIECE_BYTES, self._end - at))
            if not pieces:  # they have been deleted since
                yield self._gap(self._end - at)
                return
            for piece in pieces:
                yield self._gap(piece.size) if piece.data is None else piece.data
                at = piece.offset + piece.size

    def _gap(self, size: int) -> bytes:
        if not self._mark_missing:
            raise CutShort(f"{size} bytes are missing")
        return b"\n[%d bytes are missing here]\n" % size
