"""Events to JSON and back: the topic in its own column, the Struct as msgspec JSON, older revisions lifted on the way in.

What lifts them stands in the event's class: `upcast_v1_v2`, `upcast_v2_v3`, … each a static method that gets the stored JSON of
one revision, with its camelCase names, and gives that of the next.

Decoding is the hottest function of a replay, so each topic has its own compiled decoder. Only a topic whose class has a
`revision` above 1 pays for looking at the stored revision, and only older data takes the way through a dict.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from runyard_shared.contracts.base import Event
from runyard_shared.contracts.feed import Recorded
from runyard_shared.errors import RunyardError

Upcast = Callable[[dict[str, Any]], dict[str, Any]]


class UnknownTopic(RunyardError):
    """The log holds, or was to get, an event of a topic that this version of the program does not know."""


class _Revision(msgspec.Struct):
    revision: int = 1


class EventMapper:
    """`event_types`: every event class by topic. Raises `ValueError` for a class that cannot lift all its older revisions."""

    def __init__(self, event_types: Mapping[str, type[Event]]) -> None:
        self._encode = msgspec.json.Encoder().encode
        self._decoders: dict[str, Callable[[msgspec.Raw], Event]] = {}
        self._suffixes: dict[str, bytes] = {}
        for topic, event_type in event_types.items():
            if event_type.topic != topic:
                raise ValueError(f"{event_type.__name__} has the topic {event_type.topic!r}, not {topic!r}")
            if event_type.revision == 1:
                self._decoders[topic] = msgspec.json.Decoder(event_type).decode
            else:
                self._decoders[topic] = self._revised_decoder(topic, event_type)
                self._suffixes[topic] = b'"revision":%d}' % event_type.revision

    def encode(self, event: Event) -> bytes:
        """The `data` of the event; raises `UnknownTopic` for a class that could not be read back."""
        topic = event.topic
        if topic not in self._decoders:
            raise UnknownTopic(f"{type(event).__name__} has the unknown topic {topic!r}")
        data = self._encode(event)
        if topic in self._suffixes:
            return data[:-1] + (b"," if len(data) > 2 else b"") + self._suffixes[topic]
        return data

    def decode(self, recorded: Recorded) -> Event:
        """The event of a row of the log; raises `UnknownTopic`, or `msgspec.ValidationError` for data of another shape."""
        try:
            decode = self._decoders[recorded.topic]
        except KeyError:
            raise UnknownTopic(f"unknown topic {recorded.topic!r} at position {recorded.position}") from None
        return decode(recorded.data)

    def _revised_decoder(self, topic: str, event_type: type[Event]) -> Callable[[msgspec.Raw], Event]:
        decode_revision = msgspec.json.Decoder(_Revision).decode
        decode_current = msgspec.json.Decoder(event_type).decode
        decode_dict = msgspec.json.Decoder(dict[str, Any]).decode
        upcasts = _upcasts(event_type)

        def decode(data: msgspec.Raw) -> Event:
            stored = decode_revision(data).revision
            if stored == event_type.revision:
                return decode_current(data)
            if stored > event_type.revision:
                raise UnknownTopic(f"{topic} is stored at revision {stored}; this program knows up to {event_type.revision}")
            old = decode_dict(data)
            for upcast in upcasts[stored - 1 :]:
                old = upcast(old)
            return msgspec.convert(old, event_type)

        return decode


def _upcasts(event_type: type[Event]) -> list[Upcast]:
    """From revision 1 to 2, from 2 to 3, … to the current one."""
    names = [f"upcast_v{revision}_v{revision + 1}" for revision in range(1, event_type.revision)]
    missing = [name for name in names if not hasattr(event_type, name)]
    if missing:
        raise ValueError(f"{event_type.topic} is at revision {event_type.revision} and has no {', '.join(missing)}")
    return [getattr(event_type, name) for name in names]
