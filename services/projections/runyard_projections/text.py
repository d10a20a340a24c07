"""Text as PostgreSQL takes it. Its `text` holds any character but one: names come from documents and agents, and one that holds
a NUL must not stop a projection. JSON is kept byte for byte, where a NUL is an escape like others."""

from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode


def storable(text: str) -> str:
    """The text with each NUL shown as U+FFFD."""
    return text.replace("\0", "\ufffd") if "\0" in text else text


def json_text(value: Any) -> str:
    """The value, contracts included, as JSON."""
    return _encode(value).decode()
