"""Executions with their nodes and jobs, from `read.execution`, `read.node`, `read.job` and `read.waiting_job`.

A list asks one index for each combination of workflow and status, newest first, and merges: so a page costs the same however
many executions are stored.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import product
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import msgspec
from runyard_shared.contracts.values import ErrorInfo, ExecutionStatus, JobStatus, NodeStatus

from runyard_gateway.answers import ExecutionRow, JobCounts, JobRow, NodeRow
from runyard_gateway.database import Database, Reader, Row
from runyard_gateway.queries.columns import error_info, instant, milliseconds_since, raw_json, trigger

MAX_BRANCHES = 24
MAX_TIME_MS = 250_000_000_000_000

_ROW_COLUMNS = (
    "execution_id::text as execution_id, workflow_id::text as workflow_id, workflow_name, version, status,"
    " trigger::text as trigger, started_at, finished_at, duration_ms, jobs_completed, jobs_total, pending_approvals"
)
_ONE = (
    f"select {_ROW_COLUMNS}, inputs::text as inputs, vars::text as vars, waiting::text as waiting, error::text as error,"  # noqa: S608
    " cancellation::text as cancellation, started_by, parent_execution_id::text as parent_execution_id,"
    " rerun_of::text as rerun_of from read.execution where execution_id = $1::uuid and tenant_id = $2"
)
_STATE = (
    "select workflow_id::text as workflow_id, version, status from read.execution"
    " where execution_id = $1::uuid and tenant_id = $2"
)
_NODES = (
    "select node_id, name, type, status, started_at, finished_at, output::text as output from read.node"
    " where execution_id = $1::uuid and tenant_id = $2 order by ordinal"
)
_NODE_STATES = "select node_id, status, port from read.node where execution_id = $1::uuid and tenant_id = $2"
_JOB_COLUMNS = (
    "job_id::text as job_id, node_id, node_name, action_type, attempt, status, agent, queued_at, dispatched_at, started_at,"
    " finished_at, duration_ms, output::text as output, error::text as error"
)
_JOBS = f"select {_JOB_COLUMNS} from read.job where execution_id = $1::uuid and tenant_id = $2 order by queued_at, job_id"  # noqa: S608
_JOB = f"select {_JOB_COLUMNS} from read.job where execution_id = $1::uuid and tenant_id = $2 and job_id = $3::uuid"  # noqa: S608
_JOB_STATES = (
    "select job_id::text as job_id, node_id, attempt, status from read.job where execution_id = $1::uuid and tenant_id = $2"
)
_WAITING_JOBS = "select job_id::text as job_id, reason from read.waiting_job where execution_id = $1::uuid and tenant_id = $2"
_POSITION = "select position from read.projection where name = 'executions'"
_WORKFLOWS_NAMED = (
    "select workflow_id::text as workflow_id from read.workflow where tenant_id = $1 and name ilike $2 escape '\\'"
)
_ID_RANGE = "select read.first_id($1)::text as first, read.last_id($1)::text as last"


class PageKey(NamedTuple):
    """Where a page ended: milliseconds since 1970, and the execution."""

    started_at_ms: Annotated[int, msgspec.Meta(ge=0, le=MAX_TIME_MS)]
    execution_id: UUID

    @classmethod
    def of(cls, row: ExecutionRow) -> "PageKey":
        return cls(round(datetime.fromisoformat(row.started_at).timestamp() * 1000), UUID(row.execution_id))

    @property
    def started_at(self) -> datetime:
        return datetime.fromtimestamp(self.started_at_ms / 1000, UTC)


@dataclass(frozen=True)
class Filter:
    """None and empty mean any. `started_from` is included, `started_until` is not."""

    workflow_id: str | None = None
    statuses: frozenset[ExecutionStatus] = field(default_factory=frozenset)
    trigger_type: str | None = None
    started_from: datetime | None = None
    started_until: datetime | None = None
    text: str | None = None


class Waiting(msgspec.Struct, rename={"reason": "for", "node_id": "nodeId", "job_id": "jobId", "max_attempts": "maxAttempts"}):
    """One thing that an active execution waits for, as `read.execution.waiting` lists them."""

    reason: str
    node_id: str | None = None
    job_id: str | None = None
    pool: str | None = None
    since: str | None = None
    until: str | None = None
    attempt: int | None = None
    max_attempts: int | None = None
    count: int = 0


class Cancellation(msgspec.Struct):
    by: str = ""
    reason: str = ""
    force: bool = False


@dataclass(frozen=True)
class Execution:
    """All that is known of one execution, at `as_of`."""

    row: ExecutionRow
    nodes: list[NodeRow]
    jobs: list[JobRow]
    inputs: dict[str, Any]
    vars: dict[str, Any]
    waiting: list[Waiting]
    waiting_jobs: dict[str, str]
    """Why each waiting job waits, by job id, as the dispatcher sees it."""
    error: ErrorInfo | None
    cancellation: Cancellation | None
    started_by: str
    parent_execution_id: str | None
    rerun_of: str | None
    as_of: int


@dataclass(frozen=True)
class JobState:
    node_id: str
    attempt: int
    status: JobStatus


@dataclass(frozen=True)
class NodeState:
    """`port`: by which it was left; null for all of its edges, or none."""

    status: NodeStatus
    port: str | None


@dataclass(frozen=True)
class ExecutionState:
    """Just enough to follow an execution from `as_of` on."""

    workflow_id: str
    version: int
    status: ExecutionStatus
    jobs: dict[str, JobState]
    as_of: int


_decode_waiting = msgspec.json.Decoder(list[Waiting]).decode
_decode_cancellation = msgspec.json.Decoder(Cancellation).decode
_decode_variables = msgspec.json.Decoder(dict[str, Any]).decode


class ExecutionQueries:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, tenant_id: str, wanted: Filter, after: PageKey | None, limit: int, now: datetime
    ) -> list[ExecutionRow]:
        """At most `limit` rows, newest first, from behind `after`."""
        sql, arguments = await self._page_query(tenant_id, wanted, after, limit)
        if sql is None:
            return []
        return [_execution_row(row, now) for row in await self._database.fetch(sql, *arguments)]

    async def execution(self, tenant_id: str, execution_id: str, now: datetime) -> Execution | None:
        async with self._database.snapshot() as reader:
            found = await reader.fetch_row(_ONE, execution_id, tenant_id)
            if found is None:
                return None
            nodes = await reader.fetch(_NODES, execution_id, tenant_id)
            jobs = await reader.fetch(_JOBS, execution_id, tenant_id)
            active = found["finished_at"] is None
            waiting_jobs = await reader.fetch(_WAITING_JOBS, execution_id, tenant_id) if active else []
            as_of = await _position(reader)
        return Execution(
            row=_execution_row(found, now),
            nodes=[_node_row(row) for row in nodes],
            jobs=[_job_row(row, now) for row in jobs],
            inputs=_decode_variables(found["inputs"]),
            vars=_decode_variables(found["vars"] or "{}"),
            waiting=_decode_waiting(found["waiting"] or "[]"),
            waiting_jobs={row["job_id"]: row["reason"] for row in waiting_jobs},
            error=error_info(found["error"]),
            cancellation=_decode_cancellation(found["cancellation"]) if found["cancellation"] else None,
            started_by=found["started_by"],
            parent_execution_id=found["parent_execution_id"],
            rerun_of=found["rerun_of"],
            as_of=as_of,
        )

    async def state(self, tenant_id: str, execution_id: str) -> ExecutionState | None:
        async with self._database.snapshot() as reader:
            found = await reader.fetch_row(_STATE, execution_id, tenant_id)
            if found is None:
                return None
            jobs = await reader.fetch(_JOB_STATES, execution_id, tenant_id)
            as_of = await _position(reader)
        return ExecutionState(
            found["workflow_id"],
            found["version"],
            ExecutionStatus(found["status"]),
            {row["job_id"]: JobState(row["node_id"], row["attempt"], JobStatus(row["status"])) for row in jobs},
            as_of,
        )

    async def node_states(self, tenant_id: str, execution_id: str) -> tuple[dict[str, NodeState], int]:
        """The nodes by id, and the position they stand for."""
        async with self._database.snapshot() as reader:
            nodes = await reader.fetch(_NODE_STATES, execution_id, tenant_id)
            as_of = await _position(reader)
        return {row["node_id"]: NodeState(NodeStatus(row["status"]), row["port"]) for row in nodes}, as_of

    async def job(self, tenant_id: str, execution_id: str, job_id: str, now: datetime) -> JobRow | None:
        row = await self._database.fetch_row(_JOB, execution_id, tenant_id, job_id)
        return None if row is None else _job_row(row, now)

    async def _page_query(
        self, tenant_id: str, wanted: Filter, after: PageKey | None, limit: int
    ) -> tuple[str | None, list[Any]]:
        arguments: list[Any] = [tenant_id]

        def bind(value: Any, cast: str = "") -> str:
            arguments.append(value)
            return f"${len(arguments)}{cast}"

        common = ["tenant_id = $1"]
        if wanted.trigger_type is not None:
            common.append(f"trigger_type = {bind(wanted.trigger_type)}")
        if wanted.started_from is not None:
            common.append(f"started_at >= {bind(wanted.started_from)}")
        if wanted.started_until is not None:
            common.append(f"started_at < {bind(wanted.started_until)}")
        if after is not None:
            common.append(f"(started_at, execution_id) < ({bind(after.started_at)}, {bind(after.execution_id)}::uuid)")
        if wanted.workflow_id is not None:
            common.append(f"workflow_id = {bind(wanted.workflow_id)}::uuid")

        texts = [""] if wanted.text is None else await self._text_conditions(tenant_id, wanted.text, bind)
        statuses = [f"status = {bind(status.value)}" for status in sorted(wanted.statuses)] or [""]
        if len(texts) * len(statuses) > MAX_BRANCHES and wanted.statuses:
            statuses = [f"status = any({bind([status.value for status in wanted.statuses])})"]
        order = f"order by started_at desc, execution_id desc limit {bind(limit)}"
        branches = [
            f"select {_ROW_COLUMNS} from read.execution where {' and '.join(filter(None, (*common, text, status)))} {order}"  # noqa: S608
            for text, status in product(texts, statuses)
        ]
        if len(branches) <= 1:
            return (branches[0] if branches else None), arguments
        merged = " union all ".join(f"({branch})" for branch in branches)
        newest = f'order by started_at desc, execution_id collate "C" desc limit ${len(arguments)}'
        return f"select * from ({merged}) merged {newest}", arguments  # noqa: S608

    async def _text_conditions(self, tenant_id: str, text: str, bind: Any) -> list[str]:
        """One condition for each workflow whose name has the text, and one for ids that begin with it."""
        pattern = "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        workflow_ids = [row["workflow_id"] for row in await self._database.fetch(_WORKFLOWS_NAMED, tenant_id, pattern)]
        if len(workflow_ids) > MAX_BRANCHES:
            conditions = [f"workflow_id = any({bind(workflow_ids)}::uuid[])"]
        else:
            conditions = [f"workflow_id = {bind(workflow_id)}::uuid" for workflow_id in workflow_ids]
        ids = await self._database.fetch_row(_ID_RANGE, text)
        if ids is not None and ids["first"] is not None:
            known = f" and workflow_id <> all({bind(workflow_ids)}::uuid[])" if workflow_ids else ""
            conditions.append(f"execution_id between {bind(ids['first'])}::uuid and {bind(ids['last'])}::uuid{known}")
        return conditions


async def _position(reader: Reader) -> int:
    row = await reader.fetch_row(_POSITION)
    return int(row["position"]) if row else 0


def _execution_row(row: Row, now: datetime) -> ExecutionRow:
    return ExecutionRow(
        execution_id=row["execution_id"],
        workflow_id=row["workflow_id"],
        workflow_name=row["workflow_name"],
        version=row["version"],
        status=ExecutionStatus(row["status"]),
        trigger=trigger(row["trigger"]),
        started_at=instant(row["started_at"]) or "",
        finished_at=instant(row["finished_at"]),
        duration_ms=milliseconds_since(row["started_at"], now) if row["duration_ms"] is None else row["duration_ms"],
        pending_approvals=row["pending_approvals"],
        jobs=JobCounts(completed=row["jobs_completed"], total=row["jobs_total"]),
    )


def _node_row(row: Row) -> NodeRow:
    return NodeRow(
        node_id=row["node_id"],
        name=row["name"],
        type=row["type"] or "",
        status=NodeStatus(row["status"]),
        started_at=instant(row["started_at"]),
        finished_at=instant(row["finished_at"]),
        output=raw_json(row["output"]),
    )


def _job_row(row: Row, now: datetime) -> JobRow:
    duration_ms = row["duration_ms"]
    if duration_ms is None and row["status"] == JobStatus.RUNNING:
        duration_ms = milliseconds_since(row["started_at"], now)
    return JobRow(
        job_id=row["job_id"],
        node_id=row["node_id"],
        node_name=row["node_name"],
        action_type=row["action_type"],
        attempt=row["attempt"],
        status=JobStatus(row["status"]),
        agent=row["agent"],
        queued_at=instant(row["queued_at"]) or "",
        dispatched_at=instant(row["dispatched_at"]),
        started_at=instant(row["started_at"]),
        finished_at=instant(row["finished_at"]),
        duration_ms=duration_ms,
        output=raw_json(row["output"]),
        error=error_info(row["error"]),
    )
