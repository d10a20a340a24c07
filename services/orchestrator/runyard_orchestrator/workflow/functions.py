"""Functions on text that CEL itself does not have, under the names and with the meaning of its strings extension: what a script
printed is seldom a list."""

from collections.abc import Callable
from typing import Any, Final

MAX_TEXT: Final = 1 << 20
"""Characters that a function may give."""


def split(text: str, separator: str, limit: int = -1) -> list[str]:
    """The parts between separators, at most `limit` of them; an empty separator gives the characters."""
    _must_be_texts("split", text, separator)
    if not separator:
        return list(text)
    return text.split(separator, limit - 1) if limit > 0 else text.split(separator)


def join(parts: list[Any], separator: str = "") -> str:
    _must_be_texts("join", separator)
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise TypeError("join() needs a list of texts; convert its elements with string()")
    return _bounded(separator.join(parts), "join")


def trim(text: str) -> str:
    """Without the white space around it."""
    _must_be_texts("trim", text)
    return text.strip()


def replace(text: str, old: str, new: str) -> str:
    _must_be_texts("replace", text, old, new)
    if len(text) + text.count(old) * len(new) > MAX_TEXT:
        raise ValueError(f"replace() would give more than {MAX_TEXT} characters")
    return text.replace(old, new)


def substring(text: str, start: int, end: int | None = None) -> str:
    _must_be_texts("substring", text)
    return text[start:end]


def lower_ascii(text: str) -> str:
    _must_be_texts("lowerAscii", text)
    return text.lower()


def upper_ascii(text: str) -> str:
    _must_be_texts("upperAscii", text)
    return text.upper()


def _must_be_texts(name: str, *values: Any) -> None:
    if not all(isinstance(value, str) for value in values):
        raise TypeError(f"{name}() is for texts; convert other values with string()")


def _bounded(text: str, name: str) -> str:
    if len(text) > MAX_TEXT:
        raise ValueError(f"{name}() would give more than {MAX_TEXT} characters")
    return text


FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "split": split,
    "join": join,
    "trim": trim,
    "replace": replace,
    "substring": substring,
    "lowerAscii": lower_ascii,
    "upperAscii": upper_ascii,
}
"""By their name in an expression, each called as a method of its first argument."""
