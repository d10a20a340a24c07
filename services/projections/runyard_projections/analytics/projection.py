"""The projection `analytics`, as projector and rebuild drive it."""

from collections.abc import Sequence

from runyard_shared.contracts.feed import Recorded
from runyard_shared.eventstore.mapper import EventMapper

from runyard_projections.analytics import archived
from runyard_projections.analytics.changes import Changes
from runyard_projections.analytics.fold import fold
from runyard_projections.analytics.tables import TABLES
from runyard_projections.analytics.write import write
from runyard_projections.projection import Connection


class Analytics:
    """See `fold.py` for what each event does, `settle.py` for what is counted."""

    name = "analytics"
    tables = TABLES

    def __init__(self, mapper: EventMapper) -> None:
        self._mapper = mapper

    def fold(self, events: Sequence[Recorded]) -> Changes:
        return fold(events, self._mapper)

    async def write(self, connection: Connection, changes: Changes, schema: str) -> None:
        await write(connection, changes, schema)

    async def begin(self, connection: Connection, schema: str) -> None:
        """What a rebuild begins with: the figures of what has left the log."""
        await archived.restore(connection, schema)
