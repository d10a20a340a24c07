"""The graph of the version that ran, with what became of each edge: taken, skipped, or pending.

The end of a node settles the edges out of it: those of the port it was left by are taken, the others are skipped.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from runyard_shared.contracts.values import NodeStatus
from runyard_shared.contracts.workflow import ITEM_NODE, TRIGGER_NODE

EdgeStatus = Literal["pending", "taken", "skipped"]

_ENDED = (NodeStatus.COMPLETED, NodeStatus.FAILED, NodeStatus.SKIPPED, NodeStatus.CANCELLED)
_DEFAULT_PORTS = {
    "action": "success",
    "condition": "true",
    "approval": "approved",
    "forEach": "success",
    "subworkflow": "success",
}


@dataclass(frozen=True, slots=True)
class GraphEdge:
    """`port` is None for edges that are taken whenever their node completes (trigger, parallel)."""

    source: str
    port: str | None
    target: str


@dataclass(frozen=True, slots=True)
class GraphNode:
    """`expression`: of a condition or switch."""

    node_id: str
    name: str
    type: str
    expression: str | None = None


_TRIGGER = GraphNode(TRIGGER_NODE, "Trigger", "trigger")
_ITEM = GraphNode(ITEM_NODE, "Item", "item")


class Graph:
    """Nodes in the order of the document, and the edges out of each; `bodies` are the graphs of its forEach nodes, by id."""

    def __init__(self, document: Mapping[str, Any], source: GraphNode = _TRIGGER) -> None:
        """`document`: a published one, or a body in one, so it is valid."""
        self.source = source
        specs = {spec["id"]: spec for spec in document["nodes"]}
        self.nodes = {
            source.node_id: source,
            **{
                node_id: GraphNode(node_id, spec.get("name") or node_id, spec["type"], spec.get("expression"))
                for node_id, spec in specs.items()
            },
        }
        self.bodies = {node_id: Graph(spec["body"], _ITEM) for node_id, spec in specs.items() if spec["type"] == "forEach"}
        # ids are unique in a document, bodies included
        self._names: dict[str, str] = {}
        for body in self.bodies.values():
            self._names.update(body._names)
        self._names.update({node.node_id: node.name for node in self.nodes.values()})
        self.edges = [
            GraphEdge(edge["from"], _port(specs.get(edge["from"]), edge.get("port")), edge["to"]) for edge in document["edges"]
        ]
        self._outgoing: dict[str, list[GraphEdge]] = {}
        for edge in self.edges:
            self._outgoing.setdefault(edge.source, []).append(edge)

    def title(self, node_id: str) -> str:
        """The name of a node, here or in a body."""
        return self._names.get(node_id, node_id)

    def body(self, path: str) -> "Graph":
        """The graph of the forEach node with this path, `outer.each`."""
        graph = self
        for node_id in path.split("."):
            graph = graph.bodies[node_id]
        return graph

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
