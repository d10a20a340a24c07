"""The frames that every message crosses, as bytes: publish, content header, body, deliver, confirm, acknowledge.

These six are written and read by hand because a general codec costs more than all our other work on a message; everything rare
(handshake, declarations, closing) goes through `pamqp`.
"""

from functools import lru_cache
from struct import Struct
from time import time
from typing import Final

from pamqp import commands
from pamqp.frame import marshal

METHOD: Final = 1
HEADER: Final = 2
BODY: Final = 3
END: Final = b"\xce"
OVERHEAD: Final = 8
"""Bytes of a frame besides its payload: type, channel, length and the end octet."""

FRAME_HEAD: Final = Struct(">BHI")
METHOD_ID: Final = Struct(">HH")
CONFIRM: Final = Struct(">QB")
"""Payload of a confirmation after the method id: delivery tag, and a bit that says `and all before`."""
TAG: Final = Struct(">Q")
BODY_SIZE: Final = Struct(">xxxxQ")
"""Payload of a content header up to the size of the body."""

DELIVER: Final = (60, 60)
ACK: Final = (60, 80)
NACK: Final = (60, 120)

_CONTENT: Final = Struct(">BHIHHQHBQB")
_ACKNOWLEDGE: Final = Struct(">BHIHHQBB")
_CONTENT_HEAD: Final = Struct(">BHIHHQH")
_CONTENT_TYPE_FLAG: Final = 0x8000
_DELIVERY_MODE_FLAG: Final = 0x1000
_TIMESTAMP_FLAG: Final = 0x0040
_AFTER_TIMESTAMP: Final = 0x003F
"""Flags of properties that come behind the timestamp; nobody who speaks to us sets one."""
_FLAGS: Final = Struct(">xxxxxxxxxxxxH")
_PERSISTENT: Final = 2
_TRANSIENT: Final = 1


@lru_cache(maxsize=4096)
def publish_head(channel: int, exchange: str, routing_key: str, mandatory: bool) -> bytes:
    """The method frame of a publish; the same for each message to one place."""
    return marshal(commands.Basic.Publish(exchange=exchange, routing_key=routing_key, mandatory=mandatory), channel)


def content(
    channel: int, body: bytes, largest_payload: int, *, persistent: bool, content_type: str | None = None
) -> list[bytes]:
    """What follows the method frame of a publish: the content header with the time, and the body, split to the size of a
    frame."""
    mode = _PERSISTENT if persistent else _TRANSIENT
    flags, now = _DELIVERY_MODE_FLAG | _TIMESTAMP_FLAG, int(time())
    if content_type is None:
        parts = [_CONTENT.pack(HEADER, channel, 23, 60, 0, len(body), flags, mode, now, END[0])]
    else:
        said = content_type.encode()
        head = _CONTENT_HEAD.pack(HEADER, channel, 24 + len(said), 60, 0, len(body), flags | _CONTENT_TYPE_FLAG)
        parts = [head + bytes((len(said),)) + said + bytes((mode,)) + TAG.pack(now) + END]
    if len(body) <= largest_payload:
        parts += (FRAME_HEAD.pack(BODY, channel, len(body)), body, END)
        return parts
    for start in range(0, len(body), largest_payload):
        piece = body[start : start + largest_payload]
        parts += (FRAME_HEAD.pack(BODY, channel, len(piece)), piece, END)
    return parts


def acknowledge(channel: int, tag: int) -> bytes:
    """Acknowledges delivery `tag` and all before it on the channel."""
    return _ACKNOWLEDGE.pack(METHOD, channel, 13, *ACK, tag, 1, END[0])


def delivery_tag(data: bytes, payload: int) -> int:
    """The tag of the Basic.Deliver whose payload begins at `payload`: it follows the consumer's name."""
    tag: int = TAG.unpack_from(data, payload + 5 + data[payload + 4])[0]
    return tag


def sent_at(data: bytes, payload: int, end: int) -> int:
    """When the message of the content header between `payload` and `end` was published, in seconds since 1970, by the clock of
    whoever did; 0 if it does not say."""
    flags: int = _FLAGS.unpack_from(data, payload)[0]
    if not flags & _TIMESTAMP_FLAG or flags & _AFTER_TIMESTAMP:
        return 0
    seconds: int = TAG.unpack_from(data, end - TAG.size)[0]
    return seconds


def origin(data: bytes, payload: int) -> tuple[str, str] | None:
    """By which exchange and under which routing key the message of that Basic.Deliver was published; None for the default
    exchange, where most come from."""
    exchange = payload + 14 + data[payload + 4]
    if data[exchange] == 0:
        return None
    key = exchange + 1 + data[exchange]
    return data[exchange + 1 : key].decode(), data[key + 1 : key + 1 + data[key]].decode()
