"""Events: of one execution for whoever watches it, of the tenant for other programs (R63)."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing

from runyard_shared.errors import Refusal
from runyard_shared.public_events import public_event
from starlette.types import ASGIApp

from runyard_gateway import answers, requests
from runyard_gateway.asyncapi import asyncapi_document
from runyard_gateway.cursor import decode_cursor, encode_cursor
from runyard_gateway.http.answer import json_answer
from runyard_gateway.http.operation import Call, Operation
from runyard_gateway.http.query import MAX_POSITION
from runyard_gateway.permissions import Permission
from runyard_gateway.queries.events import ORCHESTRATOR, EventFilter, EventQueries
from runyard_gateway.resources.execution_logs import LogKey
from runyard_gateway.resources.execution_reader import ExecutionReader
from runyard_gateway.resources.path_ids import execution_id_of
from runyard_gateway.streams.event_stream import Connection, EventStream
from runyard_gateway.streams.execution_stream import ExecutionStreams, Outstanding
from runyard_gateway.streams.live_events import LiveEvents
from runyard_gateway.streams.log_follower import follow

_LAST_EVENT_ID = {"Last-Event-ID": "Resume after this position, without a snapshot"}
_SSE = ("text/event-stream",)


class Events:
    def __init__(
        self,
        logs: Mapping[str, EventQueries],
        reader: ExecutionReader,
        live: LiveEvents,
        streams: ExecutionStreams,
        keep_alive_seconds: float,
        namespace: str,
    ) -> None:
        self._logs = logs
        self._namespace = namespace
        self._reader = reader
        self._live = live
        self._streams = streams
        self._keep_alive_seconds = keep_alive_seconds

    def operations(self) -> Sequence[Operation]:
        return (
            Operation(
                method="GET", path="/api/v1/executions/{executionId}/events", handle=self.of_execution,
                name="streamExecutionEvents", tag="events", answer_types=_SSE, query=requests.StreamQuery, stream=True,
                permission=Permission.VIEW,
                request_headers=_LAST_EVENT_ID, refusals={404: "execution_not_found"},
                summary="Server-Sent Events of an execution: `snapshot`, then its events and live `output`, then `end`",
            ),
            Operation(
                method="GET", path="/api/v1/events", handle=self.of_tenant, name="streamEvents", tag="events",
                permission=Permission.VIEW,
                answer_types=_SSE, query=requests.EventsQuery, stream=True, request_headers=_LAST_EVENT_ID,
                summary="Server-Sent Events of everything that happens in the tenant",
            ),
            Operation(
                method="GET", path="/api/v1/events.json", handle=self.page, name="listEvents", tag="events",
                permission=Permission.VIEW,
                answer=answers.EventList, query=requests.EventPageQuery, summary="The same events, page by page",
            ),
            Operation(
                method="GET", path="/asyncapi.json", handle=self.asyncapi, name="getAsyncapi", tag="events", public=True,
                permission=None, answer=dict, summary="The AsyncAPI 3 document of the events on the message broker",
            ),
        )  # fmt: skip

    async def of_execution(self, call: Call) -> ASGIApp:
        query: requests.StreamQuery = call.query
        execution_id = execution_id_of(call)
        position = _last_event_id(call)
        if position is None:
            position = query.last_event_id
        if position is None:
            seen = await self._reader.detail(call.tenant_id, execution_id)
            return EventStream(self._streams.from_now(call.tenant_id, seen.detail, seen.outstanding))
        state = await self._reader.state(call.tenant_id, execution_id)
        outstanding = Outstanding(state.status, state.outstanding, state.as_of)
        return EventStream(self._streams.from_position(call.tenant_id, execution_id, position, outstanding))

    async def of_tenant(self, call: Call) -> ASGIApp:
        query: requests.EventsQuery = call.query
        position = _last_event_id(call)
        after = query.after if position is None else position

        async def frames(connection: Connection) -> AsyncGenerator[bytes, None]:
            followed = follow(
                lambda last, limit: self._logs[ORCHESTRATOR].of_tenant(call.tenant_id, last, limit),
                lambda: self._live.subscribe_to_tenant(call.tenant_id),
                connection,
                after,
                self._keep_alive_seconds,
            )
            async with aclosing(followed) as lists:
                async for each in lists:
                    yield b"".join(live.content for live in each)

        return EventStream(frames)

    async def page(self, call: Call) -> ASGIApp:
        query: requests.EventPageQuery = call.query
        key = decode_cursor(query.cursor, LogKey)
        after = query.after if key is None else key.position
        queries = self._logs[query.log]
        chosen = EventFilter(tuple(query.type_), query.from_)
        if chosen.since is not None and key is None:
            after = max(after, await queries.before(chosen.since))
        page = await queries.page(call.tenant_id, after, query.limit, chosen)
        cursor = encode_cursor(LogKey(page.upto)) if page.more else None
        items = [public_event(recorded, query.log) for recorded in page.events]
        return json_answer(answers.EventList(items=items, next_cursor=cursor, position=page.upto))

    async def asyncapi(self, call: Call) -> ASGIApp:
        return json_answer(asyncapi_document(self._namespace))


def _last_event_id(call: Call) -> int | None:
    text = call.header(b"last-event-id")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and int(text) <= MAX_POSITION):
        raise Refusal("invalid_last_event_id", "Last-Event-ID is the `id` of an event of this stream, a position in the log.")
    return int(text)
