"""Re-sealing every secret for the first master key, so that the others can be taken away. The dispatcher may lead meanwhile.

A row is written only if it still holds the box that was re-sealed; the dispatcher writes a row only when its secret is given
anew, and then for the first key. So neither undoes what the other did, and what the dispatcher has in memory stays readable to
it. Broken off, it is simply run again: what is sealed for the first key already is left as it is.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runyard_shared.contracts.commands import Reply, Request, RotateSecrets
from runyard_shared.errors import Conflict, Refusal
from runyard_shared.eventstore.outage import outages_as_unavailable
from runyard_shared.messaging.answers import problem_of
from runyard_shared.sealing import CannotOpen

from runyard_dispatcher.vault import Vault

if TYPE_CHECKING:
    import asyncpg

_BOXES = """
select s.connection_id, c.tenant_id, c.name as connection, s.name, s.box
from dispatcher.connection_secret s join dispatcher.connection c using (connection_id)
order by c.tenant_id, c.name, s.name
"""
_SAVE = "update dispatcher.connection_secret set box = $4 where connection_id = $1 and name = $2 and box = $3"


@dataclass(frozen=True)
class Rotated:
    """`remaining`: beyond what was to be done at once. `unreadable`: secrets, as `tenant/connection: name`, that none of the
    keys opens."""

    resealed: int
    current: int
    unreadable: tuple[str, ...]
    remaining: int = 0


class Rotation:
    """For requests: a part at a time, so that nobody else waits long."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", vault: Vault) -> None:
        self._pool = pool
        self._vault = vault

    async def answer(self, request: Request, command: RotateSecrets) -> Reply:
        """Raises `Unavailable`."""
        try:
            with outages_as_unavailable():
                async with self._pool.acquire() as connection:
                    rotated = await rotate_master_key(connection, self._vault, command.limit)
        except Refusal as refusal:
            return Reply(request_id=request.request_id, problem=problem_of(refusal))
        result = {
            "changed": rotated.resealed,
            "current": rotated.current,
            "remaining": rotated.remaining,
            "unreadable": list(rotated.unreadable),
        }
        return Reply(request_id=request.request_id, result=result)


async def rotate_master_key(
    database: "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]",
    vault: Vault,
    limit: int | None = None,
) -> Rotated:
    """At most `limit` secrets. Raises `Refusal` without a key, or while the dispatcher that leads does not have the first key
    first."""
    if vault.public_key is None:
        raise Refusal("no_master_key", "set RUNYARD_MASTER_KEYS to the new key, a comma and the old one")
    leading = await database.fetchval("select public_key from dispatcher.sealing_key")
    if leading is not None and leading != vault.public_key:
        raise Conflict(
            "other_master_key",
            "the dispatcher still seals for another key: restart every dispatcher with the same RUNYARD_MASTER_KEYS as here "
            "(the new key, a comma and the old one), then run this again",
        )
    resealed = current = remaining = 0
    unreadable = []
    for connection_id, tenant_id, connection, name, box in await database.fetch(_BOXES):
        if vault.is_current(box):
            current += 1
        elif limit is not None and resealed >= limit:
            remaining += 1
        else:
            try:
                await database.execute(_SAVE, connection_id, name, box, vault.resealed(box))
                resealed += 1
            except CannotOpen:
                unreadable.append(f"{tenant_id}/{connection}: {name}")
    return Rotated(resealed, current, tuple(unreadable), remaining)
