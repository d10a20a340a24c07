"""Documents as people send them, and how two of them differ."""

from typing import Any

import pytest
from runyard_gateway.document_diff import differences
from runyard_gateway.documents import parse_document
from runyard_shared.errors import Refusal


def refused(content: bytes, media_type: str = "application/yaml") -> Refusal:
    with pytest.raises(Refusal) as raised:
        parse_document(content, media_type)
    return raised.value


def test_yaml_means_what_yaml_1_2_says() -> None:
    document = parse_document(b"name: x\nnodes: [{on: no, port: yes, n: 012, t: 'true'}]\n", "text/yaml")
    assert document.value["nodes"] == [{"on": "no", "port": "yes", "n": 12, "t": "true"}]
    assert (document.format, document.source[:7]) == ("yaml", "name: x")


def test_a_short_text_that_stands_for_an_endless_value_is_refused_at_once() -> None:
    laughs = "name: x\na: &a [lol]\n" + "".join(
        f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert refused(laughs.encode()).code == "document_too_complex"
    assert refused(b"name: x\na: &a {b: *a}").code == "document_too_complex"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("name: x\na: 2026-01-01", "a"),
        ("name: x\na: [1, .nan]", "a[1]"),
        ("name: x\na: {b: 99999999999999999999}", "a.b"),
        ("name: x\n1: one", ""),
        ('name: x\na: "\\0"', "a"),
    ],
)
def test_what_json_cannot_hold_is_refused_with_its_place(text: str, path: str) -> None:
    refusal = refused(text.encode())
    assert refusal.status == 422
    assert [problem.path for problem in refusal.errors] == [path]


@pytest.mark.parametrize("name", ["", "  ", "5", "[a]", "x" * 201])
def test_a_draft_needs_a_name_that_can_be_used(name: str) -> None:
    assert [problem.path for problem in refused(f"name: {name}".encode()).errors] == ["name"]


def test_everything_that_json_cannot_hold_is_named_at_once() -> None:
    refusal = refused(b"name: x\nfrom: 2026-01-01\nto: [2026-01-01T00:00:00Z, .inf]")
    assert [problem.path for problem in refusal.errors] == ["from", "to[0]", "to[1]"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nodes:\n\t- id: a", "Line 2, column 1: here is a tab; YAML is indented with spaces alone"),
        ("name: a\nnodes: []\nnodes: []", "Line 3, column 1: 'nodes' is there twice in the map of line 1, column 1"),
        ("nodes:\n  - id: a\n   type: b", "Line 3, column 4: this line is not indented like those it belongs to"),
        ("name: a\n  nodes: []", "Line 2, column 8: this line is indented deeper than the one above"),
        ("name:a\nnodes: []", "in the line above there is no space after the ':'"),
        ("description: do this: that", "Line 1, column 21: a text with a ':' and a space in it must be in quotes"),
        ("name: 'a\nnodes: []\n", "Line 1, column 7: the quote that begins here is never closed"),
        ("nodes: {a: 1\nedges: []", "Line 2, column 6: the bracket of line 1, column 8 is not closed, or a comma is missing"),
        ("edges: [", "the document ends here, and a value or a closing bracket is missing"),
        ("text: {{ inputs.x }}", "Line 1, column 8: a text that begins with {{ must be in quotes"),
        ("nodes: [{text: {{ inputs.x }}}]", "a text that begins with {{ must be in quotes"),
        ("cron: */5 * * * *", "a text that begins with * must be in quotes as a whole"),
        ("expression: !has(inputs.x)", "Line 1, column 13: a text that begins with ! must be in quotes"),
        ("expression: 'a == 'b''", "the quotes are closed before this"),
        (r'pattern: "\d+"', r"write \\, or use single quotes"),
        ("script: |\n  one\ntwo\n", "Line 3, column 1: here is no ':'; a text of several lines is indented deeper"),
        ("name: a\n---\nname: b", "Line 2, column 1: --- begins another document"),
    ],
)
def test_what_is_no_yaml_says_where_and_what_to_do(text: str, words: str) -> None:
    refusal = refused(text.encode())
    assert refusal.code == "malformed_yaml"
    assert words in refusal.detail


def test_what_is_no_json_says_where() -> None:
    refusal = refused('{"name": "é",\n "nodes": [],}'.encode(), "application/json")
    assert refusal.detail == "The body is not JSON: line 2, column 14: trailing comma in object."


def test_documents_are_compared_node_by_node() -> None:
    before: dict[str, Any] = {"name": "x", "nodes": [{"id": "a", "n": 1}, {"id": "b"}], "edges": []}
    after: dict[str, Any] = {"name": "x", "nodes": [{"id": "c"}, {"id": "a", "n": True}], "edges": [], "timeoutSeconds": 5}
    found = [(each.kind, each.path, each.before, each.after) for each in differences(before, after)]
    assert found == [
        ("changed", "nodes[id=a].n", 1, True),
        ("removed", "nodes[id=b]", {"id": "b"}, None),
        ("added", "nodes[id=c]", None, {"id": "c"}),
        ("added", "timeoutSeconds", None, 5),
    ]
    assert [*differences(before, before)] == []
