"""join: goes on when all, any, or a number of the edges into it are taken."""

from typing import TYPE_CHECKING

from runyard_shared.contracts.commands import Catalog
from runyard_shared.contracts.workflow import JoinNode

from runyard_orchestrator.nodes.base import NodeType, Problems

if TYPE_CHECKING:
    from runyard_orchestrator.execution.walk import Walk
    from runyard_orchestrator.workflow.graph import GraphNode


class Join(NodeType[JoinNode]):
    def problems(self, spec: JoinNode, path: str, catalog: Catalog) -> Problems:
        if spec.mode == "count" and spec.count is None:
            yield f"{path}.count", "mode count needs count: how many incoming edges must be taken"
        elif spec.mode != "count" and spec.count is not None:
            yield f"{path}.count", f"is only for mode count, not {spec.mode}"

    def needs(self, spec: JoinNode) -> int | None:
        match spec.mode:
            case "count":
                return spec.count
            case "any":
                return 1
            case _:
                return None

    def enter(self, walk: "Walk", node_id: str, node: "GraphNode") -> None:
        walk.complete(node_id, "out")
