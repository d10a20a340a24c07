"""What is wrong with a text that is no YAML, in the words of whoever wrote it: a parser speaks of tokens and blocks, and people
forget quotes, mix tabs with spaces, and shift a line."""

import re
from typing import Final

from ruamel.yaml.error import MarkedYAMLError, StringMark

_VALUE = re.compile(r"^\s*(?:- +)?(?:[^\s:#][^:#]*:\s+)?")
_NO_SPACE = re.compile(r"^\s*(?:- +)?[A-Za-z_]\w*:(?=[^\s/:])")
_QUOTES: Final = "must be in quotes as a whole"
_SIGNS: Final = frozenset("@`%*!>|&")


def yaml_mistake(source: str, error: MarkedYAMLError) -> str:
    """The place and what to do about it."""
    lines = source.splitlines()
    found, within = error.problem_mark or error.context_mark, error.context_mark or error.problem_mark
    problem = str(error.problem or error.context or "this is not YAML")
    if found is None or within is None:
        return problem
    mark, what = _mistake(problem, found, within, lines)
    return f"line {mark.line + 1}, column {mark.column + 1}: {what}"


def _mistake(problem: str, found: StringMark, within: StringMark, lines: list[str]) -> tuple[StringMark, str]:
    """The first that fits, by what the parser says and by what the line looks like."""
    line = _line(lines, found)
    begin = line[found.column :]
    value = _VALUE.sub("", line)
    in_flow = f"the bracket of {_where(within)} is not closed, or a comma is missing before this"
    open_quote = "found unexpected end of stream" in problem and _at(lines, within)[:1] in ('"', "'")
    sign = value[:1] if value[:1] in _SIGNS else begin[:1]
    has_template = "{{" in line[max(0, found.column - 1) : found.column + 2] or value.startswith("{{")
    rules: list[tuple[bool, StringMark, str]] = [
        ("'\\t'" in problem or begin.startswith("\t"), found, "here is a tab; YAML is indented with spaces alone"),
        ("duplicate key" in problem, found, f"{_key(begin)} is there twice in the map of {_where(within)}; keep one of them"),
        (has_template and not problem.startswith("mapping"), found, f'a text that begins with {{{{ {_QUOTES}: "{{{{ … }}}}"'),
        ("unhashable key" in problem, found, f"a list or a map cannot be a name; a text {_QUOTES}"),
        (open_quote, within, "the quote that begins here is never closed"),
        (
            "unknown escape" in problem,
            found,
            r"\ and this letter mean nothing in double quotes; write \\, or use single quotes",
        ),
        ("another document" in problem, found, "--- begins another document; there can be only one"),
        ("mapping values are not allowed" in problem, found, _of_a_colon(found, lines)),
        (value[:1] in _SIGNS and "block" not in problem, found, f"a text that begins with {sign} {_QUOTES}"),
        ("undefined alias" in problem or "tag" in problem, found, f"a text that begins with {sign} {_QUOTES}"),
        (
            "<block end>" in problem and "<scalar>" in problem,
            found,
            f"the quotes are closed before this; the text {_QUOTES} of the other kind",
        ),
        ("<block end>" in problem, found, "this line is not indented like those it belongs to"),
        ("expected ',' or" in problem, found, in_flow),
        ("<stream end>" in problem, found, "the document ends here, and a value or a closing bracket is missing"),
        ("expected the node content" in problem, found, f"here is {begin[:1]!r}, where a value is expected"),
        ("find expected ':'" in problem, within, "here is no ':'; a text of several lines is indented deeper than its name"),
    ]
    return next(((mark, what) for fits, mark, what in rules if fits), (found, problem))


def _of_a_colon(found: StringMark, lines: list[str]) -> str:
    before = _line(lines, found)[: found.column]
    above = next((line for line in reversed(lines[: found.line]) if line.strip()), "")
    if ": " in before:
        return f"a text with a ':' and a space in it {_QUOTES}"
    if _NO_SPACE.match(above):
        return "in the line above there is no space after the ':'"
    return "this line is indented deeper than the one above, which has a value already; begin both in the same column"


def _at(lines: list[str], mark: StringMark) -> str:
    return _line(lines, mark)[mark.column :]


def _line(lines: list[str], mark: StringMark) -> str:
    """None where the document ends."""
    return lines[mark.line] if mark.line < len(lines) else ""


def _key(begin: str) -> str:
    return repr(begin.partition(":")[0].strip("'\" "))


def _where(mark: StringMark) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}"
