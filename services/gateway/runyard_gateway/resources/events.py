"""Events of the tenant, page by page, for other programs (R63)."""

from collections.abc import Mapping, Sequence

from runyard_shared.public_events import public_event
from starlette.types import ASGIApp

from runyard_gateway import answers, requests
from runyard_gateway.asyncapi import asyncapi_document
from runyard_gateway.cursor import decode_cursor, encode_cursor
from runyard_gateway.http.answer import json_answer
from runyard_gateway.http.operation import Call, Operation
from runyard_gateway.permissions import Permission
from runyard_gateway.queries.archived import ArchivedQueries
from runyard_gateway.queries.events import ORCHESTRATOR, EventFilter, EventQueries
from runyard_gateway.resources.execution_logs import LogKey


class Events:
    def __init__(
        self,
        logs: Mapping[str, EventQueries],
        archived: ArchivedQueries,
        namespace: str,
    ) -> None:
        self._logs = logs
        self._namespace = namespace
        self._archived = archived

    def operations(self) -> Sequence[Operation]:
        return (
            Operation(
                method="GET", path="/api/v1/events.json", handle=self.page, name="listEvents", tag="events",
                permission=Permission.VIEW, refusals={410: "archived"},
                answer=answers.EventList, query=requests.EventPageQuery,
                summary="Everything that happened in the tenant, page by page",
            ),
            Operation(
                method="GET", path="/asyncapi.json", handle=self.asyncapi, name="getAsyncapi", tag="events", public=True,
                permission=None, answer=dict, summary="The AsyncAPI 3 document of the events on the message broker",
            ),
        )  # fmt: skip

    async def page(self, call: Call) -> ASGIApp:
        query: requests.EventPageQuery = call.query
        key = decode_cursor(query.cursor, LogKey)
        after = query.after if key is None else key.position
        queries = self._logs[query.log]
        chosen = EventFilter(tuple(query.type_), query.from_, query.subject)
        if chosen.since is not None and chosen.subject is None and key is None:
            after = max(after, await queries.before(chosen.since))
        if query.log == ORCHESTRATOR:
            await self._archived.require_whole(call.tenant_id, after, chosen.subject)
        page = await queries.page(call.tenant_id, after, query.limit, chosen)
        cursor = encode_cursor(LogKey(page.upto)) if page.more else None
        items = [public_event(recorded, query.log) for recorded in page.events]
        return json_answer(answers.EventList(items=items, next_cursor=cursor, position=page.upto))

    async def asyncapi(self, call: Call) -> ASGIApp:
        return json_answer(asyncapi_document(self._namespace))
