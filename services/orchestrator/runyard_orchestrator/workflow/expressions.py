"""CEL expressions and templates: compiled once, evaluated against a scope, bounded in size and cost.

A template is text with CEL between `{{` and `}}`. One that is exactly one `{{ … }}` keeps the value's type. A path that
does not resolve is empty text and a warning in a template, and an error in an expression: a wrong path must not silently
choose a branch.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import cel
import msgspec
from runyard_shared.clock import rfc3339
from runyard_shared.errors import RunyardError

from runyard_orchestrator.workflow.failures import described, evaluation_problem, unknown_name
from runyard_orchestrator.workflow.functions import FUNCTIONS
from runyard_orchestrator.workflow.syntax import syntax_problem

ROOTS = frozenset({"inputs", "trigger", "incident", "webhook", "execution", "nodes", "vars", "item", "index", "error"})
_VALUES = frozenset({"item", "index"})
"""Those that are values themselves."""
MAX_SOURCE = 4096
MAX_SHOWN = 200
"""Characters of a value that is shown beside the expression that read it."""
MAX_STEPS = 1_000_000
"""The most elements that the nested macros of one evaluation may visit."""

_PATH = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*|\[\d+\]|\[\"[^\"\\]*\"\]|\['[^'\\]*'\])*")
_STEP = re.compile(r"\.?([A-Za-z_]\w*)|\[(\d+)\]|\[\"([^\"\\]*)\"\]|\['([^'\\]*)'\]")
_TEXT = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'")
_MACRO = re.compile(r"\.(?:map|filter|all|exists|exists_one)\s*\(")
_CALL = re.compile(r"([A-Za-z_]\w*)\s*\(")
_MISSING = object()

Scope = Mapping[str, Any]
"""The roots that an expression sees, each a plain JSON value."""


class ExpressionError(RunyardError):
    """The expression cannot be compiled or evaluated; the message says why, for the person who wrote it."""


class UnknownName(ExpressionError):
    """It reads something that is none of the roots."""

    def __init__(self, source: str, name: str) -> None:
        super().__init__(f"{source!r} {unknown_name(name, sorted(ROOTS), {})}")
        self.source = source
        self.name = name


class UnresolvedPath(ExpressionError):
    """A path names something that does not exist; the message says what exists at that level."""


@dataclass(frozen=True, slots=True)
class Expression:
    """One compiled CEL expression."""

    source: str
    roots: tuple[str, ...]
    nodes: tuple[str, ...]
    """The node ids it reads as `nodes.<id>`."""
    path: tuple[str | int, ...] | None
    """Set when the expression is nothing but a path, which needs no CEL."""
    macro_depth: int
    functions: tuple[str, ...]
    """Those of `FUNCTIONS` that it calls."""
    program: cel.Program

    def evaluate(self, scope: Scope) -> Any:
        """The value. Raises `UnresolvedPath` or `ExpressionError`."""
        if self.path is not None:
            return _walk(self.path, scope)
        context = {root: scope[root] for root in self.roots if root in scope}
        if self.macro_depth and _largest(context) ** self.macro_depth > MAX_STEPS:
            raise ExpressionError(f"{self.source!r} would visit more than {MAX_STEPS} elements; use smaller lists")
        try:
            return self.execute(context)
        except (KeyError, IndexError, RuntimeError, TypeError, ValueError, ArithmeticError) as error:
            raise self._failure(error, scope) from error

    def _failure(self, error: Exception, scope: Scope) -> ExpressionError:
        missing = self._first_missing(scope)
        if isinstance(error, KeyError | IndexError) or (missing and isinstance(error, RuntimeError)):
            return UnresolvedPath(missing or f"{_shorten(self.source)!r} does not resolve: there is no {error}")
        return ExpressionError(f"{_shorten(self.source)!r}: {missing or evaluation_problem(error, self._values(scope))}")

    def execute(self, context: dict[str, Any]) -> Any:
        """The value, with whatever the library raises."""
        if not self.functions:
            return self.program.execute(context)
        with_functions = cel.Context(context)
        for name in self.functions:
            with_functions.add_function(name, FUNCTIONS[name])
        return self.program.execute(with_functions)

    def reads(self, scope: Scope) -> dict[str, Any]:
        """The paths it names, as far as they resolve, with their values; long ones are cut to be shown to a person."""
        return {path: _shown(value) for path, value in self._values(scope).items()}

    def paths(self) -> list[tuple[str | int, ...]]:
        """That it names from the roots on, whether there is something or not."""
        found = dict.fromkeys(_paths(_TEXT.sub('""', self.source)))
        return [path for path in found if path and path[0] in ROOTS and "" not in path]

    def _values(self, scope: Scope) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for path in self.paths():
            if len(path) > 1 or path[0] in _VALUES:
                with suppress(UnresolvedPath):
                    found[_path_text(path)] = _walk(path, scope)
        return found

    def _first_missing(self, scope: Scope) -> str | None:
        for path in _paths(self.source):
            if path and path[0] in ROOTS:
                try:
                    _walk(path, scope)
                except UnresolvedPath as missing:
                    return str(missing)
        return None


@lru_cache(maxsize=4096)
def compile_expression(source: str) -> Expression:
    """Compile, or raise `ExpressionError` that says where it is wrong or which name is unknown."""
    text = source.strip()
    if not text:
        raise ExpressionError("the expression is empty")
    if len(text) > MAX_SOURCE:
        raise ExpressionError(f"the expression is longer than {MAX_SOURCE} characters")
    try:
        program = cel.compile(text)
    except ValueError as error:
        raise ExpressionError(syntax_problem(text)) from error
    bound = _bound_names(text)
    names = [name for name in program.variables() if name not in bound]
    if unknown := sorted(set(names) - ROOTS):
        raise UnknownName(_shorten(text), unknown[0])
    plain = _TEXT.sub('""', text)
    nodes = tuple(dict.fromkeys(re.findall(r"\bnodes\.([A-Za-z_]\w*)", plain)))
    whole = _PATH.fullmatch(text)
    path = tuple(_steps(text)) if whole and text not in ("true", "false", "null") else None
    functions = tuple(name for name in dict.fromkeys(_CALL.findall(plain)) if name in FUNCTIONS)
    return Expression(text, tuple(names), nodes, path, _macro_depth(plain), functions, program)


@dataclass(frozen=True, slots=True)
class Template:
    """Text with expressions in it, or any JSON value that has such texts in it somewhere."""

    render: Callable[[Scope, list[str]], Any]
    """(scope, warnings) -> the value; unresolved paths are added to warnings. Raises `ExpressionError`."""
    expressions: tuple[Expression, ...]


def compile_template(value: Any, field: str = "") -> Template:
    """Compile every text inside a JSON value, the `field` of a node. Raises `ExpressionError` at the first bad one."""
    expressions: list[Expression] = []
    render = _compile_value(value, expressions, field)
    return Template(render, tuple(expressions))


def template_expressions(value: Any, path: str) -> Iterator[tuple[str, str | ExpressionError]]:
    """(path, source) of every expression inside a JSON value; an error in place of the source where a text is malformed."""
    for place, text in texts_in(value, path):
        try:
            for part in _split(text):
                if isinstance(part, _Hole):
                    yield place, part.source
        except ExpressionError as error:
            yield place, error


def texts_in(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """(path, text) of every text inside a JSON value."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from texts_in(item, f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from texts_in(item, f"{path}[{index}]")


def has_template(text: str) -> bool:
    return "{{" in text


def as_text(value: Any) -> str:
    """How a value looks inside a text: JSON for lists and maps, nothing for null."""
    match value:
        case str():
            return value
        case None:
            return ""
        case bool():
            text = "true" if value else "false"
        case datetime():
            text = rfc3339(value)
        case bytes():
            text = value.decode(errors="replace")
        case dict() | list():
            text = msgspec.json.encode(value).decode()
        case _:
            text = str(value)
    return text


def _compile_value(value: Any, expressions: list[Expression], place: str) -> Callable[[Scope, list[str]], Any]:
    if isinstance(value, str):
        return _compile_text(value, expressions, place)
    if isinstance(value, dict):
        before = len(expressions)
        items = [(key, _compile_value(item, expressions, f"{place}.{key}")) for key, item in value.items()]
        if len(expressions) > before:
            return lambda scope, warnings: {key: render(scope, warnings) for key, render in items}
    if isinstance(value, list):
        renders = [_compile_value(item, expressions, f"{place}[{index}]") for index, item in enumerate(value)]
        return lambda scope, warnings: [render(scope, warnings) for render in renders]
    return lambda scope, warnings: value


def _compile_text(text: str, expressions: list[Expression], place: str) -> Callable[[Scope, list[str]], Any]:
    parts: list[str | Expression] = []
    for part in _split(text):
        if isinstance(part, _Hole):
            expression = compile_expression(part.source)
            expressions.append(expression)
            parts.append(expression)
        else:
            parts.append(part)
    if not any(isinstance(part, Expression) for part in parts):
        return lambda scope, warnings: text
    if len(parts) == 1 and isinstance(parts[0], Expression):
        only = parts[0]
        return lambda scope, warnings: _json_value(_resolve(only, scope, warnings, place))
    return lambda scope, warnings: "".join(
        part if isinstance(part, str) else as_text(_resolve(part, scope, warnings, place)) for part in parts
    )


def _resolve(expression: Expression, scope: Scope, warnings: list[str], place: str) -> Any:
    try:
        return expression.evaluate(scope)
    except UnresolvedPath as missing:
        warnings.append(str(missing))
        return ""
    except ExpressionError as error:
        raise ExpressionError(f"{place}: {error}" if place else str(error)) from error


def _json_value(value: Any) -> Any:
    return as_text(value) if isinstance(value, datetime | bytes) else value


@dataclass(frozen=True, slots=True)
class _Hole:
    source: str


def _split(text: str) -> Iterator[str | _Hole]:
    """The literal parts and the holes of a template. A `}}` inside a quoted text or an open brace does not end a hole."""
    position = 0
    while (start := text.find("{{", position)) >= 0:
        if start > position:
            yield text[position:start]
        end = _hole_end(text, start + 2)
        yield _Hole(text[start + 2 : end])
        position = end + 2
    if position < len(text):
        yield text[position:]


def _hole_end(text: str, start: int) -> int:
    depth, quote, index = 0, "", start
    while index < len(text):
        char = text[index]
        if quote:
            if char == "\\":
                index += 1
            elif char == quote:
                quote = ""
        elif char in "\"'":
            quote = char
        elif char == "{":
            depth += 1
        elif char == "}":
            if depth == 0 and text.startswith("}}", index):
                return index
            depth = max(0, depth - 1)
        index += 1
    begun = text[start - 2 :]
    why = f"; the quote {quote} in it is open to the end" if quote else "; there is only one }" if "}" in begun else ""
    raise ExpressionError(f"'{{{{' in {_shorten(begun)!r} is never closed with '}}}}'{why}")


def _steps(path: str) -> Iterator[str | int]:
    for match in _STEP.finditer(path):
        name, index, double, single = match.groups()
        yield int(index) if index is not None else next(part for part in (name, double, single) if part is not None)


def _paths(source: str) -> Iterator[tuple[str | int, ...]]:
    for match in _PATH.finditer(source):
        path = tuple(_steps(match.group()))
        called = source[match.end() : match.end() + 1] == "("
        yield path[:-1] if called else path


def _walk(path: tuple[str | int, ...], scope: Scope) -> Any:
    value: Any = scope
    for depth, step in enumerate(path):
        found: Any = _MISSING
        if isinstance(value, dict):
            found = value.get(step, _MISSING)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            found = value[step]
        if found is _MISSING:
            raise UnresolvedPath(_missing_message(path, depth, value))
        value = found
    return value


def _missing_message(path: tuple[str | int, ...], depth: int, level: Any) -> str:
    whole, above = _path_text(path), _path_text(path[:depth])
    if isinstance(level, dict):
        there = ", ".join(sorted(map(str, level))[:20]) or "nothing"
        return f"{whole} does not resolve: {above or 'the scope'} has no {str(path[depth])!r}; it has {there}"
    if isinstance(level, list):
        return f"{whole} does not resolve: {above} has {len(level)} element{'' if len(level) == 1 else 's'}"
    return f"{whole} does not resolve: {above} is {described(level)}, which has no fields"


def _path_text(path: tuple[str | int, ...]) -> str:
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _shown(value: Any) -> Any:
    text = as_text(value)
    return value if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"


def _largest(value: Any) -> int:
    """The size of the largest list or map anywhere in a JSON value."""
    if isinstance(value, dict):
        return max(len(value), max(map(_largest, value.values()), default=0))
    if isinstance(value, list):
        return max(len(value), max(map(_largest, value), default=0))
    return 1


def _macro_depth(plain: str) -> int:
    """How deep macros such as `.map(` are nested; chained ones count as nested, which errs on the safe side."""
    return len(_MACRO.findall(plain))


def _bound_names(text: str) -> set[str]:
    """Names that macros bind: the `x` of `.map(x, …)`."""
    return set(re.findall(r"\.(?:map|filter|all|exists|exists_one)\s*\(\s*([A-Za-z_]\w*)\s*,", _TEXT.sub('""', text)))


def _shorten(text: str) -> str:
    return text if len(text) <= 160 else text[:157] + "..."
