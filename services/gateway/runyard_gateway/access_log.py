"""The access log: a line for each request that was answered, with who sent it and how long it took. A stream's line comes at
its end. What agents and probes ask all the time is of the level debug."""

import logging
import re
from collections.abc import Mapping
from time import perf_counter
from typing import Final

import structlog
from runyard_shared.ids import new_id

from runyard_gateway.audit import Record
from runyard_gateway.http.identity import NOBODY, Identity
from runyard_gateway.http.operation import Operation

_log = structlog.get_logger(__name__)
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9_.:-]{1,64}")
_OF_MACHINES: Final = "system"
"""The tag of public operations that somebody asks every few seconds."""


class Access:
    """One request. Its id is the client's `X-Request-Id` if there is one, and goes with every line that is logged meanwhile."""

    __slots__ = ("_began_at", "_operation", "identity")

    def __init__(self, operation: Operation, headers: Mapping[bytes, bytes]) -> None:
        self._operation = operation
        self._began_at = perf_counter()
        self.identity: Identity = NOBODY
        given = headers.get(b"x-request-id", b"")
        request_id = given.decode() if _REQUEST_ID.fullmatch(given) else new_id()
        structlog.contextvars.bind_contextvars(request_id=request_id)

    def say(self, status: int, source: str, code: str | None, record: Record | None) -> None:
        operation = self._operation
        often = operation.for_agents or (operation.public and operation.tag == _OF_MACHINES)
        level = logging.DEBUG if often else logging.INFO
        who: Identity | Record = self.identity if record is None else record
        _log.log(
            level,
            "request",
            method=operation.method,
            route=operation.path,
            status=status,
            duration_ms=round((perf_counter() - self._began_at) * 1000, 1),
            tenant_id=who.tenant_id,
            actor=who.actor,
            source=source,
            **({} if code is None else {"reason": code}),
        )
