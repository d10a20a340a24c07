"""Whatever the graph and whatever order, number and outcome of reports: an execution ends, and its history tells why."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from runyard_orchestrator.execution.state import UNSETTLED, JobState
from runyard_shared.contracts import commands, events, reports
from runyard_shared.contracts.values import FINISHED_JOBS, ErrorInfo, ExecutionStatus, JobStatus

from tests.engine import EXECUTION, Engine, Json, action, edge

_PORTS = {
    "action": ["success", "error"],
    "condition": ["true", "false"],
    "switch": ["one", "default"],
    "parallel": ["x", "y"],
}


@st.composite
def workflows(draw: st.DrawFn) -> Json:
    """An acyclic graph: every node is entered from one or more earlier ones."""
    nodes: list[Json] = []
    edges: list[Json] = []
    for index in range(draw(st.integers(1, 9))):
        node_id = f"n{index}"
        kind = draw(
            st.sampled_from(
                ["action", "action", "condition", "switch", "delay", "parallel", "join", "setVariables", "errorHandler"]
            )
        )
        sources = draw(st.lists(st.integers(-1, index - 1), min_size=1, max_size=3, unique=True))
        for source in sources:
            ports = [None] if source < 0 else _PORTS.get(nodes[source]["type"], [None])
            edges.append(edge("trigger" if source < 0 else f"n{source}", node_id, draw(st.sampled_from(ports))))
        nodes.append(_node(draw, kind, node_id, len(sources)))
    return {"name": "Random", "nodes": nodes, "edges": edges, "timeoutSeconds": draw(st.sampled_from([0, 0, 100]))}


def _node(draw: st.DrawFn, kind: str, node_id: str, incoming: int) -> Json:
    fields: dict[str, Json] = {
        "condition": {"expression": draw(st.sampled_from(["true", "false", "inputs.n > 1", "inputs.nope"]))},
        "switch": {"expression": draw(st.sampled_from(["inputs.word", "'other'"])), "cases": ["one"]},
        "delay": {"seconds": draw(st.sampled_from([0, 5]))},
        "setVariables": {"values": {node_id: "{{ inputs.n }}"}},
    }
    if kind == "action":
        return action(
            node_id,
            maxRetries=draw(st.integers(0, 2)),
            retryDelaySeconds=draw(st.sampled_from([0, 3])),
            critical=draw(st.booleans()),
        )
    if kind == "join":
        mode = draw(st.sampled_from(["all", "any", "count"]))
        count = {"count": draw(st.integers(1, incoming))} if mode == "count" else {}
        return {"id": node_id, "type": "join", "mode": mode} | count
    return {"id": node_id, "type": kind} | fields.get(kind, {})


def _stimuli(job_id: str, dispatch: int, agent: str) -> list[Any]:
    base: Json = {"tenant_id": "default", "execution_id": EXECUTION, "job_id": job_id, "dispatch": dispatch}
    failed = ErrorInfo(reason="exit_code", message="exit code 1", exit_code=1)
    return [
        reports.JobDispatched(**base, agent=agent),
        reports.JobStarted(**base, agent=agent),
        reports.JobFinished(**base, agent=agent, status=JobStatus.COMPLETED, duration_ms=1),
        reports.JobFinished(**base, agent=agent, status=JobStatus.FAILED, duration_ms=1, error=failed),
        reports.JobFinished(**base, agent=agent, status=JobStatus.TIMEOUT, duration_ms=1),
        reports.JobFinished(**base, agent=agent, status=JobStatus.CANCELLED, duration_ms=1),
        reports.JobLost(**base, agent=agent, reason="silent"),
        reports.JobWithdrawn(**base),
        reports.JobRefused(**base, reason="pool_unknown", message="there is no pool 'dmz' any more"),
    ]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(document=workflows(), data=st.data())
def test_every_execution_ends_whatever_comes_in_whatever_order(document: Json, data: st.DataObject) -> None:
    engine = Engine(document, {"n": 2, "word": "one"})
    for _ in range(data.draw(st.integers(0, 25))):
        before = engine.state
        ended = before.is_finished
        choice = data.draw(st.integers(0, 9))
        if choice == 0 and not ended:
            engine.cancel(force=data.draw(st.booleans()))
        elif choice == 1 and before.timers:
            engine.after(5, data.draw(st.sampled_from(sorted(before.timers))))
        elif before.jobs:
            job_id = data.draw(st.sampled_from(sorted(before.jobs)))
            stimuli = _stimuli(job_id, data.draw(st.integers(1, 3)), data.draw(st.sampled_from("aab")))
            stimulus = data.draw(st.sampled_from(stimuli))
            holder = before.jobs[job_id]
            new = engine.when(stimulus)
            if _is_foreign(stimulus, holder):
                assert {event.topic for event in new} <= {"job.report_ignored"}, "who does not hold the lease changes nothing"
            assert engine.when(stimulus) == [], "what comes again says nothing new"
        if ended:
            assert engine.state.status == before.status, "an execution that ended never changes its status"
    _let_it_end(engine)
    _check(engine)


def _is_foreign(stimulus: Any, job: JobState) -> bool:
    by_agent = isinstance(stimulus, reports.JobStarted | reports.JobFinished)
    return by_agent and stimulus.dispatch == job.lease and job.agent not in (None, stimulus.agent)


def _let_it_end(engine: Engine) -> None:
    """Fair circumstances from here on: every job is reported on, every timer comes."""
    for _ in range(200):
        live = {job_id: job for job_id, job in engine.state.jobs.items() if job.status not in FINISHED_JOBS}
        if not live and engine.state.is_finished:
            return
        for job_id, job in live.items():
            base: Json = {"tenant_id": "default", "execution_id": EXECUTION, "job_id": job_id}
            lease = job.lease if job.status != JobStatus.PENDING else job.voided + 1
            if job.status == JobStatus.PENDING and job.cancel_requested:
                engine.when(reports.JobWithdrawn(**base, dispatch=job.voided))
            else:
                agent = job.agent or "a"
                engine.when(reports.JobFinished(**base, dispatch=lease, agent=agent, status=JobStatus.COMPLETED, duration_ms=1))
        for timer_id in sorted(engine.state.timers.keys() - {"execution"}):
            engine.after(5, timer_id)
    raise AssertionError(f"stuck: {engine.state}")


def _check(engine: Engine) -> None:
    state = engine.state
    ends = [topic for topic in engine.topics if topic in events.EXECUTION_ENDS]
    assert len(ends) == 1
    assert not state.timers
    entered = [event.node_id for event in engine.events if isinstance(event, events.JobScheduled) and event.attempt == 1]
    entered += [event.node_id for event in engine.of(events.NodeWaiting)]
    assert len(entered) == len(set(entered)), "a node is entered at most once"
    node_ends = [
        event.node_id
        for event in engine.events
        if isinstance(event, events.NodeCompleted | events.NodeFailed | events.NodeSkipped | events.NodeCancelled)
    ]
    assert len(node_ends) == len(set(node_ends)), "a node ends at most once"
    attempts = [(event.node_id, event.attempt) for event in engine.of(events.JobScheduled)]
    assert len(attempts) == len(set(attempts))
    jobs = {event.job_id: event for event in engine.of(events.JobScheduled)}
    for failed in engine.of(events.JobFailed):
        if failed.error.reason == "pool_unknown":
            job = jobs[failed.job_id]
            assert (job.node_id, job.attempt + 1) not in attempts, "what was refused is not tried again"
    if state.status == ExecutionStatus.COMPLETED:
        assert UNSETTLED not in state.edges, "every edge is settled"
        assert set(node_ends) == set(engine.graph.nodes), "every node ended"
    if state.status == ExecutionStatus.FAILED:
        assert state.failing is not None
    end = next(index for index, topic in enumerate(engine.topics) if topic in events.EXECUTION_ENDS)
    assert "job.scheduled" not in engine.topics[end:], "no job after the end"


def test_a_command_for_a_timer_that_is_not_set_changes_nothing() -> None:
    engine = Engine({"name": "T", "nodes": [action("a")], "edges": [edge("trigger", "a")]})
    assert engine.when(commands.TimerDue(stream_id=EXECUTION, timer_id="delay:a")) == []
