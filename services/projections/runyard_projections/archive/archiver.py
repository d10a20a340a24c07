"""Looks every hour for months whose time is over, archives them and has them forgotten. One process does it at a time.

A month of a tenant is over when the retention has passed since its end and since the last event of anything that began in it.
Months go in their order: one that has to wait holds up the later ones of its tenant, and says why. A month of a tenant's audit
log is over when the retention of that has passed since its end.
"""

# ruff: noqa: S608 - the schemas are names of our own; every value is a parameter

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import asyncpg
import structlog
from runyard_shared.clock import Clock
from runyard_shared.errors import Conflict
from runyard_shared.eventstore.mapper import EventMapper

from runyard_projections.archive.audit import copy_audit, forget_audit, months_of_audit
from runyard_projections.archive.copying import copy
from runyard_projections.archive.files import AnyManifest, ArchiveFiles, AuditManifest, Manifest
from runyard_projections.archive.forgetting import NotYet, forget
from runyard_projections.archive.month import Month
from runyard_projections.projection import AUDIT_LOG, LIVE, LOG, Connection
from runyard_projections.rounds import Rounds

_log = structlog.get_logger(__name__)

RETRY_SECONDS: Final = 60.0
_LOCK: Final = 7_235_419_021


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a tenant wants kept: events since `since`."""

    tenant_id: str
    months: int
    since: datetime

    @property
    def first_kept(self) -> Month:
        return Month.of(self.since)


class Archiver:
    """`directory`: None if nothing is to be archived."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", clock: Clock, mapper: EventMapper, directory: Path | None) -> None:
        self._pool = pool
        self._clock = clock
        self._mapper = mapper
        self._files = None if directory is None else ArchiveFiles(directory)
        self.rounds = Rounds(
            "archiver",
            self._round,
            failing="old history cannot be archived",
            not_now=(Conflict, asyncpg.UndefinedTableError),  # the latter: the orchestrator has not made its log yet
            retry_seconds=RETRY_SECONDS,
        )

    async def turn(self, tell: Callable[[str], None] = lambda line: None) -> list[AnyManifest]:
        """Archive what is due; returns what was archived. Raises `Conflict` if another process is at it, `NotYet` if a month of
        an audit log could not leave it."""
        if self._files is None:
            raise Conflict("no_archive_directory", "there is no place for archives: set RUNYARD_ARCHIVE_DIR")
        done: list[AnyManifest] = []
        async with self._alone() as connection:
            began_at = await connection.fetchval("select now()")
            wishes = await self._wishes(connection)
            waiting: set[str] = set()
            for month in await self._months(connection, wishes):
                due = [wish for wish in wishes if wish.tenant_id not in waiting and month.later(1) <= wish.first_kept]
                manifests = []
                for wish in due:
                    if await connection.fetchval(_IS_DONE, wish.tenant_id, month.date):
                        continue
                    reason = await self._reason_to_wait(connection, wish, month)
                    if reason is not None:
                        waiting.add(wish.tenant_id)
                        await self._waits(connection, wish.tenant_id, month, reason, tell)
                    elif (manifest := await copy(self._pool, self._files, self._clock, wish.tenant_id, month)) is not None:
                        manifests.append(manifest)
                    else:
                        await connection.execute(_NOTHING, wish.tenant_id, month.date)
                done += await self._forget(connection, month, manifests, waiting, tell)
            await connection.execute(_WAIT_NO_MORE, began_at)
            done += await self._archive_audit(connection, self._files, tell)
        return done

    async def _archive_audit(
        self, connection: Connection, files: ArchiveFiles, tell: Callable[[str], None]
    ) -> list[AuditManifest]:
        """Raises `NotYet` when all is done but months that cannot leave the audit log now."""
        if not await connection.fetchval(_HAS_AUDIT):
            return []
        due: dict[Month, list[str]] = {}
        for row in await connection.fetch(_AUDIT_WISHES, self._clock.now()):
            for month in await months_of_audit(connection, row["tenant_id"], row["since"]):
                due.setdefault(month, []).append(row["tenant_id"])
        done = []
        waiting: list[str] = []
        for month in sorted(due):
            manifests = [await copy_audit(self._pool, files, self._clock, tenant_id, month) for tenant_id in due[month]]
            try:
                await forget_audit(self._pool, month, manifests)
            except NotYet as not_yet:
                waiting.append(f"the audit log of {month} waits: {not_yet}")
                continue
            for manifest in manifests:
                _log.info("archived audit log", tenant_id=manifest.tenant_id, month=str(month), entries=manifest.entries.rows)
                tell(f"{manifest.tenant_id} {month}: {manifest.entries.rows:,} commands of the audit log archived")
            done += manifests
        if waiting:
            raise NotYet("; ".join(waiting))
        return done

    async def _forget(
        self,
        connection: Connection,
        month: Month,
        manifests: list[Manifest],
        waiting: set[str],
        tell: Callable[[str], None],
    ) -> list[Manifest]:
        if not manifests or self._files is None:
            return []
        try:
            await forget(self._pool, self._files, self._mapper, month, manifests)
        except NotYet as not_yet:
            for manifest in manifests:
                waiting.add(manifest.tenant_id)
                await self._waits(connection, manifest.tenant_id, month, str(not_yet), tell)
            return []
        for manifest in manifests:
            _log.info("archived", tenant_id=manifest.tenant_id, month=str(month), events=manifest.events.rows)
            tell(f"{manifest.tenant_id} {month}: {manifest.executions:,} executions, {manifest.events.rows:,} events archived")
        return manifests

    async def _waits(
        self, connection: Connection, tenant_id: str, month: Month, reason: str, tell: Callable[[str], None]
    ) -> None:
        await connection.execute(_WAITS, tenant_id, month.date, reason)
        tell(f"{tenant_id} {month}: waits: {reason}")

    async def _reason_to_wait(self, connection: Connection, wish: _Wish, month: Month) -> str | None:
        bounds = (wish.tenant_id, month.first_id, month.next_first_id)
        active = await connection.fetchrow(_ACTIVE, *bounds)
        if active is not None:
            return f"execution {active['execution_id']} of {active['workflow_name']} has not ended"
        last: datetime | None = await connection.fetchval(_LAST, *bounds)
        if last is not None and last > wish.since:
            return f"its last event is of {last:%Y-%m-%d}, and history is kept for {wish.months} months"
        return None

    async def _wishes(self, connection: Connection) -> list[_Wish]:
        rows = await connection.fetch(_WISHES, self._clock.now())
        return [_Wish(row["tenant_id"], row["history_months"], row["since"]) for row in rows]

    async def _months(self, connection: Connection, wishes: list[_Wish]) -> list[Month]:
        """Months in which streams began, up to the last one that anybody wants archived; one look into the index for each."""
        if not wishes:
            return []
        last, months = max(wish.first_kept for wish in wishes), []
        after = "00000000-0000-0000-0000-000000000000"
        while (found := await connection.fetchval(_NEXT_STREAM, after, last.first_id)) is not None:
            month = Month.of_id(found)
            months.append(month)
            after = month.next_first_id
        return months

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[Connection]:
        async with self._pool.acquire() as connection:
            if not await connection.fetchval("select pg_try_advisory_lock($1)", _LOCK):
                raise Conflict("archiving_under_way", "another process is archiving; wait for it")
            try:
                yield connection
            finally:
                await connection.execute("select pg_advisory_unlock($1)", _LOCK)

    async def _round(self) -> None:
        if self._files is not None:
            await self.turn()


_WISHES: Final = f"""
    select tenant_id, history_months, $1::timestamptz - make_interval(months => history_months) as since
    from {LIVE}.retention where history_months is not null order by tenant_id
"""
_AUDIT_WISHES: Final = f"""
    select tenant_id, $1::timestamptz - make_interval(months => audit_months) as since
    from {LIVE}.retention where audit_months is not null order by tenant_id
"""
_HAS_AUDIT: Final = f"select to_regproc('{AUDIT_LOG}.forget_audit') is not null"
_NEXT_STREAM: Final = f"""
    select stream_id::text from {LOG}.event where stream_id >= $1::uuid and stream_id < $2::uuid order by stream_id limit 1
"""
_IS_DONE: Final = f"select exists (select from {LOG}.archived_month where tenant_id = $1 and month = $2)"
_NOTHING: Final = f"""
    insert into {LOG}.archived_month (tenant_id, month, part, events, first_position, last_position)
    values ($1, $2, 1, 0, 0, 0) on conflict do nothing
"""
_ACTIVE: Final = f"""
    select execution_id::text, workflow_name from {LIVE}.execution
    where tenant_id = $1 and execution_id >= $2 and execution_id < $3 and finished_at is null limit 1
"""
_LAST: Final = f"select max(recorded_at) from {LOG}.history_of($1, $2, $3)"
_WAITS: Final = f"""
    insert into {LIVE}.expired_month (tenant_id, month, reason) values ($1, $2, $3)
    on conflict (tenant_id, month) do update set reason = excluded.reason, looked_at = now()
"""
_WAIT_NO_MORE: Final = f"delete from {LIVE}.expired_month where looked_at < $1"
