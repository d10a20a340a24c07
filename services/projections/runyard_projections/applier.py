"""Brings tables from one position to the next: rows and positions in one transaction, so every event counts exactly once.

The position is moved first, and only from where we believe it to be. So a second process that applies the same log, or a
rebuild that has just swapped the tables, makes us start over from what is stored instead of writing rows twice.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from runyard_shared.contracts.feed import Recorded
from runyard_shared.errors import RunyardError

from runyard_projections.projection import Connection, Projection, ProjectionBroken

_TUNING: Final = """
    set synchronous_commit = off;
    set plan_cache_mode = force_generic_plan;
    set enable_hashjoin = off;
    set enable_mergejoin = off;
    set enable_seqscan = off;
    set jit = off
"""
"""For the connection that applies. What a crash of PostgreSQL may take back is taken back together with the position, and is
applied again. Rows are found by their key in any state of the statistics: tables may grow from nothing while we write."""

_UNTUNING: Final = "; ".join(f"reset {line.split()[1]}" for line in _TUNING.split(";"))


class PositionMoved(RunyardError):
    """The stored position is not the one that was applied last: another process, or a rebuild, has moved it."""


class Applier:
    """Applies events to the tables of `schema`. One connection at a time."""

    def __init__(self, projections: Sequence[Projection], schema: str) -> None:
        self._projections = projections
        self._schema = schema
        self._positions: dict[str, int] = {}
        self.at_work: str | None = None
        """The projection whose fold or write is under way, or has just failed."""

    @property
    def position(self) -> int:
        """Events are needed after this one."""
        return min(self._positions.values())

    async def open(self, connection: Connection) -> int:
        """Readies the connection; returns the position after which events are needed."""
        await connection.execute(_TUNING)
        sql = f"select name, position from {self._schema}.position where name = any($1)"  # noqa: S608
        rows = await connection.fetch(sql, [projection.name for projection in self._projections])
        self._positions = {row["name"]: row["position"] for row in rows}
        if len(self._positions) != len(self._projections):
            raise ProjectionBroken(f"{self._schema}.position lacks some of {[p.name for p in self._projections]}")
        return self.position

    async def close(self, connection: Connection) -> None:
        """Undoes what `open` set: a pool may hand the connection to somebody whose commits must last."""
        if not connection.is_closed():
            await connection.execute(_UNTUNING)

    async def apply(self, connection: Connection, events: Sequence[Recorded], head: int) -> None:
        """Consecutive events, the first of them the next one after what was applied. Raises `PositionMoved`."""
        last = events[-1]
        behind = [p for p in self._projections if self._positions[p.name] < last.position]
        changes = [(p, self._fold(p, events)) for p in behind]
        names = [p.name for p in behind]
        self.at_work = None
        async with connection.transaction():
            await self._advance(connection, names, last.position, last.recorded_at, head)
            for projection, change in changes:
                self.at_work = projection.name
                await projection.write(connection, change, self._schema)
            self.at_work = None
        for name in names:
            self._positions[name] = last.position

    async def skip(self, connection: Connection, position: int) -> None:
        """There are no events up to `position` any more: they were archived. Raises `PositionMoved`."""
        names = [name for name, reached in self._positions.items() if reached < position]
        async with connection.transaction():
            await self._advance(connection, names, position, None, position)
        for name in names:
            self._positions[name] = position

    async def beat(self, connection: Connection, head: int) -> None:
        """Leaves a sign of life and how far the log has come."""
        sql = f"update {self._schema}.position set head = $2, updated_at = now(), trouble = null where name = any($1)"  # noqa: S608
        await connection.execute(sql, list(self._positions), head)

    async def _advance(
        self, connection: Connection, names: Sequence[str], position: int, as_of: datetime | None, head: int
    ) -> None:
        expected = [self._positions[name] for name in names]
        tag = await connection.execute(_ADVANCE.replace("{schema}", self._schema), names, expected, position, as_of, head)
        if tag != f"UPDATE {len(names)}":
            raise PositionMoved(f"the position of {', '.join(names)} is no longer {expected}")

    def _fold(self, projection: Projection, events: Sequence[Recorded]) -> Any:
        self.at_work = projection.name
        return projection.fold(self._news(projection, events))

    def _news(self, projection: Projection, events: Sequence[Recorded]) -> Sequence[Recorded]:
        position = self._positions[projection.name]
        return events if position < events[0].position else [event for event in events if event.position > position]


_ADVANCE: Final = """
    update {schema}.position p
    set position = $3, as_of = coalesce($4, p.as_of), head = $5, updated_at = now(), trouble = null
    from unnest($1::text[], $2::bigint[]) as expected(name, position)
    where p.name = expected.name and p.position = expected.position
"""
