"""Events as the world outside sees them: CloudEvents 1.0 in JSON, and batches of them as they are published.

A batch is the body of one message: a JSON list of events of one tenant and one topic, so that a consumer can choose by routing
key. Batches come in an order in which the events of each subject keep theirs.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import msgspec

from runyard_shared.clock import rfc3339
from runyard_shared.contracts.feed import Recorded
from runyard_shared.messaging.bus import Publication

BATCH_CONTENT_TYPE: Final = "application/cloudevents-batch+json"
MAX_ITEMS: Final = 256
MAX_BYTES: Final = 256 * 1024
"""A batch takes nothing more when it has reached either; one larger event goes by itself."""
MAX_DATA_BYTES: Final = 4 * 1024 * 1024
"""An event with more data is published without it: brokers and consumers have limits, and one event must not hold up all."""


_DISPATCHERS: Final = frozenset({"agent", "pool", "connection"})


class PublicEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`subject` is the execution that users see, also of what happens in an iteration; or a workflow, a trigger record, an
    agent, a pool, a connection.

    `sequence` and `id` are the position in the log that `source` names; `source` and `id` together are unique.

    `time` RFC 3339 in UTC with milliseconds; `data` as the event defines it (camelCase, fields at their default left out). An
    event too large to be published has a `dataref` in the place of its `data`: where to get it.
    """

    specversion: str = "1.0"
    id: str
    source: str
    type: str
    subject: str
    time: str
    sequence: str
    tenant: str
    datacontenttype: str = "application/json"
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    dataref: str | msgspec.UnsetType = msgspec.UNSET


class _Revision(msgspec.Struct):
    revision: int = 1


_encode = msgspec.json.Encoder().encode
_decode_revision = msgspec.json.Decoder(_Revision).decode


def log_of(topic: str) -> str:
    """The log that has events of this topic."""
    return "dispatcher" if topic.partition(".")[0] in _DISPATCHERS else "orchestrator"


def source_of(log: str) -> str:
    """`log`: orchestrator or dispatcher."""
    return f"/runyard/{log}"


def type_of(topic: str, revision: int = 1) -> str:
    return f"runyard.{topic}.v{revision}"


def subject_of(recorded: Recorded) -> str:
    """Iterations are streams of their own, whose events name the execution they belong to."""
    return recorded.correlation_id or recorded.stream_id


def public_event(recorded: Recorded, log: str) -> PublicEvent:
    position = str(recorded.position)
    return PublicEvent(
        id=position,
        source=source_of(log),
        type=_type(recorded.topic, _revision(recorded.data)),
        subject=subject_of(recorded),
        time=_time(recorded.recorded_at),
        sequence=position,
        tenant=recorded.tenant_id,
        data=recorded.data,
    )


def publications(rows: Iterable[Recorded], log: str) -> list[Publication]:
    """The batches to publish for these rows, in this order.

    An event joins the last batch of its routing key, unless a later batch has an event of the same subject, which it would
    overtake.
    """
    batches: list[_Batch] = []
    last_by_key: dict[tuple[str, str], int] = {}
    last_by_subject: dict[str, int] = {}
    for row in rows:
        key, subject = (row.tenant_id, row.topic), subject_of(row)
        body = _encode(_publishable(row, log))
        at = last_by_key.get(key, -1)
        if at < 0 or at < last_by_subject.get(subject, -1) or not batches[at].takes(len(body)):
            at = last_by_key[key] = len(batches)
            batches.append(_Batch(f"{row.tenant_id}.{row.topic}"))
        batches[at].add(body)
        last_by_subject[subject] = at
    return [Publication(batch.routing_key, b"[" + b",".join(batch.bodies) + b"]") for batch in batches]


class _Batch:
    __slots__ = ("bodies", "routing_key", "size")

    def __init__(self, routing_key: str) -> None:
        self.routing_key = routing_key
        self.bodies: list[bytes] = []
        self.size = 0

    def takes(self, size: int) -> bool:
        return len(self.bodies) < MAX_ITEMS and self.size + size <= MAX_BYTES

    def add(self, body: bytes) -> None:
        self.bodies.append(body)
        self.size += len(body)


def _publishable(row: Recorded, log: str) -> PublicEvent:
    event = public_event(row, log)
    if len(memoryview(row.data)) <= MAX_DATA_BYTES:
        return event
    where = f"/api/v1/events.json?log={log}&after={row.position - 1}&limit=1"
    return msgspec.structs.replace(event, data=msgspec.UNSET, dataref=where)


_type = lru_cache(maxsize=1024)(type_of)
_time = lru_cache(maxsize=1024)(rfc3339)
"""Events that were committed together have few times among them."""


def _revision(data: msgspec.Raw) -> int:
    """Events of revision 1, all but a few, do not write it."""
    return _decode_revision(data).revision if b'"revision"' in bytes(data) else 1
