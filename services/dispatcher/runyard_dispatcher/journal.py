"""What happens to agents, in the dispatcher's log: one stream for each agent.

The event is appended before the table is written. If we die between the two, the message that caused it comes again, and the
stream shows that its event is there already.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec
from runyard_shared.contracts.events import EVENT_TYPES, AgentRegistered
from runyard_shared.contracts.feed import Recorded
from runyard_shared.contracts.reports import ActionTypesAnnounced
from runyard_shared.errors import VersionConflict
from runyard_shared.eventstore.mapper import EventMapper
from runyard_shared.eventstore.store import Claim, ClaimTaken, EventStore
from runyard_shared.messaging.topology import orchestrator_inbox

from runyard_dispatcher.sessions import Happening

MAPPER: Final = EventMapper({topic: cls for topic, cls in EVENT_TYPES.items() if topic.startswith("agent.")})


_decode_registered = msgspec.json.Decoder(AgentRegistered).decode


def announcements(recorded: Recorded) -> Iterable[tuple[str, ActionTypesAnnounced]]:
    """The relay's route: the orchestrator learns which actions agents offer."""
    if recorded.topic != AgentRegistered.topic:
        return ()
    actions = _decode_registered(recorded.data).actions
    return ((orchestrator_inbox(recorded.stream_id), ActionTypesAnnounced(tenant_id=recorded.tenant_id, actions=actions)),)


@dataclass(frozen=True)
class AgentLog:
    store: EventStore

    async def record(self, happening: Happening, at: datetime) -> None:
        """Append the event, unless the stream ends with it. Sets the agent's `log_version` (and `agent_id`, if its name was
        given an id by a registration that was never written to the table)."""
        agent, event = happening.agent, happening.event
        while True:
            first = agent.log_version == 0
            claims = [Claim("agent", agent.name, {"agentId": agent.agent_id})] if first else []
            try:
                commit = await self.store.append(
                    agent.agent_id, agent.log_version, [event], tenant_id=agent.tenant_id, at=at, claims=claims
                )
            except ClaimTaken as taken:
                agent.agent_id = taken.existing["agentId"]
            except VersionConflict:
                pass
            else:
                agent.log_version = commit.version
                return
            rows = await self.store.load(agent.agent_id, agent.log_version)
            agent.log_version = rows[-1].version
            if MAPPER.decode(rows[-1]) == event:
                return
