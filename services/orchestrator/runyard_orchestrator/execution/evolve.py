"""The only maker of execution state: live decisions and replay both go through `evolve`. An unknown event raises.

Events that only one type of node makes are applied by that type (`applies` in `nodes/`).
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from runyard_shared.contracts import events
from runyard_shared.contracts.base import Event
from runyard_shared.contracts.values import ExecutionStatus, NodeStatus, Trigger
from runyard_shared.trace_context import within

from runyard_orchestrator.execution.state import TAKEN, ExecutionState, Iteration, NodeState
from runyard_orchestrator.execution.transitions import node_ended, settle, skip_all
from runyard_orchestrator.nodes import NODE_TYPES, type_of
from runyard_orchestrator.workflow.graph import Graph

EXECUTION_TIMEOUT = "execution"

Beginning = events.ExecutionStarted | events.IterationStarted


def begin(execution_id: str, tenant_id: str, event: Beginning, at: datetime, graph: Graph) -> ExecutionState:
    """The state after the first event. Of an iteration, `graph` is that of the body."""
    if isinstance(event, events.ExecutionStarted):
        state = ExecutionState(
            execution_id=execution_id,
            root_id=execution_id,
            tenant_id=tenant_id,
            workflow_id=event.workflow_id,
            workflow_name=event.workflow_name,
            workflow_version=event.version,
            started_at=at,
            started_by=event.started_by,
            trigger=event.trigger,
            inputs=event.inputs,
            edges=[0] * graph.edge_count,
            version=1,
            parent=event.parent,
            depth=event.depth,
            traceparent=within(event.traceparent, execution_id),
        )
        if event.timeout_seconds:
            state.timers[EXECUTION_TIMEOUT] = at + timedelta(seconds=event.timeout_seconds)
    else:
        state = ExecutionState(
            execution_id=execution_id,
            root_id=event.execution_id,
            tenant_id=tenant_id,
            workflow_id=event.workflow_id,
            workflow_name=event.workflow_name,
            workflow_version=event.version,
            started_at=at,
            started_by=event.started_by,
            trigger=_NO_TRIGGER,
            inputs={},
            edges=[0] * graph.edge_count,
            version=1,
            parent=event.parent,
            depth=event.depth,
            iteration=Iteration(event.path, event.body, event.parent.index or 0, event.item, event.scope),
            traceparent=within(event.traceparent, execution_id),
        )
    for edge in graph.entry:
        state.edges[edge.index] = TAKEN
    return state


_NO_TRIGGER = Trigger(type="iteration")
"""What triggered the execution is in an iteration's scope, as far as its body reads it."""


def evolve(state: ExecutionState, event: Event, graph: Graph) -> None:
    """Apply one event to a state the caller owns."""
    apply = _APPLY.get(type(event))
    if apply is None:
        raise TypeError(f"an execution does not know the event {event.topic or type(event).__name__}")
    apply(state, event, graph)
    state.version += 1


def replay(execution_id: str, tenant_id: str, history: Iterable[tuple[Event, datetime]], graph: Graph) -> ExecutionState:
    """The state after a whole history; its first event must be ExecutionStarted or IterationStarted."""
    state: ExecutionState | None = None
    for event, at in history:
        if isinstance(event, Beginning):
            state = begin(execution_id, tenant_id, event, at, graph)
        elif state is None:
            raise TypeError(f"execution {execution_id} begins with {event.topic}, not with execution.started")
        else:
            evolve(state, event, graph)
    if state is None:
        raise TypeError(f"execution {execution_id} has no history")
    return state


def _node_completed(state: ExecutionState, event: events.NodeCompleted, graph: Graph) -> None:
    node_ended(state, event.node_id, NodeStatus.COMPLETED, port=event.port, output=event.output)
    settle(state, event.node_id, event.port, graph)
    type_of(graph.nodes[event.node_id].spec).completed(state, event.node_id, event.output, graph)


def _node_failed(state: ExecutionState, event: events.NodeFailed, graph: Graph) -> None:
    node_ended(state, event.node_id, NodeStatus.FAILED, port=event.port, error=event.error)
    if event.port is not None:
        settle(state, event.node_id, event.port, graph)
        if event.port == "error":
            state.handled_error = event.error


def _node_skipped(state: ExecutionState, event: events.NodeSkipped, graph: Graph) -> None:
    state.nodes[event.node_id] = NodeState(NodeStatus.SKIPPED)
    skip_all(state, event.node_id, graph)


def _node_cancelled(state: ExecutionState, event: events.NodeCancelled, _graph: Graph) -> None:
    node_ended(state, event.node_id, NodeStatus.CANCELLED)


def _node_reused(state: ExecutionState, event: events.NodeReused, graph: Graph) -> None:
    state.nodes[event.node_id] = NodeState(event.status, output=event.output, error=event.error, port=event.port)
    if event.status == NodeStatus.SKIPPED:
        skip_all(state, event.node_id, graph)
        return
    settle(state, event.node_id, event.port, graph)
    if event.status == NodeStatus.COMPLETED:
        type_of(graph.nodes[event.node_id].spec).completed(state, event.node_id, event.output, graph)
    elif event.port == "error":
        state.handled_error = event.error


def _execution_failing(state: ExecutionState, event: events.ExecutionFailing, _graph: Graph) -> None:
    state.failing = event.error


def _ended(status: ExecutionStatus) -> Callable[[ExecutionState, Any, Graph], None]:
    def apply(state: ExecutionState, _event: Event, _graph: Graph) -> None:
        state.status = status
        state.timers.clear()

    return apply


def _nothing(_state: ExecutionState, _event: Event, _graph: Graph) -> None:
    """The event is for others."""


_APPLY: dict[type[Event], Callable[[ExecutionState, Any, Graph], None]] = {
    events.NodeCompleted: _node_completed,
    events.NodeFailed: _node_failed,
    events.NodeSkipped: _node_skipped,
    events.NodeCancelled: _node_cancelled,
    events.NodeReused: _node_reused,
    events.ChildrenCancelRequested: _nothing,
    events.ExecutionFailing: _execution_failing,
    events.ExecutionCompleted: _ended(ExecutionStatus.COMPLETED),
    events.ExecutionFailed: _ended(ExecutionStatus.FAILED),
    events.ExecutionCancelled: _ended(ExecutionStatus.CANCELLED),
    events.IterationCompleted: _ended(ExecutionStatus.COMPLETED),
    events.IterationFailed: _ended(ExecutionStatus.FAILED),
    events.IterationCancelled: _ended(ExecutionStatus.CANCELLED),
}
for _node_type in NODE_TYPES.values():
    _APPLY.update(_node_type.applies)
