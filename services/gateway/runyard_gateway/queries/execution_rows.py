"""The columns of an execution that its list and its detail share, and what they become."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
from runyard_shared.contracts.values import ExecutionStatus

from runyard_gateway.answers import ExecutionRow, JobCounts
from runyard_gateway.database import Row
from runyard_gateway.queries.columns import error_info, instant, milliseconds_since, trigger

LIST_COLUMNS = (
    "execution_id::text as execution_id, workflow_id::text as workflow_id, workflow_name, version, status,"
    " trigger::text as trigger, started_at, finished_at, duration_ms, paused_ms, paused_since, jobs_completed, jobs_total,"
    " pending_approvals, parent_execution_id::text as parent_execution_id, rerun_of::text as rerun_of,"
    " error::text as error, position"
)
WAITING_COLUMNS = "waiting::text as waiting, waiting_total"
"""Of an active execution only: they cost a look at its nodes and jobs."""
RUNNING_NODES = """
    select key.id::text as execution_id, live.*
    from unnest($2::uuid[]) as key(id)
    cross join lateral (
        select node_id, count(*) as jobs, count(*) filter (where status = 'running') as started, max(attempt) as attempt,
            case when min(agent) = max(agent) then min(agent) end as agent, min(coalesce(started_at, dispatched_at)) as since
        from read.job
        where read.job.execution_id = key.id and tenant_id = $1 and status in ('dispatched', 'running')
        group by node_id
        order by since, node_id
        limit 20
    ) live
"""
"""Of executions that run: they cost a look at their jobs."""


class Waiting(msgspec.Struct, rename={
    "reason": "for", "node_id": "nodeId", "job_id": "jobId", "max_attempts": "maxAttempts", "approval_id": "approvalId",
    "child_id": "executionId",
}):  # fmt: skip
    """One thing that an active execution waits for, as `read.execution.waiting` lists them."""

    reason: str
    node_id: str | None = None
    item: str | None = None
    job_id: str | None = None
    pool: str | None = None
    since: str | None = None
    until: str | None = None
    attempt: int | None = None
    max_attempts: int | None = None
    approval_id: str | None = None
    approvers: list[str] | None = None
    child_id: str | None = None
    count: int = 0


@dataclass(frozen=True, slots=True)
class Running:
    """A node of which agents have `jobs`; `started`: so many of them run, the others were sent. `agent`: None for several."""

    node_id: str
    jobs: int
    started: int
    attempt: int
    agent: str | None
    since: datetime | None


@dataclass(frozen=True, slots=True)
class FoundExecution:
    """`row.waiting` and `row.running` are yet to be put into words, from `waiting` and `running`.

    `position`: of its last event.
    """

    row: ExecutionRow
    waiting: list[Waiting]
    position: int
    running: list[Running] = field(default_factory=list)


_decode_waiting = msgspec.json.Decoder(list[Waiting]).decode


def found_execution(row: Row, waiting: Row | None, now: datetime, running: Sequence[Row] = ()) -> FoundExecution:
    """Of LIST_COLUMNS and, of an active one, WAITING_COLUMNS and the rows of RUNNING_NODES."""
    paused_ms = row["paused_ms"]
    if row["paused_since"] is not None:
        paused_ms += milliseconds_since(row["paused_since"], now)
    found = ExecutionRow(
        execution_id=row["execution_id"],
        workflow_id=row["workflow_id"],
        workflow_name=row["workflow_name"],
        version=row["version"],
        status=ExecutionStatus(row["status"]),
        trigger=trigger(row["trigger"]),
        started_at=instant(row["started_at"]) or "",
        finished_at=instant(row["finished_at"]),
        duration_ms=milliseconds_since(row["started_at"], now) if row["duration_ms"] is None else row["duration_ms"],
        paused_ms=paused_ms,
        pending_approvals=row["pending_approvals"],
        parent_execution_id=row["parent_execution_id"],
        rerun_of=row["rerun_of"],
        error=error_info(row["error"]),
        jobs=JobCounts(completed=row["jobs_completed"], total=row["jobs_total"]),
        running=[],
        waiting=[],
        waiting_total=(waiting["waiting_total"] if waiting is not None else None) or 0,
    )
    reasons = _decode_waiting(waiting["waiting"]) if waiting is not None and waiting["waiting"] else []
    nodes = [Running(**{name: value for name, value in each.items() if name != "execution_id"}) for each in running]
    return FoundExecution(found, reasons, row["position"], nodes)
