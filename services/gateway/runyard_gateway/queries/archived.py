"""What of a tenant's history has left the log, from `read.archived_month`."""

from runyard_shared.errors import Refusal

from runyard_gateway.database import Database

_COMPLETE_AFTER = "select coalesce(max(last_position), 0) as position from read.archived_month where tenant_id = $1"
_IS_HERE = "select 1 from read.event where stream_id = $1::uuid and tenant_id = $2 limit 1"


class Archived(Refusal):
    """History after the position that was asked for has been archived."""

    def __init__(self, complete_after: int) -> None:
        detail = (
            f"Events after this position were archived and are no longer here; after {complete_after} all of them are. Go on"
            " from there, and take what was before it from the archive."
        )
        super().__init__("archived", detail, 410, extra={"completeAfter": complete_after})


class ArchivedQueries:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def require_whole(self, tenant_id: str, after: int, subject: str | None = None) -> None:
        """Raises `Archived` unless the log has all events of the tenant after this position, or those of the subject alone:
        what is archived is archived whole."""
        row = await self._database.fetch_row(_COMPLETE_AFTER, tenant_id)
        complete_after = int(row["position"]) if row else 0
        if after < complete_after and not (subject and await self._database.fetch_row(_IS_HERE, subject, tenant_id)):
            raise Archived(complete_after)
