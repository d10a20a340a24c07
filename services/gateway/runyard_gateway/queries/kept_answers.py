"""Requests with an Idempotency-Key: under way or answered, in the gateway's own table `gateway.kept_answer`."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import msgspec

from runyard_gateway.database import Database
from runyard_gateway.http.answer import Headers

KEEP_HOURS = 24

_TAKE = f"""
    insert into gateway.kept_answer as k (tenant_id, actor, key, fingerprint, holder, held_until, created_at)
    values ($1, $2, $3, $4, $5::uuid, clock_timestamp() + make_interval(secs => $6), clock_timestamp())
    on conflict (tenant_id, actor, key) do update set
        fingerprint = excluded.fingerprint, holder = excluded.holder, held_until = excluded.held_until,
        created_at = case when k.created_at < {(old := f"clock_timestamp() - interval '{KEEP_HOURS} hours'")}
            then excluded.created_at else k.created_at end,
        status = null, headers = null, body = null
    where k.created_at < {old}
        or k.status is null and k.held_until < clock_timestamp() and k.fingerprint = any($7::bytea[])
    returning created_at
"""  # noqa: S608
_FIND = "select fingerprint, status, headers, body from gateway.kept_answer where tenant_id = $1 and actor = $2 and key = $3"
_HOLD = """
    update gateway.kept_answer set held_until = clock_timestamp() + make_interval(secs => $5)
    where tenant_id = $1 and actor = $2 and key = $3 and holder = $4::uuid and status is null
"""
_KEEP = """
    update gateway.kept_answer set status = $5, headers = $6::json, body = $7
    where tenant_id = $1 and actor = $2 and key = $3 and holder = $4::uuid and status is null
"""


class Asked(NamedTuple):
    """Who asked with which key."""

    tenant_id: str
    actor: str
    key: str


@dataclass(frozen=True)
class KeptAnswer:
    """`status` None: it is under way. `body` None: the answer held a secret."""

    fingerprint: bytes
    status: int | None
    headers: Headers
    body: bytes | None


class KeptAnswerQueries:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, asked: Asked, fingerprints: list[bytes], holder: str, seconds: float) -> datetime | None:
        """Since when it is asked for, to whoever may carry it out: nobody did yet, or who did is gone. None to all others."""
        row = await self._database.fetch_row(_TAKE, *asked, fingerprints[0], holder, seconds, fingerprints)
        return None if row is None else row["created_at"]

    async def find(self, asked: Asked) -> KeptAnswer | None:
        row = await self._database.fetch_row(_FIND, *asked)
        if row is None:
            return None
        pairs = [] if row["headers"] is None else msgspec.json.decode(row["headers"], type=list[tuple[str, str]])
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]
        return KeptAnswer(row["fingerprint"], row["status"], headers, row["body"])

    async def hold(self, asked: Asked, holder: str, seconds: float) -> None:
        """It is still under way; for 0 seconds: not any more, and whoever asks next carries it out."""
        await self._database.fetch(_HOLD, *asked, holder, seconds)

    async def keep(self, asked: Asked, holder: str, status: int, headers: Headers, body: bytes | None) -> None:
        pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
        await self._database.fetch(_KEEP, *asked, holder, status, msgspec.json.encode(pairs).decode(), body)
