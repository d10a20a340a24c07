"""Months of a tenant's audit log: into files, then out of the database, by whole partitions.

The log is the gateway's, so what takes it away are functions of its schema. As with history, a death at any moment leaves the
month in the database, or all of it in the archive.
"""

# ruff: noqa: S608 - the schemas are names of our own; every value is a parameter

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Final

import asyncpg
from runyard_shared.clock import Clock, rfc3339

from runyard_projections.archive.files import AUDIT, ArchiveFiles, AuditEntry, AuditManifest, written
from runyard_projections.archive.forgetting import NotYet
from runyard_projections.archive.month import Month
from runyard_projections.projection import AUDIT_LOG, Connection
from runyard_projections.quiet_moment import InUse, in_a_quiet_moment

_BATCH: Final = 2000
_FIRST_ID: Final = "00000000-0000-0000-0000-000000000000"


async def months_of_audit(connection: Connection, tenant_id: str, keep_since: datetime) -> list[Month]:
    """Those that were over at that time and have entries of the tenant, oldest first; one look into the index for each."""
    months, after, until = [], _FIRST_ID, Month.of(keep_since).first_id
    while (found := await connection.fetchval(_NEXT, tenant_id, after, until)) is not None:
        month = Month.of_id(found)
        months.append(month)
        after = month.next_first_id
    return months


async def copy_audit(
    pool: "asyncpg.Pool[asyncpg.Record]", files: ArchiveFiles, clock: Clock, tenant_id: str, month: Month
) -> AuditManifest:
    """The archive is there when it returns."""
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        part = await connection.fetchval(_PART, tenant_id, month.date)
        bounds = (tenant_id, month.first_id, month.next_first_id)
        manifest = AuditManifest(
            tenant_id=tenant_id,
            month=str(month),
            part=part,
            entries=await written(
                files.writer(tenant_id, AuditManifest.stem_of(month, part), AUDIT), _entries(connection, bounds)
            ),
            written_at=rfc3339(clock.now()),
        )
        await files.publish(manifest)
    return manifest


async def forget_audit(pool: "asyncpg.Pool[asyncpg.Record]", month: Month, manifests: Sequence[AuditManifest]) -> None:
    """The month's entries of these tenants, whose archives are there, are gone when it returns. Raises `NotYet`."""
    tenants = [manifest.tenant_id for manifest in manifests]
    parts = [manifest.part for manifest in manifests]
    entries = [manifest.entries.rows for manifest in manifests]
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(f"select {AUDIT_LOG}.set_audit_aside($1, $2)", month.date, tenants)

        async def exchange() -> None:
            if not await connection.fetchval(
                f"select {AUDIT_LOG}.forget_audit($1, $2, $3, $4)", month.date, tenants, parts, entries
            ):
                raise NotYet("a command was added to its audit log a moment ago")

        try:
            await in_a_quiet_moment(connection, exchange)
        except InUse as in_use:
            raise NotYet(str(in_use)) from None


async def _entries(connection: Connection, bounds: tuple[str, str, str]) -> AsyncIterator[list[AuditEntry]]:
    cursor = await connection.cursor(_ENTRIES, *bounds)
    while rows := await cursor.fetch(_BATCH):
        yield [AuditEntry(**row) for row in rows]


_NEXT: Final = f"select audit_id::text from {AUDIT_LOG}.audit_of($1, $2, $3) order by audit_id limit 1"
_PART: Final = f"select coalesce(max(part), 0) + 1 from {AUDIT_LOG}.archived_audit where tenant_id = $1 and month = $2"
_ENTRIES: Final = f"""
    select audit_id::text, tenant_id, actor, credential_type, credential_id, source, operation, target, outcome, status, code,
        started_at, duration_ms
    from {AUDIT_LOG}.audit_of($1, $2, $3) order by audit_id
"""
