"""One execution with its nodes, jobs, approvals and relatives, from the views of the schema `read`."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from runyard_shared.contracts.values import ExecutionStatus, NodeStatus

from runyard_gateway.answers import ApprovalContext, ApprovalRow, Child, JobRow, NodeRow, Progress, Rerun
from runyard_gateway.database import Database, Reader, Row
from runyard_gateway.queries.approvals import ApprovalQueries
from runyard_gateway.queries.columns import instant, raw_json, trigger
from runyard_gateway.queries.execution_rows import LIST_COLUMNS, WAITING_COLUMNS, FoundExecution, found_execution
from runyard_gateway.queries.jobs import ANY_JOB, JOB_COLUMNS, LiveJobs, job_row, jobs_of, live_jobs

MAX_RELATIVES = 100
SHOWN_JOBS = 200
SHOWN_APPROVALS = 200
"""More than so many are in pages of their own."""

_ONE = (
    f"select {LIST_COLUMNS}, {WAITING_COLUMNS}, inputs::text as inputs, vars::text as vars,"  # noqa: S608
    " cancellation::text as cancellation, started_by, from_node"
    " from read.execution where execution_id = $1::uuid and tenant_id = $2"
)
_STATE = (
    "select workflow_id::text as workflow_id, version, status from read.execution"
    " where execution_id = $1::uuid and tenant_id = $2"
)
_NODES = (
    "select node_id, name, type, status, started_at, finished_at, output::text as output, progress::text as progress"
    " from read.node where execution_id = $1::uuid and tenant_id = $2 order by ordinal"
)
_BEFORE = (
    "select trigger::text as trigger, inputs::text as inputs, vars::text as vars from read.execution"
    " where execution_id = $1::uuid and tenant_id = $2"
)
_NODES_BEFORE = (
    "select node_id, name, type, status, started_at, finished_at, output::text as output, progress::text as progress"
    " from read.node where execution_id = $1::uuid and tenant_id = $2 and type is distinct from 'trigger' and finished_at <="
    " (select requested_at from read.approval where approval_id = $3::uuid and tenant_id = $2) order by finished_at, ordinal"
)
_NODE_STATES = (
    "select node_id, status, port, progress::text as progress from read.node where execution_id = $1::uuid and tenant_id = $2"
)
_ITEM_NODE_STATES = (
    "select node_id, status, port, progress::text as progress from read.iteration_node"
    " where execution_id = $1::uuid and tenant_id = $2 and stream_id = any($3::uuid[])"
)
_ITERATIONS = (
    "select stream_id::text as stream_id, path from read.iteration"
    " where execution_id = $1::uuid and tenant_id = $2 and path = any($3)"
)
_JOB = f"select {JOB_COLUMNS} from read.job where execution_id = $1::uuid and tenant_id = $2 and job_id = $3::uuid"  # noqa: S608
_NAMED_JOBS = (
    "select job_id::text as job_id, node_id, attempt from read.job"
    " where execution_id = $1::uuid and tenant_id = $2 and job_id = any($3::uuid[])"
)
_OUTSTANDING = (
    "select job_id::text as id from read.job where execution_id = $1::uuid and tenant_id = $2 and finished_at is null"
    " union all select stream_id::text from read.iteration"
    " where execution_id = $1::uuid and tenant_id = $2 and finished_at is null"
    " union all select approval_id::text from read.approval"
    " where execution_id = $1::uuid and tenant_id = $2 and status = 'pending'"
)
_RERUNS = (
    "select execution_id::text as execution_id, status, started_at from read.execution"  # noqa: S608
    f" where rerun_of = $1::uuid and tenant_id = $2 order by started_at desc limit {MAX_RELATIVES}"
)
_CHILDREN = (
    "select execution_id::text as execution_id, parent_node_id, workflow_name, status from read.execution"  # noqa: S608
    f" where parent_execution_id = $1::uuid and tenant_id = $2 order by started_at desc limit {MAX_RELATIVES}"
)
_POSITION = "select position from read.projection where name = 'executions'"


class Cancellation(msgspec.Struct):
    by: str = ""
    reason: str = ""
    force: bool = False


@dataclass(frozen=True)
class Execution:
    """What is known of one execution, at `as_of`: of its jobs and approvals the first, and the jobs that are with an agent.
    `outstanding`: as in `ExecutionState`."""

    found: FoundExecution
    nodes: list[NodeRow]
    jobs: list[JobRow]
    more_jobs: bool
    live_jobs: LiveJobs
    approvals: list[ApprovalRow]
    more_approvals: bool
    inputs: dict[str, Any]
    vars: dict[str, Any]
    cancellation: Cancellation | None
    started_by: str
    from_node: str | None
    reruns: list[Rerun]
    children: list[Child]
    outstanding: frozenset[str]
    as_of: int


@dataclass(frozen=True)
class JobState:
    node_id: str
    attempt: int


@dataclass(frozen=True)
class NodeState:
    """`port`: by which it was left; null for all of its edges, or none."""

    status: NodeStatus
    port: str | None
    progress: Progress | None = None


@dataclass(frozen=True)
class ExecutionState:
    """Just enough to follow an execution from `as_of` on. `outstanding`: ids of jobs, iterations and approvals that have not
    ended, also after the execution has."""

    workflow_id: str
    version: int
    status: ExecutionStatus
    as_of: int
    outstanding: frozenset[str] = field(default_factory=frozenset)


_decode_cancellation = msgspec.json.Decoder(Cancellation).decode
_decode_variables = msgspec.json.Decoder(dict[str, Any]).decode
_decode_progress = msgspec.json.Decoder(Progress).decode


class ExecutionQueries:
    def __init__(self, database: Database, approvals: ApprovalQueries) -> None:
        self._database = database
        self._approvals = approvals

    async def execution(self, tenant_id: str, execution_id: str, now: datetime) -> Execution | None:
        async with self._database.snapshot() as reader:
            row = await reader.fetch_row(_ONE, execution_id, tenant_id)
            if row is None:
                return None
            nodes = await reader.fetch(_NODES, execution_id, tenant_id)
            jobs = await jobs_of(reader, tenant_id, execution_id, ANY_JOB, None, SHOWN_JOBS + 1, now)
            live = None if len(jobs) <= SHOWN_JOBS else await live_jobs(reader, tenant_id, execution_id, now)
            approvals = await self._approvals.of_execution(tenant_id, execution_id, SHOWN_APPROVALS + 1, reader)
            reruns = await reader.fetch(_RERUNS, execution_id, tenant_id)
            children = await reader.fetch(_CHILDREN, execution_id, tenant_id)
            outstanding = await reader.fetch(_OUTSTANDING, execution_id, tenant_id)
            as_of = await _position(reader)
        return Execution(
            found=found_execution(row, row, now),
            nodes=[_node_row(each) for each in nodes],
            jobs=jobs[:SHOWN_JOBS],
            more_jobs=len(jobs) > SHOWN_JOBS,
            live_jobs=live or LiveJobs.among(jobs),
            approvals=approvals[:SHOWN_APPROVALS],
            more_approvals=len(approvals) > SHOWN_APPROVALS,
            inputs=_decode_variables(row["inputs"]),
            vars=_decode_variables(row["vars"] or "{}"),
            cancellation=_decode_cancellation(row["cancellation"]) if row["cancellation"] else None,
            started_by=row["started_by"],
            from_node=row["from_node"],
            reruns=[_rerun(each) for each in reversed(reruns)],
            children=[_child(each) for each in reversed(children)],
            outstanding=frozenset(each["id"] for each in outstanding),
            as_of=as_of,
        )

    async def before_approval(self, tenant_id: str, execution_id: str, approval_id: str) -> ApprovalContext | None:
        """What led to it, and no more of the execution than that."""
        row = await self._database.fetch_row(_BEFORE, execution_id, tenant_id)
        if row is None:
            return None
        nodes = await self._database.fetch(_NODES_BEFORE, execution_id, tenant_id, approval_id)
        variables = {**_decode_variables(row["inputs"]), **_decode_variables(row["vars"] or "{}")}
        return ApprovalContext(trigger=trigger(row["trigger"]), variables=variables, nodes=[_node_row(each) for each in nodes])

    async def state(self, tenant_id: str, execution_id: str) -> ExecutionState | None:
        async with self._database.snapshot() as reader:
            row = await reader.fetch_row(_STATE, execution_id, tenant_id)
            if row is None:
                return None
            outstanding = await reader.fetch(_OUTSTANDING, execution_id, tenant_id)
            as_of = await _position(reader)
        return ExecutionState(
            row["workflow_id"],
            row["version"],
            ExecutionStatus(row["status"]),
            as_of,
            frozenset(each["id"] for each in outstanding),
        )

    async def node_states(
        self, tenant_id: str, execution_id: str, iterations: Collection[str] = ()
    ) -> tuple[dict[str, NodeState], int]:
        """The nodes by id, and the position they stand for; `iterations`: with those of the bodies that these streams run."""
        async with self._database.snapshot() as reader:
            nodes = await reader.fetch(_NODE_STATES, execution_id, tenant_id)
            if iterations:
                nodes += await reader.fetch(_ITEM_NODE_STATES, execution_id, tenant_id, list(iterations))
            as_of = await _position(reader)
        states = {row["node_id"]: NodeState(NodeStatus(row["status"]), row["port"], progress(row["progress"])) for row in nodes}
        return states, as_of

    async def iterations(self, tenant_id: str, execution_id: str, paths: Collection[str]) -> dict[str, str]:
        """The streams of the iterations called so (`each[3]`), by that path."""
        rows = await self._database.fetch(_ITERATIONS, execution_id, tenant_id, list(paths))
        return {row["path"]: row["stream_id"] for row in rows}

    async def job(self, tenant_id: str, execution_id: str, job_id: str, now: datetime) -> JobRow | None:
        row = await self._database.fetch_row(_JOB, execution_id, tenant_id, job_id)
        return None if row is None else job_row(row, now)

    async def jobs_named(self, tenant_id: str, execution_id: str, job_ids: list[str]) -> dict[str, JobState]:
        """Those of the jobs that are the execution's, by id."""
        if not job_ids:
            return {}
        rows = await self._database.fetch(_NAMED_JOBS, execution_id, tenant_id, job_ids)
        return {row["job_id"]: JobState(row["node_id"], row["attempt"]) for row in rows}


def progress(text: str | None) -> Progress | None:
    return None if text is None else _decode_progress(text)


async def _position(reader: Reader) -> int:
    row = await reader.fetch_row(_POSITION)
    return int(row["position"]) if row else 0


def _node_row(row: Row) -> NodeRow:
    return NodeRow(
        node_id=row["node_id"],
        name=row["name"],
        type=row["type"] or "",
        status=NodeStatus(row["status"]),
        started_at=instant(row["started_at"]),
        finished_at=instant(row["finished_at"]),
        output=raw_json(row["output"]),
        progress=progress(row["progress"]),
    )


def _rerun(row: Row) -> Rerun:
    return Rerun(
        execution_id=row["execution_id"], status=ExecutionStatus(row["status"]), started_at=instant(row["started_at"]) or ""
    )


def _child(row: Row) -> Child:
    return Child(
        execution_id=row["execution_id"],
        node_id=row["parent_node_id"],
        workflow_name=row["workflow_name"],
        status=ExecutionStatus(row["status"]),
    )
