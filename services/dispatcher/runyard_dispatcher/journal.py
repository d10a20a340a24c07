"""What happens to agents, pools and connections, in the dispatcher's log: one stream for each.

The event is appended before the table is written. If we die between the two, the message that caused it comes again, and the
stream shows that its event is there already.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from runyard_shared.contracts.events import EVENT_TYPES
from runyard_shared.errors import VersionConflict
from runyard_shared.eventstore.mapper import EventMapper
from runyard_shared.eventstore.store import EventStore

from runyard_dispatcher.happening import Happening

_OURS: Final = ("agent.", "pool.", "connection.")
MAPPER: Final = EventMapper({topic: cls for topic, cls in EVENT_TYPES.items() if topic.startswith(_OURS)})


@dataclass(frozen=True)
class Journal:
    store: EventStore

    async def record(self, happening: Happening, at: datetime) -> int:
        """Append the event, unless the stream has it beyond what the table knows. Sets the subject's `log_version`; returns the
        event's position in the log."""
        subject, event = happening.subject, happening.event
        while True:
            try:
                commit = await self.store.append(
                    subject.stream_id, subject.log_version, [event], tenant_id=subject.tenant_id, at=at
                )
            except VersionConflict:
                for row in await self.store.load(subject.stream_id, subject.log_version):
                    subject.log_version = row.version
                    if MAPPER.decode(row) == event:
                        return row.position
            else:
                subject.log_version = commit.version
                return commit.position
