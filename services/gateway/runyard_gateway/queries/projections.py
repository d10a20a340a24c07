"""How far the read models are behind the log, and what is done about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from runyard_gateway.database import Database, Row

_PROJECTIONS: Final = """
    select p.name, p.position, p.as_of, p.updated_at, p.trouble, now() as asked_at, greatest(p.head, log.head) as head,
        case when p.position < log.head then (
            select e.recorded_at from read.event e where e.position > p.position order by e.position limit 1
        ) end as next_at
    from read.projection p
    left join (select e.position as head from read.event e order by e.position desc limit 1) log on true
    order by p.name
"""
_UPKEEP: Final = """
    select kind, name, position, head, started_by, started_at, updated_at, finished_at, failure, differences::text,
        now() as asked_at
    from read.projection_upkeep
"""
_RETENTION: Final = """
    select r.history_months, r.output_days, r.audit_months, r.changed_at, r.changed_by,
        (select days from read.output_default) as default_output_days
    from (select $1::text as tenant_id) t left join read.retention r using (tenant_id)
"""
_ARCHIVED_AUDIT: Final = """
    select month, sum(entries)::bigint as entries, max(archived_at) as archived_at
    from gateway.archived_audit where tenant_id = $1 group by month order by month desc
"""
_ARCHIVED: Final = """
    select month, sum(events)::bigint as events, min(first_position) as first_position, max(last_position) as last_position,
        max(archived_at) as archived_at
    from read.archived_month where tenant_id = $1 group by month order by month desc
"""
_EXPIRED: Final = "select month, reason, looked_at from read.expired_month where tenant_id = $1 order by month"


@dataclass(frozen=True, slots=True)
class Lag:
    """One read model against the log. `next_at`: the time of the oldest event that is not in it; None if there is none."""

    name: str
    position: int
    head: int
    next_at: datetime | None
    as_of: datetime | None
    updated_at: datetime
    asked_at: datetime
    trouble: str | None

    @property
    def events(self) -> int:
        return max(0, self.head - self.position)

    @property
    def seconds(self) -> float:
        """How old the oldest event is that it lacks."""
        return 0.0 if self.next_at is None else max(0.0, (self.asked_at - self.next_at).total_seconds())

    @property
    def silent_seconds(self) -> float:
        """Since the last sign of life of whoever keeps it up to date."""
        return max(0.0, (self.asked_at - self.updated_at).total_seconds())


class ProjectionQueries:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def lags(self) -> list[Lag]:
        """By name."""
        return [Lag(**dict(row)) for row in await self._database.fetch(_PROJECTIONS)]

    async def upkeep(self) -> dict[tuple[str, str], Row]:
        """By kind (rebuild, check) and name."""
        return {(row["kind"], row["name"]): row for row in await self._database.fetch(_UPKEEP)}


class RetentionQueries:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, tenant_id: str) -> Row | None:
        """What was set is null where nothing was."""
        return await self._database.fetch_row(_RETENTION, tenant_id)

    async def archived(self, tenant_id: str) -> Sequence[Row]:
        """Newest month first."""
        return await self._database.fetch(_ARCHIVED, tenant_id)

    async def archived_audit(self, tenant_id: str) -> Sequence[Row]:
        """Newest month first."""
        return await self._database.fetch(_ARCHIVED_AUDIT, tenant_id)

    async def expired(self, tenant_id: str) -> Sequence[Row]:
        """Months whose time is over, oldest first, and what they wait for."""
        return await self._database.fetch(_EXPIRED, tenant_id)


def month_text(month: date) -> str:
    return f"{month:%Y-%m}"


def is_under_way(row: Row | None, patience_seconds: float) -> bool:
    """Whether a rebuild or check works: it has no end yet, and gave a sign of life."""
    if row is None or row["finished_at"] is not None:
        return False
    silent: Any = (row["asked_at"] - row["updated_at"]).total_seconds()
    return bool(silent < patience_seconds)
