"""Events as other programs see them: CloudEvents 1.0 in JSON, and the same as one frame of an event stream."""

import msgspec
from runyard_shared.clock import rfc3339
from runyard_shared.contracts.feed import Recorded

SOURCE = "/runyard/orchestrator"


class PublicEvent(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`subject` is the execution that users see, also of what happens in an iteration; or a workflow.

    `sequence` and `id` are the position in the log.

    `time` RFC 3339 in UTC with milliseconds; `data` as the event defines it (camelCase, fields at their default left out).
    """

    specversion: str = "1.0"
    id: str
    source: str = SOURCE
    type: str
    subject: str
    time: str
    sequence: str
    tenant: str
    datacontenttype: str = "application/json"
    data: msgspec.Raw


class _Revision(msgspec.Struct):
    revision: int = 1


_encode = msgspec.json.Encoder().encode
_decode_revision = msgspec.json.Decoder(_Revision).decode


def execution_of(recorded: Recorded) -> str:
    """Iterations are streams of their own, whose events name the execution they belong to."""
    return recorded.correlation_id or recorded.stream_id


def public_event(recorded: Recorded) -> PublicEvent:
    position = str(recorded.position)
    return PublicEvent(
        id=position,
        type=f"runyard.{recorded.topic}.v{_revision(recorded.data)}",
        subject=execution_of(recorded),
        time=rfc3339(recorded.recorded_at),
        sequence=position,
        tenant=recorded.tenant_id,
        data=recorded.data,
    )


def event_frame(recorded: Recorded) -> bytes:
    """The event as a Server-Sent Event: `id` the position, `event` the topic, `data` the public event."""
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (recorded.position, recorded.topic.encode(), _encode(public_event(recorded)))


def frame(event: str, data: object, position: int | None = None) -> bytes:
    """Any other Server-Sent Event; only one with a `position` is resumed from."""
    identity = b"" if position is None else b"id: %d\n" % position
    return b"%bevent: %b\ndata: %b\n\n" % (identity, event.encode(), _encode(data))


def _revision(data: msgspec.Raw) -> int:
    """Events of revision 1, all but a few, do not write it."""
    return _decode_revision(data).revision if b'"revision"' in bytes(data) else 1
