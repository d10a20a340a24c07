"""switch: takes the port of the case that equals the value of its expression, else `default`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from runyard_shared.contracts.values import ErrorInfo
from runyard_shared.contracts.workflow import SwitchNode

from runyard_orchestrator.nodes.base import NodeType
from runyard_orchestrator.workflow.expressions import as_text

if TYPE_CHECKING:
    from runyard_orchestrator.execution.walk import Walk
    from runyard_orchestrator.workflow.graph import GraphNode


class Switch(NodeType[SwitchNode]):
    def ports_of(self, spec: SwitchNode) -> tuple[str, ...]:
        return (*(as_text(case) for case in spec.cases), "default")

    def expressions_of(self, spec: SwitchNode) -> Iterator[tuple[str, str]]:
        yield "expression", spec.expression

    def enter(self, walk: "Walk", node_id: str, node: "GraphNode") -> None:
        reads: dict[str, Any] = {}
        value = walk.evaluate(node_id, node.expression, reads)
        if isinstance(value, ErrorInfo):
            walk.fail(node_id, value)
            return
        cases = node.spec.cases if isinstance(node.spec, SwitchNode) else ()
        chosen = next((case for case in cases if case == value and isinstance(case, bool) == isinstance(value, bool)), None)
        port = "default" if chosen is None else as_text(chosen)
        walk.complete(node_id, port, output=value, reads=reads)
