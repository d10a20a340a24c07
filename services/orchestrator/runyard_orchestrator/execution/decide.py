"""What happens next in an execution: state, report or command, and circumstances in; events out. No clock, no I/O, no chance.

Here is decided what each command or report means. How the graph is walked is in `walk.py`, what a type of node does in
`nodes/`, what a report does to a job in `jobs.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from runyard_shared.contracts import commands, events, reports
from runyard_shared.contracts.base import Event
from runyard_shared.contracts.values import ErrorInfo, ExecutionStatus
from runyard_shared.errors import Conflict

from runyard_orchestrator.execution.evolve import EXECUTION_TIMEOUT, Beginning, begin
from runyard_orchestrator.execution.jobs import report_on_job
from runyard_orchestrator.execution.state import ExecutionState
from runyard_orchestrator.execution.walk import Circumstances, Walk
from runyard_orchestrator.nodes import type_of
from runyard_orchestrator.nodes.approval import report_on_approval
from runyard_orchestrator.workflow.graph import Graph

__all__ = ["EXECUTION_FINISHED", "Circumstances", "Decision", "Stimulus", "decide", "start"]

EXECUTION_FINISHED = "execution_finished"
"""The refusal of a cancel that comes too late."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The new events, and the state with them applied."""

    events: tuple[Event, ...]
    state: ExecutionState


Stimulus = (
    reports.Report
    | reports.AnyApprovalReport
    | reports.ChildEnded
    | reports.CancelChild
    | commands.CancelExecution
    | commands.TimerDue
)


def start(
    execution_id: str,
    tenant_id: str,
    started: Beginning,
    graph: Graph,
    circumstances: Circumstances,
    reused: Sequence[events.NodeReused] = (),
) -> Decision:
    """Begin an execution, or an iteration with the graph of its body: enter whatever the trigger leads to.

    `reused`: nodes of a re-run that ended in the execution it repeats, each after those that lead to it.
    """
    state = begin(execution_id, tenant_id, started, circumstances.now, graph)
    walk = Walk(state, graph, circumstances)
    walk.new.append(started)
    targets = [edge.target for edge in graph.entry]
    for node in reused:
        walk.emit(node)
        targets += [edge.target for edge in graph.nodes[node.node_id].outgoing]
    walk.arrive(targets)
    walk.conclude()
    return Decision(tuple(walk.new), state)


def decide(state: ExecutionState, stimulus: Stimulus, graph: Graph, circumstances: Circumstances, actor: str = "") -> Decision:
    """What a report, a cancel or a due timer changes. Raises `Conflict` for a cancel that comes too late."""
    walk = Walk(state.copy(), graph, circumstances)
    match stimulus:
        case commands.CancelExecution():
            _cancel(walk, stimulus, actor)
        case reports.CancelChild():
            _cancel_child(walk, stimulus)
        case commands.TimerDue():
            _timer_due(walk, stimulus.timer_id)
        case reports.ChildEnded():
            type_of(graph.nodes[stimulus.node_id].spec).child_ended(walk, stimulus.node_id, stimulus)
        case reports.ApprovalReport():
            report_on_approval(walk, stimulus)
        case _:
            report_on_job(walk, stimulus)
    walk.conclude()
    return Decision(tuple(walk.new), walk.state) if walk.new else Decision((), state)


def _cancel(walk: Walk, command: commands.CancelExecution, actor: str) -> None:
    state = walk.state
    if state.is_finished:
        if not _stop_what_still_runs(walk, command.reason, force=command.force):
            raise Conflict(
                EXECUTION_FINISHED,
                f"the execution is already {state.status}; there is nothing to cancel",
                executionStatus=state.status.value,
            )
        return
    walk.emit(events.ExecutionCancelled(by=actor, reason=command.reason, force=command.force, parent=state.parent))
    walk.give_up(_reason_of_cancel(command.reason), force=command.force)


def _cancel_child(walk: Walk, message: reports.CancelChild) -> None:
    state = walk.state
    if state.is_finished:
        _stop_what_still_runs(walk, message.reason, force=message.force)
        return
    if state.iteration is not None and state.parent is not None:
        walk.emit(events.IterationCancelled(parent=state.parent, reason=message.reason, force=message.force))
    else:
        walk.emit(
            events.ExecutionCancelled(
                by="its parent execution", reason=message.reason, force=message.force, parent=state.parent
            )
        )
    walk.give_up(message.reason, force=message.force)


def _stop_what_still_runs(walk: Walk, reason: str, *, force: bool) -> bool:
    """Force after a cancel that let jobs run on. Whether there was anything to stop."""
    if walk.state.status == ExecutionStatus.CANCELLED and force:
        walk.give_up(_reason_of_cancel(reason), force=True)
    return bool(walk.new)


def _reason_of_cancel(reason: str) -> str:
    return f"the execution was cancelled: {reason}" if reason else "the execution was cancelled"


def _timer_due(walk: Walk, timer_id: str) -> None:
    if timer_id not in walk.state.timers:
        return
    if timer_id == EXECUTION_TIMEOUT:
        seconds = walk.graph.workflow.timeout_seconds
        message = f"the execution did not end within its {seconds:g} s"
        walk.fail_execution(ErrorInfo(reason="execution_timeout", message=message), force=True)
        return
    kind, _, node_id = timer_id.partition(":")
    type_of(walk.graph.nodes[node_id].spec).timer_due(walk, node_id, kind)
