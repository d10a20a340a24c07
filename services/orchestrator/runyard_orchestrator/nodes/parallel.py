"""parallel: takes all its edges at once."""

from typing import TYPE_CHECKING

from runyard_shared.contracts.workflow import ParallelNode

from runyard_orchestrator.nodes.base import NodeType

if TYPE_CHECKING:
    from runyard_orchestrator.execution.walk import Walk
    from runyard_orchestrator.workflow.graph import GraphNode


class Parallel(NodeType[ParallelNode]):
    ports = None

    def enter(self, walk: "Walk", node_id: str, node: "GraphNode") -> None:
        walk.complete(node_id, None)
