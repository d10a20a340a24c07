"""The variables of a run: defaults filled in, then checked against the workflow's JSON Schema, all problems at once."""

import copy
from typing import Any

import jsonschema_rs
from runyard_shared.errors import FieldProblem, Invalid


def accepted_inputs(
    schema: dict[str, Any] | None, validator: jsonschema_rs.Validator | None, given: dict[str, Any]
) -> dict[str, Any]:
    """The inputs an execution starts with. Raises `Invalid`."""
    if schema is None or validator is None:
        return given
    inputs = _with_defaults(schema, given)
    problems = tuple(
        FieldProblem(
            "variables" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.instance_path),
            error.message,
        )
        for error in validator.iter_errors(inputs)
    )
    if problems:
        raise Invalid("invalid_variables", "the variables do not fit the inputs of the workflow", problems)
    return inputs


def _with_defaults(schema: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    filled = dict(given)
    properties = schema.get("properties")
    if isinstance(properties, dict):
        for name, field in properties.items():
            if not isinstance(field, dict):
                continue
            if name not in filled and "default" in field:
                filled[name] = copy.deepcopy(field["default"])
            elif isinstance(filled.get(name), dict):
                filled[name] = _with_defaults(field, filled[name])
    return filled
