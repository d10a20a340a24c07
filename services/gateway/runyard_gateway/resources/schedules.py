"""Schedules: when they come next, by the clock on the wall, before a workflow is published and after (R50)."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from runyard_shared.clock import Clock, rfc3339
from runyard_shared.schedule import ScheduleError, parse_schedule
from starlette.types import ASGIApp

from runyard_gateway import answers, requests
from runyard_gateway.cursor import decode_cursor, encode_cursor
from runyard_gateway.database import Row
from runyard_gateway.http.answer import json_answer
from runyard_gateway.http.operation import Call, Operation
from runyard_gateway.permissions import Permission
from runyard_gateway.queries.columns import instant
from runyard_gateway.queries.triggers import FIRST_SCHEDULE, ScheduleKey, TriggerQueries
from runyard_gateway.read_position import TRIGGERS, ReadPosition
from runyard_gateway.schedule_preview import Fire, checked_schedule, preview

PATH = "/api/v1/schedules"


class Schedules:
    def __init__(self, queries: TriggerQueries, read_position: ReadPosition, clock: Clock) -> None:
        self._queries = queries
        self._read_position = read_position
        self._clock = clock

    def operations(self) -> Sequence[Operation]:
        return (
            Operation(
                method="GET", path=PATH, handle=self.list, name="listSchedules", tag="triggers", permission=Permission.VIEW,
                summary="The schedules of all workflows, with the time they come next", answer=answers.ScheduleList,
                query=requests.SchedulesQuery,
            ),
            Operation(
                method="POST", path=f"{PATH}/preview", handle=self.preview, name="previewSchedule", tag="triggers",
                summary="The next times of a schedule that need not exist yet, with remarks where the clocks are changed",
                permission=Permission.VIEW, answer=answers.SchedulePreview, body=requests.PreviewSchedule, body_required=True,
                changes_nothing=True,
                refusals={422: "invalid_schedule, with what is wrong with the expression and the time zone"},
            ),
        )  # fmt: skip

    async def list(self, call: Call) -> ASGIApp:
        query: requests.SchedulesQuery = call.query
        await self._read_position.reach(TRIGGERS, query.min_position)
        after = decode_cursor(query.cursor, ScheduleKey) or FIRST_SCHEDULE
        rows = await self._queries.schedules(call.tenant_id, query.workflow_id, after, query.limit + 1)
        more = len(rows) > query.limit
        rows = rows[: query.limit]
        items = await asyncio.to_thread(_with_next, rows, self._clock.now())
        cursor = encode_cursor(_key_of(rows[-1])) if more else None
        return json_answer(answers.ScheduleList(items=items, next_cursor=cursor))

    async def preview(self, call: Call) -> ASGIApp:
        body: requests.PreviewSchedule = call.body
        schedule = checked_schedule(body.cron, body.timezone)
        fires = await asyncio.to_thread(preview, schedule, body.after or self._clock.now(), body.count)
        return json_answer(answers.SchedulePreview(items=[_fire(each) for each in fires]))


def _key_of(row: Row) -> ScheduleKey:
    return ScheduleKey(row["workflow_name"], UUID(row["workflow_id"]), row["trigger"])


def _with_next(rows: Sequence[Row], now: datetime) -> list[answers.ScheduleRow]:
    return [_schedule(row, now) for row in rows]


def _schedule(row: Row, now: datetime) -> answers.ScheduleRow:
    fires = _upcoming(row, now) if row["active"] else []
    return answers.ScheduleRow(
        workflow_id=row["workflow_id"],
        workflow_name=row["workflow_name"],
        version=row["version"],
        trigger=row["trigger"],
        cron=row["cron"],
        timezone=row["timezone"],
        overlap=row["overlap"],
        catch_up=row["catch_up"],
        active=row["active"],
        next=_fire(fires[0]) if fires else None,
        last_scheduled_at=instant(row["last_scheduled_at"]),
        last_execution_id=row["last_execution_id"],
    )


def _upcoming(row: Row, now: datetime) -> list[Fire]:
    """Nothing for one that was published before schedules were checked: it never comes."""
    try:
        return preview(parse_schedule(row["cron"], row["timezone"]), now, 1)
    except ScheduleError:
        return []


def _fire(fire: Fire) -> answers.ScheduledTime:
    return answers.ScheduledTime(at=rfc3339(fire.at), local=fire.local.isoformat(timespec="seconds"), remark=fire.remark)
