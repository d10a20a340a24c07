"""The board in PostgreSQL: loaded once, then kept up with what each turn changed, in the ordinary case by one statement."""

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Final

import asyncpg
import msgspec
from runyard_shared.contracts.jobs import PlaceJob

from runyard_dispatcher.agents import Agent
from runyard_dispatcher.board import Board, Changes
from runyard_dispatcher.jobs import Cancel, Demand, Job, demand_of
from runyard_dispatcher.lifecycle import AgentStatus, JobState

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = PoolConnectionProxy[asyncpg.Record]

_LOAD_AGENTS: Final = "select *, agent_id::text as id from dispatcher.agent order by tenant_id, name"
_LOAD_JOBS: Final = "select state, since, dispatch, tenant_id, agent, cancel, place_job::text from dispatcher.job"
_LOAD_REASONS: Final = "select demand, reason from dispatcher.demand"
_LOAD_POSITION: Final = "select position from dispatcher.inbox"

_SAVE_JOBS: Final = """
with saved as (
    insert into dispatcher.job as job
        (job_id, tenant_id, execution_id, state, dispatch, agent, cancel, demand, place_job, since)
    select u.*, $10::timestamptz
    from unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::integer[], $6::text[], $7::text[], $8::text[], $9::json[]) u
    on conflict (job_id) do update set state = excluded.state, dispatch = excluded.dispatch, agent = excluded.agent,
        cancel = excluded.cancel, demand = excluded.demand,
        since = case when (job.state, job.dispatch) = (excluded.state, excluded.dispatch) then job.since else excluded.since end
), ended as (
    delete from dispatcher.job where job_id = any($11::uuid[])
)
update dispatcher.inbox set position = greatest(position, $12::bigint)
"""

_SAVE_REASONS: Final = """
with unneeded as (delete from dispatcher.demand where demand = any($5::text[]))
insert into dispatcher.demand (demand, tenant_id, pool, reason)
select * from unnest($1::text[], $2::text[], $3::text[], $4::text[])
on conflict (demand) do update set reason = excluded.reason
"""

_SAVE_HEARD: Final = """
update dispatcher.agent set last_heartbeat_at = heard.at, health = heard.health, reliability = heard.reliability
from unnest($1::uuid[], $2::timestamptz[], $3::smallint[], $4::double precision[]) as heard(agent_id, at, health, reliability)
where agent.agent_id = heard.agent_id
"""

_SAVE_AGENT: Final = """
insert into dispatcher.agent (agent_id, tenant_id, name, pool, tags, capacity, version, actions, session_id, void_sessions,
    status, reason, registered_at, last_heartbeat_at, health, reliability, log_version)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
on conflict (agent_id) do update set pool = excluded.pool, tags = excluded.tags, capacity = excluded.capacity,
    version = excluded.version, actions = excluded.actions, session_id = excluded.session_id,
    void_sessions = excluded.void_sessions, status = excluded.status, reason = excluded.reason,
    registered_at = excluded.registered_at, last_heartbeat_at = excluded.last_heartbeat_at, health = excluded.health,
    reliability = excluded.reliability, log_version = excluded.log_version
"""

_encode_order = msgspec.json.Encoder().encode
_decode_order = msgspec.json.Decoder(PlaceJob).decode


async def load(connection: "Connection") -> Board:
    """The board as it was when the last turn was written. Every agent counts as heard just now."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        board = Board(await connection.fetchval(_LOAD_POSITION))
        for row in await connection.fetch(_LOAD_AGENTS):
            board.add_agent(_agent(row))
        jobs = [_job(board, row) for row in await connection.fetch(_LOAD_JOBS)]
        jobs.sort(key=lambda job: job.order.position)
        for job in jobs:
            board.jobs[job.order.job_id] = job
            if job.state is JobState.WAITING:
                board.placement.wait(job)
            elif job.state is JobState.LEASED and job.agent is not None:
                job.agent.leases[job.order.job_id] = job
        for demand, reason in await connection.fetch(_LOAD_REASONS):
            board.reasons[msgspec.json.decode(demand, type=Demand)] = reason
    return board


async def save(connection: "Connection", changes: Changes, now: datetime) -> None:
    """All of it or nothing. `now`: the time of the turn, at which jobs came into their new states."""
    only_jobs = not (changes.agents or changes.heard or changes.reasons)
    if only_jobs:
        await _save_jobs(connection, changes, now)
        return
    async with connection.transaction():
        if changes.jobs or changes.position is not None:
            await _save_jobs(connection, changes, now)
        if changes.reasons:
            await _save_reasons(connection, changes.reasons)
        for agent in changes.agents.values():
            await connection.execute(_SAVE_AGENT, *_agent_row(agent))
        if changes.heard:
            await _save_heard(connection, changes.heard.values())


async def _save_jobs(connection: "Connection", changes: Changes, now: datetime) -> None:
    jobs = [job for job in changes.jobs.values() if job is not None]
    orders = [job.order for job in jobs]
    await connection.fetch(
        _SAVE_JOBS,
        [order.job_id for order in orders],
        [order.tenant_id for order in orders],
        [order.execution_id for order in orders],
        [job.state for job in jobs],
        [job.dispatch for job in jobs],
        [None if job.agent is None else job.agent.name for job in jobs],
        [job.cancel for job in jobs],
        [job.demand.text if job.state is JobState.WAITING else None for job in jobs],
        [_encode_order(order).decode() for order in orders],
        now,
        [job_id for job_id, job in changes.jobs.items() if job is None],
        changes.position or 0,
    )


async def _save_reasons(connection: "Connection", reasons: dict[Demand, str | None]) -> None:
    wanted = [(demand, reason) for demand, reason in reasons.items() if reason is not None]
    await connection.fetch(
        _SAVE_REASONS,
        [demand.text for demand, _ in wanted],
        [demand.tenant_id for demand, _ in wanted],
        [demand.pool for demand, _ in wanted],
        [reason for _, reason in wanted],
        [demand.text for demand, reason in reasons.items() if reason is None],
    )


async def _save_heard(connection: "Connection", agents: Collection[Agent]) -> None:
    await connection.fetch(
        _SAVE_HEARD,
        [agent.agent_id for agent in agents],
        [agent.last_heartbeat_at for agent in agents],
        [agent.health for agent in agents],
        [agent.reliability for agent in agents],
    )


def _agent_row(agent: Agent) -> tuple[object, ...]:
    return (
        agent.agent_id,
        agent.tenant_id,
        agent.name,
        agent.pool,
        sorted(agent.tags),
        agent.capacity,
        agent.version,
        agent.actions,
        agent.session_id,
        agent.void_sessions,
        agent.status,
        agent.reason,
        agent.registered_at,
        agent.last_heartbeat_at,
        agent.health,
        agent.reliability,
        agent.log_version,
    )


def _agent(row: asyncpg.Record) -> Agent:
    return Agent(
        agent_id=row["id"],
        tenant_id=row["tenant_id"],
        name=row["name"],
        pool=row["pool"],
        tags=frozenset(row["tags"]),
        capacity=row["capacity"],
        version=row["version"],
        actions=row["actions"],
        session_id=row["session_id"],
        void_sessions=row["void_sessions"],
        status=AgentStatus(row["status"]),
        reason=row["reason"],
        registered_at=row["registered_at"],
        last_heartbeat_at=row["last_heartbeat_at"],
        health=row["health"],
        reliability=row["reliability"],
        log_version=row["log_version"],
    )


def _job(board: Board, row: asyncpg.Record) -> Job:
    order = _decode_order(row["place_job"])
    return Job(
        order=order,
        demand=demand_of(order),
        since=row["since"],
        state=JobState(row["state"]),
        dispatch=row["dispatch"],
        agent=None if row["agent"] is None else board.agents[order.tenant_id, row["agent"]],
        cancel=None if row["cancel"] is None else Cancel(row["cancel"]),
    )
