"""Agents as the dispatcher sees them."""

from collections.abc import Sequence
from typing import Annotated, NamedTuple

import msgspec
from starlette.types import ASGIApp

from runyard_gateway import answers
from runyard_gateway.cursor import decode_cursor, encode_cursor
from runyard_gateway.http.answer import json_answer
from runyard_gateway.http.operation import Call, Operation
from runyard_gateway.http.query import PageQuery
from runyard_gateway.permissions import Permission
from runyard_gateway.queries.agents import AgentQueries


class PageKey(NamedTuple):
    """The last agent of a page."""

    name: Annotated[str, msgspec.Meta(pattern="^[^\0]*$")]


class Agents:
    def __init__(self, queries: AgentQueries) -> None:
        self._queries = queries

    def operations(self) -> Sequence[Operation]:
        return (
            Operation(
                method="GET", path="/api/v1/agents", handle=self.list, name="listAgents", tag="agents",
                permission=Permission.VIEW,
                summary="Every agent that ever registered, by name", answer=answers.AgentList, query=PageQuery,
            ),
        )  # fmt: skip

    async def list(self, call: Call) -> ASGIApp:
        query: PageQuery = call.query
        after = decode_cursor(query.cursor, PageKey) or PageKey("")
        rows = await self._queries.page(call.tenant_id, after.name, query.limit + 1)
        more = len(rows) > query.limit
        rows = rows[: query.limit]
        return json_answer(answers.AgentList(items=rows, next_cursor=encode_cursor(PageKey(rows[-1].name)) if more else None))
