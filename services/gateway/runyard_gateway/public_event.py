"""Events as clients of the HTTP API see them: CloudEvents, also as the frames of an event stream."""

import msgspec
from runyard_shared.contracts.feed import Recorded
from runyard_shared.public_events import encoded
from runyard_shared.public_events import subject_of as execution_of

__all__ = ["ORCHESTRATOR", "event_frame", "execution_of", "frame"]

ORCHESTRATOR = "orchestrator"
_encode = msgspec.json.Encoder().encode


def event_frame(recorded: Recorded, log: str = ORCHESTRATOR) -> bytes:
    """The event as a Server-Sent Event: `id` the position, `event` the topic, `data` the public event."""
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (recorded.position, recorded.topic.encode(), encoded(recorded, log))


def frame(event: str, data: object, position: int | None = None) -> bytes:
    """Any other Server-Sent Event; only one with a `position` is resumed from."""
    identity = b"" if position is None else b"id: %d\n" % position
    return b"%bevent: %b\ndata: %b\n\n" % (identity, event.encode(), _encode(data))
