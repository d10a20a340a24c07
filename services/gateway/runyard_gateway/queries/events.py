"""The log, as `read.event` shows it."""

from collections.abc import Collection, Iterable

import msgspec
from runyard_shared.contracts.feed import Recorded

from runyard_gateway.database import Database, Row

_COLUMNS = (
    "position, stream_id::text as stream_id, version, tenant_id, topic, recorded_at, data::text as data,"
    " correlation_id, causation_id"
)
_AFTER = f"select {_COLUMNS} from read.event where position > $1 order by position limit $2"  # noqa: S608
_OF_TENANT = f"select {_COLUMNS} from read.event where position > $1 and tenant_id = $2 order by position limit $3"  # noqa: S608
_OF_STREAM = (
    f"select {_COLUMNS} from read.event"  # noqa: S608
    " where stream_id = $1::uuid and tenant_id = $2 and position > $3 order by version limit $4"
)
_OF_EXECUTION = (
    f"select * from (({_OF_STREAM}) union all (select {_COLUMNS} from read.event"  # noqa: S608
    " where correlation_id = $1::text and tenant_id = $2 and position > $3 order by position limit $4)) of_execution"
    " order by position limit $4"
)
_WITH_TOPICS = (
    f"select * from ((select {_COLUMNS} from read.event"  # noqa: S608
    " where stream_id = $1::uuid and tenant_id = $2 and position > $3 and topic = any($5) order by version limit $4)"
    f" union all (select {_COLUMNS} from read.event"
    " where correlation_id = $1::text and tenant_id = $2 and position > $3 and topic = any($5) order by position limit $4))"
    " of_execution order by position limit $4"
)
_FIRST = f"select {_COLUMNS} from read.event where stream_id = any($1::uuid[]) and version = 1"  # noqa: S608
_HEAD = "select coalesce(max(position), 0) as position from read.event"
_END_OF_STREAM = "select max(position) as position from read.event where stream_id = $1::uuid and tenant_id = $2"


class EventQueries:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def head(self) -> int:
        """The last committed position; 0 for an empty log."""
        row = await self._database.fetch_row(_HEAD)
        return int(row["position"]) if row else 0

    async def after(self, position: int, limit: int) -> list[Recorded]:
        """Events of all tenants; for the hub, never for a client."""
        return _recorded(await self._database.fetch(_AFTER, position, limit))

    async def of_tenant(self, tenant_id: str, after: int, limit: int) -> list[Recorded]:
        return _recorded(await self._database.fetch(_OF_TENANT, after, tenant_id, limit))

    async def of_execution(self, tenant_id: str, execution_id: str, after: int, limit: int) -> list[Recorded]:
        """The events of an execution and of all its iterations, in the order of their positions."""
        return _recorded(await self._database.fetch(_OF_EXECUTION, execution_id, tenant_id, after, limit))

    async def with_topics(
        self, tenant_id: str, execution_id: str, after: int, limit: int, topics: Collection[str]
    ) -> list[Recorded]:
        """As `of_execution`, some topics only."""
        return _recorded(await self._database.fetch(_WITH_TOPICS, execution_id, tenant_id, after, limit, list(topics)))

    async def first_of_streams(self, stream_ids: Collection[str]) -> dict[str, Recorded]:
        """The first event of each stream, by the stream's id."""
        if not stream_ids:
            return {}
        return {each.stream_id: each for each in _recorded(await self._database.fetch(_FIRST, list(stream_ids)))}

    async def end_of_stream(self, tenant_id: str, stream_id: str) -> int | None:
        """The position of the stream's last event, None if there is no such stream in the tenant."""
        row = await self._database.fetch_row(_END_OF_STREAM, stream_id, tenant_id)
        return row["position"] if row else None


def _recorded(rows: Iterable[Row]) -> list[Recorded]:
    return [
        Recorded(
            position=row["position"],
            stream_id=row["stream_id"],
            version=row["version"],
            tenant_id=row["tenant_id"],
            topic=row["topic"],
            recorded_at=row["recorded_at"],
            data=msgspec.Raw(row["data"].encode()),
            correlation_id=row["correlation_id"],
            causation_id=row["causation_id"],
        )
        for row in rows
    ]
