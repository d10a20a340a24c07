"""Loading approvals: always from the log. They are short, and seldom asked; so nothing in memory can be out of date."""

from runyard_shared.eventstore.mapper import EventMapper
from runyard_shared.eventstore.store import EventStore

from runyard_approvals.approval.events import ApprovalOpened
from runyard_approvals.approval.evolve import begin, evolve
from runyard_approvals.approval.state import ApprovalState


class Approvals:
    def __init__(self, store: EventStore, mapper: EventMapper) -> None:
        self._store = store
        self._mapper = mapper

    async def load(self, approval_id: str) -> ApprovalState | None:
        """None if there is none."""
        state: ApprovalState | None = None
        for recorded in await self._store.load(approval_id):
            event = self._mapper.decode(recorded)
            if state is not None:
                state = evolve(state, event, recorded.recorded_at)
            elif isinstance(event, ApprovalOpened):
                state = begin(approval_id, recorded.tenant_id, event)
            else:
                raise TypeError(f"approval {approval_id} begins with {event.topic}, not with approval.opened")
        return state
