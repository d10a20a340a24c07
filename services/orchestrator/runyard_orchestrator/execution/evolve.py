"""The only maker of execution state: live decisions and replay both go through `evolve`. An unknown event raises."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import msgspec
from runyard_shared.contracts import events
from runyard_shared.contracts.base import Event
from runyard_shared.contracts.values import ErrorInfo, ExecutionStatus, JobStatus, NodeStatus

from runyard_orchestrator.execution.state import SKIPPED, TAKEN, ExecutionState, JobState, NodeState
from runyard_orchestrator.workflow.graph import Graph

replace = msgspec.structs.replace

JobEnd = events.JobCompleted | events.JobFailed | events.JobTimedOut | events.JobCancelled

EXECUTION_TIMEOUT = "execution"
AGENT_LOST = "agent_lost"


def retry_timer(node_id: str) -> str:
    return f"retry:{node_id}"


def delay_timer(node_id: str) -> str:
    return f"delay:{node_id}"


def begin(execution_id: str, tenant_id: str, event: events.ExecutionStarted, at: datetime, graph: Graph) -> ExecutionState:
    """The state after the first event."""
    state = ExecutionState(
        execution_id=execution_id,
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
    )
    for edge in graph.entry:
        state.edges[edge.index] = TAKEN
    if event.timeout_seconds:
        state.timers.add(EXECUTION_TIMEOUT)
    return state


def evolve(state: ExecutionState, event: Event, graph: Graph) -> None:
    """Apply one event to a state the caller owns."""
    apply = _APPLY.get(type(event))
    if apply is None:
        raise TypeError(f"an execution does not know the event {event.topic or type(event).__name__}")
    apply(state, event, graph)
    state.version += 1


def replay(execution_id: str, tenant_id: str, history: Iterable[tuple[Event, datetime]], graph: Graph) -> ExecutionState:
    """The state after a whole history; its first event must be ExecutionStarted."""
    state: ExecutionState | None = None
    for event, at in history:
        if isinstance(event, events.ExecutionStarted):
            state = begin(execution_id, tenant_id, event, at, graph)
        elif state is None:
            raise TypeError(f"execution {execution_id} begins with {event.topic}, not with execution.started")
        else:
            evolve(state, event, graph)
    if state is None:
        raise TypeError(f"execution {execution_id} has no history")
    return state


def _job(state: ExecutionState, job_id: str, **changes: Any) -> None:
    state.jobs[job_id] = replace(state.jobs[job_id], **changes)


def _job_scheduled(state: ExecutionState, event: events.JobScheduled, _graph: Graph) -> None:
    state.jobs[event.job_id] = JobState(event.node_id, event.attempt, event.action, JobStatus.PENDING)
    state.nodes[event.node_id] = NodeState(NodeStatus.RUNNING, event.attempt, event.job_id)
    state.timers.discard(retry_timer(event.node_id))


def _job_dispatched(state: ExecutionState, event: events.JobDispatched, _graph: Graph) -> None:
    _job(state, event.job_id, status=JobStatus.DISPATCHED, lease=event.dispatch)


def _job_requeued(state: ExecutionState, event: events.JobRequeued, _graph: Graph) -> None:
    _job(state, event.job_id, status=JobStatus.PENDING, lease=event.dispatch, voided=event.dispatch)


def _job_started(state: ExecutionState, event: events.JobStarted, _graph: Graph) -> None:
    _job(state, event.job_id, status=JobStatus.RUNNING, lease=event.dispatch)


def _job_completed(state: ExecutionState, event: events.JobCompleted, _graph: Graph) -> None:
    _job_ended(state, event, JobStatus.COMPLETED, by_report=True)


def _job_failed(state: ExecutionState, event: events.JobFailed, _graph: Graph) -> None:
    _job_ended(state, event, JobStatus.FAILED, by_report=event.error.reason != AGENT_LOST)


def _job_timed_out(state: ExecutionState, event: events.JobTimedOut, _graph: Graph) -> None:
    _job_ended(state, event, JobStatus.TIMEOUT, by_report=True)


def _job_cancelled(state: ExecutionState, event: events.JobCancelled, _graph: Graph) -> None:
    _job_ended(state, event, JobStatus.CANCELLED, by_report=event.dispatch > 0)


def _job_cancel_requested(state: ExecutionState, event: events.JobCancelRequested, _graph: Graph) -> None:
    _job(state, event.job_id, cancel_requested=True)


def _job_report_ignored(state: ExecutionState, event: events.JobReportIgnored, _graph: Graph) -> None:
    _job(state, event.job_id, ignored=(*state.jobs[event.job_id].ignored, (event.report, event.dispatch)))


def _retry_scheduled(state: ExecutionState, event: events.RetryScheduled, _graph: Graph) -> None:
    state.nodes[event.node_id] = NodeState(NodeStatus.WAITING, event.attempt)
    state.timers.add(retry_timer(event.node_id))


def _node_waiting(state: ExecutionState, event: events.NodeWaiting, _graph: Graph) -> None:
    state.nodes[event.node_id] = NodeState(NodeStatus.WAITING)
    state.timers.add(delay_timer(event.node_id))


def _node_completed(state: ExecutionState, event: events.NodeCompleted, graph: Graph) -> None:
    _node_ended(state, event.node_id, NodeStatus.COMPLETED, output=event.output)
    _settle(state, event.node_id, event.port, graph)
    match graph.nodes[event.node_id].spec.type:
        case "setVariables":
            state.vars |= event.output
        case "errorHandler":
            state.handled_error = _failed_source(state, event.node_id, graph) or state.handled_error


def _node_failed(state: ExecutionState, event: events.NodeFailed, graph: Graph) -> None:
    _node_ended(state, event.node_id, NodeStatus.FAILED, error=event.error)
    if event.port is not None:
        _settle(state, event.node_id, event.port, graph)
        if event.port == "error":
            state.handled_error = event.error


def _node_skipped(state: ExecutionState, event: events.NodeSkipped, graph: Graph) -> None:
    state.nodes[event.node_id] = NodeState(NodeStatus.SKIPPED)
    for edge in graph.nodes[event.node_id].outgoing:
        state.edges[edge.index] = SKIPPED


def _node_cancelled(state: ExecutionState, event: events.NodeCancelled, _graph: Graph) -> None:
    _node_ended(state, event.node_id, NodeStatus.CANCELLED)


def _execution_failing(state: ExecutionState, event: events.ExecutionFailing, _graph: Graph) -> None:
    state.failing = event.error


def _execution_ended(status: ExecutionStatus) -> Callable[[ExecutionState, Any, Graph], None]:
    def apply(state: ExecutionState, _event: Event, _graph: Graph) -> None:
        state.status = status
        state.timers.clear()

    return apply


_APPLY: dict[type[Event], Callable[[ExecutionState, Any, Graph], None]] = {
    events.JobScheduled: _job_scheduled,
    events.JobDispatched: _job_dispatched,
    events.JobRequeued: _job_requeued,
    events.JobStarted: _job_started,
    events.JobCompleted: _job_completed,
    events.JobFailed: _job_failed,
    events.JobTimedOut: _job_timed_out,
    events.JobCancelled: _job_cancelled,
    events.JobCancelRequested: _job_cancel_requested,
    events.JobReportIgnored: _job_report_ignored,
    events.RetryScheduled: _retry_scheduled,
    events.NodeWaiting: _node_waiting,
    events.NodeCompleted: _node_completed,
    events.NodeFailed: _node_failed,
    events.NodeSkipped: _node_skipped,
    events.NodeCancelled: _node_cancelled,
    events.ExecutionFailing: _execution_failing,
    events.ExecutionCompleted: _execution_ended(ExecutionStatus.COMPLETED),
    events.ExecutionFailed: _execution_ended(ExecutionStatus.FAILED),
    events.ExecutionCancelled: _execution_ended(ExecutionStatus.CANCELLED),
}


def _job_ended(state: ExecutionState, event: JobEnd, status: JobStatus, *, by_report: bool) -> None:
    job = state.jobs[event.job_id]
    state.jobs[event.job_id] = replace(job, status=status, lease=max(event.dispatch, job.lease), ended_by_report=by_report)
    state.nodes[job.node_id] = replace(state.nodes[job.node_id], job_id=None, output=event.output)


def _failed_source(state: ExecutionState, node_id: str, graph: Graph) -> ErrorInfo | None:
    for edge in graph.nodes[node_id].incoming:
        source = state.nodes.get(edge.source)
        if state.edges[edge.index] == TAKEN and source is not None and source.error is not None:
            return source.error
    return None


def _node_ended(
    state: ExecutionState, node_id: str, status: NodeStatus, *, output: Any = None, error: ErrorInfo | None = None
) -> None:
    """The output of an action is already there: its last job's."""
    before = state.nodes.get(node_id)
    if before is None:
        state.nodes[node_id] = NodeState(status, output=output, error=error)
    else:
        state.nodes[node_id] = NodeState(status, before.attempt, None, before.output if output is None else output, error)
    if state.timers:
        state.timers.discard(retry_timer(node_id))
        state.timers.discard(delay_timer(node_id))


def _settle(state: ExecutionState, node_id: str, port: str | None, graph: Graph) -> None:
    for edge in graph.nodes[node_id].outgoing:
        state.edges[edge.index] = TAKEN if edge.port is None or edge.port == port else SKIPPED
