"""Holds the parameters of an action against what its type takes, before any template in them is rendered.

The value of a text with a template in it is not known yet and not judged; everything around it is: names, what is missing, and
the other values.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import jsonschema_rs
import pydantic
from pydantic_core import ErrorDetails
from runyard_shared.contracts.actions import ActionType, Params

from runyard_orchestrator.workflow.expressions import has_template
from runyard_orchestrator.workflow.misfits import Steps, steps_of, value_at, words_for_value
from runyard_orchestrator.workflow.names import instead, nearest
from runyard_orchestrator.workflow.schemas import SchemaError, compile_schema

Problems = Iterator[tuple[str, str]]
_Kind = jsonschema_rs.ValidationErrorKind
_OF_THE_CONTAINER = (
    _Kind.Type,
    _Kind.Required,
    _Kind.AdditionalProperties,
    _Kind.UnevaluatedProperties,
    _Kind.MinItems,
    _Kind.MaxItems,
    _Kind.MinProperties,
    _Kind.MaxProperties,
)
"""What a list or a map fails by itself, whatever the templates inside it give."""


def model_problems(action: str, params: dict[str, Any], model: type[Params], path: str) -> Problems:
    """Of a type that comes with Runyard."""
    try:
        model.model_validate(params)
    except pydantic.ValidationError as error:
        problems = error.errors()
    else:
        return
    fields = sorted(field.alias or name for name, field in model.model_fields.items())
    unknown = [problem["loc"] for problem in problems if problem["type"] == "extra_forbidden"]
    meant = {(*loc[:-1], nearest(str(loc[-1]), fields)) for loc in unknown}
    placed: dict[Steps, list[ErrorDetails]] = {}
    for problem in problems:
        placed.setdefault(steps_of(params, problem), []).append(problem)
    for steps, here in placed.items():
        place, value = below(path, steps), value_at(params, steps)
        match here[0]["type"]:
            case "extra_forbidden":
                yield place, _not_a_parameter(action, str(steps[-1]), fields)
            case "missing":
                if steps not in meant:
                    yield place, f"is required by {action}"
            case _ if not _is_text_with_template(value):
                yield place, words_for_value(steps, value, here)


def schema_problems(action: ActionType, params: dict[str, Any], path: str) -> Problems:
    """Of a type that an agent announced."""
    try:
        validator = compile_schema(action.params)
    except SchemaError as error:
        yield path, f"cannot be checked: what agents announce for {action.type} {error}"
        return
    properties = action.params.get("properties")
    fields = sorted(properties) if isinstance(properties, dict) else []
    meant = {nearest(name, fields) for name in params if name not in fields}
    for problem in validator.iter_errors(params):
        steps, kind = problem.instance_path, problem.kind
        value = value_at(params, steps)
        if isinstance(kind, _Kind.Required):
            if steps or kind.property not in meant:
                yield below(path, (*steps, kind.property)), f"is required by {action.type}"
        elif isinstance(kind, _Kind.AdditionalProperties | _Kind.UnevaluatedProperties):
            for name in sorted(kind.unexpected):
                message = f"is not known to {action.type}" if steps else _not_a_parameter(action.type, name, fields)
                yield below(path, (*steps, name)), message
        elif _is_text_with_template(value) or (_has_template(value) and not isinstance(kind, _OF_THE_CONTAINER)):
            continue
        else:
            yield below(path, steps), problem.message


def _not_a_parameter(action: str, name: str, fields: list[str]) -> str:
    return f"{action} has no parameter {name!r}; {instead(name, fields)}"


def below(path: str, steps: Sequence[str | int]) -> str:
    return path + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)


def _is_text_with_template(value: Any) -> bool:
    return isinstance(value, str) and has_template(value)


def _has_template(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_template, value.values()))
    if isinstance(value, list):
        return any(map(_has_template, value))
    return _is_text_with_template(value)
