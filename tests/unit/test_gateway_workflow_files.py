"""Workflow documents as files: no text changes what it means on its way out and in again; archives are read up to limits."""

import io
import zipfile
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runyard_gateway.document_diff import differences
from runyard_gateway.documents import parse_document, rendered
from runyard_gateway.workflow_archive import MAX_FILE_BYTES, MAX_FILES, ArchiveWriter, read_archive
from runyard_shared.errors import Refusal

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20) | st.sampled_from(
    ["yes", "~", "null", "1_000", "0o7", "1e3", ".inf", "2026-01-01", "<<", "=", "- a", "a: b", "#", " x", "x ", "\t", "\n",
     "\x85", "\u2028",
     "\ufeff", "{{ a }}", "%", "!!str", "*a", "&a", "'", '"', "|", ">", "line\nline\n", "\n\nx", "x\r\ny", "---", "..."]
)  # fmt: skip
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | TEXT
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=12
)


def bytes_of(value: Any) -> bytes:
    return msgspec.json.encode(value)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(TEXT, VALUES, max_size=5))
def test_a_document_in_either_format_means_what_it_meant(members: dict[str, Any]) -> None:
    document = members | {"name": "x"}
    for format_, media_type in (("yaml", "application/yaml"), ("json", "application/json")):
        text = rendered(document, format_)  # type: ignore[arg-type]  # both are literals
        again = parse_document(text.encode(), media_type).value
        assert bytes_of(again) == bytes_of(document), text


def test_yaml_is_written_as_people_write_it() -> None:
    document = {"name": "Über", "nodes": [{"id": "a", "params": {"script": "true\nfalse\n", "no": "no"}}], "edges": []}
    assert rendered(document, "yaml").startswith("name: Über\nnodes:\n- id: a\n  params:\n")


@settings(max_examples=150, deadline=None)
@given(VALUES, VALUES)
def test_only_equal_documents_have_no_differences(before: Any, after: Any) -> None:
    for each in (before, after):
        same = msgspec.json.encode(before, order="sorted") == msgspec.json.encode(each, order="sorted")
        assert (not list(differences(before, each))) == same


def test_differences_name_what_is_nested_reordered_and_removed() -> None:
    body = {"nodes": [{"id": "x", "n": 1}, {"id": "y"}], "edges": []}
    before = {"nodes": [{"id": "a"}, {"id": "b"}, {"id": "each", "body": body}, {"id": "c"}], "flags": [True]}
    changed = {"nodes": [{"id": "y"}, {"id": "x", "n": 2}], "edges": []}
    after = {"nodes": [{"id": "each", "body": changed}, {"id": "a"}, {"id": "c"}], "flags": [1]}
    found = {(each.kind, each.path) for each in differences(before, after)}
    assert found == {
        ("changed", "nodes[id=each].body.nodes[id=x].n"), ("changed", "nodes[id=each].body.nodes (order)"),
        ("removed", "nodes[id=b]"), ("changed", "nodes (order)"), ("changed", "flags"),
    }  # fmt: skip
    twins = [{"id": "a", "n": 1}, {"id": "a", "n": 2}]
    assert [each.path for each in differences({"p": twins}, {"p": twins[1:]})] == ["p"], (
        "what has no ids of its own is compared whole"
    )
    assert list(differences({"p": [{"id": [1]}]}, {"p": [{"id": [1]}]})) == []


def archive(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as writer:
        for name, content in files.items():
            writer.writestr(name, content)
    return made.getvalue()


def test_an_archive_is_read_as_it_was_written_and_other_files_are_passed_over() -> None:
    writer = ArchiveWriter()
    for name in ("Disk / cleanup", "disk - cleanup", "..", "Über"):
        writer.add(name, "yaml", f"name: {name}")
    writer.end()
    content = writer.written()
    assert [(file.name, file.content.decode()) for file in read_archive(content)] == [
        ("Disk - cleanup.yaml", "name: Disk / cleanup"), ("disk - cleanup-2.yaml", "name: disk - cleanup"),
        ("workflow.yaml", "name: .."), ("Über.yaml", "name: Über"),
    ]  # fmt: skip
    others = archive({"README.md": b"", "a/b.yml": b"name: x", "__MACOSX/b.yml": b"", "a/.hidden.yaml": b"", "c.JSON": b"{}"})
    assert [(file.name, file.media_type) for file in read_archive(others)] == [
        ("a/b.yml", "application/yaml"), ("c.JSON", "application/json"),
    ]  # fmt: skip


def test_an_archive_that_is_a_trap_is_refused_early() -> None:
    (bomb,) = read_archive(archive({"bomb.yaml": b"\0" * (20 * MAX_FILE_BYTES)}))
    assert bomb.problem is not None and bomb.problem.code == "body_too_large" and not bomb.content
    big = b"x" * MAX_FILE_BYTES
    for content, code in (
        (archive({f"{number}.yaml": big for number in range(40)}), "archive_too_large"),
        (archive({f"{number}.yaml": b"" for number in range(MAX_FILES + 1)}), "archive_too_large"),
        (b"PK not a zip", "malformed_archive"),
        (archive({"a.yaml": b"name: x" * 99})[:-40], "malformed_archive"),
    ):
        with pytest.raises(Refusal) as refused:
            read_archive(content)
        assert refused.value.code == code
