"""Folded changes into tables: one statement for each kind of change, whatever the number of rows.

Rows that an event updates must be there: the log starts every execution and iteration, schedules every job and asks for every
approval before it says more of it. The one exception is an execution that was archived since: see `archived.py`.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from operator import attrgetter
from typing import Any, Final

from runyard_projections.executions.archived import forget_archived
from runyard_projections.executions.changes import Changes
from runyard_projections.executions.outstanding import load_pauses, write_pauses
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
    "new.parent_node_id": "text",
    "new.depth": "integer",
    "new.rerun_of": "uuid",
    "new.from_node": "text",
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
    "pending_approvals": "integer",
    "error": "json",
    "cancellation": "json",
    "position": "bigint",
}
_NEW_JOB: Final = {
    "execution_id": "uuid",
    "job_id": "uuid",
    "new.stream_id": "uuid",
    "new.node_id": "text",
    "new.action": "text",
    "new.pool": "text",
    "new.attempt": "integer",
    "new.queued_at": "timestamptz",
    "new.queue_expires_at": "timestamptz",
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
_ITERATION_NODE: Final = _NODE | {"stream_id": "uuid", "waiting_since": "timestamptz"}
_FOREACH_KEY: Final = {"execution_id": "uuid", "stream_id": "uuid", "node_id": "text"}
_FOREACH_COUNTERS: Final = {"scheduled": "integer", "completed": "integer", "failed": "integer", "cancelled": "integer"}
_FOREACH: Final = _FOREACH_KEY | _FOREACH_COUNTERS
_NEW_ITERATION: Final = {
    "execution_id": "uuid",
    "new.parent_stream_id": "uuid",
    "new.node_id": "text",
    "new.index": "integer",
    "new.path": "text",
    "new.item": "json",
    "new.started_at": "timestamptz",
}
_ITERATION: Final = {
    "execution_id": "uuid",
    "stream_id": "uuid",
    "status": "text",
    "finished_at": "timestamptz",
    "output": "json",
    "error": "json",
}
_NEW_APPROVAL: Final = {
    "execution_id": "uuid",
    "new.tenant_id": "text",
    "new.stream_id": "uuid",
    "new.node_id": "text",
    "new.workflow_name": "text",
    "new.started_by": "text",
    "new.message": "text",
    "new.approvers": "json",
    "new.min_approvals": "integer",
    "new.prevent_self_approval": "boolean",
    "new.requested_at": "timestamptz",
    "new.expires_at": "timestamptz",
}
_APPROVAL: Final = {
    "execution_id": "uuid",
    "approval_id": "uuid",
    "status": "text",
    "votes": "json",
    "notifications": "json",
    "escalated_to": "json",
    "escalated_at": "timestamptz",
    "reminded_at": "timestamptz",
    "responded_by": "text",
    "response_note": "text",
    "responded_via": "text",
    "responded_at": "timestamptz",
    "position": "bigint",
}
_LISTS: Final = {"approvers": "text", "escalated_to": "text", "votes": "json", "notifications": "json"}
"""Columns that are arrays; they come as JSON lists, since an array of arrays would have to be rectangular."""
_STARTED: Final = _NEW_EXECUTION | _EXECUTION
_SCHEDULED: Final = _NEW_JOB | {field: kind for field, kind in _JOB.items() if field != "released"}
_BEGUN: Final = _NEW_ITERATION | _ITERATION
_ENTERED: Final = _FOREACH | {"total": "integer"}
_ASKED: Final = _NEW_APPROVAL | _APPROVAL


async def write(connection: Connection, changes: Changes, schema: str) -> None:
    """Write every changed row, in the transaction of the caller. Raises `ProjectionBroken`."""
    pauses = await load_pauses(connection, changes, schema)  # before the rows that it reads are written
    executions = changes.executions.values()
    if started := [change for change in executions if change.new is not None]:
        await connection.execute(_insert_executions(schema), *_columns(_STARTED, started))
    if updated := [change for change in executions if change.new is None]:
        tag = await connection.execute(_update_executions(schema), *_columns(_EXECUTION, updated))
        if tag != f"UPDATE {len(updated)}":
            await forget_archived(connection, changes, schema)
    await _write_jobs(connection, changes, schema)
    if changes.nodes:
        await connection.execute(_upsert_nodes(schema), *_columns(_NODE, list(changes.nodes.values())))
    if changes.iteration_nodes:
        nodes = list(changes.iteration_nodes.values())
        await connection.execute(_upsert_iteration_nodes(schema), *_columns(_ITERATION_NODE, nodes))
    if changes.foreachs or changes.iterations:
        await _write_iterations(connection, changes, schema)
    if changes.approvals:
        await _write_approvals(connection, changes, schema)
    for execution_id, pause in pauses.items():
        pause.follow(changes.executions[execution_id].steps)
    if pauses:
        await write_pauses(connection, pauses, schema)


async def _write_jobs(connection: Connection, changes: Changes, schema: str) -> None:
    jobs = changes.jobs.values()
    if scheduled := [change for change in jobs if change.new is not None]:
        await connection.execute(_insert_jobs(schema), *_columns(_SCHEDULED, scheduled))
    if reported := [change for change in jobs if change.new is None]:
        tag = await connection.execute(_update_jobs(schema), *_columns(_JOB, reported))
        expect_rows(tag, len(reported), "jobs")


async def _write_iterations(connection: Connection, changes: Changes, schema: str) -> None:
    foreachs = changes.foreachs.values()
    if entered := [change for change in foreachs if change.total is not None]:
        await connection.execute(_insert_foreachs(schema), *_columns(_ENTERED, entered))
    if advanced := [change for change in foreachs if change.total is None]:
        tag = await connection.execute(_update_foreachs(schema), *_columns(_FOREACH, advanced))
        expect_rows(tag, len(advanced), "forEach nodes")
    iterations = changes.iterations.values()
    if begun := [change for change in iterations if change.new is not None]:
        await connection.execute(_insert_iterations(schema), *_columns(_BEGUN, begun))
    if ended := [change for change in iterations if change.new is None]:
        tag = await connection.execute(_update_iterations(schema), *_columns(_ITERATION, ended))
        expect_rows(tag, len(ended), "iterations")


async def _write_approvals(connection: Connection, changes: Changes, schema: str) -> None:
    approvals = changes.approvals.values()
    if asked := [change for change in approvals if change.new is not None]:
        await connection.execute(_insert_approvals(schema), *_columns(_ASKED, asked))
    if moved := [change for change in approvals if change.new is None]:
        tag = await connection.execute(_update_approvals(schema), *_columns(_APPROVAL, moved))
        expect_rows(tag, len(moved), "approvals")


def _columns(fields: dict[str, str], changes: Sequence[object]) -> list[Sequence[Any]]:
    """The changes as one array for each field."""
    return list(zip(*map(attrgetter(*fields), changes), strict=True))


def _names(fields: Mapping[str, str]) -> str:
    return ", ".join(field.removeprefix("new.") for field in fields)


def _unnest(fields: Mapping[str, str]) -> str:
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
            pending_approvals = e.pending_approvals + c.pending_approvals,
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
    return _upsert(f"{schema}.node", "execution_id, node_id", _NODE)


@cache
def _upsert_iteration_nodes(schema: str) -> str:
    return _upsert(f"{schema}.iteration_node", "execution_id, stream_id, node_id", _ITERATION_NODE)


def _upsert(table: str, key: str, columns: Mapping[str, str]) -> str:
    """Of nodes: what stays once it is known is kept, and all else is as the change says."""
    kept = {
        "job_id": "coalesce(excluded.job_id, n.job_id)",
        "started_at": "coalesce(n.started_at, excluded.started_at)",
        "output": "case when coalesce(excluded.job_id, n.job_id) is null then excluded.output end",
    }
    changed = [name for name in columns if name not in key.split(", ")]
    updates = ", ".join(f"{name} = {kept.get(name, f'excluded.{name}')}" for name in changed)
    return f"""
        insert into {table} as n ({_names(columns)}) select * from {_unnest(columns)}
        on conflict ({key}) do update set {updates}
    """  # noqa: S608


@cache
def _insert_foreachs(schema: str) -> str:
    return f"insert into {schema}.foreach ({_names(_ENTERED)}) select * from {_unnest(_ENTERED)}"  # noqa: S608


@cache
def _update_foreachs(schema: str) -> str:
    counters = ", ".join(f"{counter} = f.{counter} + c.{counter}" for counter in _FOREACH_COUNTERS)
    same = " and ".join(f"f.{column} = c.{column}" for column in _FOREACH_KEY)
    return f"update {schema}.foreach f set {counters} from {_unnest(_FOREACH)} where {same}"  # noqa: S608


@cache
def _insert_iterations(schema: str) -> str:
    return f"insert into {schema}.iteration ({_names(_BEGUN)}) select * from {_unnest(_BEGUN)}"  # noqa: S608


@cache
def _update_iterations(schema: str) -> str:
    return f"""
        update {schema}.iteration i
        set status = c.status, finished_at = c.finished_at, output = c.output, error = c.error
        from {_unnest(_ITERATION)}
        where i.execution_id = c.execution_id and i.stream_id = c.stream_id
    """  # noqa: S608


@cache
def _insert_approvals(schema: str) -> str:
    columns = ", ".join(_elements(name) if name in _LISTS else f"c.{name}" for name in _names(_ASKED).split(", "))
    return f"insert into {schema}.approval ({_names(_ASKED)}) select {columns} from {_unnest(_ASKED)}"  # noqa: S608


@cache
def _update_approvals(schema: str) -> str:
    return f"""
        update {schema}.approval a set
            status = coalesce(c.status, a.status),
            votes = a.votes || {_elements("votes")},
            notifications = a.notifications || {_elements("notifications")},
            escalated_to = case when c.escalated_to is null then a.escalated_to else {_elements("escalated_to")} end,
            escalated_at = coalesce(c.escalated_at, a.escalated_at),
            reminded_at = coalesce(c.reminded_at, a.reminded_at),
            responded_by = coalesce(c.responded_by, a.responded_by),
            response_note = coalesce(c.response_note, a.response_note),
            responded_via = coalesce(c.responded_via, a.responded_via),
            responded_at = coalesce(c.responded_at, a.responded_at),
            position = c.position
        from {_unnest(_APPROVAL)}
        where a.execution_id = c.execution_id and a.approval_id = c.approval_id
    """  # noqa: S608


def _elements(column: str) -> str:
    """The array that the JSON list makes; an empty one of null."""
    function = "json_array_elements_text" if _LISTS[column] == "text" else "json_array_elements"
    return f"array(select {function}(c.{column}))"
