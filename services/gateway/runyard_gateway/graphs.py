"""Graphs of published versions, kept: a version never changes."""

from collections import OrderedDict

import msgspec

from runyard_gateway.graph import Graph
from runyard_gateway.queries.workflows import WorkflowQueries
from runyard_gateway.read_position import WORKFLOWS, ReadPosition

CAPACITY = 256


class Graphs:
    """The graphs used last."""

    def __init__(self, queries: WorkflowQueries, read_position: ReadPosition) -> None:
        self._queries = queries
        self._read_position = read_position
        self._kept: OrderedDict[tuple[str, int], Graph] = OrderedDict()

    async def of(self, tenant_id: str, workflow_id: str, version: int, as_of: int) -> Graph:
        """The caller has found an execution of this version in a read model at `as_of`: so it was published before that."""
        key = (workflow_id, version)
        graph = self._kept.get(key)
        if graph is None:
            await self._read_position.reach(WORKFLOWS, as_of)
            document = await self._queries.document(tenant_id, workflow_id, version)
            if document is None:
                raise LookupError(f"version {version} of workflow {workflow_id} is missing in its read model")
            graph = self._kept[key] = Graph(msgspec.json.decode(document))
            if len(self._kept) > CAPACITY:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return graph
