"""The jobs of an execution, from `read.job`: by filter, in the order in which they were queued."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from runyard_shared.contracts.values import JobStatus

from runyard_gateway.answers import JobOfExecution, JobRow
from runyard_gateway.database import Database, Reader, Row
from runyard_gateway.queries.columns import error_info, instant, milliseconds_since, raw_json

MAX_LIVE = 20

LINE_COLUMNS = (
    "job_id::text as job_id, node_id, node_name, item, action_type, attempt, status, agent, queued_at, dispatched_at,"
    " started_at, finished_at, duration_ms, error::text as error"
)
JOB_COLUMNS = f"{LINE_COLUMNS}, output::text as output"
_OF_EXECUTION = f"select {JOB_COLUMNS} from read.job where execution_id = $1::uuid and tenant_id = $2"  # noqa: S608
_LIVE = f"{_OF_EXECUTION} and status in ('dispatched', 'running') order by read.job.job_id limit {MAX_LIVE}"
_LIVE_TOTAL = (
    "select count(*) as number from read.job"
    " where execution_id = $1::uuid and tenant_id = $2 and status in ('dispatched', 'running')"
)


LINES_OF_KEYS = f"""
    select line.*, key.execution_id::text as execution_id, key.workflow_id::text as workflow_id, key.workflow_name,
        key.execution_started_at{{more}}
    from key cross join lateral (
        select {LINE_COLUMNS} from read.job where read.job.execution_id = key.execution_id and read.job.job_id = key.job_id
    ) line
"""  # noqa: S608
"""What `job_of_execution` needs, of the jobs of a `key` that has their ids and is joined with their executions."""


class PageKey(NamedTuple):
    """The last job of a page."""

    job_id: UUID


@dataclass(frozen=True)
class JobFilter:
    """None and empty mean any. `stream_id`: of an iteration, or the execution's own."""

    statuses: frozenset[JobStatus] = field(default_factory=frozenset)
    node_id: str | None = None
    stream_id: str | None = None


ANY_JOB = JobFilter()


@dataclass(frozen=True)
class LiveJobs:
    """Those that an agent has: the first few of `total`."""

    first: Sequence[JobRow]
    total: int

    @classmethod
    def among(cls, jobs: Sequence[JobRow]) -> "LiveJobs":
        """Of an execution whose jobs these all are."""
        live = [job for job in jobs if job.status in (JobStatus.DISPATCHED, JobStatus.RUNNING)]
        return cls(live, len(live))


class JobQueries:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, tenant_id: str, execution_id: str, wanted: JobFilter, after: PageKey | None, limit: int, now: datetime
    ) -> list[JobRow]:
        return await jobs_of(self._database, tenant_id, execution_id, wanted, after, limit, now)


async def jobs_of(
    reader: Reader,
    tenant_id: str,
    execution_id: str,
    wanted: JobFilter,
    after: PageKey | None,
    limit: int,
    now: datetime,
) -> list[JobRow]:
    """At most `limit`, from behind `after`."""
    arguments: list[Any] = [execution_id, tenant_id, limit]
    sql = _OF_EXECUTION
    for condition, value in (
        ("status = any($n::text[])", sorted(wanted.statuses) or None),
        ("node_id = $n", wanted.node_id),
        ("stream_id = $n::uuid", wanted.stream_id),
        ("read.job.job_id > $n::uuid", after and after.job_id),
    ):
        if value is not None:
            arguments.append(value)
            sql += f" and {condition.replace('$n', f'${len(arguments)}')}"
    return [job_row(row, now) for row in await reader.fetch(f"{sql} order by read.job.job_id limit $3", *arguments)]


async def live_jobs(reader: Reader, tenant_id: str, execution_id: str, now: datetime) -> LiveJobs:
    rows = await reader.fetch(_LIVE, execution_id, tenant_id)
    total = await reader.fetch_row(_LIVE_TOTAL, execution_id, tenant_id)
    return LiveJobs([job_row(row, now) for row in rows], total["number"] if total is not None else 0)


def job_row(row: Row, now: datetime) -> JobRow:
    return JobRow(**line_of(row, now), output=raw_json(row["output"]))


def line_of(row: Row, now: datetime) -> dict[str, Any]:
    """The members of a `JobLine`."""
    duration_ms = row["duration_ms"]
    if duration_ms is None and row["status"] == JobStatus.RUNNING:
        duration_ms = milliseconds_since(row["started_at"], now)
    return {
        "job_id": row["job_id"],
        "node_id": row["node_id"],
        "node_name": row["node_name"],
        "item": row["item"],
        "action_type": row["action_type"],
        "attempt": row["attempt"],
        "status": JobStatus(row["status"]),
        "agent": row["agent"],
        "queued_at": instant(row["queued_at"]) or "",
        "dispatched_at": instant(row["dispatched_at"]),
        "started_at": instant(row["started_at"]),
        "finished_at": instant(row["finished_at"]),
        "duration_ms": duration_ms,
        "error": error_info(row["error"]),
    }


def job_of_execution(row: Row, now: datetime) -> JobOfExecution:
    """Of `LINES_OF_KEYS`."""
    return JobOfExecution(**line_of(row, now), **execution_of(row))


def execution_of(row: Row) -> dict[str, Any]:
    """The members that a `JobOfExecution` has beside those of a line."""
    return {
        "execution_id": row["execution_id"],
        "workflow_id": row["workflow_id"],
        "workflow_name": row["workflow_name"],
        "execution_started_at": instant(row["execution_started_at"]) or "",
    }
