"""The graph of the version that ran, with what became of each edge: taken, skipped, or pending.

The end of a node settles the edges out of it: those of the port it was left by are taken, the others are skipped.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from runyard_shared.contracts.values import NodeStatus
from runyard_shared.contracts.workflow import TRIGGER_NODE

EdgeStatus = Literal["pending", "taken", "skipped"]

_ENDED = (NodeStatus.COMPLETED, NodeStatus.FAILED, NodeStatus.SKIPPED, NodeStatus.CANCELLED)
_DEFAULT_PORTS = {"action": "success", "condition": "true"}


@dataclass(frozen=True, slots=True)
class GraphEdge:
    """`port` is None for edges that are taken whenever their node completes (trigger, parallel)."""

    source: str
    port: str | None
    target: str


@dataclass(frozen=True, slots=True)
class GraphNode:
    node_id: str
    name: str
    type: str


class Graph:
    """Nodes in the order of the document, and the edges out of each."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        """`document`: a published one, so it is valid."""
        specs = {spec["id"]: spec for spec in document["nodes"]}
        self.nodes = {
            TRIGGER_NODE: GraphNode(TRIGGER_NODE, "Trigger", "trigger"),
            **{node_id: GraphNode(node_id, spec.get("name") or node_id, spec["type"]) for node_id, spec in specs.items()},
        }
        self.edges = [
            GraphEdge(edge["from"], _port(specs.get(edge["from"]), edge.get("port")), edge["to"]) for edge in document["edges"]
        ]
        self._outgoing: dict[str, list[GraphEdge]] = {}
        for edge in self.edges:
            self._outgoing.setdefault(edge.source, []).append(edge)

    def title(self, node_id: str) -> str:
        node = self.nodes.get(node_id)
        return node.name if node else node_id

    def edges_after(self, node_id: str, status: NodeStatus, port: str | None) -> list[tuple[GraphEdge, EdgeStatus]]:
        """What the end of a node makes of the edges out of it; nothing while it has not ended.

        `port` is the one it was left by; null of a completed node: by all its edges, of any other: by none.
        """
        if status not in _ENDED:
            return []
        everything = status == NodeStatus.COMPLETED and port is None
        return [
            (edge, "taken" if everything or (port is not None and edge.port in (port, None)) else "skipped")
            for edge in self._outgoing.get(node_id, [])
        ]


def _port(source: Mapping[str, Any] | None, given: str | None) -> str | None:
    if source is None or source["type"] == "parallel":
        return None
    if given is not None:
        return given
    if source["type"] == "switch":
        first = source["cases"][0]
        return str(first).lower() if isinstance(first, bool) else str(first)
    return _DEFAULT_PORTS.get(source["type"], "out")
