"""Histories of executions as the orchestrator writes them, one for each way an execution can go: input for read models."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from runyard_shared.contracts import events
from runyard_shared.contracts.base import Event
from runyard_shared.contracts.events import EVENT_TYPES
from runyard_shared.contracts.feed import Recorded
from runyard_shared.contracts.values import ApprovalStatus, ErrorInfo, ExecutionStatus, NodeStatus, Parent, Trigger
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

FLEET = derived_id(T0, "workflow", "fleet")
FLEET_DOCUMENT = {
    "name": "Fleet",
    "nodes": [
        {
            "id": "each",
            "type": "forEach",
            "name": "Every host",
            "items": "inputs.hosts",
            "body": {
                "nodes": [
                    {"id": "check", "type": "action", "name": "Check host", "action": "script.bash"},
                    {"id": "ask", "type": "approval", "name": "May it restart?", "message": "Restart {{ item }}?"},
                    {"id": "rest", "type": "delay", "seconds": 60},
                    {"id": "restart", "type": "action", "name": "Restart host", "action": "script.bash"},
                ],
                "edges": [],
            },
        },
        {
            "id": "outer",
            "type": "forEach",
            "items": [1, 2],
            "body": {
                "nodes": [
                    {
                        "id": "inner",
                        "type": "forEach",
                        "items": ["x"],
                        "body": {
                            "nodes": [{"id": "deep", "type": "action", "name": "Deep step", "action": "script.bash"}],
                            "edges": [],
                        },
                    }
                ],
                "edges": [],
            },
        },
        {"id": "gate", "type": "approval", "name": "Go ahead?", "message": "Go?", "approvers": ["ann", "role:oncall"]},
        {"id": "sub", "type": "subworkflow", "workflow": "Disk cleanup"},
        {"id": "last", "type": "action", "action": "script.bash"},
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


def fleet() -> History:
    """The workflow that has bodies, approvals and a subworkflow."""
    return [
        (FLEET, events.WorkflowCreated(name="Fleet", document=FLEET_DOCUMENT, source="", format="yaml", by="ann")),
        (FLEET, events.WorkflowPublished(version=1, document=FLEET_DOCUMENT, source="", format="yaml", by="ann")),
    ]


NIGHTLY = derived_id(T0, "workflow", "nightly")


def triggered() -> History:
    """A workflow with a schedule and two incident triggers, in two versions, and what its triggers did."""
    incident: dict[str, Any] = {"type": "incident", "events": ["incident.created"]}
    nightly: dict[str, Any] = {"type": "schedule", "cron": "0 2 * * *", "timezone": "Europe/Berlin", "overlap": "skip"}
    first = {"name": "Nightly", "triggers": [nightly | {"cron": "0 1 * * *", "catchUp": "all"}], "nodes": [], "edges": []}
    second = {"name": "Nightly", "triggers": [nightly, incident, incident | {"condition": "false"}], "nodes": [], "edges": []}
    fire: dict[str, Any] = {"workflow_id": NIGHTLY, "workflow_name": "Nightly", "trigger": 0, "timezone": "Europe/Berlin"}
    match: dict[str, Any] = {"workflow_id": NIGHTLY, "workflow_name": "Nightly", "version": 2}
    records = [derived_id(T0, "record", number) for number in range(4)]
    begun, other = execution_id("nightly 1"), execution_id("nightly 2")
    return [
        (NIGHTLY, events.WorkflowCreated(name="Nightly", document=first, source="", format="yaml", by="ann")),
        (NIGHTLY, events.WorkflowPublished(version=1, document=first, source="", format="yaml", by="ann")),
        (NIGHTLY, events.WorkflowActivated(by="ann")),
        (
            records[0],
            events.ScheduleFired(
                **fire, version=1, cron="0 1 * * *", scheduled_at="2026-03-01T00:00:00.000Z", execution_id=begun
            ),
        ),
        (
            records[1],
            events.ScheduleFired(
                **fire, version=1, cron="0 1 * * *", scheduled_at="2026-03-02T00:00:00.000Z", reason="overlap"
            ),
        ),
        (NIGHTLY, events.WorkflowPublished(version=2, document=second, source="", format="yaml", by="ann")),
        (
            records[2],
            events.IncidentReceived(
                event="incident.created",
                incident={"id": "INC-7", "severity": "high"},
                matches=[
                    events.TriggerMatch(**match, trigger=1, execution_id=other),
                    events.TriggerMatch(
                        **match, trigger=2, reason="the condition is false: false", reads={"incident.severity": "high"}
                    ),
                ],
                by="monitoring",
            ),
        ),
        (
            records[2],
            events.TriggerRefused(workflow_id=NIGHTLY, execution_id=other, code="not_active", reason="it is not active"),
        ),
        (records[3], events.IncidentReceived(event="incident.resolved", incident={}, by="monitoring")),
    ]


def approval_id(name: str) -> str:
    return derived_id(T0, "approval", name)


def iteration_id(execution: str, path: str) -> str:
    return derived_id(T0, "iteration", execution, path)


def fleet_started(name: str, **more: Any) -> tuple[str, Event]:
    return execution_id(name), events.ExecutionStarted(
        workflow_id=FLEET,
        workflow_name="Fleet",
        version=1,
        trigger=Trigger(type="manual", user="ann"),
        inputs={},
        started_by="ann",
        **more,
    )


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


def fork(execution: str, path: str) -> tuple[str, Event]:
    """The first event of the iteration `each[3]` or `outer[1].inner[0]`."""
    around, _, own = path.rpartition(".")
    node, index = own.rstrip("]").split("[")
    parent = Parent(
        stream_id=iteration_id(execution, around) if around else execution_id(execution), node_id=node, index=int(index)
    )
    return iteration_id(execution, path), events.IterationStarted(
        execution_id=execution_id(execution),
        parent=parent,
        path=path,
        body="outer.inner" if around else node,
        item=f"host-{index}",
        scope={},
        workflow_id=FLEET,
        workflow_name="Fleet",
        version=1,
        started_by="ann",
    )


def joined(execution: str, path: str, output: object = None) -> History:
    """The iteration completes, and its parent's stream learns it."""
    (_, first) = fork(execution, path)
    assert isinstance(first, events.IterationStarted)
    parent = first.parent
    ended = events.IterationEnded(
        node_id=parent.node_id, index=parent.index or 0, status=ExecutionStatus.COMPLETED, output=output
    )
    return [
        (iteration_id(execution, path), events.IterationCompleted(parent=parent, output=output)),
        (parent.stream_id, ended),
    ]


def entered(execution: str, node: str, items: int, around: str = "", concurrency: int = 1000) -> History:
    """A forEach node is entered and the first of its iterations are scheduled."""
    stream = iteration_id(execution, around) if around else execution_id(execution)
    prefix = f"{around}." if around else ""
    streams = [iteration_id(execution, f"{prefix}{node}[{index}]") for index in range(min(items, concurrency))]
    return [
        (stream, events.ForEachEntered(node_id=node, items=[f"host-{index}" for index in range(items)])),
        (stream, events.IterationsScheduled(node_id=node, first=0, stream_ids=streams)),
    ]


def asked(name: str, node: str = "gate", **more: Any) -> Event:
    return events.ApprovalRequested(
        approval_id=approval_id(name),
        node_id=node,
        message="Go?\0",
        approvers=["ann", "role:oncall"],
        workflow_name="Fleet",
        started_by="ann",
        **more,
    )


def decided(name: str, node: str = "gate", status: ApprovalStatus = ApprovalStatus.APPROVED, **more: Any) -> Event:
    return events.ApprovalResolved(
        approval_id=approval_id(name), node_id=node, status=status, responded_at="2026-03-01T12:30:00.000Z", **more
    )


def _fleet(name: str, *following: Event | Sequence[Event] | Sequence[tuple[str, Event]]) -> History:
    """Events without a stream are the execution's own."""
    history = [fleet_started(name)]
    for event in following:
        for each in [event] if isinstance(event, Event) else event:
            history.append((execution_id(name), each) if isinstance(each, Event) else each)
    return history


def _within(execution: str, path: str, *following: Event | Sequence[Event]) -> History:
    history: History = []
    for event in following:
        flat = [event] if isinstance(event, Event) else event
        history.extend((iteration_id(execution, path), each) for each in flat)
    return history


def iterated() -> History:
    """Three items: one goes well after a retry, one fails, one is cancelled while it rests and another waits for its agent."""
    name = "iterated"
    failing, resting = "each[1]", "each[2]"
    parents = [Parent(stream_id=execution_id(name), node_id="each", index=index) for index in range(3)]
    return _fleet(
        name,
        entered(name, "each", 3),
        [fork(name, "each[0]")],
        [fork(name, failing)],
        _within(name, "each[0]", ran("i0", "check"), badly("i0")),
        _within(
            name,
            "each[0]",
            events.RetryScheduled(
                node_id="check", attempt=2, max_attempts=2, due_at="2026-03-01T12:01:00.000Z", delay_seconds=10
            ),
        ),
        [fork(name, resting)],
        _within(name, resting, events.NodeWaiting(node_id="rest", until="2026-03-01T13:00:00.000Z")),
        _within(name, resting, scheduled("i2", "restart")),
        _within(name, "each[0]", ran("i0b", "check", 2), well("i0b"), done("check"), events.NodeSkipped(node_id="restart")),
        joined(name, "each[0]", {"exitCode": 0}),
        _within(name, failing, ran("i1", "check"), badly("i1"), events.NodeFailed(node_id="check", error=ERROR)),
        _within(name, failing, events.ExecutionFailing(error=ERROR), events.IterationFailed(parent=parents[1], error=ERROR)),
        events.IterationEnded(node_id="each", index=1, status=ExecutionStatus.FAILED, error=ERROR),
        events.ChildrenCancelRequested(stream_ids=[iteration_id(name, resting)], reason="an item failed"),
        _within(
            name,
            resting,
            events.IterationCancelled(parent=parents[2], reason="an item failed"),
            events.NodeCancelled(node_id="rest"),
            events.JobCancelRequested(job_id=job_id("i2")),
            events.JobCancelled(job_id=job_id("i2"), reason="an item failed"),
            events.NodeCancelled(node_id="restart"),
        ),
        events.IterationEnded(node_id="each", index=2, status=ExecutionStatus.CANCELLED),
        events.NodeFailed(node_id="each", error=ERROR, port="success"),
        ran("after", "last"),
        well("after"),
        done("last"),
        events.ExecutionCompleted(),
    )


def nested() -> History:
    """A forEach in a forEach, two by one."""
    name = "nested"
    history = _fleet(name, entered(name, "outer", 2))
    for outer in ("outer[0]", "outer[1]"):
        history += [fork(name, outer), *entered(name, "inner", 1, around=outer), fork(name, f"{outer}.inner[0]")]
        history += _within(name, f"{outer}.inner[0]", ran(f"deep {outer}", "deep"), well(f"deep {outer}"), done("deep"))
        history += joined(name, f"{outer}.inner[0]", {"exitCode": 0})
        history += _within(name, outer, done("inner", output=[{"exitCode": 0}]))
        history += joined(name, outer, [{"exitCode": 0}])
    own: History = [
        (execution_id(name), event)
        for event in (done("outer", output=[[{"exitCode": 0}], [{"exitCode": 0}]]), events.ExecutionCompleted())
    ]
    return history + own


def approved() -> History:
    """One of two people approves, the others are reminded, told and escalated to, and then the second one approves."""
    of: dict[str, Any] = {"approval_id": approval_id("approved"), "node_id": "gate"}
    return _fleet(
        "approved",
        asked("approved", min_approvals=2, expires_at="2026-03-01T13:00:00.000Z"),
        events.ApprovalNotified(channel="mail", purpose="requested", **of),
        events.ApprovalNotified(channel="chat", purpose="requested", attempts=5, error="it answered 500", **of),
        events.ApprovalVoted(by="ann", note="fine\0", via="web", approvals=1, min_approvals=2, **of),
        events.ApprovalReminded(**of),
        events.ApprovalEscalated(to=["bob"], **of),
        decided("approved", responded_by="bob", note="go", via="link"),
        done("gate", "approved", output={"decision": "approved"}),
        ran("approved", "last"),
        well("approved"),
        done("last"),
        events.ExecutionCompleted(),
    )


def decided_late() -> History:
    """Cancelled while it waited for people; the approval is closed after that."""
    return _fleet(
        "decided late",
        asked("late"),
        events.ExecutionCancelled(by="bob", reason="mistake"),
        events.ApprovalCancelRequested(approval_id=approval_id("late"), node_id="gate", reason="mistake"),
        events.NodeCancelled(node_id="gate"),
        decided("late", status=ApprovalStatus.CANCELLED, note="mistake"),
    )


def asking() -> History:
    """Active: paused, since both items and the gate wait for people; one item was approved and runs a job in between."""
    name = "asking"
    return _fleet(
        name,
        asked("gate"),
        entered(name, "each", 2),
        [fork(name, "each[0]")],
        _within(name, "each[0]", asked("item 0", "ask")),
        [fork(name, "each[1]")],
        _within(name, "each[1]", asked("item 1", "ask", expires_at="2026-03-01T14:00:00.000Z")),
        _within(name, "each[0]", decided("item 0", "ask", responded_by="ann"), done("ask", "approved")),
        _within(name, "each[0]", ran("item 0", "restart"), well("item 0"), done("restart")),
        joined(name, "each[0]"),
    )


def parent() -> History:
    """Waits for its subworkflow, which is there as an execution of its own, and ends."""
    name, child = "parent", execution_id("child")
    child_of = Parent(stream_id=execution_id(name), node_id="sub")
    (_, first) = fleet_started("child", parent_execution_id=execution_id(name), parent=child_of, depth=1, timeout_seconds=60)
    return _fleet(
        name,
        events.SubworkflowScheduled(
            node_id="sub", execution_id=child, workflow="Disk cleanup", inputs={}, started_by="ann", depth=1
        ),
        [(child, first)],
        [(child, each) for each in (*ran("child", "last"), well("child"), done("last"))],
        [(child, events.ExecutionCompleted(parent=child_of, variables={"host": "web-01"}))],
        events.SubworkflowEnded(
            node_id="sub", execution_id=child, status=ExecutionStatus.COMPLETED, output={"executionId": child}
        ),
        done("sub", output={"executionId": child}),
        events.ExecutionCompleted(),
    )


def rerun() -> History:
    """Repeats another execution from a node on."""
    (stream, first) = fleet_started("rerun", rerun_of=execution_id("iterated"), from_node="last")
    return [
        (stream, first),
        *(
            (stream, event)
            for event in (
                events.NodeReused(node_id="each", status=NodeStatus.FAILED, port="success", error=ERROR),
                events.NodeReused(
                    node_id="gate", status=NodeStatus.COMPLETED, port="approved", output={"decision": "approved"}
                ),
                events.NodeReused(node_id="outer", status=NodeStatus.SKIPPED),
                *ran("again", "last"),
                well("again"),
                done("last"),
                events.ExecutionCompleted(),
            )
        ),
    ]


PLAIN = (completed, retried, failed, tolerated, cancelled, active, failing)
ALL = (*PLAIN, iterated, nested, approved, decided_late, asking, parent, rerun)
COUNT = len(ALL) + 1
"""Executions in all of them: the parent has a child."""


def record(history: Iterable[tuple[str, Event]]) -> list[Recorded]:
    """As the log has them: one second apart, positions from 1."""
    versions: dict[str, int] = {}
    correlations: dict[str, str] = {}
    rows = []
    for position, (stream_id, event) in enumerate(history, 1):
        versions[stream_id] = versions.get(stream_id, 0) + 1
        if isinstance(event, events.IterationStarted):
            correlations[stream_id] = event.execution_id
        rows.append(
            Recorded(
                position=position,
                stream_id=stream_id,
                version=versions[stream_id],
                tenant_id="default",
                topic=event.topic,
                recorded_at=at(position),
                data=msgspec.Raw(MAPPER.encode(event)),
                correlation_id=correlations.get(stream_id),
            )
        )
    return rows


def at(position: int) -> datetime:
    return T0 + timedelta(seconds=position)
