"""Opens the box in which a connection comes to this agent (R59): nobody between the dispatcher and here can."""

import msgspec
from runyard_shared.contracts.connections import OpenedConnection
from runyard_shared.sealing import CannotOpen, OpeningKey

_DECODER = msgspec.json.Decoder(OpenedConnection)


def open_connection(key: OpeningKey, box: bytes) -> OpenedConnection:
    """What is in the box, never to be logged. Raises `CannotOpen`: sealed for another key, or damaged."""
    content = key.open(box)
    try:
        return _DECODER.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise CannotOpen("the sealed box holds no connection that this version of the agent can read") from None
