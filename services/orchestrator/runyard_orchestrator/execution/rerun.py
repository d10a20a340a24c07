"""What a re-run from a node takes over from the execution it repeats. Pure."""

from graphlib import TopologicalSorter

from runyard_shared.contracts import events
from runyard_shared.contracts.values import NodeStatus
from runyard_shared.errors import FieldProblem, Invalid

from runyard_orchestrator.execution.state import ExecutionState, NodeState
from runyard_orchestrator.workflow.graph import Graph


def reused_nodes(before: ExecutionState, graph: Graph, from_node: str) -> list[events.NodeReused]:
    """How every node that is not downstream of `from_node` ended, sources first. A node that was cancelled, or whose failure
    ended the execution, runs again. Raises `Invalid` if there is no such node."""
    if from_node not in graph.nodes:
        known = ", ".join(graph.nodes)
        detail = f"version {graph.version} of the workflow has no node {from_node!r}; it has {known}"
        raise Invalid("unknown_node", detail, (FieldProblem("fromNode", f"must be one of {known}"),))
    again = _downstream(graph, from_node)
    order = TopologicalSorter({node_id: {edge.source for edge in node.incoming} for node_id, node in graph.nodes.items()})
    return [
        events.NodeReused(node_id=node_id, status=node.status, port=node.port, output=node.output, error=node.error)
        for node_id in order.static_order()
        if node_id not in again and (node := before.nodes.get(node_id)) is not None and _settled(node)
    ]


def _settled(node: NodeState) -> bool:
    if node.status == NodeStatus.FAILED:
        return node.port is not None
    return node.status in (NodeStatus.COMPLETED, NodeStatus.SKIPPED)


def _downstream(graph: Graph, node_id: str) -> set[str]:
    """The node and all that can be reached from it."""
    reached, todo = {node_id}, [node_id]
    while todo:
        new = {edge.target for edge in graph.nodes[todo.pop()].outgoing} - reached
        reached |= new
        todo.extend(new)
    return reached
