"""What is said of a part of a document that does not fit the model: its place as the author wrote it, and what would fit."""

import re
from collections.abc import Sequence
from typing import Any, Final

from pydantic_core import ErrorDetails
from runyard_shared.contracts.actions import ACTIONS
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
_ALSO_CALLED: Final = {
    **dict.fromkeys(("steps", "tasks", "jobs", "stages", "states", "activities"), ("nodes",)),
    **dict.fromkeys(("on", "schedule", "schedules", "events"), ("triggers",)),
    **dict.fromkeys(("links", "transitions", "connections", "flow"), ("edges",)),
    **dict.fromkeys(("vars", "variables"), ("inputs", "values")),
    **dict.fromkeys(("with", "args", "arguments", "parameters", "config", "input"), ("params", "inputs")),
    **dict.fromkeys(("uses", "run", "operation"), ("action",)),
    **dict.fromkeys(("source", "src", "start"), ("from",)),
    **dict.fromkeys(("target", "dest", "destination", "next"), ("to",)),
    **dict.fromkeys(("when", "if", "outcome", "label"), ("port", "expression", "condition")),
    **dict.fromkeys(("duration", "wait", "sleep", "delay"), ("seconds",)),
    **dict.fromkeys(("attempts",), ("maxRetries",)),
    **dict.fromkeys(("users", "reviewers"), ("approvers",)),
    **dict.fromkeys(("in", "list", "over", "loop"), ("items",)),
    **dict.fromkeys(("parallelism", "maxparallel"), ("concurrency",)),
}
"""Elsewhere; of each the fields here, the first that is one of its place."""
_EDGE_WAY: Final = "what comes before and after is in the edges, as {from: …, to: …}"
_ANOTHER_WAY: Final = {
    **dict.fromkeys(("dependson", "needs", "after", "requires", "next", "then", "onsuccess"), _EDGE_WAY),
    **dict.fromkeys(("onerror", "onfailure", "catch", "rescue"), "write an edge for it, as {from: …, port: error, to: …}"),
    **dict.fromkeys(("continueonerror", "ignoreerrors", "allowfailure"), "write critical: false"),
}
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
            words = _unknown_field(document, steps)
        case "union_tag_not_found":
            meant = meant_type(steps, value)
            words = "is required; " + (f"did you mean {meant!r}?" if meant else instead("", types_at(steps)))
        case "union_tag_invalid":
            kind = str(value["type"])
            hint = f"write type: action and action: {kind}" if kind in ACTIONS else instead(kind, types_at(steps))
            words = f"{value['type']!r} is not a type of this; {hint}"
        case "string_pattern_mismatch" | "string_too_long" if steps[-1] == "id" or "[key]" in here[0]["loc"]:
            words = "must be up to 64 letters, digits and underscores, the first not a digit: expressions name it"
        case "string_pattern_mismatch":
            words = "must be the name of a user, or role: and the name of a role, without spaces"
        case _:
            words = words_for_value(steps, value, here)
    return words


def words_for_value(steps: Steps, value: Any, here: Sequence[ErrorDetails]) -> str:
    """What would fit, and how what is there becomes that."""
    fitting = [what_fits(each).removeprefix("must be ") for each in here]
    begin = "must be " if what_fits(here[0]).startswith("must be ") else ""
    return begin + ", or ".join(dict.fromkeys(fitting)) + _hint(steps, value, here[0])


def meant_field(document: Any, steps: Steps) -> str | None:
    """The field that an unknown one is, by another spelling or by the name that it has elsewhere."""
    name, fields = str(steps[-1]), fields_at(document, steps[:-1])
    also = next((field for field in _ALSO_CALLED.get(name.replace("_", "").lower(), ()) if field in fields), None)
    return also or nearest(name, fields)


def is_parameter(document: Any, steps: Steps) -> bool:
    """Whether the field is a parameter of the action beside it."""
    around = value_at(document, steps[:-1])
    action = ACTIONS.get(str(around.get("action"))) if "triggers" not in steps and steps[:-1] else None
    return action is not None and any(steps[-1] in (field.alias, name) for name, field in action.params.model_fields.items())


def _unknown_field(document: Any, steps: Steps) -> str:
    name = str(steps[-1])
    if is_parameter(document, steps):
        return f"is a parameter of the action; write it below params, as params: {{{name}: …}}"
    if "nodes" in steps and (way := _ANOTHER_WAY.get(name.replace("_", "").lower())):
        return f"is not a field of this; {way}"
    meant = meant_field(document, steps)
    return f"is not a field of this; {f'did you mean {meant!r}?' if meant else instead('', fields_at(document, steps[:-1]))}"


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
        case "model_type" if steps[-1] == "body":
            hint = "write {nodes: …, edges: …}"
        case "model_attributes_type" | "model_type" if steps[-2:-1] and steps[-2] in _ENTRY:
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
        if str(value["type"]) in ACTIONS and "triggers" not in steps:
            return "action"
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
