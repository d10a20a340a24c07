"""What people do with pools: create, delete, pause, resume. Pure. A repeated command finds what it would do done."""

from typing import Any

from runyard_shared.contracts.commands import CreatePool, DeletePool, PausePool, ResumePool
from runyard_shared.contracts.events import PoolCreated, PoolDeleted, PoolPaused, PoolResumed
from runyard_shared.errors import Conflict, Invalid, NotFound

from runyard_dispatcher.agents import Agent
from runyard_dispatcher.board import Board
from runyard_dispatcher.happening import Asked, Decision, Happening
from runyard_dispatcher.lifecycle import JobState
from runyard_dispatcher.names import in_words, name_problems
from runyard_dispatcher.pools import DEFAULT_POOL, Pool


def create_pool(board: Board, asked: Asked, command: CreatePool) -> Decision:
    problems = name_problems("name", command.pool)
    if problems:
        raise Invalid("invalid_pool", in_words(problems), tuple(problems))
    if board.has_pool(asked.tenant_id, command.pool):
        raise Conflict("pool_exists", f"there is a pool {command.pool} already: choose another name")
    pool = Pool(asked.request_id, asked.tenant_id, command.pool, asked.at, command.description)
    board.pools[pool.tenant_id, pool.name] = board.changes.pools[pool.pool_id] = pool
    event = PoolCreated(name=pool.name, description=pool.description, by=asked.actor)
    return Decision(_shown(pool), Happening(pool, event))


def delete_pool(board: Board, asked: Asked, command: DeletePool) -> Decision:
    if command.pool == DEFAULT_POOL:
        raise Conflict("pool_is_default", f"the pool {DEFAULT_POOL} is always there: pause it to keep jobs out of it")
    pool = _known(board, asked, command.pool)
    agents = sorted(agent.name for agent in _agents_of(board, pool))
    waiting = sum(
        job.state is JobState.WAITING and (job.order.tenant_id, job.order.pool) == (pool.tenant_id, pool.name)
        for job in board.jobs.values()
    )
    problems = []
    if agents:
        problems.append(f"move or revoke its {'agent' if len(agents) == 1 else 'agents'} {', '.join(agents)}")
    if waiting:
        jobs = "the job that waits" if waiting == 1 else f"the {waiting} jobs that wait"
        problems.append(f"let {jobs} for it run, or cancel {'its execution' if waiting == 1 else 'their executions'}")
    if problems:
        detail = f"pool {pool.name} is in use: {', and '.join(problems)}"
        raise Conflict("pool_in_use", detail, agents=agents, waiting=waiting)
    del board.pools[pool.tenant_id, pool.name]
    board.changes.pools[pool.pool_id] = None
    return Decision(_shown(pool), Happening(pool, PoolDeleted(name=pool.name, by=asked.actor)))


def pause_pool(board: Board, asked: Asked, command: PausePool) -> Decision:
    """Paused once more, it gets the later reason."""
    pool = _known(board, asked, command.pool)
    if (pool.paused_by, pool.pause_reason) == (asked.actor, command.reason):
        return Decision(_shown(pool))
    pool.paused_by, pool.pause_reason = asked.actor, command.reason
    board.pools[pool.tenant_id, pool.name] = pool
    for agent in _agents_of(board, pool):
        agent.held = True
    board.changes.pools[pool.pool_id] = pool
    return Decision(_shown(pool), Happening(pool, PoolPaused(name=pool.name, reason=command.reason, by=asked.actor)))


def resume_pool(board: Board, asked: Asked, command: ResumePool) -> Decision:
    pool = _known(board, asked, command.pool)
    if not pool.paused:
        return Decision(_shown(pool))
    pool.paused_by, pool.pause_reason = None, ""
    for agent in _agents_of(board, pool):
        agent.held = False
        board.placement.touch(agent)
    board.changes.pools[pool.pool_id] = pool
    return Decision(_shown(pool), Happening(pool, PoolResumed(name=pool.name, by=asked.actor)))


def _known(board: Board, asked: Asked, name: str) -> Pool:
    pool = board.pools.get((asked.tenant_id, name))
    if pool is not None:
        return pool
    if name == DEFAULT_POOL:  # it gets a row with its first change
        return Pool(asked.request_id, asked.tenant_id, name, asked.at)
    raise NotFound("pool_not_found", f"there is no pool {name}")


def _agents_of(board: Board, pool: Pool) -> list[Agent]:
    return [
        agent
        for agent in board.agents.values()
        if not agent.revoked and (agent.tenant_id, agent.pool) == (pool.tenant_id, pool.name)
    ]


def _shown(pool: Pool) -> dict[str, Any]:
    return {
        "name": pool.name,
        "description": pool.description,
        "paused": pool.paused,
        "pausedBy": pool.paused_by,
        "pauseReason": pool.pause_reason,
    }
