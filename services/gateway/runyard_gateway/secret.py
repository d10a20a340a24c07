"""The one secret of the gateway, and the keys made of it: one encrypts the secrets of webhooks, one tells requests apart."""

from collections.abc import Sequence
from os import urandom
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from runyard_gateway.database import Database

_MAKE = "insert into gateway.secret (secret) values ($1) on conflict do nothing"
_FIND = "select secret from gateway.secret"
SHORTEST: Final = 32
"""Characters of a secret."""


class Secret:
    """The one that was set, else one in the database, made with its first use. All gateways need the same."""

    def __init__(self, database: Database, given: SecretStr | None) -> None:
        self._database = database
        self._given = given
        self._values: Sequence[bytes] = ()

    async def keys(self, purpose: str) -> list[bytes]:
        """32 bytes for each value, the one in use first, then that which older data may have been protected with; those of one
        purpose say nothing about those of another. Raises `Unavailable`."""
        if not self._values:
            self._values = await self._load()
        return [
            HKDF(SHA256(), 32, salt=None, info=f"runyard gateway {purpose}".encode()).derive(value) for value in self._values
        ]

    async def _load(self) -> list[bytes]:
        if self._given is None:
            await self._database.fetch(_MAKE, urandom(32))
        row = await self._database.fetch_row(_FIND)
        values = [] if self._given is None else values_of(self._given.get_secret_value())
        return values if row is None else [*values, row["secret"]]


def values_of(given: str) -> list[bytes]:
    """During a rotation there are several, the newest first, with commas between them. What is too short to be one is part of a
    secret with a comma in it; that there is one cannot be ruled out in any case."""
    parts = [part.strip() for part in given.split(",")]
    several = len(parts) > 1 and all(len(part) >= SHORTEST for part in parts)
    return [value.encode() for value in (*parts, given)] if several else [given.encode()]
