"""Reading request bodies: never more than the limit, JSON strictly, and only values that every part behind can store."""

import asyncio
import math
import re
from contextlib import suppress
from typing import Any

import msgspec
from pydantic import BaseModel, ValidationError
from runyard_shared.errors import FieldProblem, Invalid, Refusal
from starlette.types import Receive

from runyard_gateway.http.problems import BodyTooLarge, field_problems, path_text

LINGER_BYTES = 16 * 1024 * 1024
LINGER_SECONDS = 2.0
MAX_DEPTH = 64
MAX_VALUES = 100_000
MAX_TOLD = 100

_BYTE = re.compile(r" \(byte (\d+)\)$")
_decode = msgspec.json.Decoder().decode


class ClientGone(Exception):
    """The client hung up before its request was complete; there is nobody to answer."""


async def read_body(receive: Receive, announced: bytes | None, limit: int) -> bytes:
    """The whole body. Raises `BodyTooLarge` as soon as it is clear, without keeping the rest."""
    if announced is not None and (not announced.isdigit() or int(announced) > limit):
        await _linger(receive)
        raise BodyTooLarge(limit)
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            parts.clear()
            if message.get("more_body", False):
                await _linger(receive)
            raise BodyTooLarge(limit)
        if not message.get("more_body", False):
            return b"".join(parts)


async def _linger(receive: Receive) -> None:
    """Drops what is on its way: a client that is refused while it sends would see its connection break, and not the answer."""
    dropped = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGER_SECONDS):
            while dropped < LINGER_BYTES:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                dropped += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return


def parse_json(body: bytes) -> Any:
    """Raises `Refusal` (400, `malformed_json`) saying where it stops being JSON."""
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal("malformed_json", f"The body is not JSON: {_json_mistake(body, str(error))}.") from error
    except RecursionError as error:
        raise Refusal("malformed_json", f"The body is nested deeper than {MAX_DEPTH} levels.") from error


def _json_mistake(body: bytes, error: str) -> str:
    """With line and column in place of the byte."""
    found = _BYTE.search(error)
    if found is None:
        return error
    before = body[: int(found[1])]
    column = len(before[before.rfind(b"\n") + 1 :].decode(errors="replace")) + 1
    what = error[: found.start()].removeprefix("JSON is malformed: ")
    return f"line {before.count(10) + 1}, column {column}: {what}"


def parse_model(model: type[BaseModel], body: bytes, *, required: bool) -> BaseModel:
    """The body as `model`; an empty one counts as `{}` unless it is `required`."""
    if not body and not required:
        body = b"{}"
    refuse_unstorable(parse_json(body))
    try:  # from its text: only then strict does not refuse the times and enums that JSON writes as text
        return model.model_validate_json(body, strict=True)
    except ValidationError as error:
        raise Invalid("invalid_body", "The body is not as described in /openapi.json.", field_problems(error)) from error


def refuse_unstorable(value: Any) -> None:
    """Raises `Invalid` for what JSON, the log or a database column cannot hold, and for documents that are a trap.

    YAML aliases let a short text stand for an endless value, so the walk counts what the value would be when written out.
    """
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), value)]
    problems: list[FieldProblem] = []
    count = 0
    while waiting:
        path, each = waiting.pop()
        count += 1
        if count > MAX_VALUES or len(path) > MAX_DEPTH:
            limit = f"{MAX_VALUES} values" if count > MAX_VALUES else f"{MAX_DEPTH} levels"
            raise Invalid("document_too_complex", f"The document has more than {limit}.")
        if isinstance(each, dict):
            for key, member in each.items():
                if not isinstance(key, str):
                    problems.append(FieldProblem(path_text(path), f"The key {key!r} is not text; write it in quotes."))
                elif trouble := _text_trouble(key):
                    problems.append(FieldProblem(path_text(path), f"A key {trouble}."))
                else:
                    waiting.append(((*path, key), member))
        elif isinstance(each, list):
            waiting.extend(((*path, place), member) for place, member in enumerate(each))
        elif trouble := _scalar_trouble(each):
            problems.append(FieldProblem(path_text(path), f"The value {trouble}."))
    if problems:
        first = problems[-1]  # the walk is from the end
        detail = f"{first.path}: {first.message}" if first.path else first.message
        raise Invalid("invalid_value", detail, tuple(reversed(problems[-MAX_TOLD:])))


def _scalar_trouble(value: Any) -> str | None:
    if isinstance(value, str):
        return _text_trouble(value)
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, int):
        return None if -(2**63) <= value < 2**63 else "is a number beyond 64 bits; write it as text"
    if isinstance(value, float):
        return None if math.isfinite(value) else "is not a finite number"
    kind = {"datetime": "an instant", "date": "a date"}.get(type(value).__name__, f"a {type(value).__name__}")
    return f"is {kind}, which JSON does not have; write it as text, in quotes"


def _text_trouble(text: str) -> str | None:
    if "\0" in text:
        return "holds a NUL character"
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        return "holds half of a surrogate pair, which is no character"
    return None
