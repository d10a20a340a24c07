"""The event stream of a tenant (R63): everything of one log after a position, for other programs."""

from collections.abc import Sequence

from runyard_gateway.queries.events import EVERYTHING, EventFilter, EventQueries
from runyard_gateway.streams.event_stream import Source
from runyard_gateway.streams.log_follower import LogFollower
from runyard_gateway.streams.log_tail import LogTail
from runyard_gateway.streams.subscription import LiveFrame


class TenantStreams:
    """Of one log."""

    def __init__(self, tail: LogTail, queries: EventQueries, follower: LogFollower) -> None:
        self._tail = tail
        self._queries = queries
        self._follower = follower

    def from_position(self, tenant_id: str, position: int, chosen: EventFilter = EVERYTHING) -> Source:
        """What is chosen of everything after `position`."""

        def show(frames: Sequence[LiveFrame], _: bool) -> bytes:
            return b"".join([each.content for each in frames if each.recorded is not None and chosen.takes(each.recorded)])

        return lambda connection: self._follower.follow(
            lambda last, limit: self._queries.page(tenant_id, last, limit, chosen),
            lambda last: self._tail.join_tenant(tenant_id, last),
            connection,
            position,
            show,
        )
