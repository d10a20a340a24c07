"""Reading executions: list, counts, detail, graph."""

from collections.abc import Mapping, Sequence

from runyard_shared.clock import Clock
from runyard_shared.contracts.values import ExecutionStatus
from runyard_shared.errors import NotFound
from starlette.types import ASGIApp

from runyard_gateway import answers, requests
from runyard_gateway.cursor import decode_cursor, encode_cursor
from runyard_gateway.execution_filter import filter_of
from runyard_gateway.graph_state import enclosing, graph_body
from runyard_gateway.graphs import Graphs
from runyard_gateway.http.answer import json_answer
from runyard_gateway.http.operation import Call, Operation
from runyard_gateway.http.query import ReadQuery
from runyard_gateway.permissions import Permission
from runyard_gateway.queries.approvals import ApprovalQueries
from runyard_gateway.queries.execution_list import COUNTED, Count, ExecutionListQueries, PageKey
from runyard_gateway.queries.executions import ExecutionQueries
from runyard_gateway.read_position import EXECUTIONS, ReadPosition
from runyard_gateway.resources.approvals import approver_of
from runyard_gateway.resources.execution_reader import ExecutionReader
from runyard_gateway.resources.path_ids import execution_id_of
from runyard_gateway.resources.waiting_reader import WaitingReader

PATH = "/api/v1/executions"
_NOT_FOUND = {404: "execution_not_found"}


class Executions:
    def __init__(
        self,
        queries: ExecutionQueries,
        lists: ExecutionListQueries,
        approvals: ApprovalQueries,
        reader: ExecutionReader,
        waiting: WaitingReader,
        graphs: Graphs,
        read_position: ReadPosition,
        clock: Clock,
    ) -> None:
        self._queries = queries
        self._lists = lists
        self._approvals = approvals
        self._reader = reader
        self._waiting = waiting
        self._graphs = graphs
        self._read_position = read_position
        self._clock = clock

    def operations(self) -> Sequence[Operation]:
        one = f"{PATH}/{{executionId}}"
        return (
            Operation(method="GET", path=PATH, handle=self.list, name="listExecutions", tag="executions",
                      permission=Permission.VIEW,
                      summary="Executions, newest first", answer=answers.ExecutionList, query=requests.ExecutionsQuery),
            Operation(method="GET", path=f"{PATH}/counts", handle=self.counts, name="countExecutions", tag="executions",
                      permission=Permission.VIEW,
                      summary="How many executions there are of each status, and how many approvals wait for me",
                      answer=answers.ExecutionCounts, query=requests.ExecutionCountsQuery),
            Operation(method="GET", path=one, handle=self.detail, name="getExecution", tag="executions",
                      permission=Permission.VIEW,
                      summary="An execution with its nodes, jobs and variables", answer=answers.ExecutionDetail,
                      query=ReadQuery, refusals=_NOT_FOUND),
            Operation(method="GET", path=f"{one}/graph", handle=self.graph, name="getExecutionGraph", tag="executions",
                      permission=Permission.VIEW,
                      summary="The graph that runs, with the state of every node and edge", answer=answers.ExecutionGraph,
                      query=requests.GraphQuery, refusals={404: "execution_not_found, item_not_found"}),
        )  # fmt: skip

    async def list(self, call: Call) -> ASGIApp:
        query: requests.ExecutionsQuery = call.query
        await self._read_position.reach(EXECUTIONS, query.min_position)
        after = decode_cursor(query.cursor, PageKey)
        now = self._clock.now()
        found = await self._lists.page(call.tenant_id, filter_of(query), after, query.limit + 1, now)
        more = len(found) > query.limit
        found = found[: query.limit]
        await self._waiting.tell(call.tenant_id, found, now)
        rows = [each.row for each in found]
        return json_answer(answers.ExecutionList(items=rows, next_cursor=encode_cursor(PageKey.of(rows[-1])) if more else None))

    async def counts(self, call: Call) -> ASGIApp:
        query: requests.ExecutionCountsQuery = call.query
        await self._read_position.reach(EXECUTIONS, query.min_position)
        found = await self._lists.counts(call.tenant_id, filter_of(query))
        waiting = await self._approvals.count_waiting_for(call.tenant_id, approver_of(call.identity), COUNTED + 1)
        return json_answer(
            answers.ExecutionCounts(
                statuses=status_counts(found),
                pending_approvals=counted(waiting),
            )
        )

    async def detail(self, call: Call) -> ASGIApp:
        query: ReadQuery = call.query
        execution_id = execution_id_of(call)
        await self._read_position.reach(EXECUTIONS, query.min_position)
        return json_answer((await self._reader.detail(call.tenant_id, execution_id)).detail)

    async def graph(self, call: Call) -> ASGIApp:
        query: requests.GraphQuery = call.query
        execution_id = execution_id_of(call)
        await self._read_position.reach(EXECUTIONS, query.min_position)
        state = await self._reader.state(call.tenant_id, execution_id)
        graph = await self._graphs.of(call.tenant_id, state.workflow_id, state.version, state.as_of)
        around = {} if query.item is None else enclosing(query.item)
        iterations = await self._queries.iterations(call.tenant_id, execution_id, around.values()) if around else {}
        if len(iterations) < len(around):
            raise NotFound("item_not_found", f"This execution has begun no iteration {query.item}.")
        nodes, as_of = await self._queries.node_states(call.tenant_id, execution_id, iterations.values())
        shown = graph_body(graph, nodes, around.keys())
        return json_answer(
            answers.ExecutionGraph(
                workflow_id=state.workflow_id, version=state.version, nodes=shown.nodes, edges=shown.edges, as_of=as_of
            )
        )


def status_counts(found: Mapping[ExecutionStatus, Count]) -> list[answers.StatusCount]:
    return [
        answers.StatusCount(status=status, count=found[status].number, exact=found[status].exact) for status in ExecutionStatus
    ]


def counted(number: int) -> answers.Count:
    """Of what was counted up to one more than `COUNTED`."""
    return answers.Count(count=min(number, COUNTED), exact=number <= COUNTED)
