"""What is wrong with the text of an expression that CEL cannot read, for people who know other languages better.

CEL's own parser decides whether a text is an expression; only when it says no is the text read again here, for the first place
where it stops making sense: a value stands where an operator should, a bracket is not closed, an operator is not one of CEL's.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

_TOKEN = re.compile(
    r"""
    (?P<space>[ \t\r\n\f]+)
  | (?P<text>[rRbB]{0,2}(?:\"{3}(?:[^\\]|\\.)*?\"{3}|'{3}(?:[^\\]|\\.)*?'{3}|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'))
  | (?P<number>0x[0-9a-fA-F]+u?|(?:\d+\.\d+|\.\d+|\d+)(?:[eE][+-]?\d+)?u?)
  | (?P<name>[A-Za-z_]\w*)
  | (?P<sign>===|!==|&&|\|\||==|!=|<=|>=|=~|=>|->|<>|\?\?|\?\.|\+\+|--|\*\*|\{\{|\}\}|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_BINARY: Final = {"&&", "||", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "in"}
_CLOSES: Final = {"(": ")", "[": "]", "{": "}"}
_ESCAPE = re.compile(r"\\(?!x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7]{2}|[abfnrtv\\?\"'`]).?", re.DOTALL)
_FOREIGN: Final = {
    "=": "'=' is no operator; write '==' to compare",
    "===": "'===' is no operator; write '=='",
    "!==": "'!==' is no operator; write '!='",
    "<>": "'<>' is no operator; write '!='",
    "=~": "'=~' is no operator; write text.matches('pattern')",
    "=>": "'=>' is no operator; write a macro as in list.map(x, x.name), and >= for 'at least'",
    "->": "'->' is no operator; write a macro as in list.map(x, x.name)",
    "&": "'&' is no operator; write '&&' for and",
    "|": "'|' is no operator; write '||' for or, text.trim() for a filter, and has(a.b) ? a.b : 'other' for a default",
    "??": "'??' is no operator; write has(a.b) ? a.b : 'other'",
    "?.": "'?.' is no operator; write has(a.b) ? a.b : 'other'",
    "++": "'++' is no operator",
    "--": "'--' is no operator",
    "**": "'**' is no operator",
    "^": "'^' is no operator",
    "~": "'~' is no operator",
    ";": "';' does not belong here; it is one expression",
    "$": "'$' does not belong here; write names without it, as in inputs.host",
    "@": "'@' does not belong here",
    "#": "'#' does not belong here; an expression has no comments",
    "\\": "'\\' does not belong here; it is only known inside of quotes",
    "`": "'`' does not belong here; write texts in ' or \"",
    "\xa0": "this is not a plain space; write one",
    "{{": "'{{' does not belong here; the whole field is an expression, without {{ and }}",
    "}}": "'}}' does not belong here; the whole field is an expression, without {{ and }}",
    **dict.fromkeys("‘’‚“”„«»´", "this is not a quote that CEL knows; write ' or \""),
}
_INSTEAD: Final = {
    "and": "write '&&' for 'and'",
    "or": "write '||' for 'or'",
    "not": "write '!' for 'not', as in !(a in b)",
    "is": "write '==' for 'is', and '!=' for 'is not'",
    "eq": "write '==' for 'eq'",
    "ne": "write '!=' for 'ne'",
    "if": "write condition ? value : other for 'if'",
    "then": "write condition ? value : other for 'then'",
    "else": "write condition ? value : other for 'else'",
    "for": "write list.map(x, …) or list.filter(x, …) for 'for'",
    "contains": "write text.contains('part') for 'contains'",
    "matches": "write text.matches('pattern') for 'matches'",
    "startswith": "write text.startsWith('begin') for 'startsWith'",
    "endswith": "write text.endsWith('end') for 'endsWith'",
    "default": "write has(a.b) ? a.b : 'other' for a default",
}
_RESERVED: Final = frozenset(
    (
        *("as", "break", "const", "continue", "else", "for", "function", "if", "import", "in", "let", "loop", "namespace"),
        *("package", "return", "var", "void", "while"),
    )
)
_DEEP: Final = 30
_SHOWN: Final = 60
"""Characters to each side of the place, of a long expression."""


def syntax_problem(source: str) -> str:
    """What is wrong, after the part of the text where it is."""
    place, what = _Reader(source).first_problem()
    begin, end = max(0, place - _SHOWN), place + _SHOWN
    shown = f"{'…' if begin else ''}{source[begin:end]}{'…' if end < len(source) else ''}"
    return f"{shown!r} is not a valid expression: at {_where(source, place)}, {what}"


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


@dataclass(slots=True)
class _Bracket:
    """An open one. `choices`: the places of each `?` in it that has no `:` yet. `may_close`: it is empty, or after a comma."""

    sign: str
    at: int
    may_close: bool = True
    choices: list[int] = field(default_factory=list)


class _Reader:
    def __init__(self, source: str) -> None:
        self._source = source
        self._open = [_Bracket("", 0, may_close=False)]
        self._before: _Token | None = None

    def first_problem(self) -> tuple[int, str]:
        """The place, from 0, and the words."""
        wants_value = True
        for token in _tokens(self._source):
            problem = _of_itself(token) or (self._as_value(token) if wants_value else self._after_value(token))
            if problem is not None:
                return token.at, problem
            wants_value = self._wants_value(token, wants_value=wants_value)
            self._before = token
        return self._at_the_end(wants_value=wants_value)

    def _as_value(self, token: _Token) -> str | None:
        inside = self._open[-1]
        said = repr(token.text)
        if self._before is not None and self._before.text == "." and token.kind != "name":
            return f"after '.' a name is expected, and {said} is none"
        if token.text in _CLOSES:
            self._open.append(_Bracket(token.text, token.at))
            return None
        if token.text in _CLOSES.values() and token.text == _CLOSES.get(inside.sign) and inside.may_close:
            self._open.pop()
            return None
        inside.may_close = False
        if token.kind == "name" and token.text.lower() in ("and", "or"):
            return f"{_INSTEAD[token.text.lower()]}, with a value before it"
        if token.kind == "name" and token.text in _RESERVED:
            return _INSTEAD.get(token.text, f"{said} is a word of CEL itself, and not a name")
        is_value = token.kind in ("name", "text", "number") or token.text in ("-", "!", ".")
        return None if is_value else f"{said} stands where a value is expected{self._after()}"

    def _after_value(self, token: _Token) -> str | None:
        inside, before = self._open[-1], self._before
        problem: str | None = None
        match token.text:
            case "(" if before is not None and before.kind == "name":
                self._open.append(_Bracket("(", token.at))
            case "[":
                self._open.append(_Bracket("[", token.at, may_close=False))
            case "?":
                inside.choices.append(token.at)
            case ":" if inside.choices:
                inside.choices.pop()
            case "," if inside.sign:
                inside.may_close = inside.sign != "("
            case ")" | "]" | "}":
                problem = self._close(token)
            case sign if sign not in _BINARY and sign != "." and not (sign == ":" and inside.sign == "{"):
                problem = self._unexpected(token)
            case _:
                pass
        return problem

    def _unexpected(self, token: _Token) -> str:
        """What stands where an operator could."""
        word = token.text.lower()
        after, touches, kind = "", False, ""
        if self._before is not None:
            after, kind = self._before.text, self._before.kind
            touches = self._before.at + len(after) == token.at
        if token.text in (":", ","):
            return "':' has no '?' before it" if token.text == ":" else "',' is not inside of brackets"
        if token.kind == "name" and word in _INSTEAD:
            return _INSTEAD[word]
        if after.lower() == "not":
            return "write '!' for 'not', as in !inputs.flag"
        if token.kind == "number" and word.startswith("."):
            return f"after '.' a name is expected, and {word[1:]!r} is none"
        between = {"": "an operator", "{": "a ':', or a comma,"}.get(self._open[-1].sign, "an operator, or a comma,")
        hint = f"; a quote inside of quotes is written \\{after[-1]}" if kind == "text" and touches else ""
        return f"{between} is missing between {after!r} and {token.text!r}{hint}"

    def _close(self, token: _Token) -> str | None:
        inside = self._open[-1]
        if not inside.sign:
            return f"{token.text!r} closes what was never opened"
        if inside.choices:
            where = _where(self._source, inside.choices[-1])
            return f"the '?' of {where} has no ':' with the other value"
        if _CLOSES[inside.sign] != token.text:
            where = _where(self._source, inside.at)
            return f"{token.text!r} cannot close the {inside.sign!r} of {where}; {_CLOSES[inside.sign]!r} does"
        self._open.pop()
        return None

    def _wants_value(self, token: _Token, *, wants_value: bool) -> bool:
        if token.kind == "name" and token.text != "in":
            return False
        if token.kind in ("text", "number") or token.text in (")", "]", "}"):
            return False
        return wants_value or token.text in _BINARY or token.text in (".", "(", "[", "?", ":", ",")

    def _at_the_end(self, *, wants_value: bool) -> tuple[int, str]:
        end = len(self._source)
        inside = self._open[-1]
        if wants_value and not (inside.sign and inside.may_close):
            return end, f"it ends where a value is expected{self._after()}"
        if inside.choices:
            return inside.choices[-1], "this '?' has no ':' with the other value"
        if inside.sign:
            return inside.at, f"this {inside.sign!r} is never closed with {_CLOSES[inside.sign]!r}"
        return 0, _of_all_of_it(self._source)

    def _after(self) -> str:
        return f" after {self._before.text!r}" if self._before is not None else ""


def _tokens(source: str) -> Iterator[_Token]:
    for found in _TOKEN.finditer(source):
        if found.lastgroup != "space":
            yield _Token(found.lastgroup or "", found.group(), found.start())


def _of_itself(token: _Token) -> str | None:
    """What is wrong with it wherever it stands."""
    if token.kind == "sign" and token.text in "\"'":
        return f"this {token.text} is never closed"
    if token.kind == "sign":
        return _FOREIGN.get(token.text) or (
            None if re.fullmatch(r"[!<>=&|+\-*/%?:.,()\[\]{}]+", token.text) else f"{token.text!r} does not belong here"
        )
    if token.kind == "text" and "r" not in token.text[:2].lower() and (wrong := _ESCAPE.search(token.text)):
        return f"{wrong.group()!r} means nothing inside of quotes; write two \\, or r before the quotes of a pattern"
    return None


def _where(source: str, at: int) -> str:
    column = f"column {at - source.rfind(chr(10), 0, at)}"
    lines = source.count("\n", 0, at) + 1
    return f"line {lines}, {column}" if "\n" in source else column


def _of_all_of_it(source: str) -> str:
    """What no single place shows."""
    if re.search(r"\bhas\s*\(", source):
        return "has() takes the path of a field, as in has(inputs.host)"
    if macro := re.search(r"\.(map|filter|all|exists|exists_one)\s*\(", source):
        return f"{macro[1]}() takes a name for each element and then an expression, as in list.{macro[1]}(x, …)"
    if source.count("(") + source.count("[") + source.count("{") > _DEEP:
        return "it may be nested too deep; take it apart"
    return "it is not as CEL wants it"
