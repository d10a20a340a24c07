"""Figures outlive the events they were counted from.

When streams leave the log for the archive, the rollups stay as they are. What those streams have added to them is kept a second
time, in twins of the tables in a schema of its own, so that a rebuild, which cannot read them any more, begins with it.
"""

from collections.abc import Sequence
from typing import Final

from runyard_shared.contracts.feed import Recorded
from runyard_shared.eventstore.mapper import EventMapper

from runyard_projections.analytics.fold import fold
from runyard_projections.analytics.tables import TABLES
from runyard_projections.analytics.write import write
from runyard_projections.projection import Connection

ARCHIVED: Final = "projections_archived"
"""The schema of the twins."""


async def keep(connection: Connection, events: Sequence[Recorded], mapper: EventMapper) -> None:
    """Call it in the transaction that takes these events, whole streams in the order of the log, out of the log. What is said
    of an execution must be there together with what is said of its iterations."""
    await write(connection, fold(events, mapper), ARCHIVED)


async def restore(connection: Connection, schema: str) -> None:
    """Fill the empty tables of `schema`."""
    for table in TABLES:
        await connection.execute(f"insert into {schema}.{table} select * from {ARCHIVED}.{table}")  # noqa: S608
