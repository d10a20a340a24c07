"""Connections, from the dispatcher's views: what they are, and the key that secrets are sealed for. No secret is in either."""

import msgspec

from runyard_gateway.answers import ConnectionRow, ConnectionTest
from runyard_gateway.database import Database, Row
from runyard_gateway.queries.columns import instant, raw_json

_COLUMNS = (
    "connection_id::text as connection_id, name, kind, config::text as config, secrets, pools, enabled, description,"
    " created_at, updated_at, tested::text as tested"
)
_PAGE = (
    f"select {_COLUMNS} from read.connection where tenant_id = $1 and name > $2"  # noqa: S608
    " and ($3::text is null or kind = $3) order by name limit $4"
)
_ONE = f"select {_COLUMNS} from read.connection where tenant_id = $1 and connection_id = $2::uuid"  # noqa: S608
_SEALING_KEY = "select public_key from read.sealing_key"

_decode_test = msgspec.json.Decoder(ConnectionTest).decode


class ConnectionQueries:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, tenant_id: str, after_name: str, kind: str | None, limit: int) -> list[ConnectionRow]:
        """By name."""
        return [_connection(row) for row in await self._database.fetch(_PAGE, tenant_id, after_name, kind, limit)]

    async def connection(self, tenant_id: str, connection_id: str) -> ConnectionRow | None:
        row = await self._database.fetch_row(_ONE, tenant_id, connection_id)
        return None if row is None else _connection(row)

    async def sealing_key(self) -> bytes | None:
        """The public key of the dispatcher; None if it has no master key."""
        row = await self._database.fetch_row(_SEALING_KEY)
        return None if row is None else bytes(row["public_key"])


def _connection(row: Row) -> ConnectionRow:
    return ConnectionRow(
        connection_id=row["connection_id"],
        name=row["name"],
        kind=row["kind"],
        config=raw_json(row["config"]),
        secrets=list(row["secrets"]),
        pools=list(row["pools"]),
        enabled=row["enabled"],
        description=row["description"],
        created_at=instant(row["created_at"]) or "",
        updated_at=instant(row["updated_at"]) or "",
        tested=None if row["tested"] is None else _decode_test(row["tested"]),
    )
