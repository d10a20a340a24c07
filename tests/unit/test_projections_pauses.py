"""When an execution is paused, and for how long: while approvals are open and nothing else is outstanding."""

from datetime import timedelta

from runyard_projections.executions.fold import fold
from runyard_projections.executions.pauses import Pauses
from runyard_shared.contracts import events
from runyard_shared.contracts.base import Event

from tests import histories
from tests.histories import MAPPER, at, execution_id, record

GATE = [histories.fleet_started("x"), (execution_id("x"), histories.asked("gate"))]


def after(history: histories.History, execution: str = "x") -> Pauses:
    pauses = Pauses()
    pauses.follow(fold(record(history), MAPPER).executions[execution_id(execution)].steps)
    return pauses


def own(*following: Event) -> histories.History:
    return [(execution_id("x"), event) for event in following]


def test_an_execution_that_waits_for_people_alone_is_paused_since_then() -> None:
    pauses = after(GATE)
    assert (pauses.status, pauses.paused_since, pauses.paused_ms) == ("paused", at(2), 0)


def test_the_answer_ends_the_pause_and_its_length_stays() -> None:
    reminded = events.ApprovalReminded(approval_id=histories.approval_id("gate"), node_id="gate")
    answered = (histories.decided("gate"), histories.done("gate", "approved"), histories.scheduled("j", "last"))
    pauses = after([*GATE, *own(reminded, *answered)])
    assert (pauses.status, pauses.paused_since, pauses.paused_ms) == ("running", None, 2000)


def test_a_live_job_elsewhere_is_no_pause_until_it_ends() -> None:
    pauses = after([GATE[0], *own(histories.scheduled("j", "last"), histories.asked("gate"))])
    assert pauses.status == "running"
    pauses = after([GATE[0], *own(histories.scheduled("j", "last"), histories.asked("gate"), histories.well("j"))])
    assert (pauses.status, pauses.paused_since) == ("paused", at(4))


def test_delays_retries_and_subworkflows_are_no_pause_until_their_node_goes_on() -> None:
    delay = events.NodeWaiting(node_id="n", until="2026-03-01T13:00:00.000Z")
    retry = events.RetryScheduled(node_id="n", attempt=2, max_attempts=2, due_at="2026-03-01T13:00:00.000Z", delay_seconds=10)
    child = events.SubworkflowScheduled(
        node_id="n", execution_id=execution_id("child"), workflow="w", inputs={}, started_by="ann", depth=1
    )
    for wait in (delay, retry, child):
        assert after([*GATE, *own(wait)]).status == "running"
        for end in (histories.done("n"), events.NodeCancelled(node_id="n")):
            pauses = after([*GATE, *own(wait, end)])
            assert (pauses.status, pauses.paused_since, pauses.paused_ms) == ("paused", at(4), 1000)
    again = after([*GATE, *own(retry, histories.scheduled("j", "n", 2), histories.well("j"))])
    assert (again.status, again.paused_since) == ("paused", at(5))


def test_a_second_approval_does_not_begin_the_pause_anew() -> None:
    pauses = after([*GATE, *own(histories.asked("other")), *own(histories.decided("gate"))])
    assert (pauses.status, pauses.paused_since) == ("paused", at(2))


def test_the_end_of_the_execution_ends_its_pause_and_what_comes_later_changes_nothing() -> None:
    pauses = after(histories.decided_late(), "decided late")
    assert (pauses.status, pauses.paused_since, pauses.paused_ms) == ("running", None, 1000)


def test_a_for_each_whose_iterations_all_wait_for_people_is_a_pause() -> None:
    """The gate waits all the time; one of the items runs a job in between."""
    pauses = after(histories.asking(), "asking")
    assert (pauses.status, pauses.open_approvals) == ("paused", 2)
    times = {event.topic: at(position) for position, (_, event) in enumerate(histories.asking(), 1)}
    assert pauses.paused_since == times["job.completed"]
    ran = times["job.completed"] - times["job.scheduled"]
    assert timedelta(milliseconds=pauses.paused_ms) == times["job.completed"] - at(2) - ran


def test_two_clocks_that_differ_give_no_negative_pause() -> None:
    rows = record([*GATE, *own(histories.decided("gate"))])
    changes = fold(rows, MAPPER)
    steps = changes.executions[execution_id("x")].steps
    steps[-1] = (steps[-1][0], at(1), None)
    pauses = Pauses()
    pauses.follow(steps)
    assert (pauses.status, pauses.paused_ms) == ("running", 0)
