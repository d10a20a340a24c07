"""From columns to the values of answers: instants as text, JSON as it is stored."""

from datetime import datetime
from typing import Any

import msgspec
from runyard_shared.clock import rfc3339
from runyard_shared.contracts.values import ErrorInfo, Trigger

MAX_TIME_MS = 250_000_000_000_000
"""Milliseconds since 1970 of the latest instant that a cursor may hold."""

_error = msgspec.json.Decoder(ErrorInfo).decode
_trigger = msgspec.json.Decoder(Trigger).decode


def instant(at: datetime | None) -> str | None:
    return None if at is None else rfc3339(at)


def raw_json(text: str | None) -> Any:
    """Goes into an answer without being parsed."""
    return None if text is None else msgspec.Raw(text.encode())


def error_info(text: str | None) -> ErrorInfo | None:
    return None if text is None else _error(text)


def trigger(text: str) -> Trigger:
    return _trigger(text)


def milliseconds_since(start: datetime, now: datetime) -> int:
    return max(0, round((now - start).total_seconds() * 1000))
