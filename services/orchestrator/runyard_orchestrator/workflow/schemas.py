"""JSON Schemas that come from outside: of a workflow's inputs, and of the actions that agents announce. Nothing is fetched for
them: a `$ref` to anywhere but the schema itself is an error."""

from collections.abc import Sequence
from typing import Any, Final

import jsonschema_rs
from runyard_shared.errors import RunyardError

_TYPES: Final = "the types string, integer, number, boolean, array, object and null"


class SchemaError(RunyardError):
    """Not a JSON Schema, or one that refers to others; the message says what is wrong with it, `steps` lead to the place."""

    def __init__(self, message: str, steps: Sequence[str | int] = ()) -> None:
        super().__init__(message)
        self.steps = list(steps)


def compile_schema(schema: dict[str, Any]) -> jsonschema_rs.Validator:
    """Raises `SchemaError`."""
    try:
        return jsonschema_rs.validator_for(schema, offline=True)
    except jsonschema_rs.ValidationError as error:
        steps = error.instance_path
        message = f"there are {_TYPES}" if steps[-1:] == ["type"] else error.message
        raise SchemaError(f"is not a valid JSON Schema: {message}", steps) from error
    except ValueError as error:
        raise SchemaError(f"is not a valid JSON Schema: {error}") from error


def sample(schema: dict[str, Any]) -> Any:
    """A value of the type that the schema describes, as far as it says one; `UNKNOWN` if it does not."""
    kind = schema.get("type")
    if kind == "object" or (kind is None and "properties" in schema):
        properties = schema.get("properties")
        pairs = properties.items() if isinstance(properties, dict) else ()
        samples = {name: sample(field) for name, field in pairs if isinstance(field, dict)}
        return {name: value for name, value in samples.items() if value is not UNKNOWN}
    if kind == "array":
        items = sample(schema["items"]) if isinstance(schema.get("items"), dict) else UNKNOWN
        return UNKNOWN if items is UNKNOWN else [items]
    return _SCALARS.get(kind, UNKNOWN) if isinstance(kind, str) else UNKNOWN


UNKNOWN: Any = object()
_SCALARS: dict[str, Any] = {"string": "1", "integer": 1, "boolean": True}
