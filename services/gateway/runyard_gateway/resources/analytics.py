"""Figures of a range of time, in the days of a time zone: what counting the listed executions would give."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from runyard_shared.clock import Clock, rfc3339
from runyard_shared.errors import FieldProblem, Refusal, Unavailable
from runyard_shared.schedule import timezone_problem
from starlette.types import ASGIApp

from runyard_gateway import answers, requests
from runyard_gateway.cursor import decode_cursor, encode_cursor
from runyard_gateway.http.answer import json_answer
from runyard_gateway.http.operation import Call, Operation
from runyard_gateway.permissions import Permission
from runyard_gateway.queries.analytics import AgentCounts, AnalyticsQueries, AnalyticsSnapshot, Apart, Counts, Of
from runyard_gateway.queries.jobs_of_agents import EndedJobs, PageKey
from runyard_gateway.read_position import ANALYTICS, EXECUTIONS, WORKFLOWS, ReadPosition
from runyard_gateway.rollup_cover import Cover, cover, end_of_quarter
from runyard_gateway.time_range import Interval, Stretch, at_most, stretches, suitable_interval

PATH = "/api/v1/analytics"
DEFAULT_RANGE: Final = timedelta(days=30)
MAX_RANGE: Final = timedelta(days=2 * 366)
MAX_STRETCHES: Final = 1000
_ATTEMPTS: Final = 10


@dataclass(frozen=True, slots=True)
class _Asked:
    whole: Stretch
    zone: ZoneInfo
    interval: Interval


class Analytics:
    def __init__(self, queries: AnalyticsQueries, read_position: ReadPosition, clock: Clock) -> None:
        self._queries = queries
        self._read_position = read_position
        self._clock = clock

    def operations(self) -> Sequence[Operation]:
        return (
            _operation("summary", self.summary, "getAnalyticsSummary", "Executions, success rate and durations",
                       answers.AnalyticsSummary, requests.AnalyticsQuery),
            _operation("trends", self.trends, "getAnalyticsTrends", "Successes and failures by hour, day or week",
                       answers.AnalyticsTrends, requests.TrendsQuery),
            _operation("workflows", self.workflows, "getAnalyticsOfWorkflows", "The workflows with the most executions",
                       answers.AnalyticsWorkflows, requests.WorkflowRankingQuery),
            _operation("agents", self.agents, "getAnalyticsOfAgents", "How jobs are distributed across agents",
                       answers.AnalyticsAgents, requests.AgentRankingQuery),
            _operation("jobs", self.jobs, "getAnalyticsOfJobs", "The ended jobs of an agent, which its figures count",
                       answers.AnalyticsJobs, requests.EndedJobsQuery),
        )  # fmt: skip

    async def summary(self, call: Call) -> ASGIApp:
        query: requests.AnalyticsQuery = call.query
        asked, covered = await self._asked(call)
        of = Of(query.workflow_id, frozenset(query.trigger))
        async with self._snapshot(query.min_position) as snapshot:
            (counts,) = await snapshot.counts(call.tenant_id, of, [covered])
            p50, p95 = await snapshot.durations(call.tenant_id, of, covered)
            active_workflows = await snapshot.active_workflows(call.tenant_id)
        return json_answer(
            answers.AnalyticsSummary(
                **_range(asked, snapshot),
                **_figures(counts),
                workflow_id=query.workflow_id,
                p50_duration_ms=None if p50 is None else round(p50),
                p95_duration_ms=None if p95 is None else round(p95),
                active_workflows=active_workflows,
            )
        )

    async def trends(self, call: Call) -> ASGIApp:
        query: requests.TrendsQuery = call.query
        asked, _ = await self._asked(call, query.interval)
        of = Of(query.workflow_id, frozenset(query.trigger))
        now = self._clock.now()
        parts = stretches(asked.whole, asked.interval, asked.zone)
        async with self._snapshot(query.min_position) as snapshot:
            counts = await snapshot.counts(call.tenant_id, of, [cover(part, now) for part in parts])
        items = [
            answers.TrendItem(
                from_=rfc3339(part.starts),
                to=rfc3339(part.ends),
                local=part.starts.astimezone(asked.zone).isoformat(timespec="seconds"),
                **_figures(each),
            )
            for part, each in zip(parts, counts, strict=True)
        ]
        return json_answer(
            answers.AnalyticsTrends(
                **_range(asked, snapshot), workflow_id=query.workflow_id, interval=asked.interval.value, items=items
            )
        )

    async def workflows(self, call: Call) -> ASGIApp:
        query: requests.WorkflowRankingQuery = call.query
        asked, covered = await self._asked(call)
        of = Of(trigger_types=frozenset(query.trigger))
        async with self._snapshot(query.min_position) as snapshot:
            rows = await snapshot.workflows(call.tenant_id, of, covered, query.limit)
        items = [
            answers.WorkflowFigures(workflow_id=row.workflow_id, workflow_name=row.name, **_figures(row.counts)) for row in rows
        ]
        return json_answer(answers.AnalyticsWorkflows(**_range(asked, snapshot), items=items))

    async def agents(self, call: Call) -> ASGIApp:
        query: requests.AgentRankingQuery = call.query
        asked, covered = await self._asked(call)
        async with self._snapshot(query.min_position) as snapshot:
            rows = await snapshot.agents(call.tenant_id, Of(query.workflow_id), covered, query.limit)
        return json_answer(answers.AnalyticsAgents(**_range(asked, snapshot), items=[_agent(row) for row in rows]))

    async def jobs(self, call: Call) -> ASGIApp:
        query: requests.EndedJobsQuery = call.query
        asked, _ = await self._asked(call)
        wanted = EndedJobs(query.agent, asked.whole, query.workflow_id, frozenset(query.status))
        after = decode_cursor(query.cursor, PageKey)
        async with self._snapshot(query.min_position) as snapshot:
            jobs = await snapshot.jobs(call.tenant_id, wanted, after, query.limit + 1, self._clock.now())
        more = len(jobs) > query.limit
        jobs = jobs[: query.limit]
        cursor = encode_cursor(PageKey.of(jobs[-1])) if more else None
        return json_answer(answers.AnalyticsJobs(**_range(asked, snapshot), items=jobs, next_cursor=cursor))

    async def _asked(self, call: Call, interval: Interval | None = None) -> tuple[_Asked, Cover]:
        """Raises `Refusal` with everything that is wrong with the range and its zone. Without `to` it is the end of the
        running quarter of an hour, so that what has just started counts."""
        query: requests.AnalyticsRange = call.query
        timezone = query.timezone or await self._queries.time_zone(call.tenant_id)
        now = self._clock.now()
        ends = end_of_quarter(now) if query.to is None else _upwards(query.to)
        starts = ends - DEFAULT_RANGE if query.from_ is None else _upwards(query.from_)
        whole = Stretch(starts, ends)
        problems = []
        if (problem := timezone_problem(timezone)) is not None:
            problems.append(FieldProblem("timezone", problem))
        chosen = interval or suitable_interval(whole)
        if starts >= ends:
            problems.append(FieldProblem("from", f"must be before the end of the range, {rfc3339(ends)}"))
        elif whole.length > MAX_RANGE:
            problems.append(FieldProblem("from", f"the range may be at most {MAX_RANGE.days} days long (two years)"))
        elif at_most(whole, chosen) > MAX_STRETCHES:
            most = f"a range of so many {chosen}s is too long (at most {MAX_STRETCHES:,}); take longer ones, or leave it out"
            problems.append(FieldProblem("interval", most))
        if problems:
            raise Refusal("invalid_query", "There are no figures of such a range.", 400, tuple(problems))
        return _Asked(whole, ZoneInfo(timezone), chosen), cover(whole, now)

    @asynccontextmanager
    async def _snapshot(self, min_position: int) -> AsyncIterator[AnalyticsSnapshot]:
        """Once the read models have reached the position and stand for the same one."""
        for projection in (ANALYTICS, EXECUTIONS, WORKFLOWS):
            await self._read_position.reach(projection, min_position)
        for _ in range(_ATTEMPTS):
            try:
                async with self._queries.snapshot() as snapshot:
                    yield snapshot
                    return
            except Apart as apart:
                await self._read_position.reach(apart.behind, apart.position)
        raise Unavailable("the read models are not at one position just now")


def _operation(
    what: str, handle: Callable[[Call], Any], name: str, summary: str, answer: Any, query: type[requests.AnalyticsRange]
) -> Operation:
    return Operation(
        method="GET", path=f"{PATH}/{what}", handle=handle, name=name, summary=summary, tag="analytics", answer=answer,
        query=query, permission=Permission.VIEW,
    )  # fmt: skip


def _upwards(at: datetime) -> datetime:
    """To the next millisecond: executions start at whole ones, so it is the same range, and one that the answer can say."""
    return at.astimezone(UTC) + timedelta(microseconds=-at.microsecond % 1000)


def _range(asked: _Asked, snapshot: AnalyticsSnapshot) -> dict[str, Any]:
    return {
        "from_": rfc3339(asked.whole.starts),
        "to": rfc3339(asked.whole.ends),
        "timezone": asked.zone.key,
        "as_of": snapshot.position,
    }


def _figures(counts: Counts) -> dict[str, Any]:
    decided = counts.completed + counts.failed
    ended = decided + counts.cancelled
    return {
        "total": counts.started,
        "active": counts.started - ended,
        "completed": counts.completed,
        "failed": counts.failed,
        "cancelled": counts.cancelled,
        "success_rate": counts.completed / decided if decided else None,
        "average_duration_ms": round(counts.duration_ms / ended) if ended else None,
    }


def _agent(row: AgentCounts) -> answers.AgentFigures:
    decided = row.completed + row.failed + row.timed_out
    return answers.AgentFigures(
        agent=row.agent,
        jobs=decided + row.cancelled,
        completed=row.completed,
        failed=row.failed,
        timeout=row.timed_out,
        cancelled=row.cancelled,
        busy_ms=row.busy_ms,
        success_rate=row.completed / decided if decided else None,
    )
