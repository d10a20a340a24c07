"""forEach: runs its body for each item, some at a time. Each iteration is an execution of the body in a stream of its own; this
node begins them, hears how they ended, and gathers their results."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import msgspec
from runyard_shared.contracts import events, reports
from runyard_shared.contracts.values import ErrorInfo, ExecutionStatus, NodeStatus
from runyard_shared.contracts.workflow import ForEachNode
from runyard_shared.ids import derived_id

from runyard_orchestrator.execution.scope import error_value, scope_of_body
from runyard_orchestrator.execution.state import ExecutionState, LoopState, NodeState
from runyard_orchestrator.execution.transitions import replace
from runyard_orchestrator.nodes.base import NodeType
from runyard_orchestrator.workflow.expressions import as_text
from runyard_orchestrator.workflow.failures import described

if TYPE_CHECKING:
    from runyard_orchestrator.execution.walk import Walk
    from runyard_orchestrator.workflow.graph import GraphNode

MAX_ITEMS: Final = 10_000
ALL_RESULTS_BYTES: Final = 1 << 20
"""Texts in the results are cut so that all of them together stay near this."""
LEAST_TEXT_BYTES: Final = 1024


def _entered(state: ExecutionState, event: events.ForEachEntered, _graph: Any) -> None:
    state.loops[event.node_id] = LoopState(event.items, event.scope, [None] * len(event.items))
    state.nodes[event.node_id] = NodeState(NodeStatus.RUNNING)


def _scheduled(state: ExecutionState, event: events.IterationsScheduled, _graph: Any) -> None:
    loop = state.loops[event.node_id]
    begun = dict(enumerate(event.stream_ids, event.first))
    state.loops[event.node_id] = replace(loop, live=loop.live | begun, next=event.first + len(begun))


def _iteration_ended(state: ExecutionState, event: events.IterationEnded, _graph: Any) -> None:
    loop = state.loops[event.node_id]
    results = [*loop.results]
    results[event.index] = {"error": error_value(event.error)} if event.error is not None else event.output
    live = {index: stream_id for index, stream_id in loop.live.items() if index != event.index}
    state.loops[event.node_id] = replace(loop, live=live, results=results, error=loop.error or event.error)


class ForEach(NodeType[ForEachNode]):
    ports = ("success", "error")
    applies = {
        events.ForEachEntered: _entered,
        events.IterationsScheduled: _scheduled,
        events.IterationEnded: _iteration_ended,
    }

    def template_of(self, spec: ForEachNode) -> Any:
        return spec.items if isinstance(spec.items, list) else None

    def template_field(self) -> str:
        return "items"

    def expressions_of(self, spec: ForEachNode) -> Iterator[tuple[str, str]]:
        if isinstance(spec.items, str):
            yield "items", spec.items

    def enter(self, walk: "Walk", node_id: str, node: "GraphNode") -> None:
        warnings: list[str] = []
        if node.template is not None:
            items = walk.render(node_id, node.template, warnings)
        else:
            items = walk.evaluate(node_id, node.expression)
        if isinstance(items, ErrorInfo):
            walk.fail(node_id, items)
            return
        if not isinstance(items, list):
            source = "" if node.expression is None else f"; {node.expression.source!r} gave {described(items)}"
            message = f"items must be a list{source}"
            walk.fail(node_id, ErrorInfo(reason="not_a_list", message=message, node_id=node_id))
            return
        if len(items) > MAX_ITEMS:
            message = f"there are {len(items)} items, and at most {MAX_ITEMS} are possible; split the list"
            walk.fail(node_id, ErrorInfo(reason="too_many_items", message=message, node_id=node_id))
            return
        body = node.body
        scope = scope_of_body(walk.state, body.expressions, body.nodes) if body is not None else {}
        walk.emit(events.ForEachEntered(node_id=node_id, items=items, scope=scope))
        _go_on(walk, node_id)

    def child_ended(self, walk: "Walk", node_id: str, report: reports.ChildEnded) -> None:
        loop = walk.state.loops[node_id]
        if report.index is None or loop.live.get(report.index) != report.child_id:
            return  # told before
        error = None
        if report.status == ExecutionStatus.FAILED and report.error is not None:
            error = _error_of_item(node_id, report.index, loop.items[report.index], report.error)
        limit = max(LEAST_TEXT_BYTES, ALL_RESULTS_BYTES // len(loop.items))
        walk.emit(
            events.IterationEnded(
                node_id=node_id, index=report.index, status=report.status, output=bounded(report.output, limit), error=error
            )
        )
        _go_on(walk, node_id)

    def give_up(self, walk: "Walk", node_id: str, reason: str, *, force: bool) -> None:
        loop = walk.state.loops.get(node_id)
        if loop is not None and loop.live:
            walk.emit(events.ChildrenCancelRequested(stream_ids=list(loop.live.values()), reason=reason, force=force))


def _go_on(walk: "Walk", node_id: str) -> None:
    """Begin as many iterations as may run; if there is nothing left to do, the node ends."""
    loop = walk.state.loops[node_id]
    spec = walk.graph.nodes[node_id].spec
    if not isinstance(spec, ForEachNode):
        raise TypeError(f"{node_id} is not a forEach")
    stopped = loop.error is not None and spec.on_item_error == "stop"
    if walk.state.may_schedule and not stopped:
        last = min(loop.next + spec.concurrency - len(loop.live), len(loop.items))
        if last > loop.next:
            begun = [derived_id(walk.now, walk.state.execution_id, node_id, index) for index in range(loop.next, last)]
            walk.emit(events.IterationsScheduled(node_id=node_id, first=loop.next, stream_ids=begun))
            return
    if loop.live:
        return
    if not walk.state.may_schedule:
        walk.cancel_node(node_id)
    elif stopped and loop.error is not None:
        walk.fail(node_id, loop.error)
    else:
        walk.complete(node_id, "success", output=loop.results)


def _error_of_item(node_id: str, index: int, item: Any, error: ErrorInfo) -> ErrorInfo:
    where = f" in {error.node_id}" if error.node_id else ""
    message = f"item {index} ({as_text(item)[:80]}) failed{where}: {error.message}"
    return replace(error, node_id=node_id, message=message)


def bounded(value: Any, limit: int) -> Any:
    """The value with every text in it cut to `limit` bytes; a map whose text was cut says `truncated: true`."""
    if isinstance(value, dict):
        cut = {key: bounded(item, limit) for key, item in value.items()}
        if any(isinstance(item, str) and cut[key] is not item for key, item in value.items()):
            cut["truncated"] = True
        return cut
    if isinstance(value, list):
        whole = value if len(msgspec.json.encode(value)) <= limit else []
        return [bounded(item, limit) for item in whole]
    if isinstance(value, str) and len(value) * 4 > limit and len(data := value.encode()) > limit:
        return data[:limit].decode(errors="ignore")
    return value
