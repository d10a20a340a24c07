"""The changes of state that several events share. Only `evolve` and the `applies` of node types call these."""

from typing import TYPE_CHECKING, Any

import msgspec
from runyard_shared.contracts.values import ErrorInfo, NodeStatus

from runyard_orchestrator.execution.state import SKIPPED, TAKEN, ExecutionState, NodeState

if TYPE_CHECKING:
    from runyard_orchestrator.workflow.graph import Graph

replace = msgspec.structs.replace


def timer(kind: str, node_id: str) -> str:
    """The id of a node's timer, which ends with the node."""
    return f"{kind}:{node_id}"


def job_changed(state: ExecutionState, job_id: str, **changes: Any) -> None:
    state.jobs[job_id] = replace(state.jobs[job_id], **changes)


def node_ended(
    state: ExecutionState,
    node_id: str,
    status: NodeStatus,
    *,
    port: str | None = None,
    output: Any = None,
    error: ErrorInfo | None = None,
) -> None:
    """The output of an action is already there: its last job's."""
    before = state.nodes.get(node_id)
    if before is None:
        state.nodes[node_id] = NodeState(status, output=output, error=error, port=port)
    else:
        kept = before.output if output is None else output
        state.nodes[node_id] = NodeState(status, before.attempt, None, kept, error, port)
    if state.timers:
        suffix = f":{node_id}"
        for timer_id in [timer_id for timer_id in state.timers if timer_id.endswith(suffix)]:
            del state.timers[timer_id]


def settle(state: ExecutionState, node_id: str, port: str | None, graph: "Graph") -> None:
    """Every edge out of the node is taken or skipped; with `port` None the edges without one are taken."""
    for edge in graph.nodes[node_id].outgoing:
        state.edges[edge.index] = TAKEN if edge.port is None or edge.port == port else SKIPPED


def skip_all(state: ExecutionState, node_id: str, graph: "Graph") -> None:
    for edge in graph.nodes[node_id].outgoing:
        state.edges[edge.index] = SKIPPED
