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
