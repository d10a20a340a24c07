"""Lists of executions by filter, from `read.execution`.

A list asks one index for each combination of workflow and status, newest first, and merges: so a page costs the same however
many executions are stored.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import product
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import msgspec
from runyard_shared.contracts.values import ExecutionStatus

from runyard_gateway.answers import ExecutionRow
from runyard_gateway.database import Database
from runyard_gateway.queries.columns import MAX_TIME_MS
from runyard_gateway.queries.execution_rows import ROW_COLUMNS, FoundExecution, found_execution

MAX_BRANCHES = 24

_KEY_COLUMNS = "execution_id::text as execution_id, started_at"
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


ANYTHING = Filter()


class ExecutionListQueries:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, tenant_id: str, wanted: Filter, after: PageKey | None, limit: int, now: datetime
    ) -> list[FoundExecution]:
        """At most `limit` rows, newest first, from behind `after`."""
        sql, arguments = await self._query(ROW_COLUMNS, tenant_id, wanted, after, limit)
        if sql is None:
            return []
        return [found_execution(row, now) for row in await self._database.fetch(sql, *arguments)]

    async def ids(self, tenant_id: str, wanted: Filter, limit: int) -> list[str]:
        """The ids alone, newest first."""
        sql, arguments = await self._query(_KEY_COLUMNS, tenant_id, wanted, None, limit)
        return [] if sql is None else [row["execution_id"] for row in await self._database.fetch(sql, *arguments)]

    async def _query(
        self, columns: str, tenant_id: str, wanted: Filter, after: PageKey | None, limit: int
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
            f"select {columns} from read.execution where {' and '.join(filter(None, (*common, text, status)))} {order}"  # noqa: S608
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
