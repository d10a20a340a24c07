"""How events move a node: into it, out of it, and what it waits for meanwhile."""

from datetime import datetime

from runyard_shared.clock import rfc3339
from runyard_shared.contracts.feed import Recorded
from runyard_shared.contracts.values import NodeStatus

from runyard_projections.executions.changes import Changes, ExecutionChange, NodeChange
from runyard_projections.executions.pauses import Move
from runyard_projections.text import json_text, storable


def enter(changes: Changes, execution: ExecutionChange, row: Recorded, node_id: str, status: NodeStatus) -> NodeChange:
    """The node, touched at the time of the event and, so far, waiting for nothing."""
    node = changes.node(execution.execution_id, row.stream_id, storable(node_id))
    node.status = status
    node.waiting = node.waiting_since = None
    node.position = row.position
    if node.started_at is None:
        node.started_at = row.recorded_at
    return node


def end_node(
    changes: Changes, execution: ExecutionChange, row: Recorded, node_id: str, status: NodeStatus, port: str | None
) -> NodeChange:
    """The node, left by `port`. After a job of this batch it waited for nothing, unless it says so."""
    node = changes.node(execution.execution_id, row.stream_id, storable(node_id))
    if node.job_id is None or node.waiting_since is not None:
        execution.steps.append((Move.NODE_LEFT, row.recorded_at, (row.stream_id, node_id)))
        node.waiting = node.waiting_since = None
    if node.started_at is None:
        node.started_at = row.recorded_at
    node.status = status
    node.position = row.position
    node.finished_at = row.recorded_at
    node.port = None if port is None else storable(port)
    return node


def waiting(node: NodeChange, what: str, since: datetime, **more: str | int | None) -> None:
    """`what`: delay, retry, approval or subworkflow."""
    known = {name: value for name, value in more.items() if value is not None}
    node.waiting = json_text({"for": what, "since": rfc3339(since), **known})
    node.waiting_since = since
