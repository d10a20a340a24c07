"""What agents have now, and what waits for them: as the dispatcher knows it. The list of jobs may not have heard of it yet."""

from datetime import datetime
from typing import Final

import msgspec
from runyard_shared.contracts.values import JobStatus

from runyard_gateway.answers import HeldJobs, JobOfExecution, PoolJobs, WaitingJob, WaitingJobs, WhyJobsWait
from runyard_gateway.database import Database, Reader, Row
from runyard_gateway.queries.columns import instant
from runyard_gateway.queries.jobs import LINES_OF_KEYS, execution_of, job_of_execution, line_of

MAX_ITEMS: Final = 200

_OF_AGENT: Final = "read.held_job where tenant_id = $1 and agent = $2"
_OF_POOL: Final = (
    "read.held_job where tenant_id = $1 and agent in (select name from read.agent where tenant_id = $1 and pool = $2)"
)
_WAITING: Final = "read.waiting_job where tenant_id = $1 and pool = $2"
_FIRST: Final = f"""
    with key as materialized (
        select h.execution_id, h.job_id, h.since, {{columns}},
            e.workflow_id, e.workflow_name, e.started_at as execution_started_at
        from (select * from {{found}} order by since, job_id limit {MAX_ITEMS}) h
        join read.execution e on e.execution_id = h.execution_id and e.tenant_id = $1
    )
    {LINES_OF_KEYS}
    order by key.since, key.job_id
"""  # noqa: S608
_HELD: Final = _FIRST.replace("{columns}", "h.agent").replace("{more}", ", key.since as held_since, key.agent as held_by")
_FIRST_WAITING: Final = (
    _FIRST.replace("{columns}", "h.reason").replace("{more}", ", key.since as waiting_since, key.reason").format(found=_WAITING)
)
_TOTAL: Final = "select count(*) as number from {found}"
_WHY: Final = f"select reason, count(*) as jobs, min(since) as since from {_WAITING} group by reason order by jobs desc, reason"  # noqa: S608


async def held_jobs(database: Database, tenant_id: str, agent: str, now: datetime) -> HeldJobs:
    async with database.snapshot() as reader:
        return await _held(reader, _OF_AGENT, tenant_id, agent, now)


async def pool_jobs(database: Database, tenant_id: str, pool: str, now: datetime) -> PoolJobs:
    async with database.snapshot() as reader:
        held = await _held(reader, _OF_POOL, tenant_id, pool, now)
        rows = await reader.fetch(_FIRST_WAITING, tenant_id, pool)
        why = await reader.fetch(_WHY, tenant_id, pool)
    reasons = [WhyJobsWait(reason=row["reason"], jobs=row["jobs"], since=instant(row["since"]) or "") for row in why]
    waiting = WaitingJobs(items=[_waits(row, now) for row in rows], total=sum(each.jobs for each in reasons), reasons=reasons)
    return PoolJobs(held=held, waiting=waiting)


async def _held(reader: Reader, found: str, tenant_id: str, name: str, now: datetime) -> HeldJobs:
    rows = await reader.fetch(_HELD.format(found=found), tenant_id, name)
    total = await reader.fetch_row(_TOTAL.format(found=found), tenant_id, name)
    return HeldJobs(items=[_sent(row, now) for row in rows], total=0 if total is None else total["number"])


def _sent(row: Row, now: datetime) -> JobOfExecution:
    job = job_of_execution(row, now)
    if job.status != JobStatus.PENDING:
        return job
    return msgspec.structs.replace(
        job, status=JobStatus.DISPATCHED, agent=row["held_by"], dispatched_at=instant(row["held_since"])
    )


def _waits(row: Row, now: datetime) -> WaitingJob:
    return WaitingJob(
        **line_of(row, now),
        **execution_of(row),
        waiting_since=instant(row["waiting_since"]) or "",
        reason=row["reason"],
    )
