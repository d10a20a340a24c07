"""Schedules and what triggers did, from `read.schedule` and `read.trigger_record`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, NamedTuple
from uuid import UUID

import msgspec

from runyard_gateway.answers import TriggerRecordRow
from runyard_gateway.database import Database, Row
from runyard_gateway.queries.columns import instant, raw_json

_SCHEDULES = """
    select workflow_id::text as workflow_id, workflow_name, version, trigger, cron, timezone, overlap, catch_up, active,
        last_scheduled_at, last_execution_id::text as last_execution_id
    from read.schedule
    where tenant_id = $1 and ($2::uuid is null or workflow_id = $2::uuid)
        and (workflow_name, workflow_id, trigger) > ($3, $4, $5)
    order by workflow_name, workflow_id, trigger limit $6
"""
_RECORDS = """
    select record_id::text as record_id, workflow_id::text as workflow_id, workflow_name, version, type, trigger, event,
        incident_id, scheduled_at, received_at, outcome, execution_id::text as execution_id, reason, reads::text as reads,
        payload::text as payload, position
    from read.trigger_record
    where tenant_id = $1 {filters} order by position desc, workflow_id, trigger limit $2
"""
_FILTERS = (
    ("workflow_id", "and workflow_id = {}::uuid"),
    ("type", "and type = {}"),
    ("outcome", "and outcome = {}"),
    ("received_from", "and received_at >= {}"),
    ("received_until", "and received_at < {}"),
)
_AFTER = "and position <= {0} and (position < {0} or (workflow_id, trigger) > ({1}, {2}))"


class ScheduleKey(NamedTuple):
    """Where a page ended."""

    workflow_name: Annotated[str, msgspec.Meta(pattern="^[^\0]*$")]
    workflow_id: UUID
    trigger: Annotated[int, msgspec.Meta(ge=-1, lt=2**31)]


class RecordKey(NamedTuple):
    """Where a page ended."""

    position: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
    workflow_id: UUID
    trigger: Annotated[int, msgspec.Meta(ge=0, lt=2**31)]


FIRST_SCHEDULE = ScheduleKey("", UUID(int=0), -1)


@dataclass(frozen=True)
class RecordFilter:
    """What is None does not matter."""

    workflow_id: str | None = None
    type: str | None = None
    outcome: str | None = None
    received_from: datetime | None = None
    received_until: datetime | None = None


class TriggerQueries:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def schedules(self, tenant_id: str, workflow_id: str | None, after: ScheduleKey, limit: int) -> list[Row]:
        """Of the versions that run, by the name of the workflow and the place in its document."""
        return await self._database.fetch(_SCHEDULES, tenant_id, workflow_id, *after, limit)

    async def records(
        self, tenant_id: str, wanted: RecordFilter, after: RecordKey | None, limit: int
    ) -> list[TriggerRecordRow]:
        """Newest first. Only the conditions that are asked for are in the statement, so that the right index is used."""
        arguments: list[object] = [tenant_id, limit]
        filters = []
        for name, condition in _FILTERS:
            if (value := getattr(wanted, name)) is not None:
                arguments.append(value)
                filters.append(condition.format(f"${len(arguments)}"))
        if after is not None:
            filters.append(_AFTER.format(*(f"${len(arguments) + place}" for place in (1, 2, 3))))
            arguments += after
        rows = await self._database.fetch(_RECORDS.format(filters=" ".join(filters)), *arguments)
        return [_record(row) for row in rows]


def _record(row: Row) -> TriggerRecordRow:
    return TriggerRecordRow(
        record_id=row["record_id"],
        workflow_id=row["workflow_id"],
        workflow_name=row["workflow_name"],
        version=row["version"],
        type=row["type"],
        trigger=row["trigger"],
        event=row["event"],
        incident_id=row["incident_id"],
        scheduled_at=instant(row["scheduled_at"]),
        received_at=instant(row["received_at"]) or "",
        outcome=row["outcome"],
        execution_id=row["execution_id"],
        reason=row["reason"],
        reads=raw_json(row["reads"]),
        incident=raw_json(row["payload"]),
        position=row["position"],
    )
