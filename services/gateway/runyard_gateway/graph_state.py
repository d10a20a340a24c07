"""The graph of an execution with the state of its nodes and edges. Bodies of forEach nodes are nested in them."""

import re
from collections.abc import Collection, Mapping

from runyard_shared.contracts.values import NodeStatus

from runyard_gateway.answers import GraphBody, GraphEdgeState, GraphNodeState
from runyard_gateway.graph import EdgeStatus, Graph, GraphEdge
from runyard_gateway.queries.executions import NodeState

_part = re.compile(r"([A-Za-z0-9_]+)\[[0-9]+\]")
_UNTOUCHED = NodeState(NodeStatus.PENDING, None)
_SOURCE = NodeState(NodeStatus.COMPLETED, None)


def enclosing(item: str) -> dict[str, str]:
    """The iterations around an item and itself, by the forEach node: `outer[1].each[0]` is in `outer[1]`."""
    parts = item.split(".")
    return {
        match.group(1): ".".join(parts[: place + 1])
        for place, part in enumerate(parts)
        if (match := _part.fullmatch(part)) is not None
    }


def graph_body(graph: Graph, states: Mapping[str, NodeState], shown: Collection[str]) -> GraphBody:
    """`states` by node id. `shown`: the forEach nodes of whose body `states` tells one iteration; others have no state."""
    by_node = {node_id: states.get(node_id, _UNTOUCHED) for node_id in graph.nodes}
    by_node[graph.source.node_id] = _SOURCE
    edges: dict[GraphEdge, EdgeStatus] = dict.fromkeys(graph.edges, "pending")
    for node_id, node in by_node.items():
        edges.update(graph.edges_after(node_id, node.status, node.port))
    return GraphBody(
        nodes=[
            GraphNodeState(
                node_id=node.node_id,
                name=node.name,
                type=node.type,
                status=by_node[node.node_id].status,
                progress=by_node[node.node_id].progress,
                body=_nested(graph, node.node_id, states, shown),
            )
            for node in graph.nodes.values()
        ],
        edges=[
            GraphEdgeState(from_node=edge.source, port=edge.port, to=edge.target, status=edges[edge]) for edge in graph.edges
        ],
    )


def _nested(graph: Graph, node_id: str, states: Mapping[str, NodeState], shown: Collection[str]) -> GraphBody | None:
    body = graph.bodies.get(node_id)
    if body is None:
        return None
    return graph_body(body, states, shown) if node_id in shown else _stateless(body)


def _stateless(graph: Graph) -> GraphBody:
    return GraphBody(
        nodes=[
            GraphNodeState(
                node_id=node.node_id,
                name=node.name,
                type=node.type,
                status=None,
                progress=None,
                body=_stateless(graph.bodies[node.node_id]) if node.node_id in graph.bodies else None,
            )
            for node in graph.nodes.values()
        ],
        edges=[GraphEdgeState(from_node=edge.source, port=edge.port, to=edge.target, status=None) for edge in graph.edges],
    )
