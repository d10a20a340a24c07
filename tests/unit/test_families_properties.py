"""Whatever the graph (bodies and subworkflows included) and whatever order, number and outcome of messages: everything ends,
each node is entered at most once, and the log alone gives the same state."""

import asyncio
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from runyard_orchestrator.execution.state import UNSETTLED
from runyard_shared.contracts import events
from runyard_shared.contracts.values import FINISHED_JOBS, ApprovalStatus, ExecutionStatus, JobStatus, NodeStatus
from runyard_shared.contracts.workflow import ForEachNode

from tests.engine import Json, action, edge
from tests.world import World

KINDS = ("action", "action", "approval", "condition", "switch", "delay", "parallel", "join", "setVariables", "errorHandler")
NESTING = ("forEach", "subworkflow")
_PORTS = {
    "action": ["success", "error"],
    "approval": ["approved", "rejected"],
    "condition": ["true", "false"],
    "switch": ["one", "default"],
    "parallel": ["x", "y"],
    "forEach": ["success", "error"],
    "subworkflow": ["success", "error"],
}
HAPPENINGS = (
    *("message", "message", "message", "start", "job", "job", "refuse", "stranger"),
    *("approval", "timer", "again", "restart", "cancel"),
)
_ROUNDS_TO_THE_END = 2000


@st.composite
def graphs(draw: st.DrawFn, source: str = "trigger", prefix: str = "n", depth: int = 0) -> Json:
    """An acyclic graph: every node is entered from one or more earlier ones."""
    nodes: list[Json] = []
    edges: list[Json] = []
    kinds = KINDS + NESTING * 2 if depth < 2 else KINDS
    for index in range(draw(st.integers(1, 6 - 2 * depth))):
        node_id = f"{prefix}{index}"
        sources = draw(st.lists(st.integers(-1, index - 1), min_size=1, max_size=2, unique=True))
        for place in sources:
            ports = [None] if place < 0 else _PORTS.get(nodes[place]["type"], [None])
            edges.append(edge(source if place < 0 else nodes[place]["id"], node_id, draw(st.sampled_from(ports))))
        nodes.append(_node(draw, draw(st.sampled_from(kinds)), node_id, len(sources), depth))
    return {"nodes": nodes, "edges": edges}


def _node(draw: st.DrawFn, kind: str, node_id: str, incoming: int, depth: int) -> Json:
    if kind == "action":
        return action(
            node_id,
            maxRetries=draw(st.integers(0, 1)),
            retryDelaySeconds=draw(st.sampled_from([0, 3])),
            queueTimeoutSeconds=draw(st.sampled_from([0, 0, 10])),
            critical=draw(st.booleans()),
        )
    fields: Json = {}
    match kind:
        case "join":
            mode = draw(st.sampled_from(["all", "any", "count"]))
            fields = {"mode": mode} | ({"count": draw(st.integers(1, incoming))} if mode == "count" else {})
        case "approval":
            fields = {"message": "Go on with {{ inputs.n }}?"}
        case "condition":
            fields = {"expression": draw(st.sampled_from(["true", "false", "inputs.n > 1", "inputs.nope"]))}
        case "switch":
            fields = {"expression": draw(st.sampled_from(["inputs.word", "'other'"])), "cases": ["one"]}
        case "delay":
            fields = {"seconds": draw(st.sampled_from([0, 5]))}
        case "setVariables":
            fields = {"values": {node_id: "{{ inputs.n }}"}}
        case "forEach":
            fields = {
                "items": draw(st.sampled_from(["[]", "[1]", "[1, 2, 3]", "[1, 2, 3, 4, 5]", "inputs.nope"])),
                "concurrency": draw(st.integers(1, 3)),
                "onItemError": draw(st.sampled_from(["stop", "continue"])),
                "critical": draw(st.booleans()),
                "body": draw(graphs("item", f"{node_id}_", depth + 1)),
            }
        case "subworkflow":
            fields = {"workflow": draw(st.sampled_from(["Child", "Child", "Nobody"])), "critical": draw(st.booleans())}
    return {"id": node_id, "type": kind} | fields


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(document=graphs(), child=graphs("trigger", "c", 2), timeout=st.sampled_from([0, 0, 50]), data=st.data())
def test_every_family_of_executions_ends_whatever_comes_in_whatever_order(
    document: Json, child: Json, timeout: int, data: st.DataObject
) -> None:
    asyncio.run(_live(document | {"name": "Parent", "timeoutSeconds": timeout}, child | {"name": "Child"}, data))


async def _live(document: Json, child: Json, data: st.DataObject) -> None:
    world = World()
    await world.publish(child)
    root = await world.run(await world.publish(document), {"n": 2, "word": "one"})
    ended: dict[str, ExecutionStatus] = {}
    for _ in range(data.draw(st.integers(0, 40))):
        await _something(world, root, data)
        for stream_id in world.executions_and_iterations():
            state = world.state(stream_id)
            assert ended.setdefault(stream_id, state.status) == state.status if state.is_finished else stream_id not in ended
    await _let_it_end(world)
    for stream_id in world.executions_and_iterations():
        _check(world, stream_id)


async def _something(world: World, root: str, data: st.DataObject) -> None:
    """One thing that can happen, drawn at random."""
    kind = data.draw(st.sampled_from(HAPPENINGS))
    if kind == "message" and world.inbox:
        await world.deliver_next(data.draw(st.sampled_from(sorted(world.inbox))))
    elif kind == "job" and world.jobs:
        job_id = data.draw(st.sampled_from(sorted(world.jobs)))
        if job_id in world.withdrawn and data.draw(st.booleans()):
            await world.withdraw(job_id)
        else:
            statuses = [JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.TIMEOUT, JobStatus.CANCELLED]
            await world.finish(job_id, data.draw(st.sampled_from(statuses)))
    elif kind == "start" and world.jobs:
        await world.start(data.draw(st.sampled_from(sorted(world.jobs))))
    elif kind == "refuse" and world.jobs:
        await world.refuse(data.draw(st.sampled_from(sorted(world.jobs))))
    elif kind == "stranger" and world.jobs:
        await _stranger(world, data.draw(st.sampled_from(sorted(world.jobs))))
    elif kind == "approval" and world.asked:
        statuses_of_approval = [status for status in ApprovalStatus if status != ApprovalStatus.PENDING]
        await world.resolve(data.draw(st.sampled_from(sorted(world.asked))), data.draw(st.sampled_from(statuses_of_approval)))
    elif kind == "timer":
        timers = _timers(world)
        if timers:
            await world.fire(*data.draw(st.sampled_from(timers)))
    elif kind == "again" and world.delivered:
        await world.deliver(data.draw(st.sampled_from(world.delivered[-30:])))
    elif kind == "restart":
        world.executions.forget_all()
    elif kind == "cancel" and data.draw(st.integers(0, 4)) == 0:
        await world.cancel(root, force=data.draw(st.booleans()))


async def _stranger(world: World, job_id: str) -> None:
    """An agent reports on a job that another is known to hold."""
    execution_id = world.jobs[job_id].execution_id
    if world.state(execution_id).jobs[job_id].agent is None:
        return
    before = len(world.history(execution_id))
    await world.start(job_id, "a2")
    await world.finish(job_id, agent="a2")
    assert {event.topic for event in world.history(execution_id)[before:]} <= {"job.report_ignored"}


def _timers(world: World) -> list[tuple[str, str]]:
    return [(stream, timer) for stream in world.executions_and_iterations() for timer in sorted(world.state(stream).timers)]


async def _let_it_end(world: World) -> None:
    """Fair circumstances from here on: every message arrives, everyone answers, every timer comes."""
    for _ in range(_ROUNDS_TO_THE_END):
        if world.inbox:
            await world.deliver_next(sorted(world.inbox)[0])
        elif world.jobs:
            job_id = sorted(world.jobs)[0]
            await (world.withdraw(job_id) if job_id in world.withdrawn else world.finish(job_id))
            order = world.jobs.get(job_id)
            if order is not None and world.state(order.execution_id).jobs[job_id].status not in FINISHED_JOBS:
                await world.finish(job_id)
        elif world.asked:
            approval_id, order_of_approval = sorted(world.asked.items())[0]
            cancelled = approval_id in world.cancelled
            await world.resolve(approval_id, ApprovalStatus.CANCELLED if cancelled else ApprovalStatus.APPROVED)
            del world.asked[order_of_approval.approval_id]
        elif timers := [timer for timer in _timers(world) if timer[1] != "execution"]:
            await world.fire(*timers[0])
        else:
            return
    raise AssertionError("it goes on and on")


def _check(world: World, stream_id: str) -> None:
    state, history = world.state(stream_id), world.history(stream_id)
    topics = [event.topic for event in history]
    cached = world.executions.known(stream_id)
    assert cached is None or cached == state, "the log alone gives the state that was decided on"
    assert state.is_finished, (topics, {node_id: node.status for node_id, node in state.nodes.items()})
    assert not state.timers
    ends = [topic for topic in topics if topic in events.EXECUTION_ENDS | events.ITERATION_ENDS]
    assert len(ends) == 1
    assert not any(loop.live for loop in state.loops.values()), "no iteration is left behind"
    assert not state.subworkflows, "no child is left behind"
    assert all(job.status in FINISHED_JOBS for job in state.jobs.values())
    assert not any(node.status in (NodeStatus.RUNNING, NodeStatus.WAITING) for node in state.nodes.values())
    _check_entries(history)
    graph = world.workflows.known_graph_of(state)
    if state.status == ExecutionStatus.COMPLETED:
        assert UNSETTLED not in state.edges, "every edge is settled"
        assert set(state.nodes) == set(graph.nodes), "every node ended"
    for node_id, loop in state.loops.items():
        spec = graph.nodes[node_id].spec
        assert isinstance(spec, ForEachNode)
        _check_loop(history, node_id, spec.concurrency)
        if state.nodes[node_id].status == NodeStatus.COMPLETED:
            assert loop.next == len(loop.items) == len(state.nodes[node_id].output)
    end = topics.index(ends[0])
    begun = {"job.scheduled", "approval.requested", "foreach.entered", "foreach.iterations_scheduled", "subworkflow.scheduled"}
    assert not begun.intersection(topics[end:]), "nothing begins after the end"


def _check_entries(history: list[Any]) -> None:
    entered = [event.node_id for event in history if isinstance(event, events.JobScheduled) and event.attempt == 1]
    beginnings = (events.NodeWaiting, events.ApprovalRequested, events.ForEachEntered, events.SubworkflowScheduled)
    entered += [event.node_id for event in history if isinstance(event, beginnings)]
    assert len(entered) == len(set(entered)), "a node is entered at most once"
    endings = (events.NodeCompleted, events.NodeFailed, events.NodeSkipped, events.NodeCancelled)
    ended = [event.node_id for event in history if isinstance(event, endings)]
    assert len(ended) == len(set(ended)), "a node ends at most once"
    decisions = [event.approval_id for event in history if isinstance(event, events.ApprovalResolved)]
    assert len(decisions) == len(set(decisions)), "an approval has one decision"


def _check_loop(history: list[Any], node_id: str, concurrency: int) -> None:
    live: set[int] = set()
    seen: set[int] = set()
    for event in history:
        if isinstance(event, events.IterationsScheduled) and event.node_id == node_id:
            new = set(range(event.first, event.first + len(event.stream_ids)))
            assert not new & seen, "an iteration begins once"
            live |= new
            seen |= new
            assert len(live) <= concurrency
        elif isinstance(event, events.IterationEnded) and event.node_id == node_id:
            assert event.index in live
            live.discard(event.index)
