"""JSON Schemas that come from outside: of a workflow's inputs, and of the actions that agents announce. Nothing is fetched for
them: a `$ref` to anywhere but the schema itself is an error."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import jsonschema_rs
from runyard_shared.errors import RunyardError

_SCHEMAS: Final = jsonschema_rs.Draft202012Validator({"$ref": "https://json-schema.org/draft/2020-12/schema"}, offline=True)
_KINDS: Final = {"object": "a map, such as {type: string}", "array": "a list", "boolean": "true or false", "string": "a text"}
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


def schema_mistakes(schema: dict[str, Any]) -> Iterator[tuple[list[str | int], str]]:
    """(steps, words) of everything that keeps it from being a JSON Schema of the draft that is meant without `$schema`."""
    if "$schema" in schema:
        return
    told: set[tuple[tuple[str | int, ...], str]] = set()
    for error in _SCHEMAS.iter_errors(schema):
        steps, kind = list(error.instance_path), error.kind
        words = error.message
        if steps[-1:] == ["type"]:
            words = f"there are {_TYPES}"
        elif isinstance(kind, jsonschema_rs.ValidationErrorKind.Type):
            kinds = ["object"] if "object" in kind.types else kind.types
            words = f"must be {' or '.join(_KINDS.get(each, f'of type {each}') for each in kinds)}"
        if (tuple(steps), words) not in told:  # each part of the definition of JSON Schema says it once
            told.add((tuple(steps), words))
            yield steps, f"is not a valid JSON Schema: {words}"


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
