"""action: one job on an agent, and another for each retry. What reports do to its jobs is in `execution/jobs.py`."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from runyard_shared.clock import rfc3339
from runyard_shared.contracts import events
from runyard_shared.contracts.actions import ACTIONS
from runyard_shared.contracts.commands import Catalog
from runyard_shared.contracts.values import FINISHED_JOBS, REFUSALS, ErrorInfo, JobStatus, NodeStatus
from runyard_shared.contracts.workflow import ActionNode
from runyard_shared.ids import derived_id
from runyard_shared.trace_context import within

from runyard_orchestrator.execution.retry import next_retry_delay_seconds
from runyard_orchestrator.execution.state import ExecutionState, JobState, NodeState
from runyard_orchestrator.execution.transitions import job_changed, replace, timer
from runyard_orchestrator.nodes.base import NodeType, Problems
from runyard_orchestrator.workflow.references import action_problems, announced_type
from runyard_orchestrator.workflow.schemas import sample

if TYPE_CHECKING:
    from runyard_orchestrator.execution.walk import Walk
    from runyard_orchestrator.workflow.graph import GraphNode

AGENT_LOST = "agent_lost"
_NOT_REPORTED: Final = {AGENT_LOST, *REFUSALS}
"""Why a job fails without a word of its agent."""

_SAMPLES: Final[dict[str, dict[str, Any]]] = {
    name: sample(action.output.model_json_schema(mode="serialization")) for name, action in ACTIONS.items()
}

JobEnd = events.JobCompleted | events.JobFailed | events.JobTimedOut | events.JobCancelled


def _job_scheduled(state: ExecutionState, event: events.JobScheduled, _graph: Any) -> None:
    state.jobs[event.job_id] = JobState(event.node_id, event.attempt, event.action, JobStatus.PENDING)
    state.nodes[event.node_id] = NodeState(NodeStatus.RUNNING, event.attempt, event.job_id)
    if state.timers:
        state.timers.pop(timer("retry", event.node_id), None)
    if event.queue_expires_at is not None:
        state.timers[timer("queue", event.node_id)] = datetime.fromisoformat(event.queue_expires_at)


def _job_dispatched(state: ExecutionState, event: events.JobDispatched, _graph: Any) -> None:
    job_changed(state, event.job_id, status=JobStatus.DISPATCHED, lease=event.dispatch, agent=event.agent)


def _job_requeued(state: ExecutionState, event: events.JobRequeued, _graph: Any) -> None:
    job_changed(state, event.job_id, status=JobStatus.PENDING, lease=event.dispatch, voided=event.dispatch, agent=None)


def _job_started(state: ExecutionState, event: events.JobStarted, _graph: Any) -> None:
    job_changed(state, event.job_id, status=JobStatus.RUNNING, lease=event.dispatch, agent=event.agent, queue_timeout_seconds=0)
    if state.timers:
        state.timers.pop(timer("queue", state.jobs[event.job_id].node_id), None)


def _job_ended(state: ExecutionState, event: JobEnd, status: JobStatus, *, by_report: bool) -> None:
    job = state.jobs[event.job_id]
    state.jobs[event.job_id] = replace(job, status=status, lease=max(event.dispatch, job.lease), ended_by_report=by_report)
    state.nodes[job.node_id] = replace(state.nodes[job.node_id], job_id=None, output=event.output)
    if state.timers:
        state.timers.pop(timer("queue", job.node_id), None)


def _job_completed(state: ExecutionState, event: events.JobCompleted, _graph: Any) -> None:
    _job_ended(state, event, JobStatus.COMPLETED, by_report=True)


def _job_failed(state: ExecutionState, event: events.JobFailed, _graph: Any) -> None:
    _job_ended(state, event, JobStatus.FAILED, by_report=event.error.reason not in _NOT_REPORTED)


def _job_timed_out(state: ExecutionState, event: events.JobTimedOut, _graph: Any) -> None:
    _job_ended(state, event, JobStatus.TIMEOUT, by_report=event.error.reason != "queue_timeout")


def _job_cancelled(state: ExecutionState, event: events.JobCancelled, _graph: Any) -> None:
    _job_ended(state, event, JobStatus.CANCELLED, by_report=event.dispatch > 0)


def _job_cancel_requested(state: ExecutionState, event: events.JobCancelRequested, _graph: Any) -> None:
    if event.queue_timeout_seconds:
        job_changed(state, event.job_id, queue_timeout_seconds=event.queue_timeout_seconds)
        state.timers.pop(timer("queue", state.jobs[event.job_id].node_id), None)
    else:
        job_changed(state, event.job_id, cancel_requested=True)


def _job_report_ignored(state: ExecutionState, event: events.JobReportIgnored, _graph: Any) -> None:
    ignored = (*state.jobs[event.job_id].ignored, (event.report, event.dispatch, event.agent))
    job_changed(state, event.job_id, ignored=ignored)


def _retry_scheduled(state: ExecutionState, event: events.RetryScheduled, _graph: Any) -> None:
    state.nodes[event.node_id] = NodeState(NodeStatus.WAITING, event.attempt)
    state.timers[timer("retry", event.node_id)] = datetime.fromisoformat(event.due_at)


class Action(NodeType[ActionNode]):
    ports = ("success", "error")
    applies = {
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
    }

    def template_of(self, spec: ActionNode) -> Any:
        return spec.params

    def template_field(self) -> str:
        return "params"

    def sample_output(self, spec: ActionNode, catalog: Catalog) -> dict[str, Any] | None:
        known = _SAMPLES.get(spec.action)
        if known is None and (announced := announced_type(spec.action, catalog)) is not None:
            known = sample(announced.output)
        return known if isinstance(known, dict) else None

    def problems(self, spec: ActionNode, path: str, catalog: Catalog) -> Problems:
        return action_problems(spec, path, catalog)

    def enter(self, walk: "Walk", node_id: str, node: "GraphNode") -> None:
        schedule(walk, node_id, 1)

    def timer_due(self, walk: "Walk", node_id: str, kind: str) -> None:
        if kind == "retry":
            schedule(walk, node_id, walk.state.nodes[node_id].attempt)
            return
        job_id = walk.state.nodes[node_id].job_id
        spec = walk.graph.nodes[node_id].spec
        if job_id is not None and isinstance(spec, ActionNode):
            walk.emit(events.JobCancelRequested(job_id=job_id, queue_timeout_seconds=spec.queue_timeout_seconds))

    def give_up(self, walk: "Walk", node_id: str, reason: str, *, force: bool) -> None:
        """Withdraw what has not started; a running job runs to its end unless forced."""
        super().give_up(walk, node_id, reason, force=force)
        job_id = walk.state.nodes[node_id].job_id
        if job_id is None:
            return
        job = walk.state.jobs[job_id]
        if job.status not in FINISHED_JOBS and (force or job.status != JobStatus.RUNNING):
            walk.emit(events.JobCancelRequested(job_id=job_id, force=force))


def schedule(walk: "Walk", node_id: str, attempt: int) -> None:
    """A new job of the node."""
    node = walk.graph.nodes[node_id]
    spec = node.spec
    if not isinstance(spec, ActionNode):
        raise TypeError(f"{node_id} is not an action")
    warnings: list[str] = []
    params = walk.render(node_id, node.template, warnings)
    if isinstance(params, ErrorInfo):
        walk.fail(node_id, params)
        return
    queue_timeout = spec.queue_timeout_seconds
    job_id = derived_id(walk.now, walk.state.execution_id, node_id, attempt)
    walk.emit(
        events.JobScheduled(
            job_id=job_id,
            node_id=node_id,
            attempt=attempt,
            action=spec.action,
            params=params,
            pool=spec.pool,
            agent=spec.agent,
            tags=spec.tags,
            connection=spec.connection,
            timeout_seconds=spec.timeout_seconds,
            queue_expires_at=rfc3339(walk.now + timedelta(seconds=queue_timeout)) if queue_timeout else None,
            warnings=warnings,
            traceparent=within(walk.state.traceparent, job_id),
        )
    )


def after_failure(walk: "Walk", job: JobState, error: ErrorInfo) -> None:
    """A job failed: another attempt, or the node fails."""
    spec = walk.graph.nodes[job.node_id].spec
    delay = None
    if walk.state.may_schedule and not job.cancel_requested and isinstance(spec, ActionNode):
        delay = next_retry_delay_seconds(spec, job.attempt, walk.chance)
    if delay is None or not isinstance(spec, ActionNode):
        walk.fail(job.node_id, error)
        return
    attempt = job.attempt + 1
    due_at = rfc3339(walk.now + timedelta(seconds=delay))
    walk.emit(
        events.RetryScheduled(
            node_id=job.node_id, attempt=attempt, max_attempts=spec.max_retries + 1, due_at=due_at, delay_seconds=delay
        )
    )
    if delay == 0:
        schedule(walk, job.node_id, attempt)
