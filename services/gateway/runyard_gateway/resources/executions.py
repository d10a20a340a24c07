"""Reading executions: list, detail, log, graph, jobs and their output."""

from collections.abc import Sequence
from typing import Annotated, NamedTuple

import msgspec
from runyard_shared.clock import Clock
from runyard_shared.contracts.events import EVENT_TYPES, JobScheduled
from runyard_shared.contracts.values import NodeStatus
from runyard_shared.contracts.workflow import TRIGGER_NODE
from runyard_shared.eventstore.mapper import EventMapper
from starlette.types import ASGIApp

from runyard_gateway import answers, requests
from runyard_gateway.cursor import decode_cursor, encode_cursor
from runyard_gateway.execution_log import Job, LogEntry, Scene, entries
from runyard_gateway.graph import EdgeStatus, GraphEdge
from runyard_gateway.graphs import Graphs
from runyard_gateway.http.answer import json_answer
from runyard_gateway.http.operation import Call, Operation
from runyard_gateway.http.query import MAX_POSITION, ReadQuery
from runyard_gateway.permissions import Permission
from runyard_gateway.queries.events import EventQueries
from runyard_gateway.queries.executions import ExecutionQueries, Filter, NodeState, PageKey
from runyard_gateway.read_position import EXECUTIONS, ReadPosition
from runyard_gateway.resources.execution_reader import ExecutionReader
from runyard_gateway.resources.path_ids import execution_id_of, job_id_of, no_job

PATH = "/api/v1/executions"
_NOT_FOUND = {404: "execution_not_found"}


class LogKey(NamedTuple):
    """The position of the last event of a page of the log."""

    position: Annotated[int, msgspec.Meta(ge=0, le=MAX_POSITION)]


class Executions:
    def __init__(
        self,
        queries: ExecutionQueries,
        events: EventQueries,
        reader: ExecutionReader,
        graphs: Graphs,
        read_position: ReadPosition,
        clock: Clock,
    ) -> None:
        self._queries = queries
        self._events = events
        self._reader = reader
        self._graphs = graphs
        self._read_position = read_position
        self._clock = clock
        self._mapper = EventMapper(EVENT_TYPES)

    def operations(self) -> Sequence[Operation]:
        one = f"{PATH}/{{executionId}}"
        return (
            Operation(method="GET", path=PATH, handle=self.list, name="listExecutions", tag="executions",
                      permission=Permission.VIEW,
                      summary="Executions, newest first", answer=answers.ExecutionList, query=requests.ExecutionsQuery),
            Operation(method="GET", path=one, handle=self.detail, name="getExecution", tag="executions",
                      permission=Permission.VIEW,
                      summary="An execution with its nodes, jobs and variables", answer=answers.ExecutionDetail,
                      query=ReadQuery, refusals=_NOT_FOUND),
            Operation(method="GET", path=f"{one}/log", handle=self.log, name="getExecutionLog", tag="executions",
                      permission=Permission.VIEW,
                      summary="Every decision in words, in order", answer=answers.ExecutionLog, query=requests.LogQuery,
                      refusals=_NOT_FOUND),
            Operation(method="GET", path=f"{one}/graph", handle=self.graph, name="getExecutionGraph", tag="executions",
                      permission=Permission.VIEW,
                      summary="The graph that runs, with the state of every node and edge", answer=answers.ExecutionGraph,
                      query=ReadQuery, refusals=_NOT_FOUND),
            Operation(method="GET", path=f"{one}/jobs/{{jobId}}", handle=self.job, name="getJob", tag="executions",
                      permission=Permission.VIEW,
                      summary="A job", answer=answers.JobRow, query=ReadQuery,
                      refusals={404: "execution_not_found, job_not_found"}),
        )  # fmt: skip

    async def list(self, call: Call) -> ASGIApp:
        query: requests.ExecutionsQuery = call.query
        await self._read_position.reach(EXECUTIONS, query.min_position)
        wanted = Filter(
            workflow_id=query.workflow_id,
            statuses=frozenset(query.status),
            trigger_type=query.trigger,
            started_from=query.from_,
            started_until=query.to,
            text=query.q,
        )
        after = decode_cursor(query.cursor, PageKey)
        rows = await self._queries.page(call.tenant_id, wanted, after, query.limit + 1, self._clock.now())
        more = len(rows) > query.limit
        rows = rows[: query.limit]
        return json_answer(answers.ExecutionList(items=rows, next_cursor=encode_cursor(PageKey.of(rows[-1])) if more else None))

    async def detail(self, call: Call) -> ASGIApp:
        query: ReadQuery = call.query
        execution_id = execution_id_of(call)
        await self._read_position.reach(EXECUTIONS, query.min_position)
        return json_answer(await self._reader.detail(call.tenant_id, execution_id))

    async def log(self, call: Call) -> ASGIApp:
        query: requests.LogQuery = call.query
        execution_id = execution_id_of(call)
        await self._read_position.reach(EXECUTIONS, query.min_position)
        state = await self._reader.state(call.tenant_id, execution_id)
        graph = await self._graphs.of(call.tenant_id, state.workflow_id, state.version, state.as_of)
        jobs = {job_id: Job(job.node_id, job.attempt) for job_id, job in state.jobs.items()}
        scene = Scene(graph, jobs)
        after = decode_cursor(query.cursor, LogKey) or LogKey(0)
        found = await self._events.of_stream(call.tenant_id, execution_id, after.position, query.limit + 1)
        items: list[LogEntry] = []
        told = 0
        for recorded in found:
            event = self._mapper.decode(recorded)
            if isinstance(event, JobScheduled):  # perhaps newer than the read model that `jobs` is from
                jobs[event.job_id] = Job(event.node_id, event.attempt)
            lines = [*entries(recorded, event, scene)]
            if items and len(items) + len(lines) > query.limit:
                break
            items.extend(lines)
            told = recorded.position
        more = bool(found) and told != found[-1].position
        return json_answer(answers.ExecutionLog(items=items, next_cursor=encode_cursor(LogKey(told)) if more else None))

    async def graph(self, call: Call) -> ASGIApp:
        query: ReadQuery = call.query
        execution_id = execution_id_of(call)
        await self._read_position.reach(EXECUTIONS, query.min_position)
        state = await self._reader.state(call.tenant_id, execution_id)
        graph = await self._graphs.of(call.tenant_id, state.workflow_id, state.version, state.as_of)
        nodes, as_of = await self._queries.node_states(call.tenant_id, execution_id)
        nodes[TRIGGER_NODE] = NodeState(NodeStatus.COMPLETED, None)
        edges: dict[GraphEdge, EdgeStatus] = dict.fromkeys(graph.edges, "pending")
        for node_id, node in nodes.items():
            edges.update(graph.edges_after(node_id, node.status, node.port))
        return json_answer(
            answers.ExecutionGraph(
                workflow_id=state.workflow_id,
                version=state.version,
                nodes=[
                    answers.GraphNodeState(
                        node_id=node.node_id, name=node.name, type=node.type, status=nodes[node.node_id].status
                    )
                    for node in graph.nodes.values()
                ],
                edges=[
                    answers.GraphEdgeState(from_node=edge.source, port=edge.port, to=edge.target, status=edges[edge])
                    for edge in graph.edges
                ],
                as_of=as_of,
            )
        )

    async def job(self, call: Call) -> ASGIApp:
        query: ReadQuery = call.query
        execution_id, job_id = execution_id_of(call), job_id_of(call)
        await self._read_position.reach(EXECUTIONS, query.min_position)
        job = await self._queries.job(call.tenant_id, execution_id, job_id, self._clock.now())
        if job is None:
            await self._reader.state(call.tenant_id, execution_id)
            raise no_job(job_id)
        return json_answer(job)
