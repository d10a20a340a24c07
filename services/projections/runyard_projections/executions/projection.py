"""The projection `executions`, as projector and rebuild drive it."""

from collections.abc import Sequence

from runyard_shared.contracts.feed import Recorded
from runyard_shared.eventstore.mapper import EventMapper

from runyard_projections.executions.changes import Changes
from runyard_projections.executions.fold import fold
from runyard_projections.executions.write import write
from runyard_projections.projection import Connection


class Executions:
    """See `fold.py` for what each event does."""

    name = "executions"
    tables = ("execution", "job", "node", "iteration", "iteration_node", "foreach", "approval")

    def __init__(self, mapper: EventMapper) -> None:
        self._mapper = mapper

    def fold(self, events: Sequence[Recorded]) -> Changes:
        return fold(events, self._mapper)

    async def write(self, connection: Connection, changes: Changes, schema: str) -> None:
        await write(connection, changes, schema)
