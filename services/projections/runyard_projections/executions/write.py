"""Folded changes into tables: one statement for each kind of change, whatever the number of rows.

Rows that an event updates must be there: the log starts every execution and schedules every job before it says more of it.
"""

from collections.abc import Sequence
from functools import cache
from operator import attrgetter
from typing import Any, Final

from runyard_projections.executions.changes import Changes
from runyard_projections.projection import Connection, expect_rows

_NEW_EXECUTION: Final = {
    "execution_id": "uuid",
    "new.tenant_id": "text",
    "new.workflow_id": "uuid",
    "new.workflow_name": "text",
    "new.version": "integer",
    "new.trigger_type": "text",
    "new.trigger": "json",
    "new.inputs": "json",
    "new.started_by": "text",
    "new.parent_execution_id": "uuid",
    "new.rerun_of": "uuid",
    "new.timeout_seconds": "double precision",
    "new.started_at": "timestamptz",
}
_EXECUTION: Final = {
    "execution_id": "uuid",
    "status": "text",
    "failing_at": "timestamptz",
    "finished_at": "timestamptz",
    "jobs_total": "integer",
    "jobs_completed": "integer",
    "jobs_live": "integer",
    "error": "json",
    "cancellation": "json",
    "position": "bigint",
}
_NEW_JOB: Final = {
    "execution_id": "uuid",
    "job_id": "uuid",
    "new.node_id": "text",
    "new.action": "text",
    "new.pool": "text",
    "new.attempt": "integer",
    "new.queued_at": "timestamptz",
}
_JOB: Final = {
    "execution_id": "uuid",
    "job_id": "uuid",
    "status": "text",
    "released": "boolean",
    "agent": "text",
    "dispatched_at": "timestamptz",
    "started_at": "timestamptz",
    "finished_at": "timestamptz",
    "duration_ms": "bigint",
    "output": "json",
    "error": "json",
}
_NODE: Final = {
    "execution_id": "uuid",
    "node_id": "text",
    "status": "text",
    "job_id": "uuid",
    "started_at": "timestamptz",
    "finished_at": "timestamptz",
    "port": "text",
    "waiting": "json",
    "output": "json",
    "error": "json",
    "position": "bigint",
}
_STARTED: Final = _NEW_EXECUTION | _EXECUTION
_SCHEDULED: Final = _NEW_JOB | {field: kind for field, kind in _JOB.items() if field != "released"}


async def write(connection: Connection, changes: Changes, schema: str) -> None:
    """Write every changed row, in the transaction of the caller. Raises `ProjectionBroken`."""
    executions = changes.executions.values()
    if started := [change for change in executions if change.new is not None]:
        await connection.execute(_insert_executions(schema), *_columns(_STARTED, started))
    if updated := [change for change in executions if change.new is None]:
        tag = await connection.execute(_update_executions(schema), *_columns(_EXECUTION, updated))
        expect_rows(tag, len(updated), "executions")
    jobs = changes.jobs.values()
    if scheduled := [change for change in jobs if change.new is not None]:
        await connection.execute(_insert_jobs(schema), *_columns(_SCHEDULED, scheduled))
    if reported := [change for change in jobs if change.new is None]:
        tag = await connection.execute(_update_jobs(schema), *_columns(_JOB, reported))
        expect_rows(tag, len(reported), "jobs")
    if changes.nodes:
        await connection.execute(_upsert_nodes(schema), *_columns(_NODE, list(changes.nodes.values())))


def _columns(fields: dict[str, str], changes: Sequence[object]) -> list[Sequence[Any]]:
    """The changes as one array for each field."""
    return list(zip(*map(attrgetter(*fields), changes), strict=True))


def _names(fields: dict[str, str]) -> str:
    return ", ".join(field.removeprefix("new.") for field in fields)


def _unnest(fields: dict[str, str]) -> str:
    arrays = ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(fields.values(), 1))
    return f"unnest({arrays}) as c({_names(fields)})"


@cache
def _insert_executions(schema: str) -> str:
    return f"insert into {schema}.execution ({_names(_STARTED)}) select * from {_unnest(_STARTED)}"  # noqa: S608


@cache
def _insert_jobs(schema: str) -> str:
    return f"insert into {schema}.job ({_names(_SCHEDULED)}) select * from {_unnest(_SCHEDULED)}"  # noqa: S608


@cache
def _update_executions(schema: str) -> str:
    return f"""
        update {schema}.execution e set
            status = case when e.finished_at is null then coalesce(c.status, e.status) else e.status end,
            failing_at = coalesce(e.failing_at, c.failing_at),
            finished_at = coalesce(e.finished_at, c.finished_at),
            jobs_total = e.jobs_total + c.jobs_total,
            jobs_completed = e.jobs_completed + c.jobs_completed,
            jobs_live = e.jobs_live + c.jobs_live,
            error = coalesce(e.error, c.error),
            cancellation = coalesce(e.cancellation, c.cancellation),
            position = c.position
        from {_unnest(_EXECUTION)}
        where e.execution_id = c.execution_id
    """  # noqa: S608


@cache
def _update_jobs(schema: str) -> str:
    return f"""
        update {schema}.job j set
            status = c.status,
            agent = case when c.released then c.agent else coalesce(c.agent, j.agent) end,
            dispatched_at = case when c.released then c.dispatched_at else coalesce(c.dispatched_at, j.dispatched_at) end,
            started_at = coalesce(c.started_at, j.started_at),
            finished_at = coalesce(c.finished_at, j.finished_at),
            duration_ms = coalesce(c.duration_ms, j.duration_ms),
            output = coalesce(c.output, j.output),
            error = coalesce(c.error, j.error)
        from {_unnest(_JOB)}
        where j.execution_id = c.execution_id and j.job_id = c.job_id
    """  # noqa: S608


@cache
def _upsert_nodes(schema: str) -> str:
    return f"""
        insert into {schema}.node as n ({_names(_NODE)}) select * from {_unnest(_NODE)}
        on conflict (execution_id, node_id) do update set
            status = excluded.status,
            job_id = coalesce(excluded.job_id, n.job_id),
            started_at = coalesce(n.started_at, excluded.started_at),
            finished_at = excluded.finished_at,
            port = excluded.port,
            waiting = excluded.waiting,
            output = case when coalesce(excluded.job_id, n.job_id) is null then excluded.output end,
            error = excluded.error,
            position = excluded.position
    """  # noqa: S608
