"""Rebuilds and checks of read models, one at a time, with their progress where readers see it (`read.projection_upkeep`).

A process that dies in the middle leaves the live tables as they are, and a row that has no end and no sign of life any more.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

import asyncpg
import msgspec
from runyard_shared.errors import Conflict, FieldProblem, Invalid, RunyardError
from runyard_shared.eventstore.store import EventStore

from runyard_projections.checksum import Checked, check
from runyard_projections.projection import Projection
from runyard_projections.rebuild import REBUILD_LOCK, rebuild
from runyard_projections.text import storable

REBUILD: Final = "rebuild"
CHECK: Final = "check"
_TELL_SECONDS: Final = 1.0


class Progress:
    """Called with position and head by whoever does the work."""

    def __init__(self) -> None:
        self.position = 0
        self.head = 0

    def __call__(self, position: int, head: int) -> None:
        self.position, self.head = position, head


class Upkeep:
    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", store: EventStore, projections: Sequence[Projection]) -> None:
        self._pool = pool
        self._store = store
        self._projections = projections

    def chosen(self, names: Sequence[str]) -> list[Projection]:
        """Those of that name, all if none is named. Raises `Invalid` (`unknown_projection`), naming all that are unknown."""
        known = {projection.name: projection for projection in self._projections}
        unknown = tuple(
            FieldProblem(f"names[{number}]", f"there is no read model {name!r}; there are: {', '.join(known)}")
            for number, name in enumerate(names)
            if name not in known
        )
        if unknown:
            raise Invalid("unknown_projection", "; ".join(problem.message for problem in unknown), unknown)
        return [known[name] for name in dict.fromkeys(names)] if names else list(self._projections)

    async def must_be_free(self) -> None:
        """Raises `Conflict` while a rebuild, a check or an archiving is under way in any process."""
        if not await self._pool.fetchval("select pg_try_advisory_xact_lock($1)", REBUILD_LOCK):
            raise Conflict("rebuild_under_way", "a rebuild, a check or an archiving is under way; wait for it")

    async def rebuild(self, projections: Sequence[Projection], by: str, progress: Progress | None = None) -> int:
        """The position reached. Raises `Conflict`."""
        async with self._told(REBUILD, projections, by, progress or Progress()) as told:
            position = await rebuild(self._pool, self._store, projections, on_progress=told)
            told(position, position)
        return position

    async def check(self, projections: Sequence[Projection], by: str, progress: Progress | None = None) -> Checked:
        """Raises `Conflict`."""
        async with self._told(CHECK, projections, by, progress or Progress()) as told:
            checked = await check(self._pool, self._store, projections, on_progress=told)
            told(checked.position, checked.position)
            await self._write_differences(projections, checked)
        return checked

    async def _write_differences(self, projections: Sequence[Projection], checked: Checked) -> None:
        rows = [
            (each.name, msgspec.json.encode([d for d in checked.differences if d.table in each.tables]).decode())
            for each in projections
        ]
        await self._pool.executemany(_DIFFERENCES, rows)

    @asynccontextmanager
    async def _told(self, kind: str, projections: Sequence[Projection], by: str, progress: Progress) -> AsyncIterator[Progress]:
        """Writes down that it begins, how far it is every second, and how it ends."""
        await self.must_be_free()
        names = [projection.name for projection in projections]
        await self._pool.execute(_BEGIN, kind, names, storable(by))
        telling = asyncio.create_task(self._tell(kind, names, progress), name=f"progress of a {kind}")
        failure: str | None = "it was stopped"
        try:
            yield progress
            failure = None
        except Exception as error:
            failure = storable(str(error) or type(error).__name__)
            raise
        finally:
            telling.cancel()
            with suppress(asyncio.CancelledError):
                await telling
            await self._pool.execute(_END, kind, names, progress.position, progress.head, failure)

    async def _tell(self, kind: str, names: list[str], progress: Progress) -> None:
        while True:
            await asyncio.sleep(_TELL_SECONDS)
            with suppress(OSError, RunyardError, asyncpg.PostgresError, asyncpg.InterfaceError):  # whoever works says more
                await self._pool.execute(_PROGRESS, kind, names, progress.position, progress.head)


_BEGIN: Final = """
    insert into projections.upkeep (kind, name, started_by) select $1, unnest($2::text[]), $3
    on conflict (kind, name) do update set position = 0, head = 0, started_by = excluded.started_by, started_at = now(),
        updated_at = now(), finished_at = null, failure = null, differences = null
"""
_PROGRESS: Final = """
    update projections.upkeep set position = $3, head = $4, updated_at = now() where kind = $1 and name = any($2)
"""
_END: Final = """
    update projections.upkeep set position = $3, head = $4, failure = $5, updated_at = now(), finished_at = now()
    where kind = $1 and name = any($2)
"""
_DIFFERENCES: Final = "update projections.upkeep set differences = $2 where kind = 'check' and name = $1"
