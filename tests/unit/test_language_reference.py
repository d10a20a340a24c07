"""The page of the workflow language says what the code does: every type of node and of trigger with its fields, every action
with its parameters, every function."""

import re
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from runyard_orchestrator.workflow.functions import FUNCTIONS
from runyard_shared.contracts.workflow import AnyNode, AnyTrigger, Node

from tests.action_reference import FILE as ACTIONS_PAGE

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "workflow-language.md").read_text(encoding="utf-8")


def members(union: Any) -> Iterator[type[BaseModel]]:
    if get_origin(union) is Annotated:
        yield from members(get_args(union)[0])
    elif get_origin(union) in (Union, UnionType):
        for each in get_args(union):
            yield from members(each)
    else:
        yield union


def by_type(union: Any) -> dict[str, set[str]]:
    """The fields of each type, as documents write them."""
    return {
        get_args(model.model_fields["type"].annotation)[0]: {field.alias or name for name, field in model.model_fields.items()}
        for model in members(union)
    }


def section(title: str) -> str:
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


def rows(title: str) -> list[list[str]]:
    lines = [line for line in section(title).splitlines() if line.startswith("| ")]
    return [re.split(r"\s*\|\s*", line.strip("| ")) for line in lines]


def test_the_table_of_nodes_has_every_type_with_its_fields() -> None:
    common = {field.alias or name for name, field in Node.model_fields.items()} | {"type"}
    told = {
        row[0]: set(re.findall(r"`(\w+)`", re.sub(r"\([^)]*\)", "", row[1])))
        for row in rows("Nodes")
        if len(row) >= 3 and row[0] != "type"
    }
    assert told == {kind: fields - common for kind, fields in by_type(AnyNode).items()}
    assert all(f"`{field}`" in PAGE for field in common - {"type"})


def test_every_trigger_and_its_fields_are_told() -> None:
    text = section("Triggers")
    for kind, fields in by_type(AnyTrigger).items():
        assert f"type: {kind}" in text, kind
        assert all(re.search(rf"\b{field}:|`{field}`", text) for field in fields), (kind, fields)


def test_the_functions_of_expressions_are_those_there_are() -> None:
    text = section("Expressions and templates")
    assert set(FUNCTIONS) - set(re.findall(r"`(\w+)`", text)) == set()


def test_every_action_has_its_row_with_its_parameters() -> None:
    described = dict(
        re.findall(
            r"^### (\S+\.\S+)\n(.*?)(?=^### |^## |\Z)", ACTIONS_PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
        )
    )
    told = {
        row[0].strip("`"): set(re.findall(r"`(\w+)`", row[1]))
        for row in rows("Actions")
        if row[0].startswith("`") and "." in row[0]
    }
    told = {kind: fields for kind, fields in told.items() if kind in described or re.fullmatch(r"[a-z]+\.[a-zA-Z]+", kind)}
    there = {
        kind: set(re.findall(r"^\| `(\w+)` \|", text.split("| output")[0], re.MULTILINE)) for kind, text in described.items()
    }
    assert told == there
