"""A sample of every event, field by field: what the golden files are written from, and what they must decode to.

`bare` names every field, those that have a default at just that default, which is left out of the stored JSON: so a changed
default shows. `full` gives each field a value that is not its default. A field that is added later, with a default, goes into
`bare` and into a sample of its own in `more`; the files that are there stay as they are.
"""

from dataclasses import dataclass, field
from typing import Any

from runyard_approvals.approval import events as approvals
from runyard_shared.contracts import events
from runyard_shared.contracts.base import Event
from runyard_shared.contracts.values import (
    ApprovalStatus,
    ErrorInfo,
    ExecutionStatus,
    NodeStatus,
    Parent,
    StreamSeal,
    Trigger,
)

Fields = dict[str, Any]


@dataclass(frozen=True)
class Samples:
    """`log`: the service whose log has the event, if it is not one of those that all services know."""

    event_type: type[Event]
    bare: Fields
    full: Fields = field(default_factory=dict)
    more: dict[str, Fields] = field(default_factory=dict)
    log: str = ""

    @property
    def topic(self) -> str:
        """Unique among all logs."""
        return f"{self.log}/{self.event_type.topic}" if self.log else self.event_type.topic

    def by_name(self) -> dict[str, Event]:
        """Each sample of the current revision by the name of its file, without `.json`."""
        stem = f"{self.topic}.v{self.event_type.revision}"
        named = {f"{stem}.{name}": fields for name, fields in self.more.items()}
        if self.full:
            named |= {stem: self.full, f"{stem}.bare": self.bare}
        else:
            named |= {stem: self.bare}
        return {name: self.event_type(**fields) for name, fields in named.items()}


STREAM = "019ab2c4-7e00-7000-8000-000000000001"
OTHER = "019ab2c4-7e00-7000-8000-000000000002"
JOB = "019ab2c4-7e00-7000-8000-000000000003"
APPROVAL = "019ab2c4-7e00-7000-8000-000000000004"
INSTANT = "2026-11-22T17:05:00.000Z"
TRACEPARENT = "00-019ab2c47e0070008000000000000001-8000000000000003-01"
DOCUMENT = {"name": "Disk cleanup", "nodes": [{"id": "a", "type": "delay", "seconds": 1}], "edges": []}
SOURCE = "name: Disk cleanup\n"
OUTPUT = {"stdout": "91\n", "exitCode": 0}
ANY_TRIGGER = Trigger(
    type="incident",
    user="alice",
    webhook_id="monitoring",
    scheduled_at=INSTANT,
    event="incident.created",
    incident_id="INC-7",
    payload={"severity": "high"},
)
BARE_TRIGGER = Trigger(type="manual", user=None, webhook_id=None, scheduled_at=None, event=None, incident_id=None, payload=None)
ERROR = ErrorInfo(
    reason="exit_code",
    message="it ended with exit code 3",
    node_id="check",
    action_type="script.bash",
    exit_code=3,
    status_code=503,
)
BARE_ERROR = ErrorInfo(
    reason="template", message="no such path", node_id=None, action_type=None, exit_code=None, status_code=None
)
ITERATION_OF = Parent(stream_id=STREAM, node_id="each", index=3)
CHILD_OF = Parent(stream_id=STREAM, node_id="restart", index=None)
SEALS = [StreamSeal(stream="stdout", chunks=2, size=3, sha256="9f86d081884c7d65")]


def _job(**fields: Any) -> Fields:
    return {"job_id": JOB, "dispatch": 2} | fields


def _approval(**fields: Any) -> Fields:
    return {"approval_id": APPROVAL, "node_id": "approve"} | fields


NO_OUTPUT: Fields = {"output": {}, "duration_ms": 0, "seals": []}
SOME_OUTPUT: Fields = {"output": OUTPUT, "duration_ms": 1250, "seals": SEALS}
DRAFT: Fields = {"name": "Disk cleanup", "document": DOCUMENT, "source": SOURCE, "format": "yaml", "by": "alice"}
STARTED: Fields = {"workflow_id": OTHER, "workflow_name": "Disk cleanup", "version": 3, "started_by": "alice"}
JOB_SCHEDULED: Fields = {
    "job_id": JOB,
    "node_id": "check",
    "attempt": 1,
    "action": "script.bash",
    "params": {"script": "true"},
    "pool": "default",
}
AGENT: Fields = {"name": "agent-1", "session_id": OTHER}
NAMED: Fields = {"name": "web-01", "by": "alice"}
PLACED: Fields = NAMED | {"pool": "dmz", "tags": ["linux"]}
CONNECTION: Fields = NAMED | {"config": {"username": "deploy", "port": 22}, "secrets": ["password"], "pools": ["dmz"]}

INCIDENT: Fields = {"event": "incident.created", "incident": {"id": "INC-7", "severity": "high"}, "by": "monitoring"}
MATCHED: Fields = {"workflow_id": OTHER, "workflow_name": "Disk cleanup", "version": 3, "trigger": 1}
FIRED: Fields = MATCHED | {"cron": "0 6 * * 1-5", "timezone": "Europe/Berlin", "scheduled_at": INSTANT}
CANCELLED_BY_IT = "019ab2c4-7e00-7000-8000-000000000005"

SAMPLES = [
    Samples(events.WorkflowCreated, DRAFT),
    Samples(events.WorkflowDrafted, DRAFT),
    Samples(events.WorkflowPublished, {"version": 3, "document": DOCUMENT, "source": SOURCE, "format": "yaml", "by": "alice"}),
    Samples(events.WorkflowActivated, {"by": "alice"}),
    Samples(events.WorkflowDeactivated, {"by": "alice"}),
    Samples(events.WorkflowRolledBack, {"version": 2, "by": "alice"}),
    Samples(events.WorkflowArchived, {"by": "alice"}),
    Samples(
        events.IncidentReceived,
        INCIDENT | {"matches": []},
        INCIDENT
        | {
            "matches": [
                events.TriggerMatch(**MATCHED, execution_id=STREAM, reason="", reads={}),
                events.TriggerMatch(
                    **MATCHED,
                    execution_id=None,
                    reason='the condition is false: incident.severity == "low"',
                    reads={"incident.severity": "high"},
                ),
            ]
        },
    ),
    Samples(
        events.ScheduleFired,
        FIRED | {"execution_id": None, "reason": "", "cancels": []},
        FIRED | {"execution_id": STREAM, "reason": "", "cancels": [CANCELLED_BY_IT]},
        {"skipped": FIRED | {"execution_id": None, "reason": "overlap", "cancels": []}},
    ),
    Samples(
        events.TriggerRefused,
        {"workflow_id": OTHER, "execution_id": STREAM, "code": "not_active", "reason": "workflow 'Disk cleanup' is not active"},
    ),
    Samples(
        events.ExecutionStarted,
        STARTED
        | {
            "trigger": BARE_TRIGGER,
            "inputs": {},
            "parent_execution_id": None,
            "parent": None,
            "depth": 0,
            "rerun_of": None,
            "from_node": None,
            "timeout_seconds": 0,
            "traceparent": None,
        },
        STARTED
        | {
            "trigger": ANY_TRIGGER,
            "inputs": {"host": "web-01", "limit": 90},
            "parent_execution_id": STREAM,
            "parent": CHILD_OF,
            "depth": 2,
            "rerun_of": OTHER,
            "from_node": "clean",
            "timeout_seconds": 3600.5,
        },
        {"traced": STARTED | {"trigger": BARE_TRIGGER, "inputs": {}, "traceparent": TRACEPARENT}},
    ),
    Samples(
        events.NodeReused,
        {"node_id": "check", "status": NodeStatus.SKIPPED, "port": None, "output": None, "error": None},
        {"node_id": "check", "status": NodeStatus.FAILED, "port": "error", "output": OUTPUT, "error": ERROR},
    ),
    Samples(
        events.NodeWaiting,
        {"node_id": "nap", "until": INSTANT, "warnings": []},
        {"node_id": "nap", "until": INSTANT, "warnings": ["vars.until does not resolve"]},
    ),
    Samples(
        events.NodeCompleted,
        {"node_id": "all", "port": None, "output": None, "warnings": [], "reads": {}},
        {"node_id": "full", "port": "true", "output": True, "warnings": ["vars.host does not resolve"]},
        {"reads": {"node_id": "full", "port": "true", "output": True, "reads": {"nodes.check.output.stdout": "91"}}},
    ),
    Samples(
        events.NodeFailed,
        {"node_id": "check", "error": BARE_ERROR, "port": None},
        {"node_id": "check", "error": ERROR, "port": "error"},
    ),
    Samples(events.NodeSkipped, {"node_id": "clean"}),
    Samples(events.NodeCancelled, {"node_id": "clean"}),
    Samples(
        events.RetryScheduled,
        {"node_id": "check", "attempt": 2, "max_attempts": 3, "due_at": INSTANT, "delay_seconds": 10.5},
    ),
    Samples(
        events.JobScheduled,
        {
            "job_id": JOB,
            "node_id": "check",
            "attempt": 1,
            "action": "script.bash",
            "params": {"script": "true"},
            "pool": "default",
            "agent": None,
            "tags": [],
            "connection": None,
            "timeout_seconds": 0,
            "warnings": [],
            "queue_expires_at": None,
            "traceparent": None,
        },
        {
            "job_id": JOB,
            "node_id": "check",
            "attempt": 2,
            "action": "ssh.executeCommand",
            "params": {"host": "web-01", "command": "true"},
            "pool": "db",
            "agent": "agent-1",
            "tags": ["linux"],
            "connection": "web-hosts",
            "timeout_seconds": 30.5,
            "warnings": ["vars.host does not resolve"],
            "queue_expires_at": INSTANT,
        },
        {"traced": JOB_SCHEDULED | {"traceparent": TRACEPARENT}},
    ),
    Samples(events.JobDispatched, _job(agent="agent-1")),
    Samples(events.JobRequeued, _job(reason="agent-1 is offline")),
    Samples(events.JobStarted, _job(agent="agent-1", dispatched_at=None), _job(agent="agent-1", dispatched_at=INSTANT)),
    Samples(events.JobCompleted, _job(output={}, duration_ms=0, seals=[]), _job(**SOME_OUTPUT)),
    Samples(events.JobFailed, _job(error=BARE_ERROR, **NO_OUTPUT), _job(error=ERROR, **SOME_OUTPUT)),
    Samples(events.JobTimedOut, _job(error=BARE_ERROR, **NO_OUTPUT), _job(error=ERROR, **SOME_OUTPUT)),
    Samples(
        events.JobCancelRequested,
        {"job_id": JOB, "force": False, "queue_timeout_seconds": 0},
        {"job_id": JOB, "force": True, "queue_timeout_seconds": 30.5},
    ),
    Samples(
        events.JobCancelled,
        {"job_id": JOB, "reason": "withdrawn", "dispatch": 0} | NO_OUTPUT,
        {"job_id": JOB, "reason": "stopped on its agent", "dispatch": 2} | SOME_OUTPUT,
    ),
    Samples(
        events.JobReportIgnored,
        _job(report="JobStarted", detail="it came late", agent=None),
        more={"agent": _job(report="JobFinished", detail="it came from db-01", agent="db-01")},
    ),
    Samples(
        events.ForEachEntered,
        {"node_id": "each", "items": [], "scope": {}},
        {"node_id": "each", "items": ["web-01", {"host": "web-02"}], "scope": {"vars": {"service": "nginx"}}},
    ),
    Samples(events.IterationsScheduled, {"node_id": "each", "first": 2, "stream_ids": [STREAM, OTHER]}),
    Samples(
        events.IterationEnded,
        {"node_id": "each", "index": 3, "status": ExecutionStatus.CANCELLED, "output": None, "error": None},
        {"node_id": "each", "index": 3, "status": ExecutionStatus.FAILED, "output": OUTPUT, "error": ERROR},
    ),
    Samples(
        events.IterationStarted,
        STARTED
        | {
            "execution_id": STREAM,
            "parent": ITERATION_OF,
            "path": "each[3]",
            "body": "each",
            "item": "web-01",
            "scope": {},
            "depth": 0,
            "traceparent": None,
        },
        STARTED
        | {
            "execution_id": STREAM,
            "parent": ITERATION_OF,
            "path": "outer[1].each[3]",
            "body": "outer.each",
            "item": {"host": "web-01"},
            "scope": {"vars": {"service": "nginx"}},
            "depth": 1,
        },
        {
            "traced": STARTED
            | {
                "execution_id": STREAM,
                "parent": ITERATION_OF,
                "path": "each[3]",
                "body": "each",
                "item": "web-01",
                "scope": {},
                "traceparent": TRACEPARENT,
            }
        },
    ),
    Samples(
        events.IterationCompleted,
        {"parent": ITERATION_OF, "output": None},
        {"parent": ITERATION_OF, "output": OUTPUT},
    ),
    Samples(events.IterationFailed, {"parent": ITERATION_OF, "error": ERROR}),
    Samples(
        events.IterationCancelled,
        {"parent": ITERATION_OF, "by": "", "reason": "", "force": False},
        {"parent": ITERATION_OF, "by": "alice", "reason": "the execution was cancelled", "force": True},
    ),
    Samples(
        events.SubworkflowScheduled,
        {
            "node_id": "restart",
            "execution_id": OTHER,
            "workflow": "Rolling restart",
            "inputs": {"hosts": ["web-01"]},
            "started_by": "alice",
            "depth": 1,
            "warnings": [],
        },
        {
            "node_id": "restart",
            "execution_id": OTHER,
            "workflow": "Rolling restart",
            "inputs": {"hosts": ["web-01"]},
            "started_by": "alice",
            "depth": 1,
            "warnings": ["vars.host does not resolve"],
        },
    ),
    Samples(
        events.SubworkflowEnded,
        {
            "node_id": "restart",
            "execution_id": OTHER,
            "status": ExecutionStatus.COMPLETED,
            "output": {},
            "error": None,
        },
        {
            "node_id": "restart",
            "execution_id": OTHER,
            "status": ExecutionStatus.FAILED,
            "output": {"executionId": OTHER, "status": "failed", "variables": {}},
            "error": ERROR,
        },
    ),
    Samples(
        events.ChildrenCancelRequested,
        {"stream_ids": [STREAM, OTHER], "reason": "cancelled", "force": False},
        {"stream_ids": [STREAM, OTHER], "reason": "cancelled", "force": True},
    ),
    Samples(
        events.ApprovalRequested,
        _approval(
            message="Clean web-01?",
            approvers=[],
            min_approvals=1,
            prevent_self_approval=False,
            timeout_seconds=0,
            expires_at=None,
            remind_after_seconds=0,
            escalate_after_seconds=0,
            escalate_to=[],
            channels=None,
            workflow_name="Disk cleanup",
            started_by="alice",
            warnings=[],
            traceparent=None,
        ),
        _approval(
            message="Clean web-01?",
            approvers=["bob", "role:oncall"],
            min_approvals=2,
            prevent_self_approval=True,
            timeout_seconds=900.5,
            expires_at=INSTANT,
            remind_after_seconds=300.5,
            escalate_after_seconds=600.5,
            escalate_to=["carol"],
            channels=["mail"],
            workflow_name="Disk cleanup",
            started_by="alice",
            warnings=["vars.host does not resolve"],
        ),
        {
            "traced": _approval(
                message="Clean web-01?", workflow_name="Disk cleanup", started_by="alice", traceparent=TRACEPARENT
            )
        },
    ),
    Samples(events.ApprovalVoted, _approval(by="bob", note="go on", via="web", approvals=1, min_approvals=2)),
    Samples(events.ApprovalReminded, _approval()),
    Samples(events.ApprovalEscalated, _approval(to=["carol", "role:managers"])),
    Samples(
        events.ApprovalNotified,
        _approval(channel="mail", purpose="requested", attempts=1, error=None),
        _approval(channel="mail", purpose="reminder", attempts=3, error="the server refused the connection"),
    ),
    Samples(events.ApprovalCancelRequested, _approval(reason="the execution was cancelled")),
    Samples(
        events.ApprovalResolved,
        _approval(status=ApprovalStatus.EXPIRED, responded_by=None, note="", via=None, responded_at=INSTANT),
        _approval(status=ApprovalStatus.REJECTED, responded_by="bob", note="not now", via="link", responded_at=INSTANT),
    ),
    Samples(events.ExecutionFailing, {"error": ERROR}),
    Samples(
        events.ExecutionCompleted,
        {"parent": None, "variables": {}},
        {"parent": CHILD_OF, "variables": {"verdict": "fine"}},
    ),
    Samples(events.ExecutionFailed, {"error": BARE_ERROR, "parent": None}, {"error": ERROR, "parent": CHILD_OF}),
    Samples(
        events.ExecutionCancelled,
        {"by": "alice", "reason": "", "force": False, "parent": None},
        {"by": "alice", "reason": "wrong host", "force": True, "parent": CHILD_OF},
    ),
    Samples(
        events.AgentRegistered,
        AGENT | {"pool": "db", "tags": ["linux"], "capacity": 4, "version": "0.1.0", "actions": ["script.bash"]},
    ),
    Samples(events.AgentOnline, AGENT),
    Samples(events.AgentOffline, AGENT | {"reason": "3 heartbeats were missed"}),
    Samples(events.AgentCreated, PLACED),
    Samples(events.AgentEnrolled, {"name": "web-01", "key": "SHA256:9f86d081884c7d65", "transport": "amqp"}),
    Samples(events.AgentChanged, PLACED),
    Samples(events.AgentKeyRotated, NAMED),
    Samples(events.AgentRevoked, NAMED),
    Samples(events.AgentDrained, NAMED),
    Samples(events.AgentResumed, NAMED),
    Samples(events.PoolCreated, NAMED | {"description": "hosts that the internet reaches"}),
    Samples(events.PoolDeleted, NAMED),
    Samples(events.PoolPaused, NAMED | {"reason": "the network is rebuilt"}),
    Samples(events.PoolResumed, NAMED),
    Samples(events.ConnectionCreated, CONNECTION | {"kind": "ssh"}),
    Samples(events.ConnectionChanged, CONNECTION | {"changed": ["password"]}),
    Samples(events.ConnectionEnabled, NAMED),
    Samples(events.ConnectionDisabled, NAMED),
    Samples(events.ConnectionDeleted, NAMED),
    Samples(events.ConnectionTested, NAMED | {"agent": "web-01", "ok": False, "message": "the host key has changed"}),
]

NOBODY_TOLD: Fields = {"notify": []}
SOMEBODY_TOLD: Fields = {"notify": ["mail"]}
DELIVERY: Fields = {"purpose": "requested", "channel": "mail", "attempts": 2}


def _of_approvals(
    event_type: type[Event], bare: Fields, full: Fields | None = None, more: dict[str, Fields] | None = None
) -> Samples:
    return Samples(event_type, bare, full or {}, more or {}, log="approvals")


SAMPLES += [
    _of_approvals(
        approvals.ApprovalOpened,
        {
            "execution_id": STREAM,
            "root_execution_id": OTHER,
            "node_id": "approve",
            "workflow_name": "Disk cleanup",
            "started_by": "alice",
            "message": "Clean web-01?",
            "requested_at": INSTANT,
            "approvers": [],
            "min_approvals": 1,
            "prevent_self_approval": False,
            "expires_at": None,
            "remind_at": None,
            "escalate_at": None,
            "escalate_to": [],
            "channels": None,
            "traceparent": None,
        }
        | NOBODY_TOLD,
        {
            "execution_id": STREAM,
            "root_execution_id": OTHER,
            "node_id": "approve",
            "workflow_name": "Disk cleanup",
            "started_by": "alice",
            "message": "Clean web-01?",
            "requested_at": INSTANT,
            "approvers": ["bob", "role:oncall"],
            "min_approvals": 2,
            "prevent_self_approval": True,
            "expires_at": INSTANT,
            "remind_at": INSTANT,
            "escalate_at": INSTANT,
            "escalate_to": ["carol"],
            "channels": ["mail"],
        }
        | SOMEBODY_TOLD,
        {
            "traced": {
                "execution_id": STREAM,
                "root_execution_id": OTHER,
                "node_id": "approve",
                "workflow_name": "Disk cleanup",
                "started_by": "alice",
                "message": "Clean web-01?",
                "requested_at": INSTANT,
                "traceparent": TRACEPARENT,
            }
        },
    ),
    _of_approvals(
        approvals.ApprovalVoted,
        {"execution_id": STREAM, "by": "bob", "note": "go on", "via": "web", "approvals": 1, "request_id": OTHER},
    ),
    _of_approvals(approvals.ApprovalReminded, {"execution_id": STREAM} | NOBODY_TOLD, {"execution_id": STREAM} | SOMEBODY_TOLD),
    _of_approvals(
        approvals.ApprovalEscalated,
        {"execution_id": STREAM, "to": ["carol"]} | NOBODY_TOLD,
        {"execution_id": STREAM, "to": ["carol"]} | SOMEBODY_TOLD,
    ),
    _of_approvals(approvals.DeliveryFailed, DELIVERY | {"error": "the server refused the connection", "retry_at": INSTANT}),
    _of_approvals(
        approvals.ApprovalNotified,
        DELIVERY | {"execution_id": STREAM, "error": None},
        DELIVERY | {"execution_id": STREAM, "error": "the server refused the connection"},
    ),
    _of_approvals(
        approvals.ApprovalResolved,
        {
            "execution_id": STREAM,
            "status": ApprovalStatus.EXPIRED,
            "approvals": 0,
            "by": None,
            "note": "",
            "via": None,
            "request_id": None,
            "link": None,
        },
        {
            "execution_id": STREAM,
            "status": ApprovalStatus.APPROVED,
            "approvals": 2,
            "by": "link:mail",
            "note": "go on",
            "via": "link",
            "request_id": OTHER,
            "link": "one-time-code",
        },
    ),
]

LIFTED: dict[str, Event] = {
    "node.failed.v1": events.NodeFailed(node_id="check", error=ERROR, port="error"),
    "node.failed.v1.bare": events.NodeFailed(node_id="check", error=BARE_ERROR, port=None),
}
"""What the files of older revisions, which no program writes any more, are lifted to."""
