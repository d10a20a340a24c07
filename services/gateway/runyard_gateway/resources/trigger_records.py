"""What schedules and incidents did: each instant and each event, with what it started or why nothing (R51)."""

from collections.abc import Sequence
from uuid import UUID

from starlette.types import ASGIApp

from runyard_gateway import answers, requests
from runyard_gateway.cursor import decode_cursor, encode_cursor
from runyard_gateway.http.answer import json_answer
from runyard_gateway.http.operation import Call, Operation
from runyard_gateway.permissions import Permission
from runyard_gateway.queries.triggers import RecordFilter, RecordKey, TriggerQueries
from runyard_gateway.read_position import TRIGGERS, ReadPosition


class TriggerRecords:
    def __init__(self, queries: TriggerQueries, read_position: ReadPosition) -> None:
        self._queries = queries
        self._read_position = read_position

    def operations(self) -> Sequence[Operation]:
        return (
            Operation(
                method="GET", path="/api/v1/trigger-records", handle=self.list, name="listTriggerRecords", tag="triggers",
                summary="Every instant of a schedule and every event of an incident, newest first", permission=Permission.VIEW,
                answer=answers.TriggerRecordList, query=requests.TriggerRecordsQuery,
            ),
        )  # fmt: skip

    async def list(self, call: Call) -> ASGIApp:
        query: requests.TriggerRecordsQuery = call.query
        await self._read_position.reach(TRIGGERS, query.min_position)
        wanted = RecordFilter(query.workflow_id, query.type, query.outcome, query.from_, query.to)
        after = decode_cursor(query.cursor, RecordKey)
        rows = await self._queries.records(call.tenant_id, wanted, after, query.limit + 1)
        more = len(rows) > query.limit
        rows = rows[: query.limit]
        cursor = encode_cursor(_key_of(rows[-1])) if more else None
        return json_answer(answers.TriggerRecordList(items=rows, next_cursor=cursor))


def _key_of(row: answers.TriggerRecordRow) -> RecordKey:
    return RecordKey(row.position, UUID(row.workflow_id), row.trigger)
