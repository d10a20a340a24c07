"""Events as the world outside sees them: CloudEvents 1.0 in JSON, and batches of them as they are published.

A batch is the body of one message: a JSON list of events of one tenant and one topic, so that a consumer can choose by routing
key. Batches come in an order in which the events of each subject keep theirs.
"""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Final

import msgspec

from runyard_shared.clock import rfc3339
from runyard_shared.contracts.events import EVENT_TYPES
from runyard_shared.contracts.feed import Recorded
from runyard_shared.messaging.bus import Publication

BATCH_CONTENT_TYPE: Final = "application/cloudevents-batch+json"
MAX_ITEMS: Final = 256
MAX_BYTES: Final = 256 * 1024
"""A batch takes nothing more when it has reached either; one larger event goes by itself."""
MAX_DATA_BYTES: Final = 4 * 1024 * 1024
"""An event with more data is published without it: brokers and consumers have limits, and one event must not hold up all."""


_REVISED: Final = frozenset(topic for topic, event_type in EVENT_TYPES.items() if event_type.revision > 1)
_DISPATCHERS: Final = frozenset({"agent", "pool", "connection"})


class PublicEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`subject` is the execution that users see, also of what happens in an iteration; or a workflow, a trigger record, an
    agent, a pool, a connection.

    `iteration`: of what happens in an iteration of a forEach, the id of its stream; its `iteration.started` says which it is.

    `sequence` and `id` are the position in the log that `source` names; `source` and `id` together are unique.

    `time` RFC 3339 in UTC with milliseconds; `data` as the event defines it (camelCase, fields at their default left out). An
    event too large to be published has a `dataref` in the place of its `data`: where to get it.
    """

    specversion: str = "1.0"
    id: str
    source: str
    type: str
    subject: str
    iteration: str | msgspec.UnsetType = msgspec.UNSET
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
        type=_type(recorded.topic, _revision(recorded)),
        subject=subject_of(recorded),
        iteration=recorded.stream_id if recorded.correlation_id else msgspec.UNSET,
        time=rfc3339(recorded.recorded_at),
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
        key, subject = (row.tenant_id, row.topic), row.correlation_id or row.stream_id
        body = _published(row, log)
        size = len(body)
        at = last_by_key.get(key, -1)
        if at >= 0 and at >= last_by_subject.get(subject, -1):
            batch = batches[at]
            if len(batch.bodies) < MAX_ITEMS and batch.size + size <= MAX_BYTES:
                batch.bodies.append(body)
                batch.size += size
                last_by_subject[subject] = at
                continue
        last_by_subject[subject] = last_by_key[key] = len(batches)
        batches.append(_Batch(f"{row.tenant_id}.{row.topic}", body))
    return [Publication(batch.routing_key, b"[" + b",".join(batch.bodies) + b"]") for batch in batches]


class _Batch:
    __slots__ = ("bodies", "routing_key", "size")

    def __init__(self, routing_key: str, body: bytes) -> None:
        self.routing_key = routing_key
        self.bodies = [body]
        self.size = len(body)


def encoded(row: Recorded, log: str) -> bytes:
    """The JSON of `public_event(row, log)`, at a third of the cost: every event of a busy log comes by here."""
    start, to_subject, to_sequence, to_data = _form(row.tenant_id, log, _type(row.topic, _revision(row)))
    position, subject = b"%d" % row.position, _quoted(row.stream_id)
    if row.correlation_id:
        subject = b'%b,"iteration":%b' % (_quoted(row.correlation_id), subject)
    time = _time(row.recorded_at)
    return b"".join((start, position, to_subject, subject, time, to_sequence, position, to_data, row.data, b"}"))


def _published(row: Recorded, log: str) -> bytes:
    if len(memoryview(row.data)) <= MAX_DATA_BYTES:
        return encoded(row, log)
    where = f"/api/v1/events.json?log={log}&after={row.position - 1}&limit=1"
    return _encode(msgspec.structs.replace(public_event(row, log), data=msgspec.UNSET, dataref=where))


@lru_cache(maxsize=4096)
def _form(tenant_id: str, log: str, kind: str) -> tuple[bytes, bytes, bytes, bytes]:
    """Of the events of one tenant and type, what stands before position, subject (and iteration), sequence and data."""
    source, kind_, tenant = (_encode(text) for text in (source_of(log), kind, tenant_id))
    return (
        b'{"specversion":"1.0","id":"',
        b'","source":%b,"type":%b,"subject":' % (source, kind_),
        b'"sequence":"',
        b'","tenant":%b,"datacontenttype":"application/json","data":' % tenant,
    )


@lru_cache(maxsize=4096)
def _quoted(text: str) -> bytes:
    return _encode(text)


@lru_cache(maxsize=1024)
def _time(at: datetime) -> bytes:
    """Events that were committed together have few times among them."""
    return b',"time":"%b",' % rfc3339(at).encode()


_type = lru_cache(maxsize=1024)(type_of)


def _revision(row: Recorded) -> int:
    """Events of revision 1, all but a few, do not write it."""
    return _decode_revision(row.data).revision if row.topic in _REVISED else 1
