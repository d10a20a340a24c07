"""The execution log: every decision of the engine in words, derived from the events, one function for each topic (R17)."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import msgspec
from runyard_shared.clock import rfc3339
from runyard_shared.contracts import events
from runyard_shared.contracts.base import Event
from runyard_shared.contracts.feed import Recorded
from runyard_shared.contracts.values import NodeStatus, Trigger
from runyard_shared.contracts.workflow import TRIGGER_NODE

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


@dataclass(frozen=True, slots=True)
class Job:
    """What a line says of a job."""

    node_id: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Scene:
    """Names for what events only identify: the graph that runs, and the jobs so far by id."""

    graph: Graph
    jobs: Mapping[str, Job]

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
    if node_id is None and job_id is not None and job_id in scene.jobs:
        node_id = scene.jobs[job_id].node_id
    at = rfc3339(recorded.recorded_at)
    for level, message in _lines(event, scene):
        yield LogEntry(level=level, message=message, at=at, position=recorded.position, node_id=node_id, job_id=job_id)


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
        case events.ExecutionStarted():
            return graph.edges_after(TRIGGER_NODE, NodeStatus.COMPLETED, None)
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
    yield "info", f"{event.workflow_name}, version {event.version}, was started {trigger_words(event.trigger)}"
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
        yield "info", f"{title} is {_value(event.output)}"
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


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"


def _value(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= MAX_VALUE_LENGTH else text[: MAX_VALUE_LENGTH - 1] + "…"
