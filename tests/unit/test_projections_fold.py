"""What each event changes in the rows of executions, jobs and nodes."""

import json
from datetime import UTC, datetime

import msgspec
import pytest
from runyard_projections.app import projections
from runyard_projections.executions.changes import Changes, JobChange, NodeChange
from runyard_projections.executions.fold import fold
from runyard_shared.contracts import events
from runyard_shared.contracts.base import Event
from runyard_shared.contracts.events import EVENT_TYPES
from runyard_shared.contracts.feed import Recorded
from runyard_shared.contracts.values import Trigger
from runyard_shared.eventstore.mapper import UnknownTopic

from tests import histories
from tests.histories import MAPPER, at, execution_id, job_id, record

FIRST = histories.iteration_id("iterated", "each[0]")


def folded(history: histories.History) -> Changes:
    return fold(record(history), MAPPER)


def job(changes: Changes, name: str) -> JobChange:
    return changes.jobs[job_id(name)]


def node(changes: Changes, execution: str, node_id: str) -> NodeChange:
    return changes.nodes[execution_id(execution), node_id]


def test_a_completed_execution_counts_its_jobs_and_ends() -> None:
    execution = folded(histories.completed()).executions[execution_id("completed")]
    assert (execution.status, execution.finished_at) == ("completed", at(11))
    assert (execution.jobs_completed, execution.jobs_total) == (1, 1)
    assert (execution.error, execution.failing_at, execution.cancellation) == (None, None, None)
    assert execution.position == 11
    assert execution.new is not None
    assert execution.new.started_at == at(1)
    assert json.loads(execution.new.trigger) == {"type": "manual", "user": "ann"}
    assert json.loads(execution.new.inputs) == {"host": "web-01"}


def test_a_job_has_the_times_of_its_events_and_the_output_byte_for_byte() -> None:
    changed = job(folded(histories.completed()), "ok")
    assert changed.new is not None
    assert (changed.status, changed.agent, changed.new.attempt) == ("completed", "agent-1", 1)
    assert (changed.new.queued_at, changed.dispatched_at, changed.started_at, changed.finished_at) == (
        at(2),
        at(3),
        at(4),
        at(5),
    )
    assert changed.duration_ms == 41
    assert changed.output == '{"stdout":"ok\\u0000","exitCode":0}'


def test_the_output_of_an_action_is_kept_with_its_job_only() -> None:
    changes = folded(histories.completed())
    assert node(changes, "completed", "a").output is None
    assert node(changes, "completed", "a").job_id == job_id("ok")
    assert node(changes, "completed", "b").output == "true"


def test_a_skipped_node_was_never_entered() -> None:
    skipped = node(folded(histories.completed()), "completed", "c")
    assert (skipped.status, skipped.started_at, skipped.finished_at) == ("skipped", None, at(8))


def test_each_attempt_is_a_job_of_its_own_and_counts() -> None:
    changes = folded(histories.retried())
    execution = changes.executions[execution_id("retried")]
    assert (execution.jobs_completed, execution.jobs_total) == (1, 2)
    first, second = job(changes, "first"), job(changes, "second")
    assert first.new is not None
    assert second.new is not None
    assert (first.new.attempt, first.status, second.new.attempt, second.status) == (1, "failed", 2, "completed")
    assert json.loads(first.error or "") == {"reason": "exit_code", "message": "it ended with 3", "nodeId": "a", "exitCode": 3}


def test_a_node_waits_for_its_retry_and_says_until_when() -> None:
    waiting = node(folded(histories.retried()[:6]), "retried", "a")
    assert waiting.status == "waiting"
    assert json.loads(waiting.waiting or "") == {
        "for": "retry",
        "since": "2026-03-01T12:00:06.000Z",
        "until": "2026-03-01T12:01:00.000Z",
        "attempt": 2,
        "maxAttempts": 3,
    }
    again = node(folded(histories.retried()[:7]), "retried", "a")
    assert (again.status, again.waiting, again.started_at) == ("running", None, at(2))


def test_a_requeued_job_waits_again_and_forgets_its_agent() -> None:
    requeued = job(folded(histories.retried()[:9]), "second")
    assert (requeued.status, requeued.agent, requeued.dispatched_at, requeued.released) == ("pending", None, None, True)
    elsewhere = job(folded(histories.retried()), "second")
    assert (elsewhere.agent, elsewhere.dispatched_at) == ("agent-2", at(10))


def test_a_failing_execution_still_runs_and_shows_its_first_error() -> None:
    execution = folded(histories.failing()).executions[execution_id("failing")]
    assert (execution.status, execution.finished_at, execution.failing_at) == ("running", None, at(9))
    assert json.loads(execution.error or "")["message"] == "it ended with 3"


def test_a_failed_execution_keeps_the_error_that_made_it_fail() -> None:
    changes = folded(histories.failed())
    execution = changes.executions[execution_id("failed")]
    assert (execution.status, execution.finished_at, execution.failing_at) == ("failed", at(13), at(10))
    assert json.loads(execution.error or "")["reason"] == "exit_code"
    assert (job(changes, "other").status, job(changes, "other").duration_ms) == ("timeout", None)
    assert (node(changes, "failed", "a").status, node(changes, "failed", "a").port) == ("failed", None)


def test_a_tolerated_failure_fails_the_node_and_not_the_execution() -> None:
    changes = folded(histories.tolerated())
    assert (node(changes, "tolerated", "a").status, node(changes, "tolerated", "a").port) == ("failed", "success")
    execution = changes.executions[execution_id("tolerated")]
    assert (execution.status, execution.error) == ("completed", None)


def test_a_cancelled_execution_stays_cancelled_and_records_what_still_comes() -> None:
    changes = folded(histories.cancelled())
    execution = changes.executions[execution_id("cancelled")]
    assert (execution.status, execution.finished_at) == ("cancelled", at(7))
    assert json.loads(execution.cancellation or "") == {"by": "bob", "reason": "mistake", "force": False}
    assert (execution.jobs_completed, execution.jobs_total, execution.position) == (1, 2, 13)
    assert job(changes, "late").status == "completed"
    withdrawn = job(changes, "waiting")
    assert (withdrawn.status, withdrawn.agent, withdrawn.output, withdrawn.duration_ms) == ("cancelled", None, None, None)
    assert json.loads(withdrawn.error or "") == {"reason": "cancelled", "message": "the execution was cancelled"}
    assert (node(changes, "cancelled", "d").status, node(changes, "cancelled", "d").waiting) == ("cancelled", None)


def test_a_delay_says_until_when() -> None:
    delay = node(folded(histories.active()), "active", "d")
    assert (delay.status, delay.started_at) == ("waiting", at(2))
    assert json.loads(delay.waiting or "")["for"] == "delay"
    assert json.loads(delay.waiting or "")["until"] == "2026-03-01T13:00:00.000Z"


def test_what_happens_in_iterations_counts_for_the_execution_and_not_for_its_nodes() -> None:
    changes = folded(histories.iterated())
    assert set(changes.executions) == {execution_id("iterated")}
    execution = changes.executions[execution_id("iterated")]
    assert (execution.status, execution.jobs_completed, execution.jobs_total, execution.jobs_live) == ("completed", 2, 5, 0)
    assert (execution.error, execution.failing_at) == (None, None), "an item failed, and the execution went on"
    assert {node_id for _, node_id in changes.nodes} == {"each", "last"}
    of_first = {node_id: each for (stream, node_id), each in changes.iteration_nodes.items() if stream == FIRST}
    assert {node_id: each.status for node_id, each in of_first.items()} == {"check": "completed", "restart": "skipped"}
    retried = job(changes, "i0b")
    assert retried.new is not None
    assert (retried.execution_id, retried.new.stream_id) == (execution_id("iterated"), FIRST)
    own_job = job(changes, "after").new
    assert own_job is not None
    assert own_job.stream_id is None


def test_iterations_end_as_their_streams_say_and_their_for_each_counts_them() -> None:
    changes = folded(histories.iterated())
    by_index = sorted(changes.iterations.values(), key=lambda each: each.new.index if each.new else -1)
    assert [(each.new and each.new.path, each.status) for each in by_index] == [
        ("each[0]", "completed"),
        ("each[1]", "failed"),
        ("each[2]", "cancelled"),
    ]
    assert by_index[0].output == '{"exitCode":0}'
    assert json.loads(by_index[1].error or "")["reason"] == "exit_code"
    foreach = changes.foreachs[execution_id("iterated"), "each"]
    assert (foreach.total, foreach.scheduled) == (3, 3)
    assert (foreach.completed, foreach.failed, foreach.cancelled) == (1, 1, 1)


def test_an_iteration_inside_an_iteration_has_it_as_its_parent_and_the_same_execution() -> None:
    changes = folded(histories.nested())
    inner = changes.iterations[histories.iteration_id("nested", "outer[1].inner[0]")]
    assert inner.new is not None
    assert (inner.execution_id, inner.new.node_id) == (execution_id("nested"), "inner")
    assert inner.new.parent_stream_id == histories.iteration_id("nested", "outer[1]")
    assert changes.foreachs[inner.new.parent_stream_id, "inner"].completed == 1
    assert (changes.executions[execution_id("nested")].jobs_completed, len(changes.iteration_nodes)) == (2, 4)


def test_an_approval_keeps_votes_and_notifications_in_their_order() -> None:
    changes = folded(histories.approved())
    approval = changes.approvals[histories.approval_id("approved")]
    assert (approval.status, approval.responded_by, approval.response_note) == ("approved", "bob", "go")
    assert json.loads(approval.votes) == [{"by": "ann", "note": "fine\0", "via": "web", "at": "2026-03-01T12:00:05.000Z"}]
    assert [(sent["channel"], sent["error"]) for sent in json.loads(approval.notifications)] == [
        ("mail", None),
        ("chat", "it answered 500"),
    ]
    assert (approval.reminded_at, approval.escalated_at, approval.escalated_to) == (at(6), at(7), '["bob"]')
    assert approval.new is not None
    assert approval.new.message == "Go?\ufffd"
    assert changes.executions[execution_id("approved")].pending_approvals == 0


def test_a_node_that_waits_for_people_says_until_when() -> None:
    waiting = node(folded(histories.approved()[:2]), "approved", "gate")
    assert (waiting.status, waiting.waiting_since) == ("waiting", at(2))
    assert json.loads(waiting.waiting or "") == {
        "for": "approval",
        "since": "2026-03-01T12:00:02.000Z",
        "until": "2026-03-01T13:00:00.000Z",
        "approvalId": histories.approval_id("approved"),
    }


def test_a_node_that_waits_for_a_subworkflow_runs_and_names_it() -> None:
    waiting = node(folded(histories.parent()[:2]), "parent", "sub")
    assert waiting.status == "running"
    assert json.loads(waiting.waiting or "") == {
        "for": "subworkflow",
        "since": "2026-03-01T12:00:02.000Z",
        "executionId": execution_id("child"),
    }


def test_a_reused_node_ended_without_having_begun() -> None:
    changes = folded(histories.rerun())
    each, gate, outer = (node(changes, "rerun", node_id) for node_id in ("each", "gate", "outer"))
    assert (each.status, each.port, json.loads(each.error or "")["reason"]) == ("failed", "success", "exit_code")
    assert (gate.status, gate.port, gate.output) == ("completed", "approved", '{"decision":"approved"}')
    assert (outer.status, outer.started_at, outer.finished_at) == ("skipped", None, at(4))


def test_a_second_end_changes_nothing() -> None:
    stream = execution_id("completed")
    changes = folded([*histories.completed(), (stream, events.ExecutionCancelled(by="bob"))])
    assert (changes.executions[stream].status, changes.executions[stream].finished_at) == ("completed", at(11))


def test_a_name_with_a_nul_is_shown_without_it_and_stops_nothing() -> None:
    event = events.ExecutionStarted(
        workflow_id=histories.WORKFLOW,
        workflow_name="dis\0k",
        version=1,
        trigger=Trigger(type="manual"),
        inputs={"text": "\0"},
        started_by="ann",
    )
    new = folded([(execution_id("nul"), event)]).executions[execution_id("nul")].new
    assert new is not None
    assert (new.workflow_name, new.inputs) == ("dis\ufffdk", '{"text":"\\u0000"}')


@pytest.mark.parametrize("projection", projections(), ids=lambda projection: projection.name)
def test_an_event_nobody_knows_is_never_skipped(projection: object) -> None:
    row = Recorded(
        position=1,
        stream_id=execution_id("x"),
        version=1,
        tenant_id="default",
        topic="memory.lost",
        recorded_at=datetime(2026, 1, 1, tzinfo=UTC),
        data=msgspec.Raw(b"{}"),
    )
    with pytest.raises(UnknownTopic, match=r"memory\.lost"):
        projection.fold([row])  # type: ignore[attr-defined]


def test_every_event_of_the_log_is_known_to_its_projection() -> None:
    """A new event type must be given a meaning here before it can be written."""
    seen = {event.topic for history in (histories.workflow, *histories.ALL) for _, event in history()}
    stream = histories.WORKFLOW
    record_id = execution_id("record of a trigger")
    rest: list[tuple[str, Event]] = [
        (stream, events.WorkflowDeactivated(by="ann")),
        (stream, events.WorkflowRolledBack(by="ann", version=1)),
        (stream, events.WorkflowArchived(by="ann")),
        (record_id, events.IncidentReceived(event="incident.created", incident={"id": "INC-1"}, by="ann")),
        (
            record_id,
            events.ScheduleFired(
                workflow_id=stream,
                workflow_name="Disk cleanup",
                version=1,
                trigger=0,
                cron="0 6 * * *",
                timezone="UTC",
                scheduled_at="2026-03-01T06:00:00.000Z",
            ),
        ),
        (record_id, events.TriggerRefused(workflow_id=stream, execution_id=execution_id("x"), code="x", reason="x")),
    ]
    everything = [pair for history in (histories.workflow, *histories.ALL) for pair in history()] + rest
    of_this_log = {topic for topic in EVENT_TYPES if not topic.startswith(("agent.", "pool.", "connection."))}
    assert seen | {event.topic for _, event in rest} == of_this_log
    for projection in projections():
        projection.fold(record(everything))
