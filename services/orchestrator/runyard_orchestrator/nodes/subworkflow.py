"""subworkflow: runs another workflow as a child execution, and waits for it."""

from typing import TYPE_CHECKING, Any, Final

from runyard_shared.contracts import events, reports
from runyard_shared.contracts.values import ErrorInfo, ExecutionStatus, NodeStatus
from runyard_shared.contracts.workflow import SubworkflowNode
from runyard_shared.ids import derived_id

from runyard_orchestrator.execution.state import ExecutionState, NodeState
from runyard_orchestrator.nodes.base import NodeType

if TYPE_CHECKING:
    from runyard_orchestrator.execution.walk import Walk
    from runyard_orchestrator.workflow.graph import GraphNode

MAX_DEPTH: Final = 10


def _scheduled(state: ExecutionState, event: events.SubworkflowScheduled, _graph: Any) -> None:
    state.subworkflows[event.node_id] = event.execution_id
    state.nodes[event.node_id] = NodeState(NodeStatus.RUNNING)


def _ended(state: ExecutionState, event: events.SubworkflowEnded, _graph: Any) -> None:
    del state.subworkflows[event.node_id]


class Subworkflow(NodeType[SubworkflowNode]):
    ports = ("success", "error")
    applies = {events.SubworkflowScheduled: _scheduled, events.SubworkflowEnded: _ended}

    def template_of(self, spec: SubworkflowNode) -> Any:
        return spec.inputs

    def template_field(self) -> str:
        return "inputs"

    def enter(self, walk: "Walk", node_id: str, node: "GraphNode") -> None:
        spec, state = node.spec, walk.state
        if not isinstance(spec, SubworkflowNode):
            raise TypeError(f"{node_id} is not a subworkflow")
        warnings: list[str] = []
        inputs = walk.render(node_id, node.template, warnings)
        if isinstance(inputs, ErrorInfo):
            walk.fail(node_id, inputs)
            return
        if state.depth >= MAX_DEPTH:
            message = f"{spec.workflow} would be {state.depth + 1} subworkflows deep, and at most {MAX_DEPTH} are possible"
            walk.fail(node_id, ErrorInfo(reason="child_not_started", message=message, node_id=node_id))
            return
        walk.emit(
            events.SubworkflowScheduled(
                node_id=node_id,
                execution_id=derived_id(walk.now, state.execution_id, node_id, "child"),
                workflow=spec.workflow,
                inputs=inputs,
                started_by=state.started_by,
                depth=state.depth + 1,
                warnings=warnings,
            )
        )

    def child_ended(self, walk: "Walk", node_id: str, report: reports.ChildEnded) -> None:
        if walk.state.subworkflows.get(node_id) != report.child_id:
            return  # told before
        output = report.output if isinstance(report.output, dict) else {}
        walk.emit(
            events.SubworkflowEnded(
                node_id=node_id, execution_id=report.child_id, status=report.status, output=output, error=report.error
            )
        )
        if not walk.state.may_schedule:
            walk.cancel_node(node_id)
        elif report.status == ExecutionStatus.COMPLETED:
            walk.complete(node_id, "success", output=output)
        else:
            walk.fail(node_id, _error_of_child(node_id, report))

    def give_up(self, walk: "Walk", node_id: str, reason: str, *, force: bool) -> None:
        child = walk.state.subworkflows.get(node_id)
        if child is not None:
            walk.emit(events.ChildrenCancelRequested(stream_ids=[child], reason=reason, force=force))


def _error_of_child(node_id: str, report: reports.ChildEnded) -> ErrorInfo:
    if report.status == ExecutionStatus.CANCELLED:
        return ErrorInfo(
            reason="child_cancelled", message=f"the child execution {report.child_id} was cancelled", node_id=node_id
        )
    error = report.error or ErrorInfo(reason="child_failed", message="it failed")
    if error.reason == "child_not_started":
        return ErrorInfo(reason=error.reason, message=error.message, node_id=node_id)
    return ErrorInfo(
        reason="child_failed",
        message=f"the child execution {report.child_id} failed: {error.message}",
        node_id=node_id,
        action_type=error.action_type,
        exit_code=error.exit_code,
        status_code=error.status_code,
    )
