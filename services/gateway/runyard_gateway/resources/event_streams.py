"""Events as they happen: of one execution for whoever watches it (R19), of the tenant for other programs (R63)."""

import asyncio
from collections.abc import Mapping, Sequence

from runyard_shared.errors import Refusal

from runyard_gateway import requests
from runyard_gateway.http.operation import Call, Operation
from runyard_gateway.http.query import MAX_POSITION
from runyard_gateway.permissions import Permission
from runyard_gateway.queries.archived import ArchivedQueries
from runyard_gateway.queries.events import ORCHESTRATOR, EventFilter, EventQueries
from runyard_gateway.queries.executions import ExecutionState
from runyard_gateway.read_position import EXECUTIONS, ReadPosition
from runyard_gateway.resources.execution_reader import ExecutionReader
from runyard_gateway.resources.path_ids import execution_id_of
from runyard_gateway.streams.event_stream import Source
from runyard_gateway.streams.execution_stream import ExecutionStreams, Outstanding, Snapshot
from runyard_gateway.streams.log_tail import LogTail
from runyard_gateway.streams.open_streams import OpenStreams
from runyard_gateway.streams.shared_reads import SharedReads
from runyard_gateway.streams.tenant_stream import TenantStreams

READ_TURNS = 4
"""So many streams are opened at the same time: however many readers come back at once, other requests get their turn."""
SSE = ("text/event-stream",)
TOO_MANY = "too_many_streams, unavailable"


class EventStreams:
    def __init__(
        self,
        streams: OpenStreams,
        of_executions: ExecutionStreams,
        of_tenants: Mapping[str, TenantStreams],
        logs: Mapping[str, EventQueries],
        archived: ArchivedQueries,
        reader: ExecutionReader,
        read_position: ReadPosition,
        tail: LogTail,
    ) -> None:
        self._streams = streams
        self._of_executions = of_executions
        self._of_tenants = of_tenants
        self._logs = logs
        self._archived = archived
        self._reader = reader
        self._read_position = read_position
        self._tail = tail
        self._snapshots = SharedReads[Snapshot](READ_TURNS)
        self._states = SharedReads[ExecutionState](READ_TURNS)
        self._turns = asyncio.Semaphore(READ_TURNS)

    def operations(self) -> Sequence[Operation]:
        return (
            Operation(
                method="GET", path="/api/v1/executions/{executionId}/events", handle=self._streams.opens(self.of_execution),
                name="streamExecutionEvents", tag="events", answer_types=SSE, query=requests.StreamQuery, stream=True,
                permission=Permission.VIEW,
                request_headers={"Last-Event-ID": "Resume after this position, without a snapshot"},
                refusals={404: "execution_not_found", 503: TOO_MANY},
                summary="Server-Sent Events of an execution: `snapshot`, then its events and live `output`, then `end`",
            ),
            Operation(
                method="GET", path="/api/v1/events", handle=self._streams.opens(self.of_tenant), name="streamEvents",
                tag="events", permission=Permission.VIEW,
                answer_types=SSE, query=requests.EventsQuery, stream=True,
                request_headers={"Last-Event-ID": "Resume after this position"},
                refusals={410: "archived", 503: TOO_MANY},
                summary="Server-Sent Events of everything that happens in the tenant",
            ),
        )  # fmt: skip

    async def of_execution(self, call: Call) -> Source:
        query: requests.StreamQuery = call.query
        execution_id = execution_id_of(call)
        position = last_event_id(call)
        if position is None:
            position = query.last_event_id
        tenant_id, key = call.tenant_id, (call.tenant_id, execution_id)
        if position is None:
            # not older than what anybody was told here: what has finished is not shown running again
            told = self._tail.last_of_execution(execution_id)
            snapshot = await self._snapshots.read(
                key, lambda: self._snapshot(tenant_id, execution_id, told), lambda found: found.as_of >= told
            )
            return self._of_executions.from_now(tenant_id, snapshot)
        # not older than what the reader has, or the end that it has seen would never be known here
        seen = min(position, await self._tail.position())
        state = await self._states.read(
            key, lambda: self._state(tenant_id, execution_id, seen), lambda found: found.as_of >= seen
        )
        outstanding = Outstanding(state.status, len(state.outstanding), state.as_of)
        return self._of_executions.from_position(tenant_id, execution_id, position, outstanding)

    async def _snapshot(self, tenant_id: str, execution_id: str, at_least: int) -> Snapshot:
        await self._read_position.reach(EXECUTIONS, at_least)
        seen = await self._reader.detail(tenant_id, execution_id)
        return Snapshot.of(seen.detail, len(seen.outstanding))

    async def _state(self, tenant_id: str, execution_id: str, at_least: int) -> ExecutionState:
        await self._read_position.reach(EXECUTIONS, at_least)
        return await self._reader.state(tenant_id, execution_id)

    async def of_tenant(self, call: Call) -> Source:
        query: requests.EventsQuery = call.query
        chosen = EventFilter(tuple(query.type_), query.from_, query.subject)
        position = last_event_id(call)
        async with self._turns:
            if position is None:
                position = query.after
                if chosen.since is not None and chosen.subject is None:
                    position = max(position, await self._logs[query.log].before(chosen.since))
            if query.log == ORCHESTRATOR:
                await self._archived.require_whole(call.tenant_id, position, chosen.subject)
        return self._of_tenants[query.log].from_position(call.tenant_id, position, chosen)


def last_event_id(call: Call) -> int | None:
    """From the header. Raises `Refusal`."""
    text = call.header(b"last-event-id")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and int(text) <= MAX_POSITION):
        raise Refusal("invalid_last_event_id", "Last-Event-ID is the `id` of an event of this stream, a position in the log.")
    return int(text)
