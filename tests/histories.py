"""Histories of executions as the orchestrator writes them, one for each way an execution can go: input for read models."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from runyard_shared.contracts import events
from runyard_shared.contracts.base import Event
from runyard_shared.contracts.events import EVENT_TYPES
from runyard_shared.contracts.feed import Recorded
from runyard_shared.contracts.values import ErrorInfo, Trigger
from runyard_shared.eventstore.mapper import EventMapper
from runyard_shared.ids import derived_id

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MAPPER = EventMapper(EVENT_TYPES)
WORKFLOW = derived_id(T0, "workflow")
ERROR = ErrorInfo(reason="exit_code", message="it ended with 3", node_id="a", exit_code=3)

DOCUMENT = {
    "name": "Disk cleanup",
    "nodes": [
        {"id": "a", "type": "action", "name": "Check disk", "action": "script.bash", "params": {"script": "true"}},
        {"id": "b", "type": "condition", "expression": "true"},
        {"id": "c", "type": "action", "action": "http.request", "params": {"url": "http://127.0.0.1"}},
        {"id": "d", "type": "delay", "seconds": 60},
        {"id": "v", "type": "setVariables", "values": {"host": "web-01"}},
        {"id": "w", "type": "setVariables", "values": {"host": "web-02"}},
    ],
    "edges": [],
}

History = list[tuple[str, Event]]
"""(stream, event) in the order of the log."""


def execution_id(name: str) -> str:
    return derived_id(T0, "execution", name)


def job_id(name: str) -> str:
    return derived_id(T0, "job", name)


def workflow() -> History:
    source = "name: Disk cleanup\n"
    return [
        (WORKFLOW, event)
        for event in (
            events.WorkflowCreated(name="Disk cleanup", document={"name": "Disk cleanup"}, source="", format="json", by="ann"),
            events.WorkflowDrafted(name="Disk cleanup", document=DOCUMENT, source=source, format="yaml", by="bob"),
            events.WorkflowPublished(version=1, document=DOCUMENT, source=source, format="yaml", by="bob"),
            events.WorkflowActivated(by="bob"),
        )
    ]


def started(name: str, trigger: str = "manual") -> tuple[str, Event]:
    return execution_id(name), events.ExecutionStarted(
        workflow_id=WORKFLOW,
        workflow_name="Disk cleanup",
        version=1,
        trigger=Trigger(type=trigger, user="ann"),
        inputs={"host": "web-01"},
        started_by="ann",
    )


def scheduled(job: str, node: str = "a", attempt: int = 1) -> Event:
    return events.JobScheduled(
        job_id=job_id(job), node_id=node, attempt=attempt, action="script.bash", params={"script": "true"}, pool="default"
    )


def ran(job: str, node: str = "a", attempt: int = 1, agent: str = "agent-1") -> list[Event]:
    """Scheduled, dispatched and started."""
    return [
        scheduled(job, node, attempt),
        events.JobDispatched(job_id=job_id(job), dispatch=1, agent=agent),
        events.JobStarted(job_id=job_id(job), dispatch=1, agent=agent),
    ]


def well(job: str) -> Event:
    return events.JobCompleted(job_id=job_id(job), dispatch=1, output={"stdout": f"{job}\x00", "exitCode": 0}, duration_ms=41)


def badly(job: str) -> Event:
    return events.JobFailed(job_id=job_id(job), dispatch=1, error=ERROR, output={"stdout": "", "exitCode": 3}, duration_ms=7)


def done(node: str, port: str | None = "success", output: object = None) -> Event:
    return events.NodeCompleted(node_id=node, port=port, output=output)


def _execution(name: str, *following: Event | Sequence[Event]) -> History:
    history = [started(name)]
    for event in following:
        flat = [event] if isinstance(event, Event) else event
        history.extend((execution_id(name), each) for each in flat)
    return history


def completed() -> History:
    """An action, a condition, a skipped node, variables bound twice."""
    return _execution(
        "completed",
        ran("ok"),
        well("ok"),
        done("a", output={"stdout": "ok", "exitCode": 0}),
        done("b", "true", output=True),
        events.NodeSkipped(node_id="c"),
        done("v", "out", output={"host": "web-01", "size": 3}),
        done("w", "out", output={"host": "web-02"}),
        events.ExecutionCompleted(),
    )


def retried() -> History:
    """The first attempt fails, the second is lost by its agent before it starts, and then goes well elsewhere."""
    return _execution(
        "retried",
        ran("first"),
        badly("first"),
        events.RetryScheduled(node_id="a", attempt=2, max_attempts=3, due_at="2026-03-01T12:01:00.000Z", delay_seconds=10),
        scheduled("second", attempt=2),
        events.JobDispatched(job_id=job_id("second"), dispatch=1, agent="agent-1"),
        events.JobRequeued(job_id=job_id("second"), dispatch=1, reason="agent_lost"),
        events.JobDispatched(job_id=job_id("second"), dispatch=2, agent="agent-2"),
        events.JobReportIgnored(job_id=job_id("second"), dispatch=1, report="JobStarted", detail="late"),
        events.JobStarted(job_id=job_id("second"), dispatch=2, agent="agent-2"),
        events.JobCompleted(job_id=job_id("second"), dispatch=2, output={"exitCode": 0}, duration_ms=5),
        done("a"),
        events.ExecutionCompleted(),
    )


def failed() -> History:
    """A critical failure while another job runs, whose end is awaited."""
    return _execution(
        "failed",
        ran("bad"),
        ran("other", "c"),
        badly("bad"),
        events.NodeFailed(node_id="a", error=ERROR),
        events.ExecutionFailing(error=ERROR),
        events.JobTimedOut(job_id=job_id("other"), dispatch=1, error=ErrorInfo(reason="timeout", message="over 5 s")),
        events.NodeFailed(node_id="c", error=ErrorInfo(reason="timeout", message="over 5 s")),
        events.ExecutionFailed(error=ERROR),
    )


def tolerated() -> History:
    """A failure with `critical: false`: the execution goes on."""
    return _execution(
        "tolerated",
        ran("weak"),
        badly("weak"),
        events.NodeFailed(node_id="a", error=ERROR, port="success"),
        events.ExecutionCompleted(),
    )


def cancelled() -> History:
    """A delay and a waiting job are given up; a running job reports after the cancel."""
    return _execution(
        "cancelled",
        ran("late"),
        scheduled("waiting", "c"),
        events.NodeWaiting(node_id="d", until="2026-03-01T13:00:00.000Z"),
        events.ExecutionCancelled(by="bob", reason="mistake"),
        events.NodeCancelled(node_id="d"),
        events.JobCancelRequested(job_id=job_id("waiting")),
        events.JobCancelled(job_id=job_id("waiting"), reason="the execution was cancelled"),
        events.NodeCancelled(node_id="c"),
        well("late"),
        done("a"),
    )


def active() -> History:
    """Not over: a delay, a job that waits for an agent, a retry to come."""
    return _execution(
        "active",
        events.NodeWaiting(node_id="d", until="2026-03-01T13:00:00.000Z"),
        ran("shaky"),
        badly("shaky"),
        scheduled("queued", "c"),
        events.RetryScheduled(node_id="a", attempt=2, max_attempts=3, due_at="2026-03-01T12:05:00.000Z", delay_seconds=30),
    )


def failing() -> History:
    """Failed critically, and one job still runs."""
    return _execution("failing", ran("runs", "c"), ran("broke"), badly("broke"), events.ExecutionFailing(error=ERROR))


ALL = (completed, retried, failed, tolerated, cancelled, active, failing)


def record(history: Iterable[tuple[str, Event]]) -> list[Recorded]:
    """As the log has them: one second apart, positions from 1."""
    versions: dict[str, int] = {}
    rows = []
    for position, (stream_id, event) in enumerate(history, 1):
        versions[stream_id] = versions.get(stream_id, 0) + 1
        rows.append(
            Recorded(
                position=position,
                stream_id=stream_id,
                version=versions[stream_id],
                tenant_id="default",
                topic=event.topic,
                recorded_at=at(position),
                data=msgspec.Raw(MAPPER.encode(event)),
            )
        )
    return rows


def at(position: int) -> datetime:
    return T0 + timedelta(seconds=position)
