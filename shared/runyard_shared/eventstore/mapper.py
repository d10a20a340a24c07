"""Events to JSON and back: the topic in its own column, the Struct as msgspec JSON, older revisions lifted on the way in.

Decoding is the hottest function of a replay, so each topic has its own compiled decoder. Only a topic whose class has a
`revision` above 1 pays for looking at the stored revision, and only older data takes the way through a dict.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from runyard_shared.contracts.base import Event
from runyard_shared.contracts.feed import Recorded
from runyard_shared.errors import RunyardError

Upcast = Callable[[dict[str, Any]], dict[str, Any]]
"""Lifts stored JSON from one revision to the next. Gets and gives camelCase names."""


class UnknownTopic(RunyardError):
    """The log holds, or was to get, an event of a topic that this version of the program does not know."""


class _Revision(msgspec.Struct):
    revision: int = 1


class EventMapper:
    """`event_types`: every event class by topic. `upcasts`: for each topic with a revision r > 1, the r - 1 functions from
    1 to 2, from 2 to 3, …"""

    def __init__(self, event_types: Mapping[str, type[Event]], upcasts: Mapping[str, Iterable[Upcast]] | None = None) -> None:
        self._upcasts = {topic: tuple(functions) for topic, functions in (upcasts or {}).items()}
        self._encode = msgspec.json.Encoder().encode
        self._decoders: dict[str, Callable[[msgspec.Raw], Event]] = {}
        self._suffixes: dict[str, bytes] = {}
        for topic, event_type in event_types.items():
            if event_type.topic != topic:
                raise ValueError(f"{event_type.__name__} has the topic {event_type.topic!r}, not {topic!r}")
            if len(self._upcasts.get(topic, ())) != event_type.revision - 1:
                raise ValueError(f"{topic} is at revision {event_type.revision}: it needs {event_type.revision - 1} upcasts")
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
        upcasts = self._upcasts[topic]

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
