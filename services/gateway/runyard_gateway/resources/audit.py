"""The audit log, for administrators: every command of the tenant, newest first."""

from collections.abc import Sequence

from starlette.types import ASGIApp

from runyard_gateway import answers, requests
from runyard_gateway.cursor import decode_cursor, encode_cursor
from runyard_gateway.http.answer import json_answer
from runyard_gateway.http.operation import Call, Operation
from runyard_gateway.permissions import Permission
from runyard_gateway.queries.audit import NEWEST, AuditFilter, AuditKey, AuditQueries


class Audit:
    def __init__(self, queries: AuditQueries) -> None:
        self._queries = queries

    def operations(self) -> Sequence[Operation]:
        return (
            Operation(
                method="GET", path="/api/v1/audit", handle=self.list, name="listAudit", tag="audit", answer=answers.AuditList,
                query=requests.AuditQuery, permission=Permission.ADMIN,
                summary="Every command: who sent it, from where, and what came of it; newest first",
            ),
        )  # fmt: skip

    async def list(self, call: Call) -> ASGIApp:
        query: requests.AuditQuery = call.query
        before = decode_cursor(query.cursor, AuditKey) or NEWEST
        chosen = AuditFilter(query.actor, query.operation, query.outcome, query.from_, query.to)
        rows = await self._queries.page(call.tenant_id, chosen, before, query.limit + 1)
        more = len(rows) > query.limit
        rows = rows[: query.limit]
        cursor = encode_cursor([rows[-1].audit_id]) if more else None
        return json_answer(answers.AuditList(items=rows, next_cursor=cursor))
