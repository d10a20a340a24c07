"""delay: waits some seconds, or until an instant."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from runyard_shared.clock import rfc3339
from runyard_shared.contracts import events
from runyard_shared.contracts.commands import Catalog
from runyard_shared.contracts.values import ErrorInfo, NodeStatus
from runyard_shared.contracts.workflow import DelayNode

from runyard_orchestrator.execution.state import ExecutionState, NodeState
from runyard_orchestrator.execution.transitions import timer
from runyard_orchestrator.nodes.base import NodeType, Problems
from runyard_orchestrator.workflow.failures import described

if TYPE_CHECKING:
    from runyard_orchestrator.execution.walk import Walk
    from runyard_orchestrator.workflow.graph import GraphNode


def _node_waiting(state: ExecutionState, event: events.NodeWaiting, _graph: Any) -> None:
    state.nodes[event.node_id] = NodeState(NodeStatus.WAITING)
    state.timers[timer("delay", event.node_id)] = datetime.fromisoformat(event.until)


class Delay(NodeType[DelayNode]):
    applies = {events.NodeWaiting: _node_waiting}

    def expressions_of(self, spec: DelayNode) -> Iterator[tuple[str, str]]:
        if spec.until is not None:
            yield "until", spec.until

    def problems(self, spec: DelayNode, path: str, catalog: Catalog) -> Problems:
        if spec.seconds is None and spec.until is None:
            yield path, "a delay needs seconds or until"
        elif spec.seconds is not None and spec.until is not None:
            yield path, "a delay takes seconds or until, not both"

    def enter(self, walk: "Walk", node_id: str, node: "GraphNode") -> None:
        seconds = node.spec.seconds if isinstance(node.spec, DelayNode) else None
        until = walk.now + timedelta(seconds=seconds or 0)
        if node.expression is not None:
            value = walk.evaluate(node_id, node.expression)
            instant = value if isinstance(value, ErrorInfo) else _instant(node_id, value)
            if isinstance(instant, ErrorInfo):
                walk.fail(node_id, instant)
                return
            until = instant
        walk.emit(events.NodeWaiting(node_id=node_id, until=rfc3339(until)))
        if until <= walk.now:
            walk.complete(node_id, "out", output={})

    def timer_due(self, walk: "Walk", node_id: str, kind: str) -> None:
        walk.complete(node_id, "out", output={})


def _instant(node_id: str, value: Any) -> datetime | ErrorInfo:
    """The instant an `until` gives: a CEL timestamp or an RFC 3339 text with a zone."""
    if isinstance(value, str):
        with suppress(ValueError):
            value = datetime.fromisoformat(value)
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    message = f"until must give an RFC 3339 instant with a time zone; it gave {described(value)}"
    return ErrorInfo(reason="expression", message=message, node_id=node_id)
