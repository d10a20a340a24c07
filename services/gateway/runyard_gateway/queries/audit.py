"""The audit log, in the gateway's own tables `gateway.audit` and `gateway.audit_open`."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from runyard_gateway.answers import AuditRow
from runyard_gateway.database import Database, Row
from runyard_gateway.queries.columns import instant

_COLUMNS = (
    "audit_id, tenant_id, actor, credential_type, credential_id, source, operation, target, outcome, status, code, started_at,"
    " duration_ms"
)
_WRITE = (
    "with began as (insert into gateway.audit_open (batch_id, begun_at, commands)"  # noqa: S608
    " select $1::uuid, now(), $2::json where $1::uuid is not null on conflict do nothing),"
    " over as (delete from gateway.audit_open where batch_id = any($3::uuid[]))"
    f" insert into gateway.audit ({_COLUMNS})"
    " select * from unnest($4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[],"
    " $12::text[], $13::integer[], $14::text[], $15::timestamptz[], $16::integer[]) on conflict do nothing"
)
_SWEEP = (
    "with lost as (delete from gateway.audit_open where begun_at < now() - make_interval(secs => $1) returning commands)"  # noqa: S608
    f" insert into gateway.audit ({_COLUMNS})"
    " select c.audit_id, c.tenant_id, c.actor, c.credential_type, c.credential_id, c.source, c.operation, c.target, 'unknown',"
    " null, null, c.started_at, null from lost, json_to_recordset(lost.commands) as c(audit_id uuid, tenant_id text,"
    " actor text, credential_type text, credential_id text, source text, operation text, target text, started_at timestamptz)"
    " on conflict do nothing returning audit_id"
)
_MAKE_PARTITIONS = "select gateway.create_audit_partitions(2)"
_PAGE = (
    "select audit_id::text as audit_id, actor, credential_type, credential_id, source, operation, target, outcome, status,"
    " code, started_at, duration_ms from gateway.audit where tenant_id = $1 and audit_id < $2::uuid"
    " {filters} order by audit_id desc limit $3"
)
LOST_AFTER_SECONDS = 600.0
"""No command takes so long: whoever carried it out is dead."""


class Entry(NamedTuple):
    """A row of the table: one command."""

    audit_id: str
    tenant_id: str
    actor: str
    credential_type: str
    credential_id: str | None
    source: str
    operation: str
    target: str | None
    outcome: str
    status: int | None
    code: str | None
    started_at: datetime
    duration_ms: int | None


class Flush(NamedTuple):
    """What is written in one statement: a list of commands that began (JSON) under an id or none, lists that are over, and
    commands that are. To write it again changes nothing."""

    batch_id: str | None
    began: str | None
    over: Sequence[str]
    entries: Sequence[Entry]


class AuditKey(NamedTuple):
    """Where a page ended."""

    audit_id: UUID


NEWEST = AuditKey(UUID(int=2**128 - 1))


class AuditFilter(NamedTuple):
    actor: str | None
    operation: str | None
    outcome: str | None
    from_: datetime | None
    to: datetime | None


class AuditQueries:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def write(self, flush: Flush) -> None:
        columns = list(zip(*flush.entries, strict=True)) or [()] * len(Entry._fields)
        await self._database.fetch(_WRITE, flush.batch_id, flush.began, list(flush.over), *map(list, columns))

    async def sweep(self) -> int:
        """Gives an outcome to what dead gateways left, and makes the partitions of the coming months; returns how many."""
        await self._database.fetch(_MAKE_PARTITIONS)
        return len(await self._database.fetch(_SWEEP, LOST_AFTER_SECONDS))

    async def page(self, tenant_id: str, chosen: AuditFilter, before: AuditKey, limit: int) -> list[AuditRow]:
        """Newest first."""
        filters, arguments = "", [tenant_id, before.audit_id, limit]
        for column, value in (("actor", chosen.actor), ("operation", chosen.operation), ("outcome", chosen.outcome)):
            if value is not None:
                arguments.append(value)
                filters += f" and {column} = ${len(arguments)}"
        # ids begin with their time, and the index and the partitions go by id
        for sign, at in ((">=", chosen.from_), ("<", chosen.to)):
            if at is not None:
                arguments.append(_first_id_at(at))
                filters += f" and audit_id {sign} ${len(arguments)}::uuid"
        return [_row(row) for row in await self._database.fetch(_PAGE.format(filters=filters), *arguments)]


def _first_id_at(at: datetime) -> UUID:
    """The smallest UUIDv7 of an instant."""
    return UUID(int=max(0, int(at.timestamp() * 1000)) << 80)


def _row(row: Row) -> AuditRow:
    return AuditRow(
        audit_id=row["audit_id"],
        actor=row["actor"],
        credential_type=row["credential_type"],
        credential_id=row["credential_id"],
        source=row["source"],
        operation=row["operation"],
        target=row["target"],
        outcome=row["outcome"],
        status=row["status"],
        code=row["code"],
        started_at=instant(row["started_at"]) or "",
        duration_ms=row["duration_ms"],
    )
