"""setVariables: binds names for later nodes, `vars.<name>`."""

from typing import TYPE_CHECKING, Any

from runyard_shared.contracts.values import ErrorInfo
from runyard_shared.contracts.workflow import SetVariablesNode

from runyard_orchestrator.nodes.base import NodeType

if TYPE_CHECKING:
    from runyard_orchestrator.execution.state import ExecutionState
    from runyard_orchestrator.execution.walk import Walk
    from runyard_orchestrator.workflow.graph import Graph, GraphNode


class SetVariables(NodeType[SetVariablesNode]):
    def template_of(self, spec: SetVariablesNode) -> Any:
        return spec.values

    def template_field(self) -> str:
        return "values"

    def completed(self, state: "ExecutionState", node_id: str, output: Any, graph: "Graph") -> None:
        state.vars |= output

    def enter(self, walk: "Walk", node_id: str, node: "GraphNode") -> None:
        warnings: list[str] = []
        values = walk.render(node_id, node.template, warnings)
        if isinstance(values, ErrorInfo):
            walk.fail(node_id, values)
        else:
            walk.complete(node_id, "out", output=values, warnings=warnings)
