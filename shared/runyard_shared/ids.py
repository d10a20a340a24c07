"""Identities. Every id is a UUIDv7 in its text form: sortable by creation time, and so is the log's partitioning.

`new_id` is for the edges. The engine is pure, so what it creates (jobs) gets a `derived_id`: the same inputs
give the same id, and it is still a valid UUIDv7.
"""

import hashlib
import re
from datetime import datetime
from zlib import crc32

import uuid_utils

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def new_id() -> str:
    """A fresh UUIDv7."""
    return str(uuid_utils.uuid7())


def derived_id(at: datetime, *parts: str | int) -> str:
    """A UUIDv7 with the time of `at` whose other bits are a hash of `parts`; the same arguments give the same id."""
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    milliseconds = int(at.timestamp() * 1000)
    value = (milliseconds & (1 << 48) - 1) << 80 | int.from_bytes(digest[:10], "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def created_at(an_id: str) -> float:
    """The time in an id, in seconds since 1970."""
    return int(an_id[:8] + an_id[9:13], 16) / 1000


def is_id(text: str) -> bool:
    """Whether it has the form of an id."""
    return _ID.fullmatch(text) is not None


def partition_of(stream_id: str, partitions: int) -> int:
    """Which of `partitions` inboxes a stream belongs to. Stable across processes and releases."""
    return crc32(stream_id.encode()) % partitions
