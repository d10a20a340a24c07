"""errorHandler: reached by error edges; its output is the error."""

from typing import TYPE_CHECKING

from runyard_shared.contracts.workflow import ErrorHandlerNode

from runyard_orchestrator.execution.scope import error_value
from runyard_orchestrator.execution.state import TAKEN
from runyard_orchestrator.nodes.base import NodeType

if TYPE_CHECKING:
    from runyard_orchestrator.execution.walk import Walk
    from runyard_orchestrator.workflow.graph import GraphNode


class ErrorHandler(NodeType[ErrorHandlerNode]):
    def enter(self, walk: "Walk", node_id: str, node: "GraphNode") -> None:
        state = walk.state
        sources = (state.nodes.get(edge.source) for edge in node.incoming if state.edges[edge.index] == TAKEN)
        error = next((source.error for source in sources if source is not None and source.error is not None), None)
        walk.complete(node_id, "out", output=error_value(error) if error else {})
