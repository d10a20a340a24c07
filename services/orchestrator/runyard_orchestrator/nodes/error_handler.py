"""errorHandler: reached by error edges; its output is the error, which later nodes see as `error`."""

from typing import TYPE_CHECKING, Any

from runyard_shared.contracts.values import ErrorInfo
from runyard_shared.contracts.workflow import ErrorHandlerNode

from runyard_orchestrator.execution.scope import error_value
from runyard_orchestrator.execution.state import TAKEN, ExecutionState
from runyard_orchestrator.nodes.base import NodeType

if TYPE_CHECKING:
    from runyard_orchestrator.execution.walk import Walk
    from runyard_orchestrator.workflow.graph import Graph, GraphNode


class ErrorHandler(NodeType[ErrorHandlerNode]):
    def enter(self, walk: "Walk", node_id: str, node: "GraphNode") -> None:
        error = _error_of_source(walk.state, node_id, walk.graph)
        walk.complete(node_id, "out", output=error_value(error) if error else {})

    def completed(self, state: ExecutionState, node_id: str, output: Any, graph: "Graph") -> None:
        state.handled_error = _error_of_source(state, node_id, graph) or state.handled_error


def _error_of_source(state: ExecutionState, node_id: str, graph: "Graph") -> ErrorInfo | None:
    for edge in graph.nodes[node_id].incoming:
        source = state.nodes.get(edge.source)
        if state.edges[edge.index] == TAKEN and source is not None and source.error is not None:
            return source.error
    return None
