"""Opaque cursors: the sort key of a page's last row, so that rows that arrive meanwhile neither repeat nor hide others."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from typing import Any, TypeVar

import msgspec
from runyard_shared.errors import Refusal

T = TypeVar("T")


def encode_cursor(key: Any) -> str:
    return urlsafe_b64encode(msgspec.json.encode(key)).rstrip(b"=").decode()


def decode_cursor(cursor: str | None, key_type: type[T]) -> T | None:
    """Raises `Refusal` (400, `invalid_cursor`) for anything that `encode_cursor` did not make for this list."""
    if cursor is None:
        return None
    try:
        return msgspec.json.decode(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=key_type)
    except (NotBase64, ValueError) as error:
        raise Refusal("invalid_cursor", "This cursor was not made for this list; begin again without one.") from error
