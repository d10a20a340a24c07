"""Figures of a range of time."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from runyard_gateway.answers.body import Body, Cursor, Id, Instant, Position
from runyard_gateway.answers.executions import JobOfExecution

Rate = Annotated[float | None, Meta(description="completed / (completed + failed), 0 to 1; null for none")]
Milliseconds = Annotated[int | None, Meta(description="Of those that have ended; null for none")]


class Figures(Body):
    """`total` are executions that started in the range, `active` those of them that have not ended yet. `GET /executions`
    with the same `from` and `to` lists them, with `status` those of one kind."""

    total: int
    active: int
    completed: int
    failed: int
    cancelled: int
    success_rate: Rate
    average_duration_ms: Milliseconds


class AnalyticsAnswer(Body):
    """`asOf`: the log position that all of this stands for."""

    from_: Annotated[Instant, Meta(description="Included")] = msgspec.field(name="from")
    to: Annotated[Instant, Meta(description="Not included")]
    timezone: str
    as_of: Position


class AnalyticsSummary(Figures):
    """The percentiles are at most 1.6 % off. `asOf` as elsewhere."""

    from_: Annotated[Instant, Meta(description="Included")] = msgspec.field(name="from")
    to: Annotated[Instant, Meta(description="Not included")]
    timezone: str
    as_of: Position
    workflow_id: Id | None
    p50_duration_ms: Milliseconds
    p95_duration_ms: Milliseconds
    active_workflows: Annotated[int, Meta(description="Workflows that may run now: published and active")]


class TrendItem(Figures):
    from_: Instant = msgspec.field(name="from")
    to: Instant
    local: Annotated[str, Meta(description="`from` as clocks in the time zone show it, with the offset they had")]


class AnalyticsTrends(AnalyticsAnswer):
    """`items` cover the range without gaps, empty ones included; the first and the last may be parts of an interval."""

    workflow_id: Id | None
    interval: Literal["hour", "day", "week"]
    items: list[TrendItem]


class WorkflowFigures(Figures):
    workflow_id: Id
    workflow_name: Annotated[str, Meta(description="When it was last executed")]


class AnalyticsWorkflows(AnalyticsAnswer):
    items: list[WorkflowFigures]


class AgentFigures(Body):
    """Jobs that have ended, of the executions that started in the range; each retry is a job. `failed` and `timeout` count
    against `successRate`."""

    agent: Annotated[str | None, Meta(description="Its name; null for jobs that ended without having reached one")]
    jobs: int
    completed: int
    failed: int
    timeout: int
    cancelled: int
    busy_ms: Annotated[int, Meta(description="Sum of how long they ran")]
    success_rate: Annotated[float | None, Meta(description="completed / (completed + failed + timeout); null for none")]


class AnalyticsAgents(AnalyticsAnswer):
    items: list[AgentFigures]


class AnalyticsJobs(AnalyticsAnswer):
    """Those of the executions that started last come first."""

    items: list[JobOfExecution]
    next_cursor: Cursor
