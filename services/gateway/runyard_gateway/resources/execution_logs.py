"""The execution log (R17): the events of an execution and of all its iterations in one order, in words."""

from collections.abc import Sequence
from typing import Annotated, NamedTuple

import msgspec
from runyard_shared.contracts.base import Event
from runyard_shared.contracts.events import EVENT_TYPES, IterationStarted, JobScheduled
from runyard_shared.contracts.feed import Recorded
from runyard_shared.eventstore.mapper import EventMapper
from starlette.types import ASGIApp

from runyard_gateway import answers, requests
from runyard_gateway.cursor import decode_cursor, encode_cursor
from runyard_gateway.execution_log import ERROR_TOPICS, Item, Job, LogEntry, Scene, entries
from runyard_gateway.graph import Graph
from runyard_gateway.graphs import Graphs
from runyard_gateway.http.answer import json_answer
from runyard_gateway.http.operation import Call, Operation
from runyard_gateway.http.query import MAX_POSITION
from runyard_gateway.permissions import Permission
from runyard_gateway.queries.events import EventQueries
from runyard_gateway.queries.executions import ExecutionQueries
from runyard_gateway.read_position import EXECUTIONS, ReadPosition
from runyard_gateway.resources.execution_reader import ExecutionReader
from runyard_gateway.resources.path_ids import execution_id_of

ERRORS_AT_ONCE = 200


class LogKey(NamedTuple):
    """The position of the last event of a page of the log."""

    position: Annotated[int, msgspec.Meta(ge=0, le=MAX_POSITION)]


class ExecutionLogs:
    def __init__(
        self,
        queries: ExecutionQueries,
        events: EventQueries,
        reader: ExecutionReader,
        graphs: Graphs,
        read_position: ReadPosition,
    ) -> None:
        self._queries = queries
        self._events = events
        self._reader = reader
        self._graphs = graphs
        self._read_position = read_position
        self._mapper = EventMapper(EVENT_TYPES)

    def operations(self) -> Sequence[Operation]:
        return (
            Operation(
                method="GET", path="/api/v1/executions/{executionId}/log", handle=self.log, name="getExecutionLog",
                tag="executions", permission=Permission.VIEW, summary="Every decision in words, in order",
                answer=answers.ExecutionLog, query=requests.LogQuery, refusals={404: "execution_not_found"},
            ),
        )  # fmt: skip

    async def log(self, call: Call) -> ASGIApp:
        query: requests.LogQuery = call.query
        execution_id = execution_id_of(call)
        await self._read_position.reach(EXECUTIONS, query.min_position)
        state = await self._reader.state(call.tenant_id, execution_id)
        graph = await self._graphs.of(call.tenant_id, state.workflow_id, state.version, state.as_of)
        backwards = query.order == "desc"
        after, before = query.after, query.before
        if (key := decode_cursor(query.cursor, LogKey)) is not None:
            after, before = (after, min(before, key.position)) if backwards else (max(after, key.position), before)
        found = await self._events.of_execution(
            call.tenant_id, execution_id, after, query.limit + 1, before, backwards=backwards
        )
        decoded = [(recorded, self._mapper.decode(recorded)) for recorded in found]
        scene = await self._scene(call.tenant_id, execution_id, graph, decoded)
        items: list[LogEntry] = []
        told = 0
        for recorded, event in decoded:
            lines = [*entries(recorded, event, scene)]
            if items and len(items) + len(lines) > query.limit:
                break
            items.extend(reversed(lines) if backwards else lines)
            told = recorded.position
        more = bool(found) and told != found[-1].position
        first_error = None
        if query.cursor is None and query.after == 0:
            if not backwards:
                first_error = next((entry for entry in items if entry.level == "error"), None)
            if first_error is None and (more or backwards):
                first_error = await self._first_error(call.tenant_id, execution_id, graph, 0 if backwards else told)
        cursor = encode_cursor(LogKey(told)) if more else None
        return json_answer(answers.ExecutionLog(items=items, next_cursor=cursor, first_error=first_error))

    async def _first_error(self, tenant_id: str, execution_id: str, graph: Graph, after: int) -> LogEntry | None:
        """Of the events that may be told as an error, some are told as a warning: an error that is not critical."""
        while True:
            found = await self._events.with_topics(tenant_id, execution_id, after, ERRORS_AT_ONCE, ERROR_TOPICS)
            decoded = [(recorded, self._mapper.decode(recorded)) for recorded in found]
            scene = await self._scene(tenant_id, execution_id, graph, decoded)
            for recorded, event in decoded:
                for entry in entries(recorded, event, scene):
                    if entry.level == "error":
                        return entry
            if len(found) < ERRORS_AT_ONCE:
                return None
            after = found[-1].position

    async def _scene(self, tenant_id: str, execution_id: str, graph: Graph, decoded: Sequence[tuple[Recorded, Event]]) -> Scene:
        """What the events only identify: jobs that were scheduled before them, and the iterations whose streams they are in."""
        jobs = {event.job_id: Job(event.node_id, event.attempt) for _, event in decoded if isinstance(event, JobScheduled)}
        named = {job_id for _, event in decoded if (job_id := getattr(event, "job_id", None)) is not None}
        for job_id, job in (await self._queries.jobs_named(tenant_id, execution_id, [*(named - jobs.keys())])).items():
            jobs[job_id] = Job(job.node_id, job.attempt)
        streams = {recorded.stream_id for recorded, _ in decoded} - {execution_id}
        items: dict[str, Item] = {}
        for stream_id, first in (await self._events.first_of_streams(streams)).items():
            started = self._mapper.decode(first)
            if isinstance(started, IterationStarted):
                items[stream_id] = Item(started.path, graph.body(started.body))
        return Scene(graph, jobs, items)
