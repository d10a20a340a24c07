"""What is said of a part of a document that does not fit the model: its place as the author wrote it, and what would fit."""

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

import pydantic
from pydantic_core import ErrorDetails
from runyard_shared.contracts.workflow import Workflow
from runyard_shared.errors import FieldProblem

from runyard_orchestrator.workflow.fitting import what_fits

_SCHEMA = Workflow.model_json_schema()
_BY_TYPE = {
    shape["properties"]["type"]["const"]: list(shape["properties"])
    for shape in _SCHEMA["$defs"].values()
    if "const" in shape.get("properties", {}).get("type", {})
}
"""The fields of each type of node and of trigger; no name is a type of both."""
_BY_PLACE = {
    "": list(_SCHEMA["properties"]),
    "edges": list(_SCHEMA["$defs"]["Edge"]["properties"]),
    "body": list(_SCHEMA["$defs"]["Body"]["properties"]),
}


def misfits(document: dict[str, Any], error: pydantic.ValidationError) -> Iterator[FieldProblem]:
    """Raises nothing: whatever pydantic found has words here."""
    for found in error.errors():
        path = _path(document, found["loc"])
        match found["type"]:
            case "missing":
                yield FieldProblem(path, "is required")
            case "extra_forbidden":
                yield FieldProblem(path, _unknown_field(found["loc"]))
            case "union_tag_not_found":
                yield FieldProblem(f"{path}.type", "is required")
            case "union_tag_invalid":
                yield FieldProblem(f"{path}.type", _unknown_type(found))
            case _:
                yield FieldProblem(path, what_fits(found))


def _unknown_field(location: tuple[int | str, ...]) -> str:
    name, around = str(location[-1]), location[:-1]
    places = [step for step in around if isinstance(step, str)]
    fields = _BY_TYPE.get(places[-1]) if places else _BY_PLACE[""]
    if fields is None:
        fields = _BY_PLACE.get(places[-1], [])
    nearest = get_close_matches(name, fields, 1)
    if nearest:
        return f"is not a field of this; did you mean {nearest[0]!r}?"
    return "is not a field of this" + (f"; there are {', '.join(fields)}" if fields else "")


def _unknown_type(found: ErrorDetails) -> str:
    given, expected = found["ctx"]["tag"], [each.strip(" '") for each in found["ctx"]["expected_tags"].split(",")]
    nearest = get_close_matches(given, expected, 1)
    return f"{given!r} is not a type of this; " + (
        f"did you mean {nearest[0]!r}?" if nearest else f"there are {', '.join(expected)}"
    )


def _path(document: dict[str, Any], location: tuple[int | str, ...]) -> str:
    """The place as its author wrote it: pydantic also names the member of a union, which is not a field."""
    path = ""
    at: Any = document
    may_be_tag = False
    for step in location:
        if isinstance(step, int):
            path += f"[{step}]"
            at = at[step] if isinstance(at, list) and step < len(at) else None
        elif not (may_be_tag and isinstance(at, dict) and at.get("type") == step):
            path += f".{step}" if path else step
            at = at.get(step) if isinstance(at, dict) else None
        may_be_tag = isinstance(step, int)
    return path
