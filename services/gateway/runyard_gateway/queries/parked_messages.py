"""Messages nobody could handle, of the whole installation: most of them cannot be told whose they are."""

from typing import Annotated, Any, Final, NamedTuple

import msgspec

from runyard_gateway.answers import ParkedMessage, ParkedMessageDetail
from runyard_gateway.database import Database, Row
from runyard_gateway.queries.columns import MAX_TIME_MS, instant

SHOWN_BYTES: Final = 64 * 1024
_COLUMNS: Final = (
    "message_id, queue, kind, of_tenant, sender, reason, attempts, times, whole, first_parked_at, parked_at, outcome,"
    " settled_at, settled_by, octet_length(body) as size"
)
_PAGE: Final = f"""
    select {_COLUMNS}, (extract(epoch from parked_at) * 1000)::bigint as parked_ms
    from read.parked_message
    where (parked_at, message_id) < (to_timestamp($1 / 1000.0), $2) and coalesce(outcome, 'waiting') = $3 {{filters}}
    order by parked_at desc, message_id desc limit $4
"""  # noqa: S608
_FIND: Final = f"select {_COLUMNS}, substr(body, 1, $2) as body from read.parked_message where message_id = $1"  # noqa: S608
_COUNT: Final = "select count(*) as parked from read.parked_message where outcome is null"


class ParkedKey(NamedTuple):
    """Where a page ended."""

    parked_ms: Annotated[int, msgspec.Meta(ge=0, le=MAX_TIME_MS)]
    message_id: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-g]{1,64}$")]


NEWEST: Final = ParkedKey(MAX_TIME_MS, "g")


class ParkedFilter(NamedTuple):
    status: str
    queue: str | None
    q: str | None


class Body(NamedTuple):
    """What is to be sent again. `parked_at`: as it was read."""

    queue: str
    body: bytes
    sender: str
    whole: bool
    parked_at: str
    outcome: str | None


class ParkedMessageQueries:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, chosen: ParkedFilter, after: ParkedKey, limit: int) -> list[tuple[ParkedMessage, ParkedKey]]:
        """Those parked last come first."""
        arguments: list[Any] = [after.parked_ms, after.message_id, chosen.status, limit]
        filters = ""
        if chosen.queue is not None:
            arguments.append(chosen.queue)
            filters += f" and queue = ${len(arguments)}"
        if chosen.q is not None:
            arguments.append(chosen.q.lower())
            filters += f" and strpos(lower(reason || ' ' || kind), ${len(arguments)}) > 0"
        rows = await self._database.fetch(_PAGE.format(filters=filters), *arguments)
        return [(ParkedMessage(**_values(row)), ParkedKey(row["parked_ms"], row["message_id"])) for row in rows]

    async def find(self, message_id: str) -> ParkedMessageDetail | None:
        row = await self._database.fetch_row(_FIND, message_id, SHOWN_BYTES)
        return None if row is None else ParkedMessageDetail(**_values(row), body=row["body"].decode(errors="replace"))

    async def body(self, message_id: str) -> Body | None:
        row = await self._database.fetch_row(_FIND, message_id, 2**31 - 1)
        if row is None:
            return None
        parked_at = instant(row["parked_at"]) or ""
        return Body(row["queue"], row["body"], row["sender"], row["whole"], parked_at, row["outcome"])

    async def count(self) -> int:
        """Of those that wait for somebody to do something."""
        row = await self._database.fetch_row(_COUNT)
        return 0 if row is None else int(row["parked"])


def _values(row: Row) -> dict[str, Any]:
    return {
        "message_id": row["message_id"],
        "status": row["outcome"] or "waiting",
        "queue": row["queue"],
        "kind": row["kind"],
        "of_tenant": row["of_tenant"],
        "sender": row["sender"] or None,
        "reason": row["reason"],
        "attempts": row["attempts"],
        "times": row["times"],
        "retryable": row["whole"] and row["outcome"] is None,
        "size": row["size"],
        "first_parked_at": instant(row["first_parked_at"]) or "",
        "parked_at": instant(row["parked_at"]) or "",
        "settled_at": instant(row["settled_at"]),
        "settled_by": row["settled_by"],
    }
