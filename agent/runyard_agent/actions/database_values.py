"""Values of PostgreSQL as JSON, and JSON as arguments of a statement.

Dates, times and intervals go both ways as text: PostgreSQL knows years and infinities that Python does not. Numbers are JSON
numbers where nothing is lost by that, else text.
"""

import base64
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

import msgspec
from asyncpg import Record
from asyncpg.types import BitString, Range

_EXACT_INTEGERS: Final = range(-(2**63), 2**63)
_TEXTS: Final = frozenset({"text", "varchar", "bpchar", "name", "char", "citext", "unknown"})
_NUMBERS: Final = frozenset({"int2", "int4", "int8", "float4", "float8", "numeric", "oid"})


@dataclass(frozen=True, slots=True)
class Codec:
    """How values of a type are written for the server and read from it, as text."""

    type: str
    encode: Callable[[Any], str]
    decode: Callable[[str], Any]


def _moment(text: str) -> str:
    """RFC 3339: `2026-11-22 10:00:00+00` is `2026-11-22T10:00:00+00:00`."""
    text = text.replace(" ", "T", 1) if text[:1].isdigit() else text
    return f"{text}:00" if len(text) > 3 and text[-3] in "+-" and "T" in text else text


def _number(text: str) -> int | float | str:
    value = Decimal(text)
    if not value.is_finite():
        return text
    if value == value.to_integral_value():
        return int(value) if int(value) in _EXACT_INTEGERS else text
    return float(value) if Decimal(repr(float(value))) == value else text


def _json(text: str) -> Any:
    return as_json(msgspec.json.decode(text))


CODECS: Final = (
    *(Codec(name, str, _moment) for name in ("timestamp", "timestamptz")),
    *(Codec(name, str, str) for name in ("date", "time", "timetz", "interval", "money", "inet", "cidr", "macaddr", "xml")),
    Codec("numeric", str, _number),
    *(Codec(name, lambda value: msgspec.json.encode(value).decode(), _json) for name in ("json", "jsonb")),
)
"""Of the schema `pg_catalog`."""


def as_json(value: Any) -> Any:  # noqa: PLR0911 - a table of types
    """Bytes are base64, composite values are objects, ranges are as PostgreSQL writes them."""
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if value in _EXACT_INTEGERS else str(value)
        case float():
            return value if math.isfinite(value) else str(value)
        case Decimal():
            return _number(str(value))
        case bytes() | bytearray() | memoryview():
            return base64.b64encode(value).decode()
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return f"PT{value.total_seconds():g}S"
        case Range():
            return _range(value)
        case BitString():
            return value.as_string().replace(" ", "")
        case Record() | Mapping():
            return {str(name): as_json(part) for name, part in value.items()}
        case list() | tuple() | set() | frozenset():
            return [as_json(part) for part in value]
        case _:
            return str(value)


def as_argument(value: Any, type_: str) -> Any:
    """`type_` is the server's name of the parameter's type. Raises `TypeError` or `ValueError` in words."""
    if value is None or type_ in ("json", "jsonb"):
        return value
    if type_.endswith("[]"):
        if not isinstance(value, list):
            raise TypeError(f"{type_} takes a list")
        element = type_.removesuffix("[]")
        return [as_argument(part, type_ if isinstance(part, list) else element) for part in value]
    if isinstance(value, list | dict):
        raise TypeError(f"{type_} takes no {'list' if isinstance(value, list) else 'object'}")
    if type_ == "bool":
        if not isinstance(value, bool):
            raise TypeError("bool takes true or false")
        return value
    if type_ in _NUMBERS:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise TypeError(f"{type_} takes a number")
        return _as_number(value, type_)
    if type_ == "bytea":
        return base64.b64decode(str(value), validate=True)
    if isinstance(value, bool):
        raise TypeError(f"{type_} takes no true or false")
    # a number may stand where text is asked for, as in all parameters
    return str(value)


def _as_number(value: float | str, type_: str) -> Any:
    """Text, too: what a command printed is text."""
    try:
        number = Decimal(str(value).strip())
    except ArithmeticError:
        raise ValueError(f"{value!r} is no number, which {type_} takes") from None
    if type_ == "numeric":
        return number
    if type_.startswith("float"):
        return float(number)
    if not number.is_finite() or number != number.to_integral_value():
        raise ValueError(f"{value!r} is no whole number, which {type_} takes")
    return int(number)


def _range(value: "Range[Any]") -> str:
    if value.isempty:
        return "empty"
    lower = "" if value.lower is None else as_json(value.lower)
    upper = "" if value.upper is None else as_json(value.upper)
    return f"{'[' if value.lower_inc else '('}{lower},{upper}{']' if value.upper_inc else ')'}"
