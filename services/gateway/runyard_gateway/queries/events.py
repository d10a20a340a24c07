"""The logs, as `read.event` and `read.dispatcher_event` show them."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import msgspec
from runyard_shared.contracts.feed import Recorded
from runyard_shared.public_events import subject_of

from runyard_gateway.database import Database, Row

ORCHESTRATOR: Final = "orchestrator"
DISPATCHER: Final = "dispatcher"
VIEWS: Final = {ORCHESTRATOR: "read.event", DISPATCHER: "read.dispatcher_event"}

END: Final = 2**63 - 1
"""Behind every position."""
WINDOW: Final = 20_000
"""Positions looked at in one query: one that finds little stays short, however long the log is."""
WINDOWS: Final = 5
"""Queries for one page at most."""
CLOCKS_APART: Final = timedelta(minutes=1)
"""Positions and times go up together but for so much: events carry the time of the process that decided them."""

_COLUMNS = (
    "position, stream_id::text as stream_id, version, tenant_id, topic, recorded_at, data::text as data,"
    " correlation_id, causation_id"
)


class EventFilter(NamedTuple):
    """`types`: beginnings of topics, any of which will do; none for all. `since`: recorded at this time or later. `subject`: as
    public events have it, None for any."""

    types: tuple[str, ...] = ()
    since: datetime | None = None
    subject: str | None = None

    def takes(self, recorded: Recorded) -> bool:
        return (
            (self.subject is None or subject_of(recorded) == self.subject)
            and (not self.types or recorded.topic.startswith(self.types))
            and (self.since is None or recorded.recorded_at >= self.since)
        )


EVERYTHING: Final = EventFilter()


class EventPage(NamedTuple):
    """`upto`: the log was looked through up to this position. `more`: it goes on after that."""

    events: list[Recorded]
    upto: int
    more: bool


class EventQueries:
    def __init__(self, database: Database, log: str = ORCHESTRATOR) -> None:
        self._database = database
        view = VIEWS[log]
        self._after = f"select {_COLUMNS} from {view} where position > $1 order by position limit $2"  # noqa: S608
        self._of_tenant = f"select {_COLUMNS} from {view} where position > $1 and tenant_id = $2 order by position limit $3"  # noqa: S608
        self._window = (
            f"select {_COLUMNS} from {view} where position > $1 and position <= $2 and tenant_id = $3"  # noqa: S608
            " and ($4::text[] is null or topic like any($4)) and ($5::timestamptz is null or recorded_at >= $5)"
            " order by position limit $6"
        )
        of_stream = (
            f"select {_COLUMNS} from {view}"  # noqa: S608
            " where stream_id = $1::uuid and tenant_id = $2 and position > $3"
        )
        of_iterations = (
            f"select {_COLUMNS} from {view}"  # noqa: S608
            " where correlation_id = $1::text and tenant_id = $2 and position > $3"
        )
        self._of_execution, self._of_execution_backwards = (
            f"select * from (({of_stream} and position < $5 order by version {order} limit $4) union all"  # noqa: S608
            f" ({of_iterations} and position < $5 order by position {order} limit $4)) of_execution"
            f" order by position {order} limit $4"
            for order in ("asc", "desc")
        )
        self._with_topics = (
            f"select * from (({of_stream} and topic = any($5) order by version limit $4) union all"  # noqa: S608
            f" ({of_iterations} and topic = any($5) order by position limit $4)) of_execution order by position limit $4"
        )
        chosen = " and ($5::text[] is null or topic like any($5)) and ($6::timestamptz is null or recorded_at >= $6)"
        own = f"{of_stream} and correlation_id is null{chosen} order by version limit $4"
        iterations = f"{of_iterations}{chosen} order by position limit $4"
        self._of_subject = (
            f"select * from (({own}) union all ({iterations})) of_subject order by position limit $4"  # noqa: S608
            if log == ORCHESTRATOR  # nothing else has iterations
            else own
        )
        self._first = f"select {_COLUMNS} from {view} where stream_id = any($1::uuid[]) and version = 1"  # noqa: S608
        self._head = f"select coalesce(max(position), 0) as position from {view}"  # noqa: S608
        self._end_of_stream = f"select max(position) as position from {view} where stream_id = $1::uuid and tenant_id = $2"  # noqa: S608
        self._next = f"select position, recorded_at from {view} where position > $1 order by position limit 1"  # noqa: S608

    async def head(self) -> int:
        """The last committed position; 0 for an empty log."""
        row = await self._database.fetch_row(self._head)
        return int(row["position"]) if row else 0

    async def after(self, position: int, limit: int) -> list[Recorded]:
        """Events of all tenants; for the hub, never for a client."""
        return _recorded(await self._database.fetch(self._after, position, limit))

    async def of_tenant(self, tenant_id: str, after: int, limit: int) -> list[Recorded]:
        return _recorded(await self._database.fetch(self._of_tenant, after, tenant_id, limit))

    async def page(self, tenant_id: str, after: int, limit: int, chosen: EventFilter = EVERYTHING) -> EventPage:
        """At most `limit` events of the tenant, in order. It may have fewer although there are more: what is chosen may be
        rare, and no page looks through all of a long log."""
        head = await self.head()
        patterns = [f"{_literally(each)}%" for each in chosen.types] or None
        if chosen.subject is not None:
            arguments = (chosen.subject, tenant_id, after, limit, patterns, chosen.since)
            found = _recorded(await self._database.fetch(self._of_subject, *arguments))
            end = found[-1].position if found else after
            # whatever was committed when its last event was, is among them
            return EventPage(found, end, more=True) if len(found) == limit else EventPage(found, max(head, end), more=False)
        found = []
        upto = after
        for _ in range(WINDOWS):
            if upto >= head or len(found) == limit:
                break
            end = min(upto + WINDOW, head)
            window = (upto, end, tenant_id, patterns, chosen.since, limit - len(found))
            rows = _recorded(await self._database.fetch(self._window, *window))
            found += rows
            upto = found[-1].position if len(found) == limit else end
            if not rows and upto < head:
                upto = await self._before_next(upto)
        return EventPage(found, upto, upto < head)

    async def before(self, at: datetime) -> int:
        """A position such that everything recorded at that time or later comes after it."""
        low, high = 0, await self.head()
        sought = at - CLOCKS_APART
        while low < high:
            middle = (low + high) // 2
            row = await self._database.fetch_row(self._next, middle)
            if row is None or row["recorded_at"] >= sought:
                high = middle
            else:
                low = row["position"]
        return low

    async def _before_next(self, position: int) -> int:
        """Over what retention has taken out of the log."""
        row = await self._database.fetch_row(self._next, position)
        return position if row is None else row["position"] - 1

    async def of_execution(
        self, tenant_id: str, execution_id: str, after: int, limit: int, before: int = END, *, backwards: bool = False
    ) -> list[Recorded]:
        """The events of an execution and of all its iterations, in the order of their positions; `backwards`: last first."""
        sql = self._of_execution_backwards if backwards else self._of_execution
        return _recorded(await self._database.fetch(sql, execution_id, tenant_id, after, limit, before))

    async def with_topics(
        self, tenant_id: str, execution_id: str, after: int, limit: int, topics: Collection[str]
    ) -> list[Recorded]:
        """As `of_execution`, some topics only."""
        return _recorded(await self._database.fetch(self._with_topics, execution_id, tenant_id, after, limit, list(topics)))

    async def first_of_streams(self, stream_ids: Collection[str]) -> dict[str, Recorded]:
        """The first event of each stream, by the stream's id."""
        if not stream_ids:
            return {}
        return {each.stream_id: each for each in _recorded(await self._database.fetch(self._first, list(stream_ids)))}

    async def end_of_stream(self, tenant_id: str, stream_id: str) -> int | None:
        """The position of the stream's last event, None if there is no such stream in the tenant."""
        row = await self._database.fetch_row(self._end_of_stream, stream_id, tenant_id)
        return row["position"] if row else None


def _literally(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


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
