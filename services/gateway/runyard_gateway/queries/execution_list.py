"""Lists of executions by filter, and how many there are, from `read.execution`.

A page costs the same however many executions are stored, because no filter is ever looked for in rows: every combination is a
few ranges of one index, each in the order of the list, of which the first rows are taken and merged. A range is a workflow, a
status and a trigger; where the filter leaves one of the last two open, each of its few values is a range of its own. First the
keys are found, which needs the index alone, then the rows of the page, then what the active ones among them do and wait for.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import msgspec
from runyard_shared.contracts.values import FINISHED_EXECUTIONS, ExecutionStatus

from runyard_gateway.answers import ExecutionRow
from runyard_gateway.database import Database, Reader, Row
from runyard_gateway.queries.columns import MAX_TIME_MS
from runyard_gateway.queries.execution_rows import (
    LIST_COLUMNS,
    RUNNING_NODES,
    WAITING_COLUMNS,
    FoundExecution,
    found_execution,
)

TRIGGER_TYPES = ("manual", "webhook", "cron", "incident")
FEW_WORKFLOWS = 8
"""The names of more than so many have the text: then it is likely enough that a page of them is among the newest executions."""
NEWEST = 1000
COUNTED = 1000
"""Finished executions are counted up to so many."""

_NEWEST_FIRST = "order by started_at desc, execution_id desc"
_WORKFLOWS_NAMED = (
    "select workflow_id::text as workflow_id from read.workflow where tenant_id = $1 and name ilike $2 escape '\\'"
)
_is_hex = re.compile("[0-9a-fA-F]{8,32}").fullmatch
"""So many digits, the first of them a minute of time, make a text the beginning of an id."""
_WAITING = (
    f"select execution_id::text as execution_id, {WAITING_COLUMNS} from read.execution"  # noqa: S608
    " where tenant_id = $1 and execution_id = any($2::uuid[])"
)


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


class Count(NamedTuple):
    """Unless it is `exact` there are more."""

    number: int
    exact: bool


@dataclass(frozen=True)
class _Where:
    """What a text means: any of these workflows, or an id in this range and another workflow."""

    workflow_ids: Sequence[str] | None
    id_range: tuple[str, str] | None = None


class ExecutionListQueries:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, tenant_id: str, wanted: Filter, after: PageKey | None, limit: int, now: datetime
    ) -> list[FoundExecution]:
        """At most `limit` rows, newest first, from behind `after`."""
        async with self._database.with_kept_plans() as reader:
            rows = await self._page(reader, LIST_COLUMNS, tenant_id, wanted, after, limit)
            active = [row["execution_id"] for row in rows if row["finished_at"] is None]
            waiting: dict[str, Row] = {}
            running: defaultdict[str, list[Row]] = defaultdict(list)
            if active:
                waiting = {row["execution_id"]: row for row in await reader.fetch(_WAITING, tenant_id, active)}
            # those that are paused have nothing that runs
            live = [row["execution_id"] for row in rows if row["status"] == ExecutionStatus.RUNNING]
            if live:
                for row in await reader.fetch(RUNNING_NODES, tenant_id, live):
                    running[row["execution_id"]].append(row)
        return [
            found_execution(row, waiting.get(row["execution_id"]), now, running.get(row["execution_id"], ())) for row in rows
        ]

    async def ids(self, tenant_id: str, wanted: Filter, limit: int) -> list[str]:
        """The ids alone, newest first."""
        async with self._database.with_kept_plans() as reader:
            rows = await self._page(reader, "execution_id::text as execution_id", tenant_id, wanted, None, limit)
        return [row["execution_id"] for row in rows]

    async def counts(self, tenant_id: str, wanted: Filter) -> dict[ExecutionStatus, Count]:
        """How many the filter finds of each status, its own left aside; exact for those that are active."""
        async with self._database.with_kept_plans() as reader:
            where = await self._where(reader, tenant_id, wanted)
            found: dict[ExecutionStatus, Count] = {}
            for statuses, limit in ((_ACTIVE, None), (_FINISHED, COUNTED + 1)):
                query = _Query(tenant_id, wanted, where)
                sql = query.counts([status.value for status in statuses], limit)
                for row in await reader.fetch(sql, *query.arguments):
                    number = row["number"]
                    found[ExecutionStatus(row["status"])] = Count(
                        number if limit is None else min(number, COUNTED), limit is None or number <= COUNTED
                    )
        return found

    async def _page(
        self, reader: Reader, columns: str, tenant_id: str, wanted: Filter, after: PageKey | None, limit: int
    ) -> list[Any]:
        where = await self._where(reader, tenant_id, wanted)
        if where.workflow_ids is not None and len(where.workflow_ids) > FEW_WORKFLOWS:
            query = _Query(tenant_id, wanted, where, after)
            newest = await reader.fetch_row(query.among_newest(limit), *query.arguments)
            if newest is not None and (newest["seen"] < NEWEST or len(newest["found"]) == limit):
                return await reader.fetch(
                    _rows(columns, "select * from unnest($1::uuid[], $2::timestamptz[])"), newest["found"], newest["at"]
                )
        query = _Query(tenant_id, wanted, where, after)
        return await reader.fetch(query.page(columns, limit), *query.arguments)

    async def _where(self, reader: Reader, tenant_id: str, wanted: Filter) -> _Where:
        own = None if wanted.workflow_id is None else [wanted.workflow_id]
        if wanted.text is None:
            return _Where(own)
        pattern = "%" + wanted.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        named = [row["workflow_id"] for row in await reader.fetch(_WORKFLOWS_NAMED, tenant_id, pattern)]
        if own is not None:
            named = [workflow_id for workflow_id in named if workflow_id in own]
        digits = wanted.text.replace("-", "")
        return _Where(named, (digits.ljust(32, "0"), digits.ljust(32, "f")) if _is_hex(digits) else None)


class _Query:
    """The text of a query and, after that, its arguments. The text depends on which members of a filter are given, not on
    their values, so that there are few texts and their plans are kept."""

    def __init__(self, tenant_id: str, wanted: Filter, where: _Where, after: PageKey | None = None) -> None:
        self.arguments: list[Any] = []
        self._wanted = wanted
        self._where = where
        self._conditions = [f"e.tenant_id = {self._bind(tenant_id)}"]
        if wanted.started_from is not None:
            self._conditions.append(f"e.started_at >= {self._bind(wanted.started_from)}")
        if wanted.started_until is not None:
            self._conditions.append(f"e.started_at < {self._bind(wanted.started_until)}")
        if after is not None:
            self._conditions.append(
                f"(e.started_at, e.execution_id) < ({self._bind(after.started_at)}, {self._bind(after.execution_id)}::uuid)"
            )

    def page(self, columns: str, limit: int) -> str:
        most = self._bind(limit)
        found = [self._ranges(most, self._where.workflow_ids, *self._of_row())]
        if self._where.id_range is not None:
            found.append(self._with_ids(most, self._where.id_range))
        merged = found[0] if len(found) == 1 else " union all ".join(f"({each})" for each in found)
        return _rows(columns, f"select * from ({merged}) found {_NEWEST_FIRST} limit {most}")  # noqa: S608

    def among_newest(self, limit: int) -> str:
        """`found` and `at`: the page, as far as it is among the newest of any workflow; `seen`: how many of those there are."""
        newest = self._ranges(str(NEWEST), None, *self._of_row(), columns="e.execution_id, e.started_at, e.workflow_id")
        wanted = f"workflow_id = any({self._bind(self._where.workflow_ids)}::uuid[])"
        if self._where.id_range is not None:
            first, last = self._where.id_range
            wanted = f"({wanted} or execution_id between {self._bind(first)}::uuid and {self._bind(last)}::uuid)"
        return (
            f"with newest as materialized (select * from ({newest}) every {_NEWEST_FIRST} limit {NEWEST}),"  # noqa: S608
            f" page as materialized (select * from newest where {wanted} {_NEWEST_FIRST} limit {self._bind(limit)})"
            f" select array(select execution_id from page {_NEWEST_FIRST}) as found,"
            f" array(select started_at from page {_NEWEST_FIRST}) as at, (select count(*) from newest) as seen"
        )

    def counts(self, statuses: Sequence[str], limit: int | None) -> str:
        most = "" if limit is None else f" limit {limit}"
        triggers = [self._wanted.trigger_type] if self._wanted.trigger_type is not None else list(TRIGGER_TYPES)
        sources = [f"unnest({self._bind(triggers)}::text[]) as t(trigger_type)"]
        conditions = [*self._conditions, "e.status = s.status", "e.trigger_type = t.trigger_type"]
        if self._where.workflow_ids is not None:
            sources.append(f"unnest({self._bind(self._where.workflow_ids)}::uuid[]) as w(workflow_id)")
            conditions.append("e.workflow_id = w.workflow_id")
        found = [
            f"select from {' cross join '.join(sources)} cross join lateral"  # noqa: S608
            f" (select from read.execution e where {' and '.join(conditions)}{most}) e{most}"
        ]
        if self._where.id_range is not None:
            found.append(f"select from {self._within(self._where.id_range)} and e.status = s.status{most}")
        every = " union all ".join(f"({each})" for each in found)
        return (
            f"select s.status, (select count(*) from ({every}) found) as number"  # noqa: S608
            f" from unnest({self._bind(list(statuses))}::text[]) as s(status)"
        )

    def _of_row(self) -> tuple[list[str] | None, list[str] | None]:
        """Statuses and triggers to go through; none of either if neither is asked for."""
        wanted = self._wanted
        if not wanted.statuses and wanted.trigger_type is None:
            return None, None
        statuses = sorted(wanted.statuses) or list(ExecutionStatus)
        triggers = [wanted.trigger_type] if wanted.trigger_type is not None else list(TRIGGER_TYPES)
        return [status.value for status in statuses], triggers

    def _ranges(
        self,
        most: str,
        workflow_ids: Sequence[str] | None,
        statuses: Sequence[str] | None,
        triggers: Sequence[str] | None,
        columns: str = "e.execution_id, e.started_at",
    ) -> str:
        sources, conditions = [], [*self._conditions]
        if workflow_ids is not None:
            sources.append(f"unnest({self._bind(workflow_ids)}::uuid[]) as w(workflow_id)")
            conditions.append("e.workflow_id = w.workflow_id")
        if statuses is not None and triggers is not None:
            sources.append(f"unnest({self._bind(statuses)}::text[]) as s(status)")
            sources.append(f"unnest({self._bind(triggers)}::text[]) as t(trigger_type)")
            conditions += ["e.status = s.status", "e.trigger_type = t.trigger_type"]
        one = (
            f"select {columns} from read.execution e where {' and '.join(conditions)}"  # noqa: S608
            f" order by e.started_at desc, e.execution_id desc limit {most}"
        )
        if not sources:
            return one
        return f"select key.* from {' cross join '.join(sources)} cross join lateral ({one}) key"  # noqa: S608

    def _with_ids(self, most: str, id_range: tuple[str, str]) -> str:
        within = self._within(id_range)
        if self._wanted.statuses:
            within += f" and e.status = any({self._bind([status.value for status in self._wanted.statuses])}::text[])"
        return f"select e.execution_id, e.started_at from {within} {_NEWEST_FIRST} limit {most}"  # noqa: S608

    def _within(self, id_range: tuple[str, str]) -> str:
        """Few rows, whatever the filter: so they are found by their ids, and nothing else is to tempt the planner."""
        first, last = id_range
        conditions = [*self._conditions]
        if self._wanted.trigger_type is not None:
            conditions.append(f"e.trigger_type = {self._bind(self._wanted.trigger_type)}")
        if self._wanted.workflow_id is not None:
            conditions.append(f"e.workflow_id = {self._bind(self._wanted.workflow_id)}::uuid")
        if self._where.workflow_ids:
            conditions.append(f"e.workflow_id <> all({self._bind(self._where.workflow_ids)}::uuid[])")
        return (
            "(select e.execution_id, e.tenant_id, e.workflow_id, e.status, e.trigger_type, e.started_at from read.execution e"  # noqa: S608
            f" where e.execution_id between {self._bind(first)}::uuid and {self._bind(last)}::uuid offset 0) e"
            f" where {' and '.join(conditions)}"
        )

    def _bind(self, value: Any) -> str:
        self.arguments.append(value)
        return f"${len(self.arguments)}"


def _rows(columns: str, keys: str) -> str:
    """The rows with these keys (id and time), each found by its id."""
    return (
        f"select {columns} from ({keys}) as key(id, at)"  # noqa: S608
        " cross join lateral (select * from read.execution e where e.execution_id = key.id offset 0) found"
        " order by key.at desc, key.id desc"
    )


_FINISHED = [status for status in ExecutionStatus if status in FINISHED_EXECUTIONS]
_ACTIVE = [status for status in ExecutionStatus if status not in FINISHED_EXECUTIONS]
