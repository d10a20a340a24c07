"""What an execution does, decision by decision."""

import msgspec
import pytest
from runyard_orchestrator.execution.jobs import MOST_IGNORED
from runyard_orchestrator.execution.timers import timer_changes
from runyard_orchestrator.orders import orders_of
from runyard_shared.contracts import events, jobs, reports
from runyard_shared.contracts.feed import Recorded
from runyard_shared.contracts.values import ExecutionStatus, JobStatus, NodeStatus, Trigger
from runyard_shared.errors import Conflict
from runyard_shared.eventstore.store import ClearAllTimers, SetTimer

from tests.engine import EXECUTION, Engine, action, chain, edge


def test_a_chain_schedules_one_job_after_the_other_and_completes() -> None:
    engine = Engine(chain(action("a"), action("b"), action("c")))
    assert engine.topics == ["execution.started", "job.scheduled"]
    engine.dispatched("a")
    engine.started("a")
    assert [event.topic for event in engine.finished("a")] == ["job.completed", "node.completed", "job.scheduled"]
    engine.finished("b")
    assert [event.topic for event in engine.finished("c")] == ["job.completed", "node.completed", "execution.completed"]
    assert engine.state.status == ExecutionStatus.COMPLETED


def test_the_same_report_again_changes_nothing() -> None:
    engine = Engine(chain(action("a"), action("b")))
    engine.dispatched("a")
    assert engine.dispatched("a") == []
    engine.started("a")
    assert engine.started("a") == []
    first_job = engine.job("a")
    engine.finished("a")
    assert engine.finished(first_job) == []
    assert engine.started(first_job) == []


def test_a_start_that_overtakes_its_dispatch_is_accepted() -> None:
    engine = Engine(chain(action("a")))
    assert [event.topic for event in engine.started("a")] == ["job.started"]
    assert engine.dispatched("a") == []


def test_a_condition_takes_one_branch_and_skips_the_other_with_all_that_follows() -> None:
    document = {
        "name": "Branch",
        "nodes": [
            {"id": "full", "type": "condition", "expression": "inputs.used > 90"},
            action("clean"),
            action("report"),
            action("ok"),
            {"id": "end", "type": "join"},
        ],
        "edges": [
            edge("trigger", "full"),
            edge("full", "clean", "true"),
            edge("clean", "report"),
            edge("full", "ok", "false"),
            edge("report", "end"),
            edge("ok", "end"),
        ],
    }
    engine = Engine(document, {"used": 95})
    assert [event.node_id for event in engine.of(events.NodeSkipped)] == ["ok"]
    engine.run()
    assert engine.state.status == ExecutionStatus.COMPLETED
    low = Engine(document, {"used": 5})
    assert [event.node_id for event in low.of(events.NodeSkipped)] == ["clean", "report"]
    low.run()
    assert low.state.nodes["end"].status == NodeStatus.COMPLETED


def test_a_wrong_path_in_a_condition_fails_the_execution_instead_of_choosing_a_branch() -> None:
    engine = Engine(chain({"id": "c", "type": "condition", "expression": "inputs.nope == 1"}, action("a")))
    assert engine.state.status == ExecutionStatus.FAILED
    error = engine.of(events.ExecutionFailed)[0].error
    assert error.node_id == "c"
    assert "inputs has no 'nope'" in error.message


def test_a_condition_that_gives_no_boolean_fails() -> None:
    engine = Engine(chain({"id": "c", "type": "condition", "expression": "inputs.n"}, action("a")), {"n": 2})
    assert "must be true or false" in engine.of(events.ExecutionFailed)[0].error.message


def test_a_condition_says_which_values_it_read() -> None:
    document = chain(
        action("check"),
        {"id": "c", "type": "condition", "expression": 'int(nodes.check.output.stdout) > inputs.limit && "a.b" != "nodes.x"'},
    )
    engine = Engine(document, {"limit": 90})
    engine.finished("check", output={"stdout": "91"})
    completed = next(event for event in engine.of(events.NodeCompleted) if event.node_id == "c")
    assert completed.reads == {"nodes.check.output.stdout": "91", "inputs.limit": 90}


def test_a_switch_takes_the_case_that_equals_its_value_else_default() -> None:
    document = {
        "name": "Switch",
        "nodes": [
            {"id": "s", "type": "switch", "expression": "inputs.severity", "cases": ["critical", "high", 3]},
            action("page"),
            action("note"),
            action("third"),
        ],
        "edges": [
            edge("trigger", "s"),
            edge("s", "page", "critical"),
            edge("s", "note", "default"),
            edge("s", "third", "3"),
        ],
    }
    for severity, expected in (("critical", "page"), ("low", "note"), ("high", None), (3, "third"), (True, "note")):
        engine = Engine(document, {"severity": severity})
        assert [job.node_id for job in engine.state.jobs.values()] == ([expected] if expected else [])


def test_parallel_branches_join_when_all_are_settled() -> None:
    document = {
        "name": "Fan",
        "nodes": [
            {"id": "p", "type": "parallel"},
            *(action(f"n{i}") for i in range(3)),
            {"id": "j", "type": "join"},
            action("z"),
        ],
        "edges": [
            edge("trigger", "p"),
            *(edge("p", f"n{i}", f"branch{i}") for i in range(3)),
            *(edge(f"n{i}", "j") for i in range(3)),
            edge("j", "z"),
        ],
    }
    engine = Engine(document)
    assert len(engine.state.jobs) == 3
    engine.finished("n2")
    engine.finished("n0")
    assert "j" not in engine.state.nodes
    engine.finished("n1")
    assert engine.state.nodes["j"].status == NodeStatus.COMPLETED
    engine.run()
    assert engine.state.status == ExecutionStatus.COMPLETED


@pytest.mark.parametrize(("join", "needed"), [({"mode": "any"}, 1), ({"mode": "count", "count": 2}, 2)])
def test_a_join_that_asks_for_less_goes_on_early_and_only_once(join: dict[str, object], needed: int) -> None:
    document = {
        "name": "Race",
        "nodes": [*(action(f"n{i}") for i in range(3)), {"id": "j", "type": "join"} | join, action("z")],
        "edges": [
            *(edge("trigger", f"n{i}") for i in range(3)),
            *(edge(f"n{i}", "j") for i in range(3)),
            edge("j", "z"),
        ],
    }
    engine = Engine(document)
    for i in range(3):
        assert ("j" in engine.state.nodes) == (i >= needed)
        engine.finished(f"n{i}")
    assert len([event for event in engine.of(events.JobScheduled) if event.node_id == "z"]) == 1
    engine.run()
    assert engine.state.status == ExecutionStatus.COMPLETED


def test_a_count_join_that_can_no_longer_be_reached_is_skipped_and_nothing_waits_for_ever() -> None:
    document = {
        "name": "Count",
        "nodes": [
            {"id": "c", "type": "condition", "expression": "true"},
            action("a"),
            action("b"),
            {"id": "j", "type": "join", "mode": "count", "count": 2},
            action("z"),
        ],
        "edges": [
            edge("trigger", "c"),
            edge("c", "a", "true"),
            edge("c", "b", "false"),
            edge("a", "j"),
            edge("b", "j"),
            edge("j", "z"),
        ],
    }
    engine = Engine(document)
    engine.run()
    assert engine.state.nodes["j"].status == NodeStatus.SKIPPED
    assert engine.state.status == ExecutionStatus.COMPLETED


def test_a_failed_action_is_retried_as_a_new_job_with_exponential_backoff() -> None:
    engine = Engine(
        chain(action("a", maxRetries=3, retryDelaySeconds=2, backoff="exponential", maxDelaySeconds=5), action("b"))
    )
    delays = []
    for attempt in (1, 2, 3):
        engine.failed("a")
        retry = engine.of(events.RetryScheduled)[-1]
        delays.append(retry.delay_seconds)
        assert (retry.attempt, retry.max_attempts) == (attempt + 1, 4)
        assert engine.state.nodes["a"].status == NodeStatus.WAITING
        engine.after(retry.delay_seconds, "retry:a")
    assert delays == [2, 4, 5]
    assert len({event.job_id for event in engine.of(events.JobScheduled)}) == 4
    engine.finished("a")
    engine.run()
    assert engine.state.status == ExecutionStatus.COMPLETED


def test_jitter_spreads_the_delay_by_the_random_number_it_is_given() -> None:
    delays = []
    for chance in (0.0, 0.5, 0.999):
        engine = Engine(chain(action("a", maxRetries=1, retryDelaySeconds=10, jitter=0.5)))
        engine.chance = chance
        engine.failed("a")
        delays.append(engine.of(events.RetryScheduled)[0].delay_seconds)
    assert delays == [5.0, 10.0, 14.99]


def test_exhausted_retries_follow_the_error_edge_and_later_nodes_see_the_error() -> None:
    document = {
        "name": "Handled",
        "nodes": [
            action("probe", maxRetries=1),
            action("fine"),
            {"id": "down", "type": "errorHandler"},
            action("tell", params={"script": "echo {{ error.nodeId }} {{ error.exitCode }} {{ error.actionType }}"}),
        ],
        "edges": [
            edge("trigger", "probe"),
            edge("probe", "fine"),
            edge("probe", "down", "error"),
            edge("down", "tell"),
        ],
    }
    engine = Engine(document)
    engine.failed("probe", exit_code=7)
    assert [job.attempt for job in engine.state.jobs.values()] == [1, 2]
    engine.failed("probe", exit_code=7)
    assert engine.state.nodes["fine"].status == NodeStatus.SKIPPED
    assert engine.of(events.JobScheduled)[-1].params == {"script": "echo probe 7 script.bash"}
    engine.run()
    assert engine.state.status == ExecutionStatus.COMPLETED


def test_a_critical_failure_withdraws_what_waits_lets_run_what_runs_and_then_fails() -> None:
    document = {
        "name": "Critical",
        "nodes": [
            action("bad"),
            action("slow"),
            action("queued"),
            {"id": "nap", "type": "delay", "seconds": 60},
            action("never"),
        ],
        "edges": [
            *(edge("trigger", name) for name in ("bad", "slow", "queued", "nap")),
            edge("slow", "never"),
        ],
    }
    engine = Engine(document)
    engine.started("slow")
    new = engine.failed("bad")
    assert [event.topic for event in new] == [
        "job.failed",
        "node.failed",
        "execution.failing",
        "node.cancelled",
        "job.cancel_requested",
    ]
    assert engine.of(events.JobCancelRequested)[0].job_id == engine.job("queued")
    assert engine.state.status == ExecutionStatus.RUNNING
    engine.withdrawn("queued")
    new = engine.finished("slow")
    assert [event.topic for event in new] == ["job.completed", "node.completed", "execution.failed"]
    assert engine.of(events.ExecutionFailed)[0].error.node_id == "bad"
    assert "never" not in engine.state.nodes


def test_an_action_that_is_not_critical_goes_on_along_success() -> None:
    engine = Engine(chain(action("a", critical=False), action("b")))
    engine.failed("a")
    assert engine.of(events.NodeFailed)[0].port == "success"
    engine.run()
    assert engine.state.status == ExecutionStatus.COMPLETED


def test_a_timeout_is_retried_and_then_fails_with_its_reason() -> None:
    engine = Engine(chain(action("a", maxRetries=1)))
    engine.finished("a", JobStatus.TIMEOUT, reason="timeout", message="over 30 s")
    engine.finished("a", JobStatus.TIMEOUT, reason="timeout", message="over 30 s")
    assert len(engine.of(events.JobTimedOut)) == 2
    assert engine.of(events.ExecutionFailed)[0].error.reason == "timeout"


def test_an_agent_lost_before_the_start_puts_the_job_back_and_its_late_reports_are_ignored() -> None:
    engine = Engine(chain(action("a")))
    engine.dispatched("a", 1)
    assert [event.topic for event in engine.lost("a", 1)] == ["job.requeued"]
    assert engine.lost("a", 1) == []
    assert [event.topic for event in engine.started("a", 1)] == ["job.report_ignored"]
    assert engine.started("a", 1) == []
    engine.dispatched("a", 2)
    engine.started("a", 2)
    engine.finished("a", dispatch=2)
    assert engine.state.status == ExecutionStatus.COMPLETED


def test_an_agent_lost_while_the_job_runs_fails_the_job_and_a_result_that_comes_later_changes_nothing() -> None:
    engine = Engine(chain(action("a", maxRetries=1)))
    engine.started("a")
    first = engine.job("a")
    engine.lost("a")
    assert engine.of(events.JobFailed)[0].error.reason == "agent_lost"
    assert len(engine.state.jobs) == 2
    late = engine.finished(first)
    assert [event.topic for event in late] == ["job.report_ignored"]
    assert "completed" in engine.of(events.JobReportIgnored)[0].detail
    assert engine.finished(first) == []
    engine.run()
    assert engine.state.status == ExecutionStatus.COMPLETED


def test_a_refused_job_fails_at_once_with_the_reason_and_is_never_tried_again() -> None:
    engine = Engine(chain(action("a", maxRetries=3, retryDelaySeconds=10, queueTimeoutSeconds=60)))
    job_id = engine.job("a")
    assert [event.topic for event in engine.refused("a")] == [
        *("job.failed", "node.failed"),
        *("execution.failing", "execution.failed"),
    ]
    error = engine.of(events.ExecutionFailed)[0].error
    assert (error.reason, error.message) == ("connection_disabled", "the connection 'web-hosts' is disabled")
    assert (error.node_id, error.action_type) == ("a", "script.bash")
    assert not engine.state.timers
    assert engine.refused(job_id) == []


def test_a_refused_job_follows_the_error_edge_and_is_a_warning_where_it_is_not_critical() -> None:
    document = {
        "name": "Refused",
        "nodes": [action("a"), action("b", critical=False), action("handler"), action("after")],
        "edges": [edge("trigger", "a"), edge("trigger", "b"), edge("a", "handler", "error"), edge("b", "after")],
    }
    engine = Engine(document)
    engine.refused("a")
    engine.refused("b", "pool_unknown")
    engine.run()
    assert engine.state.status == ExecutionStatus.COMPLETED
    assert {"handler", "after"} <= engine.state.nodes.keys()


def test_a_job_is_refused_also_after_it_was_put_back() -> None:
    engine = Engine(chain(action("a")))
    engine.dispatched("a", 1)
    engine.lost("a", 1)
    assert engine.refused("a", "agent_revoked", dispatch=1)[0].topic == "job.failed"
    late = engine.finished("a", dispatch=1)
    assert [event.topic for event in late] == ["job.report_ignored"]


def test_a_refusal_of_a_job_that_runs_is_late() -> None:
    engine = Engine(chain(action("a")))
    engine.started("a")
    assert [event.topic for event in engine.refused("a")] == ["job.report_ignored"]
    assert engine.refused("a") == []
    engine.run()
    engine.finished("a")
    assert engine.state.status == ExecutionStatus.COMPLETED


def test_a_cancelled_job_that_is_refused_was_cancelled() -> None:
    engine = Engine(chain(action("a")))
    engine.cancel()
    assert [event.topic for event in engine.refused("a")] == ["job.cancelled", "node.cancelled"]


@pytest.mark.parametrize("told_by", ["dispatch", "start"])
def test_what_an_agent_says_of_a_job_that_another_has_changes_nothing(told_by: str) -> None:
    engine = Engine(chain(action("a")))
    if told_by == "dispatch":
        engine.dispatched("a")
    else:
        engine.started("a")
    assert [event.topic for event in engine.started("a", agent="b2")] == ["job.report_ignored"]
    assert [event.topic for event in engine.failed("a", agent="b2")] == ["job.report_ignored"]
    assert engine.failed("a", agent="b2") == []
    ignored = engine.of(events.JobReportIgnored)[-1]
    assert (ignored.agent, ignored.detail) == (
        "b2",
        "JobFinished (failed) of dispatch 1 came from b2, but it is a1 that has the job",
    )
    engine.finished("a")
    assert engine.state.status == ExecutionStatus.COMPLETED


def test_who_had_an_earlier_lease_may_hold_the_next_one() -> None:
    engine = Engine(chain(action("a")))
    engine.dispatched("a", 1)
    engine.lost("a", 1)
    engine.started("a", 2, agent="b2")
    engine.finished("a", dispatch=2, agent="b2")
    assert engine.state.status == ExecutionStatus.COMPLETED


def test_a_start_of_a_dispatch_that_was_never_made_does_not_take_the_job() -> None:
    engine = Engine(chain(action("a")))
    assert [event.topic for event in engine.started("a", 7, agent="b2")] == ["job.report_ignored"]
    assert (
        engine.of(events.JobReportIgnored)[0].detail == "JobStarted of dispatch 7 came from b2, but there was no such dispatch"
    )
    engine.started("a")
    engine.finished("a")
    assert engine.state.status == ExecutionStatus.COMPLETED


def test_the_word_of_the_dispatcher_counts_more_than_a_start_that_came_before_it() -> None:
    engine = Engine(chain(action("a")))
    engine.started("a", agent="b2")
    assert [event.topic for event in engine.started("a")] == ["job.report_ignored"]
    assert [event.topic for event in engine.dispatched("a")] == ["job.dispatched"]
    assert [event.topic for event in engine.finished("a", agent="b2")] == ["job.report_ignored"]
    assert engine.finished("a")[0].topic == "job.completed"


def test_an_agent_that_makes_reports_up_does_not_fill_the_log() -> None:
    engine = Engine(chain(action("a")))
    engine.started("a")
    for number in range(100):
        engine.finished("a", dispatch=2 + number, agent="b2")
    assert len(engine.of(events.JobReportIgnored)) == MOST_IGNORED
    engine.finished("a")
    assert engine.state.status == ExecutionStatus.COMPLETED


def released(engine: Engine) -> list[bool]:
    """Of each job that ended, in order, whether its agent is told to be at fault."""
    found: list[bool] = []
    for position, event in enumerate(engine.events, 1):
        data = msgspec.Raw(msgspec.json.encode(event))
        recorded = Recorded(
            position=position,
            stream_id=EXECUTION,
            version=position,
            tenant_id="default",
            topic=event.topic,
            recorded_at=engine.now,
            data=data,
        )
        found += [order.faulty for _, order in orders_of(recorded) if isinstance(order, jobs.ReleaseJob)]
    return found


def test_a_release_says_whether_the_agent_was_at_fault() -> None:
    engine = Engine(chain(action("a", maxRetries=5)))
    engine.failed("a")
    engine.finished("a", JobStatus.TIMEOUT, reason="timeout", message="over 30 s")
    engine.finished("a", JobStatus.FAILED, reason="unknown_action", message="there is no such action here")
    engine.started("a")
    engine.lost("a")
    engine.finished("a")
    assert released(engine) == [False, False, True, True, False]
    refused = Engine(chain(action("a")))
    refused.refused("a")
    assert released(refused) == [False]


def test_cancel_is_at_once_and_records_what_still_runs() -> None:
    document = {
        "name": "Cancel",
        "nodes": [action("run"), action("wait"), {"id": "nap", "type": "delay", "seconds": 60}, action("next")],
        "edges": [edge("trigger", "run"), edge("trigger", "wait"), edge("trigger", "nap"), edge("run", "next")],
    }
    engine = Engine(document)
    engine.started("run")
    new = engine.cancel()
    assert [event.topic for event in new] == ["execution.cancelled", "node.cancelled", "job.cancel_requested"]
    assert engine.state.status == ExecutionStatus.CANCELLED
    engine.withdrawn("wait")
    assert engine.state.jobs[engine.job("wait")].status == JobStatus.CANCELLED
    assert [event.topic for event in engine.finished("run")] == ["job.completed", "node.completed"]
    assert "next" not in engine.state.nodes
    with pytest.raises(Conflict, match="already cancelled"):
        engine.cancel()


def test_a_cancelled_pending_job_that_had_already_started_runs_to_its_end() -> None:
    engine = Engine(chain(action("a"), action("b")))
    engine.dispatched("a")
    engine.cancel()
    engine.started("a")
    assert engine.withdrawn("a") == []
    engine.finished("a")
    assert engine.state.jobs[engine.job("a")].status == JobStatus.COMPLETED
    assert engine.state.status == ExecutionStatus.CANCELLED


def test_cancel_with_force_also_stops_running_jobs_even_after_a_cancel_without() -> None:
    engine = Engine(chain(action("a")))
    engine.started("a")
    assert [event.topic for event in engine.cancel()] == ["execution.cancelled"]
    assert [event.topic for event in engine.cancel(force=True)] == ["job.cancel_requested"]
    assert engine.of(events.JobCancelRequested)[0].force
    engine.finished("a", JobStatus.CANCELLED)
    assert engine.state.nodes["a"].status == NodeStatus.CANCELLED


def test_a_retry_that_waits_is_cancelled_with_the_execution_and_its_timer_does_nothing() -> None:
    engine = Engine(chain(action("a", maxRetries=5, retryDelaySeconds=60)))
    engine.failed("a")
    engine.cancel()
    assert engine.after(60, "retry:a") == []


def test_a_delay_waits_for_its_timer_or_for_an_instant() -> None:
    engine = Engine(chain({"id": "nap", "type": "delay", "seconds": 90}, action("a")))
    assert engine.of(events.NodeWaiting)[0].until == "2026-01-01T00:01:30.000Z"
    assert engine.after(90, "delay:nap")[-1].topic == "job.scheduled"
    assert engine.after(0, "delay:nap") == []
    until = Engine(chain({"id": "nap", "type": "delay", "until": "inputs.at"}), {"at": "2026-01-02T00:00:00+02:00"})
    assert until.of(events.NodeWaiting)[0].until == "2026-01-01T22:00:00.000Z"
    bad = Engine(chain({"id": "nap", "type": "delay", "until": "inputs.at"}), {"at": "tomorrow"})
    assert "RFC 3339" in bad.of(events.ExecutionFailed)[0].error.message
    past = Engine(chain({"id": "nap", "type": "delay", "until": "timestamp('2020-01-01T00:00:00Z')"}))
    assert past.state.status == ExecutionStatus.COMPLETED


def test_set_variables_are_seen_by_later_nodes_and_keep_their_types() -> None:
    engine = Engine(
        chain(
            {"id": "v", "type": "setVariables", "values": {"n": "{{ inputs.n }}", "t": "n={{ inputs.n }}"}},
            action("a", params={"script": "{{ vars.t }}", "env": {"N": "{{ string(vars.n + 1) }}"}}),
        ),
        {"n": 41},
    )
    assert engine.state.vars == {"n": 41, "t": "n=41"}
    assert engine.of(events.JobScheduled)[0].params == {"script": "n=41", "env": {"N": "42"}}


def test_outputs_of_earlier_nodes_are_in_scope_and_a_path_that_does_not_resolve_is_a_warning() -> None:
    engine = Engine(chain(action("a"), action("b", params={"script": "x{{ nodes.a.output.stdout }}y{{ nodes.a.output.zzz }}"})))
    engine.finished("a", output={"stdout": "hello"})
    scheduled = engine.of(events.JobScheduled)[1]
    assert scheduled.params == {"script": "xhelloy"}
    assert scheduled.warnings == ["nodes.a.output.zzz does not resolve: nodes.a.output has no 'zzz'; it has stdout"]


def test_the_trigger_is_in_scope() -> None:
    trigger = Trigger(type="incident", event="incident.created", incident_id="i-1", payload={"severity": "high"})
    engine = Engine(
        chain(action("a", params={"script": "{{ incident.severity }} {{ trigger.event }} {{ execution.startedBy }}"})),
        {},
        trigger,
    )
    assert engine.of(events.JobScheduled)[0].params == {"script": "high incident.created alice"}


def test_an_execution_over_its_timeout_stops_its_jobs_and_fails() -> None:
    engine = Engine(chain(action("a")) | {"timeoutSeconds": 30})
    assert list(engine.state.timers) == ["execution"]
    engine.started("a")
    new = engine.after(30, "execution")
    assert [event.topic for event in new] == ["execution.failing", "job.cancel_requested"]
    engine.finished("a", JobStatus.CANCELLED)
    assert engine.of(events.ExecutionFailed)[0].error.reason == "execution_timeout"


def test_timers_are_set_with_their_cause_and_all_cleared_at_the_end() -> None:
    engine = Engine(chain(action("a", maxRetries=1, retryDelaySeconds=5)) | {"timeoutSeconds": 60})
    before = engine.state.timers
    engine.failed("a")
    changes = timer_changes(before, engine.state)
    assert [
        (change.timer_id, (change.due_at - engine.now).total_seconds()) for change in changes if isinstance(change, SetTimer)
    ] == [("retry:a", 5.0)]
    engine.after(5, "retry:a")
    before = engine.state.timers
    engine.finished("a")
    assert timer_changes(before, engine.state) == [ClearAllTimers()]


def test_a_report_for_an_unknown_job_is_an_error_to_be_parked_not_ignored() -> None:
    engine = Engine(chain(action("a")))
    with pytest.raises(TypeError, match="has no job"):
        engine.when(reports.JobDispatched(tenant_id="default", execution_id="e", job_id="unknown", dispatch=1, agent="a1"))


def test_a_start_says_when_the_job_was_dispatched_and_needs_no_event_of_its_own_for_it() -> None:
    engine = Engine(chain(action("a")))
    started = reports.JobStarted(
        tenant_id="default",
        execution_id="e",
        job_id=engine.job("a"),
        dispatch=1,
        agent="a1",
        dispatched_at="2026-01-01T00:00:00.000Z",
    )
    assert engine.when(started) == [
        events.JobStarted(job_id=engine.job("a"), dispatch=1, agent="a1", dispatched_at="2026-01-01T00:00:00.000Z")
    ]


def test_the_output_of_an_action_is_in_the_log_once_and_in_scope_for_good() -> None:
    engine = Engine(chain(action("a"), action("b", params={"script": "{{ nodes.a.output.stdout }}"})))
    engine.finished("a", output={"stdout": "hello"})
    assert [event.output for event in engine.of(events.NodeCompleted)] == [None]
    assert engine.of(events.JobScheduled)[1].params == {"script": "hello"}
    handled = Engine(
        {
            "name": "Failed output",
            "nodes": [action("a"), action("b", params={"script": "{{ nodes.a.output.exitCode }} {{ nodes.a.exitCode }}"})],
            "edges": [edge("trigger", "a"), edge("a", "b", "error")],
        }
    )
    handled.failed("a", exit_code=4)
    assert handled.of(events.JobScheduled)[1].params == {"script": "4 4"}
