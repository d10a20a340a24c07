"""The read model of what the real engine writes says what the engine's own state says, after every single message."""

import random
from itertools import pairwise

from runyard_orchestrator.execution.state import ExecutionState
from runyard_projections.executions.changes import Changes
from runyard_projections.executions.fold import fold
from runyard_projections.executions.pauses import Pauses
from runyard_shared.contracts.values import FINISHED_EXECUTIONS, FINISHED_JOBS, ApprovalStatus, JobStatus, NodeStatus

from tests.engine import Json, action, edge
from tests.world import World

MESSAGES = 120


def for_each(node_id: str, items: str, *body: Json, **fields: object) -> Json:
    ids = ["item", *(node["id"] for node in body)]
    edges = [edge(source, target) for source, target in pairwise(ids)]
    return {"id": node_id, "type": "forEach", "items": items, "body": {"nodes": list(body), "edges": edges}} | fields


CHILD = {"name": "Child", "nodes": [action("leaf")], "edges": [edge("trigger", "leaf")]}
TOP: list[Json] = [
    for_each(
        "each",
        "[1, 2, 3]",
        action("check", maxRetries=1, retryDelaySeconds=3),
        {"id": "ask", "type": "approval", "message": "Restart {{ item }}?"},
        {"id": "rest", "type": "delay", "seconds": 5},
        {"id": "below", "type": "subworkflow", "workflow": "Child"},
        concurrency=2,
        onItemError="continue",
        critical=False,
    ),
    for_each("outer", "[1, 2]", for_each("inner", "[1]", {"id": "deep", "type": "approval", "message": "Go?"})),
    {"id": "gate", "type": "approval", "message": "Go?"},
    {"id": "sub", "type": "subworkflow", "workflow": "Child", "critical": False},
    {"id": "wait", "type": "delay", "seconds": 9},
]
PARENT = {
    "name": "Parent",
    "nodes": [*TOP, {"id": "all", "type": "join"}],
    "edges": [edge("trigger", node["id"]) for node in TOP] + [edge(node["id"], "all") for node in TOP],
}


async def test_counts_statuses_and_pauses_are_those_of_the_engine() -> None:
    pauses = [await _pauses_of_one_world(random.Random(seed)) for seed in range(12)]
    assert sum(pauses) > 10, "it is no test of pauses if there are hardly any"


async def _pauses_of_one_world(chance: random.Random) -> int:
    """After how many messages something was paused."""
    world = World()
    await world.publish(CHILD)
    execution_id = await world.run(await world.publish(PARENT))
    pauses = 0
    for _ in range(MESSAGES):
        if chance.random() < 0.003:
            await world.cancel(execution_id)
        await _something(world, chance)
        changes = fold(world.log.events, world.mapper)
        pauses += sum([_agrees(world, changes, each) for each in changes.executions])
    return pauses


async def _something(world: World, chance: random.Random) -> None:
    timers = [(stream, timer) for stream in world.executions_and_iterations() for timer in sorted(world.state(stream).timers)]
    kinds = [kind for kind, there in (("message", world.inbox), ("job", world.jobs), ("timer", timers)) if there]
    if not kinds or chance.random() < 0.1:
        kinds = ["approval"] if world.asked else []
    match chance.choice(kinds) if kinds else "":
        case "message":
            await world.deliver_next(chance.choice(sorted(world.inbox)))
        case "job":
            job_id = chance.choice(sorted(world.jobs))
            if chance.random() < 0.05:
                await world.refuse(job_id)
            else:
                await world.finish(job_id, chance.choice([JobStatus.COMPLETED, JobStatus.COMPLETED, JobStatus.FAILED]))
        case "timer":
            await world.fire(*chance.choice(timers))
        case "approval":
            approval_id = chance.choice(sorted(world.asked))
            await world.resolve(approval_id, chance.choice([ApprovalStatus.APPROVED, ApprovalStatus.REJECTED]))
            del world.asked[approval_id]


def _agrees(world: World, changes: Changes, execution_id: str) -> bool:
    """Whether it is paused."""
    change = changes.executions[execution_id]
    streams = {row.stream_id for row in world.log.events if (row.correlation_id or row.stream_id) == execution_id}
    states = [world.state(stream_id) for stream_id in streams]
    jobs = [job for state in states for job in state.jobs.values()]
    approvals = [approval for state in states for approval in state.approvals.values()]
    open_approvals = sum(approval.status == ApprovalStatus.PENDING for approval in approvals)
    assert change.jobs_total == len(jobs)
    assert change.jobs_completed == sum(job.status == JobStatus.COMPLETED for job in jobs)
    assert change.pending_approvals == open_approvals
    assert change.jobs_live == sum(job.status not in FINISHED_JOBS for job in jobs)

    own = world.state(execution_id)
    ended = own.status in FINISHED_EXECUTIONS
    pauses = Pauses()
    pauses.follow(change.steps)
    expected = not ended and open_approvals > 0 and change.jobs_live == 0 and not any(map(_waits, states))
    assert (pauses.paused_since is not None) == expected
    assert change.status == (own.status if ended else "running")
    for stream_id, state in zip(streams, states, strict=True):
        nodes = changes.nodes if stream_id == execution_id else changes.iteration_nodes
        assert {node_id: node.status for (stream, node_id), node in nodes.items() if stream == stream_id} == {
            node_id: node.status for node_id, node in state.nodes.items()
        }
    return expected


def _waits(state: ExecutionState) -> bool:
    """For something that is neither a job nor a person."""
    asking = {approval.node_id for approval in state.approvals.values()}
    waiting = {node_id for node_id, node in state.nodes.items() if node.status == NodeStatus.WAITING}
    return bool(state.subworkflows or waiting - asking)
