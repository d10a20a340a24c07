"""Holds the parameters of an action against what its type takes, before any template in them is rendered.

The value of a text with a template in it is not known yet and not judged; everything around it is: names, what is missing, and
the other values.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import jsonschema_rs
import pydantic
from runyard_shared.contracts.actions import ActionType, Params

from runyard_orchestrator.workflow.expressions import has_template
from runyard_orchestrator.workflow.fitting import what_fits
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
    for problem in problems:
        place = below(path, problem["loc"])
        if problem["type"] == "extra_forbidden":
            yield place, _not_a_parameter(action, str(problem["loc"][-1]), fields)
        elif problem["type"] == "missing":
            yield place, f"is required by {action}"
        elif not _is_text_with_template(_at(params, problem["loc"])):
            yield place, what_fits(problem)


def schema_problems(action: ActionType, params: dict[str, Any], path: str) -> Problems:
    """Of a type that an agent announced."""
    try:
        validator = compile_schema(action.params)
    except SchemaError as error:
        yield path, f"cannot be checked: what agents announce for {action.type} {error}"
        return
    properties = action.params.get("properties")
    fields = sorted(properties) if isinstance(properties, dict) else []
    for problem in validator.iter_errors(params):
        steps, kind = problem.instance_path, problem.kind
        value = _at(params, steps)
        if isinstance(kind, _Kind.Required):
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
    return f"{action} has no parameter {name!r}; it has {', '.join(fields) or 'none'}"


def below(path: str, steps: Sequence[str | int]) -> str:
    return path + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)


def _at(value: Any, steps: Sequence[str | int]) -> Any:
    """What is at that place; None where the last step leads to nothing, as to what is missing."""
    for step in steps:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
    return value


def _is_text_with_template(value: Any) -> bool:
    return isinstance(value, str) and has_template(value)


def _has_template(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_template, value.values()))
    if isinstance(value, list):
        return any(map(_has_template, value))
    return _is_text_with_template(value)
