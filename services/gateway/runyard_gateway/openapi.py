"""The OpenAPI 3.1 document, made from the operations and the very types that check and answer requests."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from runyard_gateway.answers import ProblemDocument
from runyard_gateway.http.operation import Operation
from runyard_gateway.http.query import MAX_POSITION
from runyard_gateway.idempotency import IDEMPOTENCY_HEADER, MAX_KEY

REF = "#/components/schemas/"
_PROBLEM = {"$ref": f"{REF}ProblemDocument"}
_PARAMETER = re.compile(r"\{(\w+)\}")

_ALWAYS = {400: "The request is malformed", 500: "An unexpected error; its reference is in the gateway's log"}
_WITH_KEY = {401: "unauthorized: no API key, or an unknown one", 429: "too_many_attempts: so many unknown keys came from here"}
_NAMES = {
    "version": {"type": "integer", "minimum": 1},
    "userName": {"type": "string"},
    "token": {"type": "string"},
    "key": {"type": "string"},
    "poolName": {"type": "string"},
    "roleName": {"type": "string"},
    "tenantId": {"type": "string"},
}
"""Path parameters that are no ids."""
_HEADERS: dict[str, dict[str, Any]] = {
    "Idempotency-Key": {"type": "string", "minLength": 1, "maxLength": MAX_KEY, "pattern": "^[ -~]+$"},
    "Last-Event-ID": {"type": "integer", "minimum": 0, "maximum": MAX_POSITION},
    "Runyard-Via": {"enum": ["web", "mobile", "api"]},
}
"""Headers that are not any text."""
_WITH_BODY = {
    413: "body_too_large",
    415: "unsupported_media_type",
    422: "The body is not as described; `errors` names all problems",
}
_WITH_IDEMPOTENCY_KEY = "idempotency_key_reused, with an Idempotency-Key that was used for another request"
_WITH_OTHERS = {503: "unavailable: a part this needs is away; try again after Retry-After seconds"}

_TOGETHER = {403, 409, 422}
"""Statuses whose reasons of the operation stand beside those that every such operation has."""

DESCRIPTION = """\
Errors are RFC 9457 problem documents whose `code` is stable. Times are RFC 3339 in UTC with milliseconds, ids are UUIDv7.
Commands answer with a log `position`; give it to a GET as `minPosition` to read your own write. An answer that an
`Idempotency-Key` gives again has the header `Idempotency-Replayed: true`."""


def openapi_document(operations: Sequence[Operation]) -> dict[str, Any]:
    """One entry for each operation; `components.schemas` has every body under the name of its type, which no other may have."""
    bodies, given = _body_schemas(operations), _answer_schemas(operations)
    # An enumeration of the contracts is described twice, and is the same type.
    if both := {name for name in bodies.keys() & given.keys() if _values(bodies[name]) != _values(given[name])}:
        raise ValueError(f"what is sent and what is answered go by one name: {', '.join(sorted(both))}")
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Runyard", "version": "1", "description": DESCRIPTION},
        "servers": [{"url": "/"}],
        "security": [{"apiKey": []}, {"session": [], "csrf": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "apiKey": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key, or a token of the identity provider",
                },
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "__Host-runyard_session",
                    "description": "Of the web app",
                },
                "csrf": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "X-CSRF-Token",
                    "description": "With a cookie, for commands",
                },
                "agentKey": {"type": "http", "scheme": "bearer", "description": "The key of an agent"},
            },
            "schemas": bodies | given,
        },
    }


def _values(schema: Mapping[str, Any]) -> object:
    """Of an enumeration; of anything else what is equal to nothing."""
    return set(schema["enum"]) if "enum" in schema else object()


def _operation(operation: Operation) -> dict[str, Any]:
    document: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": [*_path_parameters(operation), *_query_parameters(operation), *_header_parameters(operation)],
        "responses": _responses(operation),
    }
    if operation.public:
        document["security"] = []
    if operation.for_agents:
        document["security"] = [{"agentKey": []}]
    if operation.permission is not None:
        document["x-permission"] = operation.permission.value
    schema = _body_schema(operation)
    if schema is not None:
        document["requestBody"] = {
            "required": operation.body_required,
            "content": {each: {"schema": schema} for each in operation.body_types},
        }
    return document


def _responses(operation: Operation) -> dict[str, Any]:
    success: dict[str, Any] = {"description": operation.summary}
    if operation.answer is dict:
        success["content"] = {"application/json": {"schema": {"type": "object"}}}
    elif operation.answer is not None:
        success["content"] = {"application/json": {"schema": {"$ref": REF + operation.answer.__name__}}}
    elif operation.answer_types:
        success["content"] = {
            each: {"schema": {} if each.endswith(("json", "yaml")) else {"type": "string"}} for each in operation.answer_types
        }
    if operation.answer_headers:
        success["headers"] = {
            name: {"description": text, "schema": {"type": "string"}} for name, text in operation.answer_headers.items()
        }
    refusals = dict(_ALWAYS)
    if not operation.public:
        refusals |= _WITH_KEY | _WITH_OTHERS
    if operation.body is not None:
        refusals |= _WITH_BODY
    if operation.permission is not None:
        refusals[403] = f"forbidden: the permission {operation.permission} is needed"
    if operation.takes_idempotency_key:
        refusals[409] = "with an Idempotency-Key: request_under_way" + ("; answer_not_kept" if operation.holds_secret else "")
        refusals[422] = "; ".join(each for each in (refusals.get(422), _WITH_IDEMPOTENCY_KEY) if each)
    for status, text in operation.refusals.items():
        refusals[status] = f"{text}; {refusals[status]}" if status in _TOGETHER and status in refusals else text
    # a page tells people what is wrong; what is refused before it is asked for does so as everywhere
    content: dict[str, Any] = {"text/html": {"schema": {"type": "string"}}} if "text/html" in operation.answer_types else {}
    content["application/problem+json"] = {"schema": _PROBLEM}
    problems = {str(status): {"description": text, "content": content} for status, text in sorted(refusals.items())}
    return {str(operation.status): success, **problems}


def _path_parameters(operation: Operation) -> Iterable[dict[str, Any]]:
    for name in _PARAMETER.findall(operation.path):
        schema = _NAMES.get(name, {"type": "string", "format": "uuid"})
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _query_parameters(operation: Operation) -> Iterable[dict[str, Any]]:
    if operation.query is None:
        return
    schema = operation.query.model_json_schema(ref_template=REF + "{model}")
    for name, each in schema.get("properties", {}).items():
        parameter = {"name": name, "in": "query", "required": name in schema.get("required", ()), "schema": each}
        if "description" in each:
            parameter["description"] = each["description"]
        if each.get("type") == "array":
            parameter |= {"style": "form", "explode": True}
        yield parameter


def _header_parameters(operation: Operation) -> Iterable[dict[str, Any]]:
    headers = {**operation.request_headers, **(IDEMPOTENCY_HEADER if operation.takes_idempotency_key else {})}
    for name, text in headers.items():
        schema = _HEADERS.get(name, {"type": "string"})
        yield {"name": name, "in": "header", "required": False, "description": text, "schema": schema}


def _body_schema(operation: Operation) -> dict[str, Any] | None:
    if operation.body_items is not None:
        (schema,), _ = msgspec.json.schema_components([list[operation.body_items]], ref_template=REF + "{name}")  # type: ignore[name-defined]
        return schema
    model = _body_model(operation)
    return None if model is None else {"$ref": REF + model.__name__}


def _body_model(operation: Operation) -> type[BaseModel] | None:
    if operation.body_schema is not None:
        return operation.body_schema
    return operation.body if isinstance(operation.body, type) and issubclass(operation.body, BaseModel) else None


def _body_schemas(operations: Sequence[Operation]) -> dict[str, Any]:
    models = {model for operation in operations if (model := _body_model(operation)) is not None}
    models |= {operation.query for operation in operations if operation.query is not None}
    ordered = sorted(models, key=lambda model: model.__name__)
    _, definitions = models_json_schema([(model, "validation") for model in ordered], ref_template=REF + "{model}")
    queries = {operation.query.__name__ for operation in operations if operation.query is not None}
    return {name: schema for name, schema in definitions.get("$defs", {}).items() if name not in queries}


def _answer_schemas(operations: Sequence[Operation]) -> dict[str, Any]:
    types = {operation.answer for operation in operations if operation.answer not in (None, dict)} | {ProblemDocument}
    items = [operation.body_items for operation in operations if operation.body_items is not None]
    ordered = sorted(types, key=lambda each: each.__name__)
    _, components = msgspec.json.schema_components([*ordered, *items], ref_template=REF + "{name}")
    return dict(components)
