"""The one secret of the service, and the keys made of it: one encrypts the URLs of channels, one signs links."""

from collections.abc import Sequence
from os import urandom

import asyncpg
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from runyard_shared.eventstore.outage import outages_as_unavailable


class Secret:
    """`values`: the one in use first, then those that older data may have been protected with."""

    def __init__(self, values: Sequence[bytes]) -> None:
        self._values = tuple(values)

    def keys(self, purpose: str) -> list[bytes]:
        """32 bytes of each value; those of one purpose say nothing about those of another."""
        return [HKDF(SHA256(), 32, salt=None, info=f"runyard {purpose}".encode()).derive(value) for value in self._values]


async def load_secret(pool: "asyncpg.Pool[asyncpg.Record]", given: str | None) -> Secret:
    """The secret that was set; else the one in the database, made now if there is none."""
    with outages_as_unavailable():
        if given is None:
            await pool.execute("insert into approvals.secret values ($1) on conflict do nothing", urandom(32))
        kept = await pool.fetchval("select secret from approvals.secret")
    return Secret([value for value in (given.encode() if given else None, kept) if value is not None])
