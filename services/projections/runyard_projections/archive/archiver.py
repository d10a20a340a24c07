"""Looks every hour for months whose time is over, archives them and has them forgotten. One process does it at a time.

A month of a tenant is over when the retention has passed since its end and since the last event of anything that began in it.
Months go in their order: one that has to wait holds up the later ones of its tenant, and says why.
"""

# ruff: noqa: S608 - the schemas are names of our own; every value is a parameter

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import asyncpg
import structlog
from runyard_shared.clock import Clock
from runyard_shared.errors import Conflict, RunyardError
from runyard_shared.eventstore.mapper import EventMapper
from runyard_shared.eventstore.outage import is_outage

from runyard_projections.archive.copying import copy
from runyard_projections.archive.files import ArchiveFiles, Manifest
from runyard_projections.archive.forgetting import NotYet, forget
from runyard_projections.archive.month import Month
from runyard_projections.projection import LIVE, LOG, Connection

_log = structlog.get_logger(__name__)

TURN_SECONDS: Final = 3600.0
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
        self._task: asyncio.Task[None] | None = None
        self._trouble: str | None = None

    @property
    def trouble(self) -> str | None:
        """Why old history is not archived, in words; None when it is, or when none is to be."""
        return self._trouble

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="archiver")

    async def stop(self) -> None:
        """What is under way is given up: as if it had not begun, but for files, which the next turn replaces."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def turn(self, tell: Callable[[str], None] = lambda line: None) -> list[Manifest]:
        """Archive what is due; returns what was archived. Raises `Conflict` if another process is at it."""
        if self._files is None:
            raise Conflict("no_archive_directory", "there is no place for archives: set RUNYARD_ARCHIVE_DIR")
        done: list[Manifest] = []
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
            _log.info("archived", tenant=manifest.tenant_id, month=str(month), events=manifest.events.rows)
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

    async def _run(self) -> None:
        while True:
            try:
                if self._files is not None:
                    await self.turn()
                self._trouble = None
                await asyncio.sleep(TURN_SECONDS)
            except Conflict:
                await asyncio.sleep(RETRY_SECONDS)
            except asyncpg.UndefinedTableError:  # the orchestrator has not made its log yet
                await asyncio.sleep(RETRY_SECONDS)
            except Exception as error:  # noqa: BLE001 - nothing is lost, it is tried again and the health says it
                trouble = f"old history cannot be archived: {error or type(error).__name__}"
                if trouble != self._trouble:
                    expected = is_outage(error) or isinstance(error, RunyardError)
                    _log.warning("trouble", trouble=trouble, exc_info=None if expected else error)
                self._trouble = trouble
                await asyncio.sleep(RETRY_SECONDS)


_WISHES: Final = f"""
    select tenant_id, history_months, $1::timestamptz - make_interval(months => history_months) as since
    from {LIVE}.retention where history_months is not null order by tenant_id
"""
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
