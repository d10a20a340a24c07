"""condition: takes `true` or `false`, whichever its expression gives."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from runyard_shared.contracts.values import ErrorInfo
from runyard_shared.contracts.workflow import ConditionNode

from runyard_orchestrator.nodes.base import NodeType
from runyard_orchestrator.workflow.failures import described

if TYPE_CHECKING:
    from runyard_orchestrator.execution.walk import Walk
    from runyard_orchestrator.workflow.graph import GraphNode


class Condition(NodeType[ConditionNode]):
    ports = ("true", "false")

    def expressions_of(self, spec: ConditionNode) -> Iterator[tuple[str, str]]:
        yield "expression", spec.expression

    def enter(self, walk: "Walk", node_id: str, node: "GraphNode") -> None:
        reads: dict[str, Any] = {}
        value = walk.evaluate(node_id, node.expression, reads)
        if isinstance(value, ErrorInfo):
            walk.fail(node_id, value)
        elif not isinstance(value, bool):
            source = node.expression.source if node.expression else ""
            message = f"a condition must be true or false; {source!r} gave {described(value)}"
            walk.fail(node_id, ErrorInfo(reason="expression", message=message, node_id=node_id))
        else:
            walk.complete(node_id, "true" if value else "false", output=value, reads=reads)
