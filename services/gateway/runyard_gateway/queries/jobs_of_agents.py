"""Jobs that an agent had, across executions.

They are in the list of jobs, which has no index by agent: that would cost a write for each step of each job. The figures are
one: they say on which days, and then in which quarters of an hour, executions began whose jobs the agent had, and how many. So
a page looks at few quarters, whatever lies between them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, NamedTuple
from uuid import UUID

import msgspec
from runyard_shared.contracts.values import FINISHED_JOBS, JobStatus

from runyard_gateway.answers import JobOfExecution
from runyard_gateway.database import Reader
from runyard_gateway.queries.columns import MAX_TIME_MS
from runyard_gateway.queries.jobs import LINES_OF_KEYS, job_of_execution
from runyard_gateway.rollup_cover import DAY, QUARTER, floor
from runyard_gateway.time_range import Stretch

ALL_WORKFLOWS: Final = UUID(int=0)
_COUNTERS: Final = {
    JobStatus.COMPLETED: "completed",
    JobStatus.FAILED: "failed",
    JobStatus.TIMEOUT: "timed_out",
    JobStatus.CANCELLED: "cancelled",
}

_ROLLUPS: Final = """
    select starts_at from (
        select starts_at, sum(jobs) over (order by starts_at desc) - jobs as newer from (
            select a.starts_at, {counted} as jobs from read.analytics_agent a
            where a.tenant_id = $1 and a.workflow_id = $2::uuid and a.width = $3 and a.agent = $4
                and a.starts_at >= $5 and a.starts_at < $6
        ) counted where jobs > 0
    ) summed where newer < $7 order by starts_at desc
"""
"""The newest rows that have so many jobs together."""
_OLDEST: Final = "select started_at from read.execution where tenant_id = $1 order by started_at, execution_id limit 1"
_PAGE: Final = f"""
    with key as materialized (
        select each.* from unnest($2::timestamptz[]) as quarter(starts_at)
        cross join lateral (
            select e.execution_id, j.job_id, e.workflow_id, e.workflow_name, e.started_at as execution_started_at
            from read.execution e join read.job j on j.execution_id = e.execution_id
            where e.tenant_id = $1 and e.started_at >= greatest(quarter.starts_at, $3)
                and e.started_at < least(quarter.starts_at + interval '15 minutes', $4)
                and ($5::uuid is null or e.workflow_id = $5)
                and coalesce(j.agent, '') = $6 and j.finished_at is not null and j.status = any($7::text[])
                and ($8::timestamptz is null or (e.started_at, e.execution_id, j.job_id) < ($8, $9::uuid, $10::uuid))
            order by e.started_at desc, e.execution_id desc, j.job_id desc limit $11
        ) each
        order by execution_started_at desc, execution_id desc, job_id desc limit $11
    )
    {LINES_OF_KEYS.format(more="")} order by key.execution_started_at desc, key.execution_id desc, key.job_id desc
"""  # noqa: S608


class PageKey(NamedTuple):
    """The last job of a page: when its execution started (milliseconds since 1970), that, and the job."""

    started_at_ms: Annotated[int, msgspec.Meta(ge=0, le=MAX_TIME_MS)]
    execution_id: UUID
    job_id: UUID

    @classmethod
    def of(cls, job: JobOfExecution) -> "PageKey":
        started_at = datetime.fromisoformat(job.execution_started_at)
        return cls(round(started_at.timestamp() * 1000), UUID(job.execution_id), UUID(job.job_id))

    @property
    def started_at(self) -> datetime:
        return datetime.fromtimestamp(self.started_at_ms / 1000, UTC)


@dataclass(frozen=True, slots=True)
class EndedJobs:
    """Of executions that started in the `range`, or of those of one workflow. `agent`: empty for jobs that never reached one.
    No `statuses`: any."""

    agent: str
    range: Stretch
    workflow_id: str | None = None
    statuses: frozenset[JobStatus] = field(default_factory=frozenset)


async def ended_jobs(
    reader: Reader, tenant_id: str, wanted: EndedJobs, after: PageKey | None, limit: int, now: datetime
) -> list[JobOfExecution]:
    """At most `limit`, those of the newest executions first, from behind `after`."""
    oldest = await reader.fetch_row(_OLDEST, tenant_id)
    if oldest is None:
        return []
    statuses = wanted.statuses & FINISHED_JOBS if wanted.statuses else FINISHED_JOBS
    # figures are kept for longer than what they count
    starts = max(wanted.range.starts, oldest["started_at"])
    ends = wanted.range.ends if after is None else min(wanted.range.ends, after.started_at + timedelta(milliseconds=1))
    found: list[JobOfExecution] = []
    while len(found) < limit and starts < ends and statuses:
        days = await _rollups(reader, tenant_id, wanted, statuses, DAY, Stretch(starts, ends), limit - len(found))
        if not days:
            break
        part = Stretch(max(starts, days[-1]), ends)
        quarters = await _rollups(reader, tenant_id, wanted, statuses, QUARTER, part, limit - len(found))
        rows = await reader.fetch(
            _PAGE, tenant_id, quarters, wanted.range.starts, ends, wanted.workflow_id, wanted.agent,
            [each.value for each in statuses], *((None, None, None) if after is None else _key(after)), limit - len(found),
        )  # fmt: skip
        found += [job_of_execution(row, now) for row in rows]
        ends = min(quarters[-1] if quarters else part.starts, ends)
    return found


async def _rollups(
    reader: Reader,
    tenant_id: str,
    wanted: EndedJobs,
    statuses: frozenset[JobStatus],
    width: timedelta,
    part: Stretch,
    jobs: int,
) -> Sequence[datetime]:
    sql = _ROLLUPS.replace("{counted}", " + ".join(f"a.{_COUNTERS[status]}" for status in sorted(statuses)))
    rows = await reader.fetch(
        sql, tenant_id, wanted.workflow_id or ALL_WORKFLOWS, width // timedelta(seconds=1), wanted.agent,
        floor(part.starts, width), part.ends, jobs,
    )  # fmt: skip
    return [row["starts_at"] for row in rows]


def _key(after: PageKey) -> tuple[Any, ...]:
    return after.started_at, after.execution_id, after.job_id
