"""What is said of a part of a document that does not fit the model: its place as the author wrote it, and what would fit."""

import re
from collections.abc import Sequence
from typing import Any, Final

from pydantic_core import ErrorDetails
from runyard_shared.contracts.workflow import Workflow

from runyard_orchestrator.workflow.fitting import what_fits
from runyard_orchestrator.workflow.names import instead, nearest

Steps = tuple[int | str, ...]
"""The way to a place in a document."""

_SCHEMA = Workflow.model_json_schema()
FIELDS_OF_TYPE: Final[dict[str, dict[str, Any]]] = {
    shape["properties"]["type"]["const"]: shape["properties"]
    for shape in _SCHEMA["$defs"].values()
    if "const" in shape.get("properties", {}).get("type", {})
}
"""The fields of each type of node and of trigger; no name is a type of both."""
_OF_PLACE: Final[dict[str, dict[str, Any]]] = {
    "edges": _SCHEMA["$defs"]["Edge"]["properties"],
    "body": _SCHEMA["$defs"]["Body"]["properties"],
}
_NODE_TYPES, _TRIGGER_TYPES = (
    tuple(_SCHEMA["properties"][field]["items"]["discriminator"]["mapping"]) for field in ("nodes", "triggers")
)
_ENTRY: Final = {"nodes": "{id: …, type: …}", "edges": "{from: …, to: …}", "triggers": "{type: …}"}
_QUOTED = re.compile(r"'([^']*)'")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d)[a-z]*")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def steps_of(document: Any, found: ErrorDetails) -> Steps:
    """The place as its author wrote it: pydantic also names the member of a union, which is not a field."""
    steps: list[int | str] = []
    at: Any = document
    location = found["loc"]
    for place, step in enumerate(location):
        if isinstance(step, int):
            at = at[step] if isinstance(at, list) and step < len(at) else None
        elif isinstance(at, dict) and not (_is_tag(steps, at, step)):
            is_missing = found["type"] == "missing" and place == len(location) - 1
            if step not in at and not is_missing:
                continue
            at = at.get(step)
        else:
            continue
        steps.append(step)
    return tuple(steps)


def fields_at(document: Any, steps: Steps) -> list[str]:
    """Of the part of the document that is there."""
    part = value_at(document, steps)
    kind = part.get("type") if isinstance(part, dict) else None
    if not steps:
        return list(_SCHEMA["properties"])
    lists = [step for step in steps if isinstance(step, str)]
    if lists[-1] in _OF_PLACE:
        return list(_OF_PLACE[lists[-1]])
    return list(FIELDS_OF_TYPE.get(kind, ())) if isinstance(kind, str) else []


def words_for(document: Any, steps: Steps, here: Sequence[ErrorDetails]) -> str:
    """Goes on from the path of the place, which for a type that is missing or unknown is that of the type.

    `here`: what pydantic found there; of a value that may be of several types, that it is none of them.
    """
    value = value_at(document, steps)
    words = ""
    match here[0]["type"]:
        case "missing":
            words = "is required"
        case "extra_forbidden":
            words = f"is not a field of this; {instead(str(steps[-1]), fields_at(document, steps[:-1]))}"
        case "union_tag_not_found":
            meant = meant_type(steps, value)
            words = "is required; " + (f"did you mean {meant!r}?" if meant else instead("", types_at(steps)))
        case "union_tag_invalid":
            words = f"{value['type']!r} is not a type of this; {instead(str(value['type']), types_at(steps))}"
        case "string_pattern_mismatch" | "string_too_long" if steps[-1] == "id" or "[key]" in here[0]["loc"]:
            words = "must be up to 64 letters, digits and underscores, the first not a digit: expressions name it"
        case "string_pattern_mismatch":
            words = "must be the name of a user, or role: and the name of a role, without spaces"
        case _:
            fitting = [what_fits(each).removeprefix("must be ") for each in here]
            begin = "must be " if what_fits(here[0]).startswith("must be ") else ""
            words = begin + ", or ".join(dict.fromkeys(fitting)) + _hint(steps, value, here[0])
    return words


def _hint(steps: Steps, value: Any, found: ErrorDetails) -> str:
    """How what is there becomes what fits."""
    hint = ""
    match found["type"]:
        case _ if value is None:
            hint = "there is nothing here"
        case "literal_error" if near := nearest(str(value), choices(found)):
            hint = f"did you mean {near!r}?"
        case "string_type" if isinstance(value, bool | int | float):
            hint = f'write it in quotes: "{str(value).lower() if isinstance(value, bool) else value}"'
        case "list_type" if isinstance(value, dict):
            hint = "write each of its entries after a dash"
        case "list_type" if isinstance(value, str):
            hint = f"write it in brackets: [{value}]" if "{{" not in value else "no template is evaluated here"
        case "model_attributes_type" if steps[-2:-1] and steps[-2] in _ENTRY:
            hint = f"write {_ENTRY[str(steps[-2])]}"
        case "float_type" | "float_parsing" if (seconds := _seconds(value)) is not None:
            hint = f"write {seconds:g} for {value}"
        case _ if isinstance(value, str) and "{{" in value:
            hint = "no template is evaluated here"
        case _:
            pass
    return f"; {hint}" if hint else ""


def types_at(steps: Steps) -> tuple[str, ...]:
    return _TRIGGER_TYPES if "triggers" in steps else _NODE_TYPES


def meant_type(steps: Steps, value: dict[str, Any]) -> str | None:
    """Of a part whose type is unknown or missing: the nearest by its name, else the only one that has all of its fields."""
    kinds = types_at(steps)
    if "type" in value:
        return nearest(str(value["type"]), kinds)
    fitting = [kind for kind in kinds if value.keys() <= FIELDS_OF_TYPE[kind].keys()]
    return fitting[0] if len(fitting) == 1 else None


def choices(found: ErrorDetails) -> list[str]:
    """Of a text that must be one of a few."""
    return _QUOTED.findall(found.get("ctx", {}).get("expected", ""))


def value_at(value: Any, steps: Sequence[int | str]) -> Any:
    """What is at that place; None where there is nothing."""
    for step in steps:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def path_of(steps: Sequence[int | str]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".")


def _seconds(value: Any) -> float | None:
    """What `5m` would be."""
    duration = _DURATION.fullmatch(value.strip().lower()) if isinstance(value, str) else None
    return float(duration[1]) * _UNITS[duration[2]] if duration is not None else None


def _is_tag(steps: list[int | str], at: dict[str, Any], step: str) -> bool:
    return bool(steps) and isinstance(steps[-1], int) and at.get("type") == step
