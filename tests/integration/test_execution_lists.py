"""Lists and counts of executions: every filter finds what a plain look at every row finds, page by page, by an index."""

import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import msgspec
import pytest
from runyard_gateway.database import _KEPT_PLANS, Database
from runyard_gateway.queries import execution_list
from runyard_gateway.queries.execution_list import TRIGGER_TYPES, ExecutionListQueries, Filter, PageKey
from runyard_projections.executions.projection import Executions
from runyard_projections.projection import LIVE, Connection
from runyard_projections.workflows import Workflows
from runyard_shared.contracts import events
from runyard_shared.contracts.base import Event
from runyard_shared.contracts.feed import Recorded
from runyard_shared.contracts.values import FINISHED_EXECUTIONS, ErrorInfo, ExecutionStatus, Trigger
from runyard_shared.eventstore.migrate import migrate
from runyard_shared.ids import derived_id

from tests.histories import MAPPER

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

BEGIN = datetime(2026, 1, 10, tzinfo=UTC)
END = BEGIN + timedelta(days=90)
EXECUTIONS = 300
NAMES = [f"{kind} {number}" for kind in ("Disk", "Restart", "Deploy_x") for number in range(4)]
WORKFLOWS = [derived_id(BEGIN, name) for name in NAMES]
ERROR = ErrorInfo(reason="exit_code", message="no", node_id="a")


@dataclass(frozen=True)
class Made:
    execution_id: str
    tenant_id: str
    workflow: int
    status: ExecutionStatus
    trigger: str
    started_at: datetime


def made(number: int, chance: random.Random, at: datetime | None = None) -> Made:
    """Some of several in one millisecond; some ids are older than the start, as when it had to wait."""
    at = at or BEGIN + (END - BEGIN) * (number // 3) / (EXECUTIONS // 3)
    at = at.replace(microsecond=at.microsecond // 1000 * 1000)
    return Made(
        derived_id(at - timedelta(days=chance.choice((0, 0, 0, 2))), "made", number),
        chance.choice(("default", "default", "default", "other")),
        min(int(chance.expovariate(0.3)), len(NAMES) - 1),
        chance.choice([each for each in ExecutionStatus if each != ExecutionStatus.PENDING]),
        chance.choice(TRIGGER_TYPES),
        at,
    )


def history(each: Made) -> Iterator[Event]:
    yield events.ExecutionStarted(
        workflow_id=WORKFLOWS[each.workflow],
        workflow_name=NAMES[each.workflow],
        version=1,
        trigger=Trigger(type=each.trigger),
        inputs={},
        started_by="ann",
    )
    match each.status:
        case ExecutionStatus.COMPLETED:
            yield events.ExecutionCompleted()
        case ExecutionStatus.FAILED:
            yield events.ExecutionFailed(error=ERROR)
        case ExecutionStatus.CANCELLED:
            yield events.ExecutionCancelled(by="ann", reason="")
        case ExecutionStatus.PAUSED:
            approval_id = derived_id(each.started_at, each.execution_id)
            yield events.ApprovalRequested(
                approval_id=approval_id, node_id="ask", message="?", workflow_name=NAMES[each.workflow], started_by="ann"
            )


def workflow(name: str) -> Iterator[Event]:
    yield events.WorkflowCreated(name=name, document={"name": name}, source="", format="yaml", by="ann")


class Log:
    """Events straight to the projections."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._position = 0

    async def apply(self, streams: list[tuple[str, str, datetime, Iterator[Event]]]) -> None:
        recorded = []
        for stream_id, tenant_id, at, history in streams:
            for version, event in enumerate(history, 1):
                self._position += 1
                data = msgspec.Raw(MAPPER.encode(event))
                recorded.append(
                    Recorded(
                        position=self._position,
                        stream_id=stream_id,
                        version=version,
                        tenant_id=tenant_id,
                        topic=event.topic,
                        recorded_at=at,
                        data=data,
                    )
                )
        async with self._pool.acquire() as connection, connection.transaction():
            executions, workflows = Executions(MAPPER), Workflows(MAPPER)
            await executions.write(connection, executions.fold(recorded), LIVE)
            await workflows.write(connection, workflows.fold(recorded), LIVE)

    async def start(self, executions: list[Made]) -> None:
        await self.apply([(each.execution_id, each.tenant_id, each.started_at, history(each)) for each in executions])


@pytest.fixture
async def log(pool: Pool) -> AsyncIterator[Log]:
    await migrate(pool, LIVE, "runyard_projections")
    for month in ("2026-01-01", "2026-02-01", "2026-03-01"):
        await pool.execute(f"select projections.create_month('projections', '{month}')")
    found = Log(pool)
    named = zip(WORKFLOWS, NAMES, strict=True)
    await found.apply([(workflow_id, "default", BEGIN, workflow(name)) for workflow_id, name in named])
    yield found


def finds(wanted: Filter, each: Made) -> bool:
    """What the filter means."""
    return (
        each.tenant_id == "default"
        and wanted.workflow_id in (None, WORKFLOWS[each.workflow])
        and (not wanted.statuses or each.status in wanted.statuses)
        and wanted.trigger_type in (None, each.trigger)
        and (wanted.started_from is None or each.started_at >= wanted.started_from)
        and (wanted.started_until is None or each.started_at < wanted.started_until)
        and (
            wanted.text is None
            or wanted.text.lower() in NAMES[each.workflow].lower()
            or (len(wanted.text) >= 8 and each.execution_id.startswith(wanted.text.lower()))
        )
    )


def newest_first(executions: list[Made]) -> list[str]:
    return [each.execution_id for each in sorted(executions, key=lambda each: (each.started_at, each.execution_id))][::-1]


def filters(executions: list[Made]) -> list[Filter]:
    """Every combination of members, with values of all sorts."""
    one = next(each for each in executions if each.tenant_id == "default")
    texts = (None, "disk 1", "e", "_X", one.execution_id, one.execution_id[:8].upper(), "0" * 8, "%")
    statuses = (
        set[ExecutionStatus](),
        {ExecutionStatus.FAILED},
        {ExecutionStatus.RUNNING, ExecutionStatus.PAUSED},
        {ExecutionStatus.COMPLETED, ExecutionStatus.CANCELLED, ExecutionStatus.PENDING},
    )
    third = (END - BEGIN) / 3
    every = product(
        (None, WORKFLOWS[0], WORKFLOWS[one.workflow]),
        statuses,
        (None, "cron"),
        (None, BEGIN + third),
        (None, END - third),
        texts,
    )
    return [Filter(w, frozenset(s), t, since, until, text) for w, s, t, since, until, text in every]


async def walk(queries: ExecutionListQueries, wanted: Filter, limit: int) -> list[str]:
    """Through all pages."""
    found: list[str] = []
    after: PageKey | None = None
    while page := await queries.page("default", wanted, after, limit, END):
        found += [each.row.execution_id for each in page]
        after = PageKey.of(page[-1].row)
        if len(page) < limit:
            break
    return found


async def test_every_combination_of_filters_finds_and_counts_what_a_look_at_every_row_finds(
    pool: Pool, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With fewer newest executions looked at, and with more, than there are."""
    chance = random.Random(1)
    executions = [made(number, chance) for number in range(EXECUTIONS)]
    await log.start(executions)
    queries = ExecutionListQueries(Database(pool))
    monkeypatch.setattr(execution_list, "COUNTED", 12)
    for newest in (15, 1000):
        monkeypatch.setattr(execution_list, "NEWEST", newest)
        for wanted in chance.sample(filters(executions), 80):
            expected = newest_first([each for each in executions if finds(wanted, each)])
            assert await walk(queries, wanted, 23) == expected, wanted
            assert await queries.ids("default", wanted, 5) == expected[:5], wanted
    for wanted in chance.sample(filters(executions), 40):
        numbers = Counter(each.status for each in executions if finds(replace(wanted, statuses=frozenset()), each))
        counted = await queries.counts("default", wanted)
        for status in ExecutionStatus:
            many = status in FINISHED_EXECUTIONS and numbers[status] > 12
            assert counted[status] == ((12, False) if many else (numbers[status], True)), (wanted, status)


async def test_pages_show_what_was_there_once_each_while_executions_arrive(pool: Pool, log: Log) -> None:
    """New ones, and late ones whose start lies among what was shown; whatever there was at first is seen exactly once."""
    chance = random.Random(3)
    executions = [made(number, chance) for number in range(60)]
    await log.start(executions)
    queries = ExecutionListQueries(Database(pool))
    arrived = 60
    for wanted in (Filter(), Filter(text="e"), Filter(statuses=frozenset({ExecutionStatus.FAILED, ExecutionStatus.RUNNING}))):
        there = newest_first([each for each in executions if finds(wanted, each)])
        seen: list[str] = []
        after: PageKey | None = None
        while page := await queries.page("default", wanted, after, 4, END):
            seen += [each.row.execution_id for each in page]
            after = PageKey.of(page[-1].row)
            at = BEGIN + (END - BEGIN) * chance.random()
            late = [made(arrived, chance), made(arrived + 1, chance, at)]
            arrived += 2
            await log.start(late)
            executions += late
        assert len(seen) == len(set(seen))
        assert [each for each in seen if each in there] == there


async def test_no_combination_of_filters_reads_a_partition_through_or_sorts_more_than_pages(pool: Pool, log: Log) -> None:
    assert log
    await pool.execute(
        """
        insert into projections.execution (execution_id, tenant_id, workflow_id, workflow_name, version, status, trigger_type,
            trigger, inputs, started_by, timeout_seconds, started_at, finished_at, jobs_total, jobs_completed, position)
        select (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '7' || lpad(to_hex(n), 19, '0'))::uuid,
            'default', ($1::uuid[])[1 + n % 12], 'w', 1,
            (array['completed', 'completed', 'completed', 'failed', 'cancelled', 'running'])[1 + n / 12 % 6],
            (array['manual', 'cron', 'webhook', 'incident'])[1 + n / 72 % 4], '{}', '{}', 'ann', 0, at, at, 0, 0, n
        from generate_series(1, 12000) n cross join lateral (select $2::timestamptz + n * interval '9 minutes' as at) made
        """,
        WORKFLOWS,
        BEGIN,
    )
    await pool.execute("analyze projections.execution")
    every = product(
        (None, WORKFLOWS[0]),
        ((), (ExecutionStatus.FAILED,), (ExecutionStatus.RUNNING, ExecutionStatus.PAUSED)),
        (None, "cron"),
        ((None, None, False), (BEGIN, END, True), (None, END, False)),
    )
    where = execution_list._Where
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(_KEPT_PLANS)
        for workflow_id, statuses, trigger, (since, until, deep) in every:
            wanted = Filter(workflow_id, frozenset(statuses), trigger, since, until)
            after = PageKey(int(END.timestamp() * 1000), UUID(int=0)) if deep else None
            own = None if workflow_id is None else [workflow_id]
            for text in (where(own), where(WORKFLOWS), where(own or [], ("0" * 32, "f" * 32))):
                query = execution_list._Query("default", wanted, text, after)
                _by_index(await _plan(connection, query, query.page("status", 51)), sorts_ids=text.id_range is not None)
            query = execution_list._Query("default", wanted, where(WORKFLOWS), after)
            _by_index(await _plan(connection, query, query.among_newest(51)))
            query = execution_list._Query("default", wanted, where(own))
            _by_index(await _plan(connection, query, query.counts(["failed"], 1001)))


async def _plan(connection: Connection, query: execution_list._Query, sql: str) -> dict[str, Any]:
    """As it is kept, for any values."""
    await connection.execute(f"prepare page as {sql}")
    values = ", ".join("null" for _ in query.arguments)
    plan: dict[str, Any] = json.loads(await connection.fetchval(f"explain (format json) execute page({values})"))[0]["Plan"]
    await connection.execute("deallocate page")
    return plan


def _by_index(node: dict[str, Any], *, sorts_ids: bool = False) -> bool:
    """Whether what it gives is limited; no partition with rows is read through, and nothing is sorted that is not limited."""
    inner = [_by_index(each, sorts_ids=sorts_ids) for each in node.get("Plans", [])]
    kind, filled = node["Node Type"], node.get("Relation Name", "").startswith("execution_2026_0")
    limited = kind == "Limit" or (any(inner) if kind == "Nested Loop" else all(inner) and not filled)
    assert not (kind == "Seq Scan" and filled), node
    assert kind not in ("Sort", "Incremental Sort") or limited or sorts_ids, json.dumps(node)
    return limited
