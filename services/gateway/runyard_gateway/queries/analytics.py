"""Figures of executions and jobs, from the rollups `read.analytics_*` and, at the edges of a range, from the lists themselves.

All queries of an answer see one snapshot, in which rollups and lists stand for the same position; so a figure is what counting
the executions that the list shows would give.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from runyard_gateway.answers import JobOfExecution
from runyard_gateway.database import Database, Reader, Row
from runyard_gateway.queries.jobs_of_agents import EndedJobs, PageKey, ended_jobs
from runyard_gateway.read_position import ANALYTICS, EXECUTIONS, WORKFLOWS
from runyard_gateway.rollup_cover import Cover

ALL_WORKFLOWS: Final = "00000000-0000-0000-0000-000000000000"
"""The rows of all workflows together."""
_COUNTERS: Final = ("started", "completed", "failed", "cancelled", "duration_ms")
_JOB_COUNTERS: Final = ("completed", "failed", "timed_out", "cancelled", "busy_ms")


@dataclass(frozen=True, slots=True)
class Counts:
    """`duration_ms` is the sum over those that have ended."""

    started: int
    completed: int
    failed: int
    cancelled: int
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Of:
    """Which executions count: those of a workflow, or all; those with one of these triggers, or with any if there are none."""

    workflow_id: str | None = None
    trigger_types: frozenset[str] = frozenset()

    @property
    def rows_of(self) -> str:
        return self.workflow_id or ALL_WORKFLOWS

    @property
    def triggers(self) -> list[str] | None:
        return sorted(self.trigger_types) or None


@dataclass(frozen=True, slots=True)
class WorkflowCounts:
    workflow_id: str
    name: str
    counts: Counts


@dataclass(frozen=True, slots=True)
class AgentCounts:
    """`agent` is None for jobs that ended without having reached one."""

    agent: str | None
    completed: int
    failed: int
    timed_out: int
    cancelled: int
    busy_ms: int


class Apart(Exception):
    """Just now the read models do not stand for one position, as in the moment after one was rebuilt. `behind`: the one that
    has not reached `position` yet."""

    def __init__(self, behind: str, position: int) -> None:
        super().__init__(f"the read model {behind} is behind position {position}")
        self.behind = behind
        self.position = position


class AnalyticsQueries:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def time_zone(self, tenant_id: str) -> str:
        """Whose days are meant if nothing else is said."""
        row = await self._database.fetch_row("select time_zone from read.tenant where tenant_id = $1", tenant_id)
        return "UTC" if row is None else str(row["time_zone"])

    @asynccontextmanager
    async def snapshot(self) -> "AsyncIterator[AnalyticsSnapshot]":
        """Raises `Apart`."""
        async with self._database.snapshot() as reader:
            rows = await reader.fetch(_POSITIONS, [ANALYTICS, EXECUTIONS, WORKFLOWS])
            positions = {row["name"]: row["position"] for row in rows}
            behind, ahead = min(positions, key=positions.__getitem__), max(positions.values())
            if positions[behind] < ahead:
                raise Apart(behind, ahead)
            yield AnalyticsSnapshot(reader, ahead)


class AnalyticsSnapshot:
    """What readers see at one position."""

    def __init__(self, reader: Reader, position: int) -> None:
        self._reader = reader
        self.position = position

    async def counts(self, tenant_id: str, of: Of, covers: Sequence[Cover]) -> list[Counts]:
        """For each of the covers."""
        rows = await self._reader.fetch(_text(_COUNTS, of), tenant_id, of.rows_of, *_arguments(covers), of.triggers)
        found = {row["place"]: _counts(row) for row in rows}
        return [found.get(place, Counts(0, 0, 0, 0, 0)) for place in range(len(covers))]

    async def durations(self, tenant_id: str, of: Of, cover: Cover) -> tuple[float | None, float | None]:
        """The 50th and the 95th percentile in milliseconds, at most 1.6 % off; None if nothing has ended."""
        sql = _text(_PERCENTILES, of)
        row = await self._reader.fetch_row(sql, tenant_id, of.rows_of, *_arguments([cover]), of.triggers)
        return (None, None) if row is None else (row["p50"], row["p95"])

    async def active_workflows(self, tenant_id: str) -> int:
        """Those that may run now."""
        row = await self._reader.fetch_row(_ACTIVE_WORKFLOWS, tenant_id)
        return 0 if row is None else int(row["workflows"])

    async def workflows(self, tenant_id: str, of: Of, cover: Cover, limit: int) -> list[WorkflowCounts]:
        """Those with the most executions first."""
        rows = await self._reader.fetch(_WORKFLOWS, tenant_id, limit, *_arguments([cover]), of.triggers)
        return [WorkflowCounts(row["workflow_id"], row["name"], _counts(row)) for row in rows]

    async def agents(self, tenant_id: str, of: Of, cover: Cover, limit: int) -> list[AgentCounts]:
        """Those with the most jobs first; `of` a workflow or all, and any trigger."""
        rows = await self._reader.fetch(_text(_AGENTS, of), tenant_id, of.rows_of, *_arguments([cover]), limit)
        return [AgentCounts(row["agent"] or None, *(int(row[counter]) for counter in _JOB_COUNTERS)) for row in rows]

    async def jobs(
        self, tenant_id: str, wanted: EndedJobs, after: PageKey | None, limit: int, now: datetime
    ) -> list[JobOfExecution]:
        """Those that `agents` counts."""
        return await ended_jobs(self._reader, tenant_id, wanted, after, limit, now)


def _text(sql: str, of: Of) -> str:
    return sql.replace("{of_workflow}", "" if of.workflow_id is None else "and e.workflow_id = $2::uuid")


def _counts(row: Row) -> Counts:
    return Counts(*(int(row[counter]) for counter in _COUNTERS))


def _arguments(covers: Sequence[Cover]) -> list[Sequence[Any]]:
    """As `_COVERED` takes them: from the third argument on."""
    rows: list[tuple[int, int, datetime, datetime]] = []
    pieces: list[tuple[int, int, datetime, datetime]] = []
    for place, cover in enumerate(covers):
        rows += [(place, each.width // timedelta(seconds=1), each.stretch.starts, each.stretch.ends) for each in cover.rows]
        pieces += [(place, each.sign, each.stretch.starts, each.stretch.ends) for each in cover.pieces]
    return [*_columns(rows), *_columns(pieces)]


def _columns(rows: list[tuple[int, int, datetime, datetime]]) -> list[Sequence[Any]]:
    return list(zip(*rows, strict=True)) if rows else [(), (), (), ()]


_POSITIONS: Final = "select name, position from read.projection where name = any($1::text[])"

_ACTIVE_WORKFLOWS: Final = (
    "select count(*) as workflows from read.workflow"
    " where tenant_id = $1 and active and published_version is not null and not archived"
)

_COVERED: Final = """
    with covering as (
        select * from unnest($3::integer[], $4::integer[], $5::timestamptz[], $6::timestamptz[])
            as r(place, width, starts, ends)
    ), piece as (
        select * from unnest($7::integer[], $8::integer[], $9::timestamptz[], $10::timestamptz[])
            as p(place, sign, starts, ends)
    )
"""
"""`place`: for which of several covers."""

_SUMS: Final = ", ".join(f"coalesce(sum(s.{counter}), 0)::bigint as {counter}" for counter in _COUNTERS)
_ROW_SUMS: Final = ", ".join(f"sum(a.{counter}) as {counter}" for counter in _COUNTERS)
_COUNTED: Final = """
    count(*) as started, count(*) filter (where e.status = 'completed') as completed,
    count(*) filter (where e.status = 'failed') as failed, count(*) filter (where e.status = 'cancelled') as cancelled,
    coalesce(sum(e.duration_ms), 0) as duration_ms
"""
_SIGNED: Final = ", ".join(f"p.sign * n.{counter} as {counter}" for counter in _COUNTERS)
_IN_PIECE: Final = "e.tenant_id = $1 and e.started_at >= p.starts and e.started_at < p.ends"
_TRIGGERED: Final = "($11::text[] is null or {row}.trigger_type = any($11))"
_ROW_TRIGGERED: Final = _TRIGGERED.format(row="a")
_PIECE_TRIGGERED: Final = _TRIGGERED.format(row="e")
_IN_ROWS: Final = "a.tenant_id = $1 and a.width = r.width and a.starts_at >= r.starts and a.starts_at < r.ends"

_COUNTS: Final = f"""
    {_COVERED}
    select s.place, {_SUMS}
    from (
        select r.place, n.* from covering r
        cross join lateral (
            select {_ROW_SUMS} from read.analytics_execution a
            where {_IN_ROWS} and a.workflow_id = $2::uuid and {_ROW_TRIGGERED}
        ) n
        union all
        select p.place, {_SIGNED} from piece p
        cross join lateral (
            select {_COUNTED} from read.execution e where {_IN_PIECE} and {_PIECE_TRIGGERED} {{of_workflow}}
        ) n
    ) s
    group by s.place
"""  # noqa: S608

_PERCENTILES: Final = f"""
    {_COVERED}, counted as (
        select b.bucket, b.count from covering r
        join read.analytics_execution a on {_IN_ROWS} and a.workflow_id = $2::uuid and {_ROW_TRIGGERED}
        cross join lateral unnest(a.buckets, a.counts) as b(bucket, count)
        union all
        select read.duration_bucket(e.duration_ms), p.sign from piece p
        join read.execution e on {_IN_PIECE} and {_PIECE_TRIGGERED} and e.finished_at is not null {{of_workflow}}
    ), summed as (
        select bucket, sum(count) as count from counted group by bucket
    ), ranked as (
        select bucket, sum(count) over (order by bucket) as up_to, sum(count) over () as ended from summed where count > 0
    )
    select read.bucket_duration(min(bucket) filter (where up_to >= ceil(ended * 0.50))) as p50,
        read.bucket_duration(min(bucket) filter (where up_to >= ceil(ended * 0.95))) as p95
    from ranked
"""  # noqa: S608

_WORKFLOWS: Final = f"""
    {_COVERED}
    select w.workflow_id::text as workflow_id, w.name, t.*
    from read.analytics_workflow w
    cross join lateral (
        select {_SUMS}
        from (
            select n.* from covering r
            cross join lateral (
                select {_ROW_SUMS} from read.analytics_execution a
                where {_IN_ROWS} and a.workflow_id = w.workflow_id and {_ROW_TRIGGERED}
            ) n
            union all
            select {_SIGNED} from piece p
            cross join lateral (
                select {_COUNTED} from read.execution e
                where {_IN_PIECE} and {_PIECE_TRIGGERED} and e.workflow_id = w.workflow_id
            ) n
        ) s
    ) t
    where w.tenant_id = $1 and t.started > 0
    order by t.started desc, w.name, w.workflow_id
    limit $2
"""  # noqa: S608

_AGENTS: Final = f"""
    {_COVERED}, counted as (
        select a.agent, a.completed, a.failed, a.timed_out, a.cancelled, a.busy_ms
        from covering r join read.analytics_agent a on {_IN_ROWS} and a.workflow_id = $2::uuid
        union all
        select coalesce(j.agent, ''), p.sign * (j.status = 'completed')::integer, p.sign * (j.status = 'failed')::integer,
            p.sign * (j.status = 'timeout')::integer, p.sign * (j.status = 'cancelled')::integer,
            p.sign * coalesce(j.duration_ms, 0)
        from piece p
        join read.execution e on {_IN_PIECE} {{of_workflow}}
        join read.job j on j.execution_id = e.execution_id
        where j.finished_at is not null
    ), summed as (
        select agent, {", ".join(f"sum({counter}) as {counter}" for counter in _JOB_COUNTERS)},
            sum(completed + failed + timed_out + cancelled) as jobs
        from counted group by agent
    )
    select * from summed where jobs > 0 order by jobs desc, agent limit $11
"""  # noqa: S608
