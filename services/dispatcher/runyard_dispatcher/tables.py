"""The board in PostgreSQL: loaded once, then kept up with what each turn changed, in the ordinary case by one statement."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final

import asyncpg
import msgspec
from runyard_shared.contracts.actions import ActionType
from runyard_shared.contracts.commands import Reply
from runyard_shared.contracts.jobs import PlaceJob

from runyard_dispatcher.agents import Account, Agent
from runyard_dispatcher.board import Board, Changes
from runyard_dispatcher.connections import Connection, Tested
from runyard_dispatcher.jobs import Cancel, Demand, Hopeless, Job, demand_of
from runyard_dispatcher.lifecycle import AgentStatus, JobState
from runyard_dispatcher.pools import Pool
from runyard_dispatcher.vault import Vault

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Database = PoolConnectionProxy[asyncpg.Record] | asyncpg.Connection[asyncpg.Record]

_LOAD_AGENTS: Final = "select *, agent_id::text as id from dispatcher.agent order by tenant_id, name"
_LOAD_POOLS: Final = "select *, pool_id::text as id from dispatcher.pool"
_LOAD_CONNECTIONS: Final = "select *, connection_id::text as id from dispatcher.connection"
_LOAD_BOXES: Final = "select connection_id::text, name, box from dispatcher.connection_secret"
_LOAD_ACTION_TYPES: Final = "select * from dispatcher.action_type"
_LOAD_JOBS: Final = "select state, since, dispatch, agent, cancel, refusal, place_job::text from dispatcher.job"
_LOAD_REASONS: Final = "select demand, reason from dispatcher.demand"
_LOAD_POSITION: Final = "select position from dispatcher.inbox"

_SAVE_JOBS: Final = """
with saved as (
    insert into dispatcher.job as job
        (job_id, tenant_id, execution_id, state, dispatch, agent, cancel, demand, place_job, refusal, since)
    select u.*, $11::timestamptz
    from unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::integer[], $6::text[], $7::text[], $8::text[], $9::json[],
        $10::json[]) u
    on conflict (job_id) do update set state = excluded.state, dispatch = excluded.dispatch, agent = excluded.agent,
        cancel = excluded.cancel, demand = excluded.demand, refusal = excluded.refusal,
        since = case when (job.state, job.dispatch) = (excluded.state, excluded.dispatch) then job.since else excluded.since end
), ended as (
    delete from dispatcher.job where job_id = any($12::uuid[])
)
update dispatcher.inbox set position = greatest(position, $13::bigint)
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
insert into dispatcher.agent (agent_id, tenant_id, name, pool, created_at, given_tags, announced_tags, key_hash, public_key,
    transport, account, drained, capacity, version, actions, session_id, void_sessions, status, reason, registered_at,
    last_heartbeat_at, health, reliability, log_version, contact)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25)
on conflict (agent_id) do update set pool = excluded.pool, created_at = excluded.created_at, given_tags = excluded.given_tags,
    announced_tags = excluded.announced_tags, key_hash = excluded.key_hash, public_key = excluded.public_key,
    transport = excluded.transport, account = excluded.account, drained = excluded.drained, capacity = excluded.capacity,
    version = excluded.version, actions = excluded.actions, session_id = excluded.session_id,
    void_sessions = excluded.void_sessions, status = excluded.status, reason = excluded.reason,
    registered_at = excluded.registered_at, last_heartbeat_at = excluded.last_heartbeat_at, health = excluded.health,
    reliability = excluded.reliability, log_version = excluded.log_version, contact = excluded.contact
"""

_SAVE_POOL: Final = """
insert into dispatcher.pool (pool_id, tenant_id, name, description, paused_by, pause_reason, created_at, log_version)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict (pool_id) do update set description = excluded.description, paused_by = excluded.paused_by,
    pause_reason = excluded.pause_reason, log_version = excluded.log_version
"""

_SAVE_CONNECTION: Final = """
insert into dispatcher.connection (connection_id, tenant_id, name, kind, config, pools, enabled, description, created_at,
    updated_at, tested, log_version)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
on conflict (connection_id) do update set name = excluded.name, config = excluded.config, pools = excluded.pools,
    enabled = excluded.enabled, description = excluded.description, updated_at = excluded.updated_at,
    tested = excluded.tested, log_version = excluded.log_version
"""

_SAVE_BOX: Final = """
insert into dispatcher.connection_secret (connection_id, name, box) values ($1, $2, $3)
on conflict (connection_id, name) do update set box = excluded.box
"""

_SAVE_ACTION_TYPE: Final = """
insert into dispatcher.action_type (tenant_id, type, params, output, connections, needs_connection, description)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (tenant_id, type) do update set params = excluded.params, output = excluded.output,
    connections = excluded.connections, needs_connection = excluded.needs_connection, description = excluded.description
"""

_SAVE_ANSWERS: Final = """
insert into dispatcher.answer (request_id, answered_at, reply)
select request_id, $3, reply from unnest($1::text[], $2::json[]) as answer(request_id, reply)
"""

_encode_order = msgspec.json.Encoder().encode
_decode_order = msgspec.json.Decoder(PlaceJob).decode
_decode_reply = msgspec.json.Decoder(Reply).decode


async def load(database: "Database", vault: Vault) -> Board:
    """The board as it was when the last turn was written. Every agent counts as heard just now. `vault`: tells which secrets
    can be read with the keys that are there now."""
    async with database.transaction(isolation="repeatable_read", readonly=True):
        board = Board(await database.fetchval(_LOAD_POSITION))
        for row in await database.fetch(_LOAD_POOLS):
            board.pools[row["tenant_id"], row["name"]] = _pool(row)
        await _load_connections(database, board, vault)
        for row in await database.fetch(_LOAD_ACTION_TYPES):
            board.action_types[row["tenant_id"], row["type"]] = _action_type(row)
        for row in await database.fetch(_LOAD_AGENTS):
            board.add_agent(_agent(row))
        jobs = [_job(board, row) for row in await database.fetch(_LOAD_JOBS)]
        jobs.sort(key=lambda job: job.order.position)
        for job in jobs:
            board.jobs[job.order.job_id] = job
            if job.state is JobState.WAITING:
                board.placement.wait(job)
            elif job.state is JobState.LEASED and job.agent is not None:
                job.agent.leases[job.order.job_id] = job
        for demand, reason in await database.fetch(_LOAD_REASONS):
            board.reasons[msgspec.json.decode(demand, type=Demand)] = reason
    board.review_due = True
    return board


async def save(database: "Database", changes: Changes, now: datetime) -> None:
    """All of it or nothing. `now`: the time of the turn, at which jobs came into their new states."""
    if changes.only_jobs:
        await _save_jobs(database, changes, now)
        return
    async with database.transaction():
        if changes.jobs or changes.position is not None:
            await _save_jobs(database, changes, now)
        if changes.reasons:
            await _save_reasons(database, changes.reasons)
        for agent in changes.agents.values():
            await database.execute(_SAVE_AGENT, *_agent_row(agent))
        if changes.heard:
            await _save_heard(database, changes.heard.values())
        await _save_pools(database, changes.pools)
        await _save_connections(database, changes)
        for (tenant_id, _), action_type in changes.action_types.items():
            await database.execute(_SAVE_ACTION_TYPE, *_action_type_row(tenant_id, action_type))
        if changes.answers:
            await _save_answers(database, changes.answers, now)


async def answers(database: "Database", request_ids: Collection[str]) -> dict[str, Reply]:
    """What was answered to those of the requests that were answered already."""
    rows = await database.fetch(
        "select request_id, reply from dispatcher.answer where request_id = any($1::text[])", request_ids
    )
    return {row["request_id"]: _decode_reply(row["reply"]) for row in rows}


async def forget_answers(database: "Database", before: datetime) -> None:
    """Nobody repeats a request that late."""
    await database.execute("delete from dispatcher.answer where answered_at < $1", before)


async def show_sealing_key(database: "Database", public_key: bytes | None) -> None:
    """Tell those who seal secrets for whom to seal them."""
    async with database.transaction():
        await database.execute("delete from dispatcher.sealing_key where public_key is distinct from $1", public_key)
        if public_key is not None:
            await database.execute("insert into dispatcher.sealing_key values ($1) on conflict do nothing", public_key)


async def _save_jobs(database: "Database", changes: Changes, now: datetime) -> None:
    jobs = [job for job in changes.jobs.values() if job is not None]
    orders = [job.order for job in jobs]
    await database.fetch(
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
        [None if job.refusal is None else msgspec.json.encode(job.refusal).decode() for job in jobs],
        now,
        [job_id for job_id, job in changes.jobs.items() if job is None],
        changes.position or 0,
    )


async def _save_reasons(database: "Database", reasons: dict[Demand, str | None]) -> None:
    wanted = [(demand, reason) for demand, reason in reasons.items() if reason is not None]
    await database.fetch(
        _SAVE_REASONS,
        [demand.text for demand, _ in wanted],
        [demand.tenant_id for demand, _ in wanted],
        [demand.pool for demand, _ in wanted],
        [reason for _, reason in wanted],
        [demand.text for demand, reason in reasons.items() if reason is None],
    )


async def _save_heard(database: "Database", agents: Collection[Agent]) -> None:
    await database.fetch(
        _SAVE_HEARD,
        [agent.agent_id for agent in agents],
        [agent.last_heartbeat_at for agent in agents],
        [agent.health for agent in agents],
        [agent.reliability for agent in agents],
    )


async def _save_pools(database: "Database", pools: Mapping[str, Pool | None]) -> None:
    for pool_id, pool in pools.items():
        if pool is None:
            await database.execute("delete from dispatcher.pool where pool_id = $1", pool_id)
    for pool in pools.values():
        if pool is not None:
            await database.execute(_SAVE_POOL, *_pool_row(pool))


async def _save_connections(database: "Database", changes: Changes) -> None:
    for connection_id, connection in changes.connections.items():
        if connection is None:
            await database.execute("delete from dispatcher.connection where connection_id = $1", connection_id)
        else:
            await database.execute(_SAVE_CONNECTION, *_connection_row(connection))
    for (connection_id, name), box in changes.boxes.items():
        if box is None:
            await database.execute(
                "delete from dispatcher.connection_secret where connection_id = $1 and name = $2", connection_id, name
            )
        else:
            await database.execute(_SAVE_BOX, connection_id, name, box)


async def _save_answers(database: "Database", replies: Collection[Reply], now: datetime) -> None:
    await database.execute(
        _SAVE_ANSWERS,
        [reply.request_id for reply in replies],
        [msgspec.json.encode(reply).decode() for reply in replies],
        now,
    )


async def _load_connections(database: "Database", board: Board, vault: Vault) -> None:
    by_id: dict[str, Connection] = {}
    for row in await database.fetch(_LOAD_CONNECTIONS):
        by_id[row["id"]] = board.connections[row["tenant_id"], row["name"]] = _connection(row)
    for connection_id, name, box in await database.fetch(_LOAD_BOXES):
        by_id[connection_id].boxes[name] = box
    for connection in by_id.values():
        connection.readable = vault.is_readable(connection)


def _agent_row(agent: Agent) -> tuple[object, ...]:
    return (
        agent.agent_id,
        agent.tenant_id,
        agent.name,
        agent.pool,
        agent.created_at,
        sorted(agent.given_tags),
        sorted(agent.announced_tags),
        agent.key_hash,
        agent.public_key,
        agent.transport,
        agent.account,
        agent.drained,
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
        agent.contact,
    )


def _agent(row: asyncpg.Record) -> Agent:
    return Agent(
        agent_id=row["id"],
        tenant_id=row["tenant_id"],
        name=row["name"],
        pool=row["pool"],
        created_at=row["created_at"],
        given_tags=frozenset(row["given_tags"]),
        announced_tags=frozenset(row["announced_tags"]),
        key_hash=row["key_hash"],
        public_key=row["public_key"],
        transport=row["transport"],
        account=Account(row["account"]),
        drained=row["drained"],
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
        contact=row["contact"],
    )


def _pool_row(pool: Pool) -> tuple[object, ...]:
    return (
        pool.pool_id,
        pool.tenant_id,
        pool.name,
        pool.description,
        pool.paused_by,
        pool.pause_reason,
        pool.created_at,
        pool.log_version,
    )


def _pool(row: asyncpg.Record) -> Pool:
    return Pool(
        pool_id=row["id"],
        tenant_id=row["tenant_id"],
        name=row["name"],
        created_at=row["created_at"],
        description=row["description"],
        paused_by=row["paused_by"],
        pause_reason=row["pause_reason"],
        log_version=row["log_version"],
    )


def _connection_row(connection: Connection) -> tuple[object, ...]:
    return (
        connection.connection_id,
        connection.tenant_id,
        connection.name,
        connection.kind,
        msgspec.json.encode(connection.config).decode(),
        connection.pools,
        connection.enabled,
        connection.description,
        connection.created_at,
        connection.updated_at,
        None if connection.tested is None else msgspec.json.encode(connection.tested).decode(),
        connection.log_version,
    )


def _connection(row: asyncpg.Record) -> Connection:
    return Connection(
        connection_id=row["id"],
        tenant_id=row["tenant_id"],
        name=row["name"],
        kind=row["kind"],
        config=msgspec.json.decode(row["config"]),
        pools=row["pools"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        description=row["description"],
        enabled=row["enabled"],
        tested=None if row["tested"] is None else msgspec.json.decode(row["tested"], type=Tested),
        log_version=row["log_version"],
    )


def _action_type_row(tenant_id: str, action_type: ActionType) -> tuple[object, ...]:
    return (
        tenant_id,
        action_type.type,
        msgspec.json.encode(action_type.params).decode(),
        msgspec.json.encode(action_type.output).decode(),
        action_type.connections,
        action_type.needs_connection,
        action_type.description,
    )


def _action_type(row: asyncpg.Record) -> ActionType:
    return ActionType(
        type=row["type"],
        params=msgspec.json.decode(row["params"]),
        output=msgspec.json.decode(row["output"]),
        connections=row["connections"],
        needs_connection=row["needs_connection"],
        description=row["description"],
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
        refusal=None if row["refusal"] is None else msgspec.json.decode(row["refusal"], type=Hopeless),
    )
