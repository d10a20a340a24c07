"""Keeps the secrets of a connection out of what a job says (R59): output as it streams, results, errors, tracebacks.

A secret is looked for as it is, line by line if it has several, and in the forms in which programs print it: base64 (inside of
something longer too, and wrapped), URL-encoded, as a JSON string, as Python's `repr`. What a program has encrypted, hashed,
compressed or taken apart is not found. Where forms overlap, all they cover becomes one mask.
"""

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, Final
from urllib.parse import quote, quote_plus

_LINE_LENGTH: Final = 8
"""A shorter line of a key, or piece of base64, stands for nothing and would be found everywhere."""
_SEED: Final = 8
_WRAPPED_AT: Final = (64, 76)
"""Where openssl, and where the command base64 and mail programs, break lines."""


class Redactor:
    """Knows the secrets of one connection. Costs nothing if there are none. Its streams and values are independent."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets for form in _forms(secret)}
        self._forms = sorted(forms, key=len)
        self._shortest: list[bytes] = []
        for form in self._forms:
            if not any(shorter in form for shorter in self._shortest):
                self._shortest.append(form)
        self._beginnings = {form[:size] for form in forms for size in range(1, min(_SEED, len(form)))}
        self._long = [form for form in self._forms if len(form) > _SEED]
        self.mask = 3 * _mask_character(forms)

    def __bool__(self) -> bool:
        return bool(self._forms)

    def stream(self) -> "RedactedStream":
        """A stream of bytes that come in any pieces."""
        return RedactedStream(self)

    def text(self, text: str) -> str:
        if not self._forms:
            return text
        data = text.encode(errors="surrogatepass")
        return text if not self.found(data) else self.stream().last(data).decode(errors="surrogatepass")

    def value(self, value: Any) -> Any:
        """What JSON can say, with its names. A number that shows a secret becomes text."""
        if not self._forms:
            return value
        match value:
            case str():
                return self.text(value)
            case dict():
                return {self.value(name): self.value(item) for name, item in value.items()}
            case list() | tuple():
                return [self.value(item) for item in value]
            case int() | float() if not isinstance(value, bool):
                shown = str(value)
                redacted = self.text(shown)
                return value if redacted == shown else redacted
            case _:
                return value

    def found(self, data: bytes) -> bool:
        return any(form in data for form in self._shortest)

    def spans(self, data: bytes, before: int) -> list[tuple[int, int]]:
        """Where secrets are that begin before `before`, in order, each as (start, end); they may overlap."""
        if not self.found(data):
            return []
        return sorted((at, at + len(form)) for form in self._forms for at in _occurrences(data, form, before))

    def open_end(self, data: bytes) -> int:
        """Where the longest end of `data` starts that may be the beginning of a secret; its length if there is none."""
        start = len(data)
        for size in range(min(_SEED - 1, start), 0, -1):
            if data[-size:] in self._beginnings:
                start -= size
                break
        for form in self._long:
            at = data.find(form[:_SEED], max(0, len(data) - len(form) + 1), start + _SEED - 1)
            while 0 <= at < start:
                if form.startswith(data[at:]):
                    start = at
                    break
                at = data.find(form[:_SEED], at + 1, start + _SEED - 1)
        return start


class RedactedStream:
    """Bytes in, redacted bytes out, the same whichever way they are cut. Only an end that may be the beginning of a secret is
    held back, never more than the longest form of a secret."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._held = b""
        self._masked = 0
        """How much of the beginning of what is held is behind a mask that was given out already."""

    def feed(self, data: bytes) -> bytes:
        if not self._redactor:
            return data
        data = self._held + data
        end = self._redactor.open_end(data)
        redacted, done = self._redacted(data, end)
        self._held, self._masked = data[end:], done - end
        return redacted

    def rest(self) -> bytes:
        """What is held, as it is given out if nothing follows."""
        return self._redacted(self._held, len(self._held))[0]

    def last(self, data: bytes = b"") -> bytes:
        """The end of the stream."""
        redacted = self.feed(data) + self.rest()
        self._held, self._masked = b"", 0
        return redacted

    def _redacted(self, data: bytes, end: int) -> tuple[bytes, int]:
        """(what `data` becomes up to `end`, how far it is dealt with: a mask may reach beyond `end`)"""
        parts: list[bytes] = []
        done = self._masked
        for start, stop in self._redactor.spans(data, end):
            if start >= done:
                parts += data[done:start], self._redactor.mask
                done = stop
            else:
                done = max(done, stop)
        if done < end:
            parts.append(data[done:end])
            done = end
        return b"".join(parts), done


def _forms(secret: str) -> Iterator[bytes]:
    """Every form in which a secret is looked for."""
    data = secret.encode(errors="surrogatepass")
    if not data:
        return
    yield data
    stripped = data.strip()
    if len(stripped) >= _LINE_LENGTH:
        yield stripped
    lines = [line.strip() for line in data.splitlines()]
    if len(lines) > 1:
        yield from (line for line in lines if len(line) >= _LINE_LENGTH)
    for form in _base64_forms(data):
        yield form
        yield form.translate(bytes.maketrans(b"+/", b"-_"))
    for encoded in (quote(data, safe=""), quote(data), quote_plus(data)):
        yield encoded.encode()
        yield re.sub("%[0-9A-F]{2}", lambda code: code[0].lower(), encoded).encode()
    for literal in (json.dumps(secret), json.dumps(secret, ensure_ascii=False), repr(secret)):
        yield literal[1:-1].encode(errors="surrogatepass")


def _base64_forms(data: bytes) -> Iterator[bytes]:
    encoded = b64encode(data)
    bare = encoded.rstrip(b"=")
    yield encoded
    yield bare
    for width in _WRAPPED_AT:
        lines = [bare[at : at + width] for at in range(0, len(bare), width)]
        if len(lines) > 1:
            yield from (line for line in lines if len(line) >= _LINE_LENGTH)
    for before in range(3):
        # Within something longer (`user:password`) the first and last characters hold bits of its neighbours too.
        bits = (before + len(data)) * 8
        inner = b64encode(bytes(before) + data)[(0, 2, 3)[before] : bits // 6]
        if len(inner) >= _LINE_LENGTH:
            yield inner


def _occurrences(data: bytes, form: bytes, before: int) -> Iterator[int]:
    end = before + len(form) - 1
    at = data.find(form, 0, end)
    while at >= 0:
        yield at
        at = data.find(form, at + 1, end)


def _mask_character(forms: Iterable[bytes]) -> bytes:
    """One that no secret has: so a mask and what stands beside it never read as a secret."""
    taken = b"\n".join(forms)
    return next(mark.encode() for mark in chain("*", map(chr, range(0x2588, 0x3000))) if mark.encode() not in taken)


NO_SECRETS: Final = Redactor()
