"""Counts added to what is stored, and what has to be known of executions and jobs that are not over. One statement for each
kind of row, whatever their number."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple
from functools import cache
from typing import Any, Final

from runyard_projections.analytics.changes import Changes, OpenExecution
from runyard_projections.analytics.rollups import ExecutionCounts, JobCounts, Place
from runyard_projections.analytics.settle import Outcome, Placed, settle
from runyard_projections.projection import LIVE, Connection, expect_rows

_JOB_COUNTERS: Final = ("completed", "failed", "timed_out", "cancelled", "busy_ms")
_ARCHIVED: Final = f"""
    select c.execution_id::text from unnest($1::uuid[], $2::text[]) as c(execution_id, tenant_id)
    join {LIVE}.archived a on a.tenant_id = c.tenant_id and c.execution_id < a.before
"""  # noqa: S608


async def write(connection: Connection, changes: Changes, schema: str) -> None:
    """In the transaction of the caller. Raises `ProjectionBroken`."""
    opened = await _opened(connection, changes, schema)
    outcome = settle(changes, opened, await _take_placed(connection, changes, schema))
    if changes.workflows:
        rows = [(*key, name) for key, name in changes.workflows.items()]
        await connection.execute(_upsert_workflows(schema), *zip(*rows, strict=True))
    if outcome.executions:
        await connection.execute(_add_executions(schema), *_execution_columns(outcome.executions))
    if outcome.jobs:
        await connection.execute(_add_jobs(schema), *_job_columns(outcome.jobs))
    await _write_open(connection, outcome, changes, schema)


async def _opened(connection: Connection, changes: Changes, schema: str) -> dict[str, OpenExecution]:
    """What is stored of executions that did not begin in this batch. Of those that were archived since, as
    `projections.archived` tells, nothing is: what late events say of them is left out of `changes`."""
    earlier = {execution_id: change for execution_id, change in changes.executions.items() if change.begun is None}
    if not earlier:
        return {}
    rows = await connection.fetch(_opened_sql(schema), list(earlier))
    opened = {row["execution_id"]: OpenExecution(*tuple(row)[1:]) for row in rows}
    if missing := [(execution_id, each.tenant_id) for execution_id, each in earlier.items() if execution_id not in opened]:
        archived = await connection.fetch(_ARCHIVED, *zip(*missing, strict=True))
        changes.forget({execution_id for (execution_id,) in archived})
    return opened


async def _take_placed(connection: Connection, changes: Changes, schema: str) -> dict[str, Placed]:
    """The agents of jobs that end in this batch; what was stored of them is not needed any more."""
    ended = [job_id for job_id, job in changes.jobs.items() if job.status is not None]
    if not ended:
        return {}
    return {job_id: (agent, started_at) for job_id, agent, started_at in await connection.fetch(_take_sql(schema), ended)}


async def _write_open(connection: Connection, outcome: Outcome, changes: Changes, schema: str) -> None:
    if outcome.over:
        tag = await connection.execute(_delete(schema, "analytics_open_execution", "execution_id"), outcome.over)
        expect_rows(tag, len(outcome.over), "open executions")
    begun, changed = [], []
    for execution_id, each in outcome.open.items():
        if changes.executions[execution_id].begun is None:
            changed.append((execution_id, each.ended, each.outstanding))
        else:
            begun.append((execution_id, *astuple(each)))
    if begun:
        await connection.execute(_insert_open(schema), *zip(*begun, strict=True))
    if changed:
        tag = await connection.execute(_update_open(schema), *zip(*changed, strict=True))
        expect_rows(tag, len(changed), "open executions")
    if outcome.placed:
        placed = [(job_id, *each) for job_id, each in outcome.placed.items()]
        await connection.execute(_upsert_placed(schema), *zip(*placed, strict=True))
    if outcome.released:
        await connection.execute(_delete(schema, "analytics_open_job", "job_id"), outcome.released)


def _execution_columns(counts: Mapping[Place, ExecutionCounts]) -> list[Sequence[Any]]:
    """Arrays of arrays would have to be rectangular, so the histograms go as text; in order, so that rows are the same however
    the log is cut into batches."""
    rows = []
    for place, each in counts.items():
        buckets = sorted(each.durations)
        in_buckets = [each.durations[bucket] for bucket in buckets]
        counters = (each.started, each.completed, each.failed, each.cancelled, each.duration_ms)
        rows.append((*place, *counters, _array(buckets), _array(in_buckets)))
    return list(zip(*rows, strict=True))


def _job_columns(counts: Mapping[Place, JobCounts]) -> list[Sequence[Any]]:
    rows = [
        (*place, each.completed, each.failed, each.timed_out, each.cancelled, each.busy_ms) for place, each in counts.items()
    ]
    return list(zip(*rows, strict=True))


def _array(values: Sequence[int]) -> str:
    return f"{{{','.join(map(str, values))}}}"


@cache
def _opened_sql(schema: str) -> str:
    return f"""
        select o.execution_id::text as execution_id, o.tenant_id, o.workflow_id::text, o.trigger_type, o.started_at, o.ended,
            o.outstanding
        from unnest($1::uuid[]) as c(execution_id)
        join {schema}.analytics_open_execution o on o.execution_id = c.execution_id
    """  # noqa: S608


@cache
def _take_sql(schema: str) -> str:
    return f"""
        delete from {schema}.analytics_open_job j using unnest($1::uuid[]) as c(job_id) where j.job_id = c.job_id
        returning j.job_id::text, j.agent, j.started_at
    """  # noqa: S608


@cache
def _delete(schema: str, table: str, key: str) -> str:
    return f"delete from {schema}.{table} t using unnest($1::uuid[]) as c(gone) where t.{key} = c.gone"  # noqa: S608


@cache
def _upsert_workflows(schema: str) -> str:
    return f"""
        insert into {schema}.analytics_workflow as w (tenant_id, workflow_id, name)
        select * from unnest($1::text[], $2::uuid[], $3::text[])
        on conflict (tenant_id, workflow_id) do update set name = excluded.name where w.name <> excluded.name
    """  # noqa: S608


@cache
def _add_executions(schema: str) -> str:
    """Histograms are added bucket by bucket; most rows have none to add, or are new."""
    return f"""
        insert into {schema}.analytics_execution as r
            (tenant_id, workflow_id, trigger_type, width, starts_at, started, completed, failed, cancelled, duration_ms,
            buckets, counts)
        select c.tenant_id, c.workflow_id, c.trigger_type, c.width, to_timestamp(c.starts), c.started, c.completed, c.failed,
            c.cancelled, c.duration_ms, c.buckets::integer[], c.counts::integer[]
        from unnest($1::text[], $2::uuid[], $3::text[], $4::integer[], $5::bigint[], $6::integer[], $7::integer[],
            $8::integer[], $9::integer[], $10::bigint[], $11::text[], $12::text[])
            as c(tenant_id, workflow_id, trigger_type, width, starts, started, completed, failed, cancelled, duration_ms,
                buckets, counts)
        on conflict (tenant_id, workflow_id, width, starts_at, trigger_type) do update set
            started = r.started + excluded.started,
            completed = r.completed + excluded.completed,
            failed = r.failed + excluded.failed,
            cancelled = r.cancelled + excluded.cancelled,
            duration_ms = r.duration_ms + excluded.duration_ms,
            (buckets, counts) = (
                select coalesce(array_agg(m.bucket order by m.bucket), '{{}}'),
                    coalesce(array_agg(m.count order by m.bucket), '{{}}')
                from (
                    select b.bucket, sum(b.count)::integer as count
                    from (
                        select * from unnest(r.buckets, r.counts)
                        union all
                        select * from unnest(excluded.buckets, excluded.counts)
                    ) b(bucket, count)
                    group by b.bucket
                ) m
            )
    """  # noqa: S608


@cache
def _add_jobs(schema: str) -> str:
    names = ", ".join(_JOB_COUNTERS)
    sums = ", ".join(f"{counter} = r.{counter} + excluded.{counter}" for counter in _JOB_COUNTERS)
    return f"""
        insert into {schema}.analytics_agent as r (tenant_id, workflow_id, agent, width, starts_at, {names})
        select c.tenant_id, c.workflow_id, c.agent, c.width, to_timestamp(c.starts), {names}
        from unnest($1::text[], $2::uuid[], $3::text[], $4::integer[], $5::bigint[], $6::integer[], $7::integer[],
            $8::integer[], $9::integer[], $10::bigint[]) as c(tenant_id, workflow_id, agent, width, starts, {names})
        on conflict (tenant_id, workflow_id, width, starts_at, agent) do update set {sums}
    """  # noqa: S608


@cache
def _insert_open(schema: str) -> str:
    return f"""
        insert into {schema}.analytics_open_execution
            (execution_id, tenant_id, workflow_id, trigger_type, started_at, ended, outstanding)
        select * from unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::timestamptz[], $6::boolean[], $7::integer[])
    """  # noqa: S608


@cache
def _update_open(schema: str) -> str:
    return f"""
        update {schema}.analytics_open_execution o set ended = c.ended, outstanding = c.outstanding
        from unnest($1::uuid[], $2::boolean[], $3::integer[]) as c(execution_id, ended, outstanding)
        where o.execution_id = c.execution_id
    """  # noqa: S608


@cache
def _upsert_placed(schema: str) -> str:
    return f"""
        insert into {schema}.analytics_open_job (job_id, agent, started_at)
        select * from unnest($1::uuid[], $2::text[], $3::timestamptz[])
        on conflict (job_id) do update set agent = excluded.agent, started_at = excluded.started_at
    """  # noqa: S608
