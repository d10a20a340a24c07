"""Incidents, schedules, and what each of them started."""

from typing import Annotated, Literal

from msgspec import Meta

from runyard_gateway.answers.body import Body, Cursor, Id, Instant, Json, Position


class IncidentExecution(Body):
    execution_id: Id
    workflow_id: Id


class IncidentSkipped(Body):
    """A workflow whose trigger names the event; `reason`: why it was not started."""

    workflow_id: Id
    workflow_name: str
    reason: str


class IncidentReceived(Body):
    """`recordId`: of the trigger record, which has the same and more."""

    record_id: Id
    executions: list[IncidentExecution]
    skipped: list[IncidentSkipped]
    position: Position


class ScheduledTime(Body):
    at: Instant
    local: Annotated[str, Meta(description="In the time zone of the schedule, with its offset from UTC")]
    remark: Annotated[str | None, Meta(description="Where the clocks are changed: what that does to this time")]


class SchedulePreview(Body):
    items: list[ScheduledTime]


class ScheduleRow(Body):
    """A schedule of the version that runs. `trigger`: its place in the document, from 0."""

    workflow_id: Id
    workflow_name: str
    version: int
    trigger: int
    cron: str
    timezone: str
    overlap: str
    catch_up: str
    active: bool
    next: Annotated[ScheduledTime | None, Meta(description="Null while the workflow is not active")]
    last_scheduled_at: Instant | None
    last_execution_id: Id | None


class ScheduleList(Body):
    items: list[ScheduleRow]
    next_cursor: Cursor


class TriggerRecordRow(Body):
    """An instant of a schedule (`scheduledAt`), or an event of an incident for one trigger of one workflow. `trigger`: its
    place in the document, from 0. `reads`: the paths that the condition read and their values."""

    record_id: Id
    workflow_id: Id
    workflow_name: str
    version: int
    type: Literal["cron", "incident"]
    trigger: int
    event: str | None
    incident_id: str | None
    scheduled_at: Instant | None
    received_at: Instant
    outcome: Literal["started", "skipped", "refused"]
    execution_id: Id | None
    reason: Annotated[str, Meta(description="Why nothing was started; empty if something was")]
    reads: Json
    incident: Annotated[Json, Meta(description="As it was sent; null for a schedule")]
    position: Position


class TriggerRecordList(Body):
    items: list[TriggerRecordRow]
    next_cursor: Cursor
