"""What people read: the lines of the execution log, and durations."""

from datetime import UTC, datetime

import msgspec
import pytest
from runyard_gateway.approvers import approver_words
from runyard_gateway.durations import duration
from runyard_gateway.execution_log import _TELLERS, Job, Scene, entries
from runyard_gateway.graph import Graph
from runyard_shared.contracts import events
from runyard_shared.contracts.base import Event
from runyard_shared.contracts.feed import Recorded
from runyard_shared.contracts.values import ApprovalStatus, ErrorInfo, ExecutionStatus, NodeStatus, Trigger

GRAPH = Graph(
    {
        "nodes": [
            {"id": "check", "name": "Check disk", "type": "action"},
            {"id": "which", "type": "switch", "cases": [True, "b"]},
            {"id": "split", "type": "parallel"},
            {"id": "hot", "name": "Hot?", "type": "condition", "expression": "int(nodes.check.output.stdout) > 90"},
        ],
        "edges": [
            {"from": "trigger", "to": "check"}, {"from": "check", "to": "which"},
            {"from": "check", "port": "error", "to": "split"},
            {"from": "which", "to": "split"},
            {"from": "split", "port": "any", "to": "check"},
        ],
    }
)  # fmt: skip
ERROR = ErrorInfo(reason="exit_code", message="exit code 3")
REFUSED = ErrorInfo(reason="pool_unknown", message="there is no pool dmz: create it, or name another one in the node")
SCENE = Scene(GRAPH, {"j1": Job("check", 1), "j2": Job("check", 2)})


def told(event: Event) -> list[str]:
    recorded = Recorded(
        position=1, stream_id="e1", version=1, tenant_id="default", topic=event.topic,
        recorded_at=datetime(2026, 11, 22, tzinfo=UTC), data=msgspec.Raw(b"{}"),
    )  # fmt: skip
    return [f"{entry.level}: {entry.message}" for entry in entries(recorded, event, SCENE)]


def test_every_event_of_an_execution_is_told_in_words() -> None:
    elsewhere = ("workflow", "agent", "pool", "connection", "schedule", "incident", "trigger")
    of_executions = {event_type for topic, event_type in events.EVENT_TYPES.items() if topic.split(".")[0] not in elsewhere}
    assert of_executions == _TELLERS.keys()


@pytest.mark.parametrize(
    ("event", "lines"),
    [
        (events.JobFailed(job_id="j2", dispatch=1, error=ERROR, duration_ms=1500),
         ["error: Check disk (attempt 2) failed after 1.5 s: exit code 3"]),
        (events.JobFailed(job_id="j2", dispatch=0, error=REFUSED),
         ["error: Check disk (attempt 2) was refused: there is no pool dmz: create it, or name another one in the node"]),
        (events.NodeFailed(node_id="check", error=ERROR, port="error"),
         ["error: Check disk failed: exit code 3", "info: Check disk did not go on by success to which",
          "info: Check disk went on by error to split"]),
        (events.NodeFailed(node_id="check", error=ERROR, port="success"),
         ["warning: Check disk failed, which is not critical: exit code 3", "info: Check disk went on by success to which",
          "info: Check disk did not go on by error to split"]),
        (events.NodeFailed(node_id="check", error=ERROR),
         ["error: Check disk failed: exit code 3. No edge leads on from this error",
          "info: Check disk did not go on by success to which", "info: Check disk did not go on by error to split"]),
        (events.NodeCompleted(node_id="which", port="true", output=True),
         ["info: which is true", "info: which went on by true to split"]),
        (events.NodeCompleted(node_id="split"), ["info: split completed", "info: split went on to Check disk"]),
        (events.RetryScheduled(node_id="check", attempt=2, max_attempts=3, due_at="T", delay_seconds=10),
         ["warning: Check disk is tried again in 10 s, at T: attempt 2 of 3"]),
        (events.JobScheduled(job_id="j1", node_id="check", attempt=1, action="script.bash", params={}, pool="db", tags=["ssd"],
                             warnings=["inputs.x does not exist"]),
         ["info: Check disk: script.bash waits for an agent in pool db with ssd", "warning: inputs.x does not exist"]),
        (events.JobCancelled(job_id="j1", dispatch=1, reason="asked to"),
         ["warning: Check disk was stopped on its agent, which confirms it: asked to"]),
        (events.JobCancelled(job_id="j1", reason="asked to"), ["warning: Check disk will not run: asked to"]),
        (events.ExecutionStarted(workflow_id="w", workflow_name="Clean", version=3, started_by="x", inputs={"a": "x" * 500},
                                 trigger=Trigger(type="cron", scheduled_at="T")),
         ["info: Clean, version 3, was started by its schedule, for T", f"info: Input a is \"{'x' * 198}…",
          "info: Trigger went on to Check disk"]),
        (events.NodeCompleted(node_id="hot", port="true", output=True, reads={"nodes.check.output.stdout": "91"}),
         ['info: Hot? is true: int(nodes.check.output.stdout) > 90, with nodes.check.output.stdout = "91"']),
        (events.NodeReused(node_id="check", status=NodeStatus.FAILED, port="error", error=ERROR),
         ["info: Check disk failed in the execution that is repeated, and is not run again: exit code 3",
          "info: Check disk did not go on by success to which", "info: Check disk went on by error to split"]),
        (events.ApprovalRequested(approval_id="a", node_id="check", message="Go?", approvers=["alice", "role:oncall"],
                                  min_approvals=2, prevent_self_approval=True, expires_at="T",
                                  workflow_name="W", started_by="bob"),
         ["info: Check disk waits for approval by 2 of alice or role oncall, until T: Go?",
          "info: bob, who started the execution, may not answer"]),
        (events.ApprovalVoted(approval_id="a", node_id="check", by="alice", note="fine", via="web", approvals=1,
                              min_approvals=2),
         ["info: Check disk: alice approved, 1 of 2 via web: fine"]),
        (events.ApprovalResolved(approval_id="a", node_id="check", status=ApprovalStatus.REJECTED, responded_by="alice",
                                 note="no", via="link", responded_at="T"),
         ["warning: Check disk was rejected by alice via link: no"]),
        (events.ApprovalResolved(approval_id="a", node_id="check", status=ApprovalStatus.EXPIRED, responded_at="T"),
         ["warning: Check disk: nobody answered before the timeout, which rejects it"]),
        (events.ApprovalNotified(approval_id="a", node_id="check", channel="ops", purpose="reminder", attempts=5,
                                 error="refused"),
         ["warning: Check disk: channel ops could not be told (reminder), tried 5 times: refused"]),
        (events.IterationEnded(node_id="check", index=2, status=ExecutionStatus.FAILED, error=ERROR),
         ["error: Check disk: item 2 failed: exit code 3"]),
        (events.IterationsScheduled(node_id="check", first=3, stream_ids=["a", "b"]), ["info: Check disk: items 3 to 4 begin"]),
        (events.SubworkflowEnded(node_id="check", execution_id="e2", status=ExecutionStatus.CANCELLED),
         ["error: Check disk: execution e2 was cancelled"]),
        (events.ChildrenCancelRequested(stream_ids=["a"], reason="late", force=True),
         ["info: 1 iteration or subworkflow is to be cancelled, with their running jobs: late"]),
        (events.ExecutionCancelled(by="alice", reason="late", force=True),
         ["warning: The execution was cancelled by alice, running jobs are stopped: late"]),
    ],
)  # fmt: skip
def test_a_line_names_things_as_people_do(event: Event, lines: list[str]) -> None:
    assert told(event) == lines


def test_a_node_that_goes_on_settles_its_edges() -> None:
    assert GRAPH.edges_after("check", NodeStatus.RUNNING, None) == []
    assert [status for _, status in GRAPH.edges_after("check", NodeStatus.COMPLETED, "success")] == ["taken", "skipped"]
    assert [status for _, status in GRAPH.edges_after("check", NodeStatus.SKIPPED, None)] == ["skipped", "skipped"]
    assert [status for _, status in GRAPH.edges_after("split", NodeStatus.COMPLETED, None)] == ["taken"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 ms"),
        (0.34, "340 ms"),
        (8.2, "8.2 s"),
        (75, "75 s"),
        (720, "12 min"),
        (3 * 3600 + 300, "3 h 5 min"),
        (1e6, "12 days"),
    ],
)
def test_durations_are_as_long_as_they_need_to_be(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("approvers", "text"),
    [
        ([], "anyone who may execute"),
        (["alice"], "alice"),
        (["alice", "role:oncall", "alice"], "alice or role oncall"),
        (["a", "b", "c"], "a, b or c"),
        (["a", "b", "c", "d", "e"], "a, b, c or 2 others"),
    ],
)
def test_approvers_are_named_until_they_are_too_many(approvers: list[str], text: str) -> None:
    assert approver_words(approvers) == text
