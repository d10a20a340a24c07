"""Re-sealing every secret for the first master key, so that the others can be taken away. The dispatcher may lead meanwhile.

A row is written only if it still holds the box that was re-sealed; the dispatcher writes a row only when its secret is given
anew, and then for the first key. So neither undoes what the other did, and what the dispatcher has in memory stays readable to
it. Broken off, it is simply run again.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runyard_shared.errors import Conflict, Refusal
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
    """`unreadable`: secrets, as `tenant/connection: name`, that none of the keys opens."""

    resealed: int
    current: int
    unreadable: tuple[str, ...]


async def rotate_master_key(database: "asyncpg.Connection[asyncpg.Record]", vault: Vault) -> Rotated:
    """Raises `Refusal` without a key, or while the dispatcher that leads does not have the first key first."""
    if vault.public_key is None:
        raise Refusal("no_master_key", "set RUNYARD_MASTER_KEYS to the new key, a comma and the old one")
    leading = await database.fetchval("select public_key from dispatcher.sealing_key")
    if leading is not None and leading != vault.public_key:
        raise Conflict(
            "other_master_key",
            "the dispatcher still seals for another key: restart every dispatcher with the same RUNYARD_MASTER_KEYS as here "
            "(the new key, a comma and the old one), then run this again",
        )
    resealed = current = 0
    unreadable = []
    for connection_id, tenant_id, connection, name, box in await database.fetch(_BOXES):
        try:
            new = vault.resealed(box)
        except CannotOpen:
            unreadable.append(f"{tenant_id}/{connection}: {name}")
            continue
        if new is None:
            current += 1
        else:
            await database.execute(_SAVE, connection_id, name, box, new)
            resealed += 1
    return Rotated(resealed, current, tuple(unreadable))
