"""What went wrong with an expression that CEL can read, in words: names and functions that do not exist, and values that do not
go together. CEL says that the types do not fit; whoever reads it in a log wants to know which values were there.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from runyard_orchestrator.workflow.functions import FUNCTIONS
from runyard_orchestrator.workflow.names import instead, nearest

MAX_DESCRIBED: Final = 40
"""Characters of a text."""
_MAX_VALUES: Final = 5
KNOWN: Final = (
    *("size", "has", "int", "double", "string", "contains", "startsWith", "endsWith", "matches", *FUNCTIONS),
    *("all", "exists", "exists_one", "map", "filter", "timestamp", "duration", "type", "uint", "bytes", "dyn"),
    *("getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getHours", "getMinutes"),
    *("getSeconds", "getMilliseconds", "of", "none", "hasValue", "orValue", "value"),
)
"""Functions and macros, those that are used most first."""
_CALLED_ELSEWHERE: Final = {
    **dict.fromkeys(("len", "length", "count"), "size(value)"),
    **dict.fromkeys(("lower", "lowercase", "toLowerCase", "toLower", "downcase"), "text.lowerAscii()"),
    **dict.fromkeys(("upper", "uppercase", "toUpperCase", "toUpper", "upcase"), "text.upperAscii()"),
    **dict.fromkeys(("strip", "trimSpace"), "text.trim()"),
    **dict.fromkeys(("str", "toString", "text", "tojson", "toJSON"), "string(value)"),
    **dict.fromkeys(("parseInt", "toInt", "integer", "number"), "int(text)"),
    **dict.fromkeys(("float", "parseFloat"), "double(text)"),
    **dict.fromkeys(("default", "coalesce", "get", "orElse", "exist", "defined"), "has(a.b) ? a.b : 'other'"),
    **dict.fromkeys(("includes", "has_key", "hasKey", "index", "indexOf"), "part in list, or text.contains('part')"),
    **dict.fromkeys(("any", "some", "find"), "list.exists(x, …)"),
    **dict.fromkeys(("every",), "list.all(x, …)"),
    **dict.fromkeys(("now", "today", "date", "time"), "timestamp(execution.startedAt)"),
    **dict.fromkeys(("not",), "!(…)"),
    **dict.fromkeys(("regex", "match", "search", "test"), "text.matches('pattern')"),
    **dict.fromkeys(("if", "iif", "ternary"), "condition ? value : other"),
}
_LITERALS: Final = {
    **dict.fromkeys(("None", "nil", "NULL", "Null", "undefined", "none"), "null"),
    **dict.fromkeys(("True", "TRUE", "yes"), "true"),
    **dict.fromkeys(("False", "FALSE", "no"), "false"),
}
_OPERATION = re.compile(r"Unsupported operation: (\w+) (\S+) (\w+)")
_FUNCTION = re.compile(r"Function '(\w+)' error: (.*)", re.DOTALL)
_UNDEFINED = re.compile(r"Undefined variable or function: '(\w+)'")
_PYTHON = re.compile(r"Python function call failed: \w+: ")
_CONVERT: Final = "convert them, as with int(), double() or string()"
_CANNOT_READ: Final = {
    **dict.fromkeys(
        ("int", "uint", "double"), "cannot read the text as a number: there must be nothing else in it, which .trim() sees to"
    ),
    "timestamp": "cannot read the text; write it as in 2026-01-31T09:30:00Z",
    "duration": "cannot read the text; write it as in 1h30m or 90s",
}
_TYPE_WORDS: Final = {"float": "a number with a fraction", "int": "a whole number", "uint": "a uint", "string": "a text"}


def unknown_name(name: str, roots: Sequence[str], paths: Mapping[str, str]) -> str:
    """What is said of a name that is none of the roots. `paths`: of names that are there at a deeper place, that place."""
    if name in _LITERALS:
        return f"reads {name}, which does not exist; write {_LITERALS[name]}"
    if name in paths:
        return f"reads {name}, which does not exist; did you mean {paths[name]}?"
    if name in ("secrets", "secret"):
        return f"reads {name}, which does not exist; only a connection, which an action names, holds secrets"
    meant = nearest(name, roots)
    there = f"did you mean {meant}?" if meant else f"there are {', '.join(roots)}. If it is a text, write it in quotes"
    return f"reads {name}, which does not exist; {there}"


def unknown_function(name: str) -> str:
    if name in _CALLED_ELSEWHERE:
        return f"calls {name}(), which does not exist; write {_CALLED_ELSEWHERE[name]}"
    return f"calls {name}(), which does not exist; {instead(name, KNOWN)}"


def evaluation_problem(error: Exception, values: Mapping[str, Any]) -> str:
    """`error`: of CEL. `values`: that the expression reads, by their paths."""
    words = _words(str(error))
    read = [f"{path} is {described(value)}" for path, value in values.items()]
    more = f", and {len(read) - _MAX_VALUES} more" if len(read) > _MAX_VALUES else ""
    return f"{words}; {', '.join(read[:_MAX_VALUES])}{more}" if read else words


def described(value: Any) -> str:
    """A value with its type, for a person."""
    match value:
        case None | bool():
            words = "null" if value is None else str(value).lower()
        case str():
            shown = value if len(value) <= MAX_DESCRIBED else f"{value[: MAX_DESCRIBED - 1]}…"
            words = f"the text {shown!r}"
        case int() | float():
            words = f"the number {value}"
        case list():
            words = f"a list of {len(value)}"
        case dict():
            names = ", ".join(sorted(map(str, value))[:_MAX_VALUES])
            words = f"a map with {names}{', …' if len(value) > _MAX_VALUES else ''}" if value else "an empty map"
        case _:
            words = f"the {type(value).__name__} {str(value)[:MAX_DESCRIBED]}"
    return words


def _words(error: str) -> str:
    if "No such overload" in error or error.startswith("Unexpected type"):
        return f"the types of its values do not fit together; {_CONVERT}"
    if operation := _OPERATION.match(error):
        left, sign, right = operation.groups()
        both = f"{_TYPE_WORDS.get(left, f'a {left}')} {sign} {_TYPE_WORDS.get(right, f'a {right}')}"
        return f"{both} cannot be; {_CONVERT}"
    if undefined := _UNDEFINED.match(error):
        return f"{undefined[1]}() takes no such values" if undefined[1] in KNOWN else unknown_function(undefined[1])
    if failed := _FUNCTION.match(error):
        return _words_of_function(*failed.groups())
    return _sentence(error).replace(" in CEL expression", "")


def _words_of_function(name: str, why: str) -> str:
    if own := _PYTHON.match(why):
        return _sentence(why[own.end() :])
    if name == "matches":
        return f"matches() cannot read the pattern: {_sentence(why.rpartition('error: ')[2])}"
    return f"{name}() {_CANNOT_READ.get(name) or f'failed: {_sentence(why)}'}"


def _sentence(text: str) -> str:
    """The first one, without the advice for programmers after it."""
    return text.partition(". ")[0].partition("\n")[0].removesuffix(".")
