"""The one secret of the service, and the keys made of it: one encrypts the URLs of channels, one signs links."""

from collections.abc import Sequence
from os import urandom
from typing import Final

import asyncpg
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from runyard_shared.eventstore.outage import outages_as_unavailable

SHORTEST: Final = 32
"""Characters of a secret."""


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
    return Secret([*(values_of(given) if given else ()), *([kept] if kept is not None else ())])


def values_of(given: str) -> list[bytes]:
    """During a rotation there are several, the newest first, with commas between them. What is too short to be one is part of a
    secret with a comma in it; that there is one cannot be ruled out in any case."""
    parts = [part.strip() for part in given.split(",")]
    several = len(parts) > 1 and all(len(part) >= SHORTEST for part in parts)
    return [value.encode() for value in (*parts, given)] if several else [given.encode()]
