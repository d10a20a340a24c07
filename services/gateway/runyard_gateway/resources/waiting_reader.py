"""Puts into words what the executions of a list, or of a detail, do and why they wait; asks for all of them together."""

from collections.abc import Sequence
from datetime import datetime

from runyard_gateway.graphs import Graphs
from runyard_gateway.queries.execution_rows import FoundExecution
from runyard_gateway.queries.waiting import WaitingQueries
from runyard_gateway.waiting import Surroundings, running_node, waiting_row


class WaitingReader:
    def __init__(self, queries: WaitingQueries, graphs: Graphs) -> None:
        self._queries = queries
        self._graphs = graphs

    async def tell(self, tenant_id: str, found: Sequence[FoundExecution], now: datetime) -> None:
        """Fills `row.waiting` and `row.running` of each."""
        waiting = [reason for each in found for reason in each.waiting]
        agents = await self._queries.agent_reasons(tenant_id, {each.job_id for each in waiting if each.job_id})
        children = await self._queries.workflow_names(tenant_id, {each.child_id for each in waiting if each.child_id})
        for each in found:
            if each.waiting or each.running:
                graph = await self._graphs.of(tenant_id, each.row.workflow_id, each.row.version, each.position)
                around = Surroundings(graph, agents, children)
                each.row.waiting = [waiting_row(reason, around, now) for reason in each.waiting]
                each.row.running = [running_node(node, graph) for node in each.running]
