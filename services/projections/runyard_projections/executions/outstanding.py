"""Reads what was outstanding in executions before a batch, for `pauses.py`, and writes what came of it.

Most executions never ask anyone: so only those are looked at that have open approvals, or had one asked for or decided in the
batch. Their waits are found by an index that holds waiting nodes alone, however many items there are.
"""

from functools import cache

from runyard_projections.executions.changes import Changes
from runyard_projections.executions.pauses import Pauses
from runyard_projections.projection import Connection


async def load_pauses(connection: Connection, changes: Changes, schema: str) -> dict[str, Pauses]:
    """By execution. Must be called before the batch is written."""
    moved = [change for change in changes.executions.values() if change.steps]
    pauses = {change.execution_id: Pauses() for change in moved if change.new is not None and change.approvals_moved}
    stored = [change for change in moved if change.new is None]
    if not stored:
        return pauses
    asked = [change.approvals_moved for change in stored]
    rows = await connection.fetch(_executions(schema), [change.execution_id for change in stored], asked)
    known = {
        execution_id: Pauses(live_jobs, open_approvals, set(), paused_ms, paused_since)
        for execution_id, live_jobs, open_approvals, paused_ms, paused_since in rows
    }
    if known:
        for execution_id, stream_id, node_id in await connection.fetch(_waits(schema), list(known)):
            known[execution_id].waits.add((stream_id, node_id))
    return pauses | known


async def write_pauses(connection: Connection, pauses: dict[str, Pauses], schema: str) -> None:
    """Their status is running or paused, unless it has become final."""
    rows = [(execution_id, pause.status, pause.paused_ms, pause.paused_since) for execution_id, pause in pauses.items()]
    await connection.execute(_update(schema), *zip(*rows, strict=True))


@cache
def _executions(schema: str) -> str:
    return f"""
        select e.execution_id::text, e.jobs_live, e.pending_approvals, e.paused_ms, e.paused_since
        from unnest($1::uuid[], $2::boolean[]) as c(execution_id, moved)
        join {schema}.execution e on e.execution_id = c.execution_id
        where e.finished_at is null and (c.moved or e.pending_approvals > 0)
    """  # noqa: S608


@cache
def _waits(schema: str) -> str:
    return f"""
        select n.execution_id::text, n.execution_id::text, n.node_id
        from unnest($1::uuid[]) as c(execution_id) join {schema}.node n on n.execution_id = c.execution_id
        where n.waiting is not null and n.waiting ->> 'for' <> 'approval'
        union all
        select n.execution_id::text, n.stream_id::text, n.node_id
        from unnest($1::uuid[]) as c(execution_id) join {schema}.iteration_node n on n.execution_id = c.execution_id
        where n.waiting_since is not null and n.waiting ->> 'for' <> 'approval'
    """  # noqa: S608


@cache
def _update(schema: str) -> str:
    return f"""
        update {schema}.execution e set
            status = case when e.finished_at is null then c.status else e.status end,
            paused_ms = c.paused_ms,
            paused_since = c.paused_since
        from unnest($1::uuid[], $2::text[], $3::bigint[], $4::timestamptz[]) as c(execution_id, status, paused_ms, paused_since)
        where e.execution_id = c.execution_id
    """  # noqa: S608
