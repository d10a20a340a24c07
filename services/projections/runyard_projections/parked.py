"""Messages nobody could handle: kept with what they say of themselves until somebody has them sent again, or drops them.

They come from a durable queue and may come twice. A message that is sent again and fails again is the row it was before, so
that `times` tells how often. What was done with a message is kept for a month, its body is not.

A secret that a message carries in the open is not kept. Such a message cannot be sent again; whoever sent it has heard that
nobody answered, and asks anew.
"""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, NamedTuple

import asyncpg
import msgspec
from runyard_shared.contracts.commands import SECRETS, SettleParkedMessage
from runyard_shared.contracts.jobs import Parked
from runyard_shared.errors import Conflict, NotFound
from runyard_shared.eventstore.outage import outages_as_unavailable
from runyard_shared.messaging.delivery import PARKED_BYTES

from runyard_projections.text import storable

HIDDEN: Final = "***"
KEPT_DAYS: Final = 30


class Told(NamedTuple):
    """What a body says of itself."""

    body: bytes
    kind: str
    of_tenant: str | None
    whole: bool


class ParkedKeeper:
    """Handles the items of `PARKED`, and the dead letters."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    async def keep(self, items: Sequence[Parked]) -> None:
        """Durable when it returns."""
        with outages_as_unavailable():
            await self._pool.executemany(_KEEP, [_row(item) for item in items])
            await self._pool.execute(_FORGET, KEPT_DAYS)

    async def settle(self, command: SettleParkedMessage, actor: str) -> dict[str, Any]:
        """Raises `NotFound`, and `Conflict` if something else was done with it."""
        with outages_as_unavailable():
            parked_at = datetime.fromisoformat(command.parked_at)
            await self._pool.execute(_SETTLE, command.message_id, parked_at, command.outcome, storable(actor))
            row = await self._pool.fetchrow(_FIND, command.message_id)
        if row is None:
            raise NotFound("parked_message_not_found", "there is no such parked message (any more)")
        if row["outcome"] not in (command.outcome, None):
            raise Conflict("parked_message_settled", f"it was {row['outcome']} already, by {row['settled_by']}")
        return {"outcome": row["outcome"]}


def told(body: bytes) -> Told:
    """A message may be one item, or the list of items that the broker gave up on."""
    try:
        decoded = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Told(body, "", None, whole=False)
    items = [item for item in (decoded if isinstance(decoded, list) else [decoded]) if isinstance(item, dict)]
    hidden = [name for item in items for name in _hide(item)]
    kinds = dict.fromkeys(_kind(item) for item in items)
    tenants = {item.get("tenantId") for item in items}
    tenant = tenants.pop() if len(tenants) == 1 else None
    return Told(
        msgspec.json.encode(decoded) if hidden else body,
        storable(", ".join(kinds))[:500],
        storable(tenant)[:500] if isinstance(tenant, str) else None,
        whole=not hidden and len(body) < PARKED_BYTES,
    )


def _kind(item: dict[str, Any]) -> str:
    command = item.get("command")
    kind = str(item.get("type", ""))
    return f"{kind}: {command.get('type', '')}" if isinstance(command, dict) else kind


def _hide(item: dict[str, Any]) -> list[str]:
    command = item.get("command")
    if not isinstance(command, dict):
        return []
    found = [name for name in SECRETS.get(str(command.get("type")), ()) if command.get(name) is not None]
    command.update(dict.fromkeys(found, HIDDEN))
    return found


def _row(item: Parked) -> tuple[object, ...]:
    says = told(item.body)
    return (
        _identity(item),
        item.queue,
        says.body,
        storable(item.reason),
        item.attempts,
        datetime.fromisoformat(item.parked_at),
        says.kind,
        says.of_tenant,
        storable(item.sender),
        says.whole,
    )


def _identity(parked: Parked) -> str:
    digest = sha256()
    for part in (parked.queue.encode(), parked.sender.encode(), parked.body):
        digest.update(len(part).to_bytes(8) + part)
    return digest.hexdigest()


_KEEP: Final = """
    insert into projections.parked_message as p
        (message_id, queue, body, reason, attempts, parked_at, first_parked_at, kind, of_tenant, sender, whole)
    values ($1, $2, $3, $4, $5, $6, $6, $7, $8, $9, $10)
    on conflict (message_id) do update set body = excluded.body, reason = excluded.reason,
        attempts = p.attempts + excluded.attempts, parked_at = excluded.parked_at, times = p.times + 1,
        outcome = null, settled_at = null, settled_by = null
    where excluded.parked_at > p.parked_at
"""
_SETTLE: Final = """
    update projections.parked_message set outcome = $3, settled_at = now(), settled_by = $4, body = ''
    where message_id = $1 and parked_at = $2 and outcome is null
"""
_FIND: Final = "select outcome, settled_by from projections.parked_message where message_id = $1"
_FORGET: Final = """
    delete from projections.parked_message where outcome is not null and settled_at < now() - make_interval(days => $1)
"""
