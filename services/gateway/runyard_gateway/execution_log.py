"""The execution log: every decision of the engine in words, derived from the events, one function for each topic (R17).

What happens in an iteration of a forEach has the iteration's path in front (`each[3]: `), and the names of that body.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import msgspec
from runyard_shared.clock import rfc3339
from runyard_shared.contracts import events
from runyard_shared.contracts.base import Event
from runyard_shared.contracts.feed import Recorded
from runyard_shared.contracts.values import REFUSALS, ApprovalStatus, ExecutionStatus, NodeStatus, Trigger

from runyard_gateway.approvers import approver_words
from runyard_gateway.graph import EdgeStatus, Graph, GraphEdge

Level = Literal["info", "warning", "error"]
Line = tuple[Level, str]

MAX_VALUE_LENGTH = 200


class LogEntry(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """One line. `position` is that of the event it tells of; an event may make several lines."""

    level: Level
    message: str
    at: str
    position: int
    node_id: str | None = None
    job_id: str | None = None
    item: str | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """What a line says of a job."""

    node_id: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Item:
    """An iteration: its path (`each[3]`), and the graph of the body that it runs."""

    path: str
    graph: Graph


@dataclass(frozen=True, slots=True)
class Scene:
    """Names for what events only identify: the graph that runs, the jobs so far by id, the iterations by their stream."""

    graph: Graph
    jobs: Mapping[str, Job]
    items: Mapping[str, Item] = field(default_factory=dict)

    def title(self, node_id: str) -> str:
        return self.graph.title(node_id)

    def job(self, job_id: str) -> str:
        job = self.jobs.get(job_id)
        if job is None:
            return f"Job {job_id}"
        return self.title(job.node_id) + (f" (attempt {job.attempt})" if job.attempt > 1 else "")


def entries(recorded: Recorded, event: Event, scene: Scene) -> Iterator[LogEntry]:
    """The lines of one event."""
    job_id = getattr(event, "job_id", None)
    node_id = getattr(event, "node_id", None)
    item = scene.items.get(recorded.stream_id)
    path, prefix = (None, "") if item is None else (item.path, f"{item.path}: ")
    if item is not None:
        scene = Scene(item.graph, scene.jobs, scene.items)
    if node_id is None and job_id is not None and job_id in scene.jobs:
        node_id = scene.jobs[job_id].node_id
    at = rfc3339(recorded.recorded_at)
    for level, message in _lines(event, scene):
        yield LogEntry(
            level=level,
            message=f"{prefix}{message}",
            at=at,
            position=recorded.position,
            node_id=node_id,
            job_id=job_id,
            item=path,
        )


def _lines(event: Event, scene: Scene) -> Iterator[Line]:
    tell = _TELLERS.get(type(event))
    if tell is None:
        yield "info", event.topic
        return
    yield from tell(event, scene)
    for warning in getattr(event, "warnings", ()):
        yield "warning", warning
    for edge, status in _settled_edges(event, scene.graph):
        port = f" by {edge.port}" if edge.port else ""
        went = "went on" if status == "taken" else "did not go on"
        yield "info", f"{scene.title(edge.source)} {went}{port} to {scene.title(edge.target)}"


def _settled_edges(event: Event, graph: Graph) -> list[tuple[GraphEdge, EdgeStatus]]:
    match event:
        case events.ExecutionStarted() | events.IterationStarted():
            return graph.edges_after(graph.source.node_id, NodeStatus.COMPLETED, None)
        case events.NodeReused():
            return graph.edges_after(event.node_id, event.status, event.port)
        case events.NodeCompleted():
            return graph.edges_after(event.node_id, NodeStatus.COMPLETED, event.port)
        case events.NodeFailed():
            return graph.edges_after(event.node_id, NodeStatus.FAILED, event.port)
        case events.NodeSkipped():
            return graph.edges_after(event.node_id, NodeStatus.SKIPPED, None)
    return []


E = TypeVar("E", bound=Event)
_TELLERS: dict[type[Event], Callable[[Any, Scene], Iterator[Line]]] = {}


def _tells(event_type: type[E]) -> Callable[[Callable[[E, Scene], Iterator[Line]]], Callable[[E, Scene], Iterator[Line]]]:
    def register(teller: Callable[[E, Scene], Iterator[Line]]) -> Callable[[E, Scene], Iterator[Line]]:
        _TELLERS[event_type] = teller
        return teller

    return register


@_tells(events.ExecutionStarted)
def _execution_started(event: events.ExecutionStarted, scene: Scene) -> Iterator[Line]:
    manner = trigger_words(event.trigger)
    if event.parent_execution_id is not None:
        node = f", by its node {event.parent.node_id}" if event.parent is not None else ""
        manner = f"as a subworkflow of execution {event.parent_execution_id}{node}"
    yield "info", f"{event.workflow_name}, version {event.version}, was started {manner}"
    if event.rerun_of is not None:
        whole = f" from node {scene.title(event.from_node)} on" if event.from_node else ""
        yield "info", f"This is a re-run of execution {event.rerun_of}{whole}"
    for name, value in event.inputs.items():
        yield "info", f"Input {name} is {_value(value)}"


@_tells(events.NodeWaiting)
def _node_waiting(event: events.NodeWaiting, scene: Scene) -> Iterator[Line]:
    yield "info", f"{scene.title(event.node_id)} waits until {event.until}"


@_tells(events.NodeCompleted)
def _node_completed(event: events.NodeCompleted, scene: Scene) -> Iterator[Line]:
    node = scene.graph.nodes.get(event.node_id)
    title = scene.title(event.node_id)
    if node is not None and node.type in ("condition", "switch"):
        because = f": {_short(node.expression)}" if node.expression else ""
        read = ", ".join(f"{path} = {_value(value)}" for path, value in event.reads.items())
        yield "info", f"{title} is {_value(event.output)}{because}{f', with {read}' if read else ''}"
    elif node is not None and node.type == "setVariables":
        for name, value in (event.output or {}).items():
            yield "info", f"{title} set {name} to {_value(value)}"
    else:
        yield "info", f"{title} completed"


@_tells(events.NodeFailed)
def _node_failed(event: events.NodeFailed, scene: Scene) -> Iterator[Line]:
    title = scene.title(event.node_id)
    if event.port is None:
        yield "error", f"{title} failed: {event.error.message}. No edge leads on from this error"
    elif event.port == "error":
        yield "error", f"{title} failed: {event.error.message}"
    else:
        yield "warning", f"{title} failed, which is not critical: {event.error.message}"


@_tells(events.NodeSkipped)
def _node_skipped(event: events.NodeSkipped, scene: Scene) -> Iterator[Line]:
    yield "info", f"{scene.title(event.node_id)} was skipped: no edge into it was taken"


@_tells(events.NodeCancelled)
def _node_cancelled(event: events.NodeCancelled, scene: Scene) -> Iterator[Line]:
    yield "warning", f"{scene.title(event.node_id)} was cancelled"


@_tells(events.RetryScheduled)
def _retry_scheduled(event: events.RetryScheduled, scene: Scene) -> Iterator[Line]:
    when = f"in {event.delay_seconds:g} s, at {event.due_at}" if event.delay_seconds else "at once"
    yield "warning", f"{scene.title(event.node_id)} is tried again {when}: attempt {event.attempt} of {event.max_attempts}"


@_tells(events.JobScheduled)
def _job_scheduled(event: events.JobScheduled, scene: Scene) -> Iterator[Line]:
    tags = f" with {', '.join(event.tags)}" if event.tags else ""
    where = f"agent {event.agent}" if event.agent else f"an agent in pool {event.pool}{tags}"
    yield "info", f"{scene.job(event.job_id)}: {event.action} waits for {where}"


@_tells(events.JobDispatched)
def _job_dispatched(event: events.JobDispatched, scene: Scene) -> Iterator[Line]:
    yield "info", f"{scene.job(event.job_id)} was sent to agent {event.agent}"


@_tells(events.JobRequeued)
def _job_requeued(event: events.JobRequeued, scene: Scene) -> Iterator[Line]:
    yield "warning", f"{scene.job(event.job_id)} waits for another agent: {event.reason}"


@_tells(events.JobStarted)
def _job_started(event: events.JobStarted, scene: Scene) -> Iterator[Line]:
    yield "info", f"{scene.job(event.job_id)} runs on agent {event.agent}"


@_tells(events.JobCompleted)
def _job_completed(event: events.JobCompleted, scene: Scene) -> Iterator[Line]:
    yield "info", f"{scene.job(event.job_id)} completed in {_seconds(event.duration_ms)}{_outcome(event.output)}"


@_tells(events.JobFailed)
def _job_failed(event: events.JobFailed, scene: Scene) -> Iterator[Line]:
    if event.error.reason in REFUSALS:  # it never ran
        yield "error", f"{scene.job(event.job_id)} was refused: {event.error.message}"
    else:
        yield "error", f"{scene.job(event.job_id)} failed after {_seconds(event.duration_ms)}: {event.error.message}"


@_tells(events.JobTimedOut)
def _job_timed_out(event: events.JobTimedOut, scene: Scene) -> Iterator[Line]:
    yield "error", f"{scene.job(event.job_id)} was stopped after {_seconds(event.duration_ms)}: {event.error.message}"


@_tells(events.JobCancelRequested)
def _job_cancel_requested(event: events.JobCancelRequested, scene: Scene) -> Iterator[Line]:
    manner = "stopped, also if it runs" if event.force else "withdrawn if it has not started"
    yield "info", f"{scene.job(event.job_id)} is to be {manner}"


@_tells(events.JobCancelled)
def _job_cancelled(event: events.JobCancelled, scene: Scene) -> Iterator[Line]:
    manner = "was stopped on its agent, which confirms it" if event.dispatch else "will not run"
    yield "warning", f"{scene.job(event.job_id)} {manner}: {event.reason}"


@_tells(events.JobReportIgnored)
def _job_report_ignored(event: events.JobReportIgnored, scene: Scene) -> Iterator[Line]:
    yield "warning", f"{scene.job(event.job_id)}: a late report changes nothing: {event.detail}"


@_tells(events.NodeReused)
def _node_reused(event: events.NodeReused, scene: Scene) -> Iterator[Line]:
    result = f": {event.error.message}" if event.error is not None else ""
    yield "info", f"{scene.title(event.node_id)} {event.status} in the execution that is repeated, and is not run again{result}"


@_tells(events.ForEachEntered)
def _foreach_entered(event: events.ForEachEntered, scene: Scene) -> Iterator[Line]:
    items = "1 item" if len(event.items) == 1 else f"{len(event.items)} items"
    yield "info", f"{scene.title(event.node_id)} has {items}: {_value(event.items)}"


@_tells(events.IterationsScheduled)
def _iterations_scheduled(event: events.IterationsScheduled, scene: Scene) -> Iterator[Line]:
    last = event.first + len(event.stream_ids) - 1
    which = f"item {event.first} begins" if last == event.first else f"items {event.first} to {last} begin"
    yield "info", f"{scene.title(event.node_id)}: {which}"


@_tells(events.IterationEnded)
def _iteration_ended(event: events.IterationEnded, scene: Scene) -> Iterator[Line]:
    level: Level = "error" if event.status == ExecutionStatus.FAILED else "info"
    why = f": {event.error.message}" if event.error is not None else ""
    yield level, f"{scene.title(event.node_id)}: item {event.index} {_ended(event.status)}{why}"


@_tells(events.IterationStarted)
def _iteration_started(event: events.IterationStarted, scene: Scene) -> Iterator[Line]:
    yield "info", f"The item is {_value(event.item)}"


@_tells(events.IterationCompleted)
def _iteration_completed(event: events.IterationCompleted, scene: Scene) -> Iterator[Line]:
    yield "info", f"The iteration completed with {_value(event.output)}"


@_tells(events.IterationFailed)
def _iteration_failed(event: events.IterationFailed, scene: Scene) -> Iterator[Line]:
    yield "error", f"The iteration failed: {event.error.message}"


@_tells(events.IterationCancelled)
def _iteration_cancelled(event: events.IterationCancelled, scene: Scene) -> Iterator[Line]:
    by = f" by {event.by}" if event.by else ""
    reason = f": {event.reason}" if event.reason else ""
    yield "warning", f"The iteration was cancelled{by}{reason}"


@_tells(events.SubworkflowScheduled)
def _subworkflow_scheduled(event: events.SubworkflowScheduled, scene: Scene) -> Iterator[Line]:
    inputs = f" with {_value(event.inputs)}" if event.inputs else ""
    yield "info", f"{scene.title(event.node_id)} starts execution {event.execution_id} of {event.workflow}{inputs}"


@_tells(events.SubworkflowEnded)
def _subworkflow_ended(event: events.SubworkflowEnded, scene: Scene) -> Iterator[Line]:
    level: Level = "info" if event.status == ExecutionStatus.COMPLETED else "error"
    why = f": {event.error.message}" if event.error is not None else ""
    yield level, f"{scene.title(event.node_id)}: execution {event.execution_id} {_ended(event.status)}{why}"


@_tells(events.ChildrenCancelRequested)
def _children_cancel_requested(event: events.ChildrenCancelRequested, scene: Scene) -> Iterator[Line]:
    number = len(event.stream_ids)
    what = "1 iteration or subworkflow is" if number == 1 else f"{number} iterations or subworkflows are"
    force = ", with their running jobs" if event.force else ""
    yield "info", f"{what} to be cancelled{force}: {event.reason}"


@_tells(events.ApprovalRequested)
def _approval_requested(event: events.ApprovalRequested, scene: Scene) -> Iterator[Line]:
    people = f"{event.min_approvals} of " if event.min_approvals > 1 else ""
    expires = f", until {event.expires_at}" if event.expires_at else ""
    who = f"{people}{approver_words(event.approvers)}{expires}"
    yield "info", f"{scene.title(event.node_id)} waits for approval by {who}: {event.message}"
    if event.prevent_self_approval:
        yield "info", f"{event.started_by}, who started the execution, may not answer"


@_tells(events.ApprovalVoted)
def _approval_voted(event: events.ApprovalVoted, scene: Scene) -> Iterator[Line]:
    counted = f"{event.approvals} of {event.min_approvals}"
    yield "info", f"{scene.title(event.node_id)}: {event.by} approved, {counted}{_answer(event.via, event.note)}"


@_tells(events.ApprovalReminded)
def _approval_reminded(event: events.ApprovalReminded, scene: Scene) -> Iterator[Line]:
    yield "info", f"{scene.title(event.node_id)}: the approvers were reminded"


@_tells(events.ApprovalEscalated)
def _approval_escalated(event: events.ApprovalEscalated, scene: Scene) -> Iterator[Line]:
    yield "warning", f"{scene.title(event.node_id)}: nobody answered in time; {approver_words(event.to)} may answer as well"


@_tells(events.ApprovalNotified)
def _approval_notified(event: events.ApprovalNotified, scene: Scene) -> Iterator[Line]:
    title = scene.title(event.node_id)
    if event.error is None:
        yield "info", f"{title}: channel {event.channel} was told ({event.purpose})"
    else:
        tried = {0: "", 1: ", tried once"}.get(event.attempts, f", tried {event.attempts} times")
        yield "warning", f"{title}: channel {event.channel} could not be told ({event.purpose}){tried}: {event.error}"


@_tells(events.ApprovalCancelRequested)
def _approval_cancel_requested(event: events.ApprovalCancelRequested, scene: Scene) -> Iterator[Line]:
    yield "info", f"{scene.title(event.node_id)} needs no answer any more: {event.reason}"


@_tells(events.ApprovalResolved)
def _approval_resolved(event: events.ApprovalResolved, scene: Scene) -> Iterator[Line]:
    title = scene.title(event.node_id)
    match event.status:
        case ApprovalStatus.EXPIRED:
            note = f": {event.note}" if event.note else ""
            yield "warning", f"{title}: nobody answered before the timeout, which rejects it{note}"
        case ApprovalStatus.CANCELLED:
            yield "warning", f"{title}: the approval was cancelled{f': {event.note}' if event.note else ''}"
        case _:
            level: Level = "info" if event.status == ApprovalStatus.APPROVED else "warning"
            yield level, f"{title} was {event.status} by {event.responded_by}{_answer(event.via, event.note)}"


@_tells(events.ExecutionFailing)
def _execution_failing(event: events.ExecutionFailing, scene: Scene) -> Iterator[Line]:
    yield "error", f"Nothing new starts: {event.error.message}"


@_tells(events.ExecutionCompleted)
def _execution_completed(event: events.ExecutionCompleted, scene: Scene) -> Iterator[Line]:
    yield "info", "The execution completed"


@_tells(events.ExecutionFailed)
def _execution_failed(event: events.ExecutionFailed, scene: Scene) -> Iterator[Line]:
    yield "error", f"The execution failed: {event.error.message}"


@_tells(events.ExecutionCancelled)
def _execution_cancelled(event: events.ExecutionCancelled, scene: Scene) -> Iterator[Line]:
    reason = f": {event.reason}" if event.reason else ""
    force = ", running jobs are stopped" if event.force else ""
    yield "warning", f"The execution was cancelled by {event.by}{force}{reason}"


def trigger_words(trigger: Trigger) -> str:
    """`by alice`, `by webhook monitoring`, `by its schedule, for 2026-11-22T06:00:00.000Z`, `by incident 42`."""
    match trigger.type:
        case "webhook":
            return f"by webhook {trigger.webhook_id}"
        case "cron":
            return f"by its schedule, for {trigger.scheduled_at}"
        case "incident":
            return f"by {trigger.event} of incident {trigger.incident_id}"
        case _:
            return f"by {trigger.user or 'somebody'}"


def _outcome(output: Mapping[str, Any]) -> str:
    if "exitCode" in output:
        return f" with exit code {output['exitCode']}"
    if "statusCode" in output:
        return f" with HTTP status {output['statusCode']}"
    return ""


def _answer(via: str | None, note: str) -> str:
    return (f" via {via}" if via else "") + (f": {note}" if note else "")


def _ended(status: ExecutionStatus) -> str:
    return "was cancelled" if status == ExecutionStatus.CANCELLED else str(status)


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"


def _value(value: Any) -> str:
    return _short(msgspec.json.encode(value).decode())


def _short(text: str) -> str:
    return text if len(text) <= MAX_VALUE_LENGTH else text[: MAX_VALUE_LENGTH - 1] + "…"


ERROR_TOPICS = frozenset(
    {
        events.JobFailed.topic,
        events.JobTimedOut.topic,
        events.NodeFailed.topic,
        events.IterationFailed.topic,
        events.SubworkflowEnded.topic,
        events.ExecutionFailing.topic,
        events.ExecutionFailed.topic,
    }
)
"""The topics whose lines can be the first error; that an item failed is told by its iteration before the forEach is told."""
