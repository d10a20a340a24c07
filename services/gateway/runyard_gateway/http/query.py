"""Query parameters: checked by a pydantic model as strictly as a body, so that a misspelt filter is not silently no filter."""

from datetime import datetime
from typing import Annotated, Any, get_origin
from urllib.parse import parse_qsl

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from runyard_shared.errors import FieldProblem, Refusal

from runyard_gateway.http.problems import field_problems

MAX_POSITION = 2**63 - 1
MAX_PARAMETERS = 100


def _dated(value: object) -> object:
    """A bare number, even as text, would pass for seconds since 1970."""
    if not isinstance(value, str):
        return value
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("write it as 2026-11-22T12:00:00Z") from None


Instant = Annotated[AwareDatetime, Field(ge="1970-01-01T00:00:00Z", lt="9000-01-01T00:00:00Z"), BeforeValidator(_dated)]
"""A time that everything behind the gateway can hold."""


class Query(BaseModel):
    """Base of all query models: camelCase on the wire, unknown parameters are errors."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, extra="forbid", frozen=True)


class ReadQuery(Query):
    """What every read of a read model accepts."""

    min_position: int = Field(
        default=0,
        ge=0,
        le=MAX_POSITION,
        description="Wait until the read model has reached this position, to read your own write (at most 5 s, else 503)",
    )


class PageQuery(Query):
    """What every list accepts."""

    limit: int = Field(default=50, ge=1, le=200)
    cursor: str | None = Field(default=None, max_length=500, description="`nextCursor` of the page before")


class ReadPageQuery(ReadQuery, PageQuery):
    """A list of a read model."""


def parse_query(model: type[BaseModel] | None, raw: bytes) -> Any:
    """An instance of `model`, or a `Refusal` (400, `invalid_query`) with every problem. Without a model nothing is accepted."""
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_PARAMETERS, errors="strict")
    except ValueError as error:
        raise Refusal("invalid_query", "The query is not made of name=value pairs in percent-encoded UTF-8.") from error
    values: dict[str, Any] = {}
    problems: list[FieldProblem] = []
    repeatable = _repeatable(model)
    for name, value in pairs:
        if "\0" in name or "\0" in value:
            problems.append(FieldProblem(name.replace("\0", ""), "holds a NUL character"))
        elif name in repeatable:
            values.setdefault(name, []).append(value)
        elif name in values:
            problems.append(FieldProblem(name, "may be given only once"))
        else:
            values[name] = value
    if model is None:
        problems.extend(FieldProblem(name, "there is no such parameter here") for name in values)
        parsed = None
    else:
        try:
            parsed = model.model_validate(values)
        except ValidationError as error:
            problems.extend(field_problems(error))
    if problems:
        raise Refusal("invalid_query", "The query parameters are not as described in /openapi.json.", 400, tuple(problems))
    return parsed


_repeatables: dict[type[BaseModel], frozenset[str]] = {}


def _repeatable(model: type[BaseModel] | None) -> frozenset[str]:
    if model is None:
        return frozenset()
    if model not in _repeatables:
        _repeatables[model] = frozenset(
            each.alias or name for name, each in model.model_fields.items() if get_origin(each.annotation) is list
        )
    return _repeatables[model]
