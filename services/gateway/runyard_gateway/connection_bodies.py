"""Bodies that make or replace a connection, checked as a whole: what every connection has, and what its kind asks for.

Such a body holds secrets. No problem that is found repeats a value, and nothing that is raised here keeps one, as cause or
context: whoever logs it logs no secret.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from runyard_shared.contracts.connections import CONNECTION_KINDS
from runyard_shared.errors import FieldProblem, Invalid

from runyard_gateway import requests
from runyard_gateway.http.bodies import parse_json, refuse_unstorable
from runyard_gateway.http.problems import field_problems

KEPT = "https://kept.invalid"
"""Stands for a secret that is there already while the others are checked: any kind takes it for each of its secrets."""

_Body = TypeVar("_Body", bound=requests.ReplaceConnection)


@dataclass(frozen=True)
class CheckedConnection:
    """`config` with the defaults of its kind. `secrets`: None for one that is to be removed."""

    name: str
    kind: str
    config: dict[str, Any]
    pools: list[str]
    description: str
    secrets: dict[str, str | None] = field(repr=False)


def new_connection(content: bytes) -> CheckedConnection:
    """Raises `Invalid` with all problems, or `Refusal` for what is no JSON."""
    return _checked(content, requests.CreateConnection, None, ())


def changed_connection(content: bytes, kind: str, secrets: Collection[str]) -> CheckedConnection:
    """For a connection of that kind, which has those secrets. Raises as `new_connection`."""
    return _checked(content, requests.ReplaceConnection, kind, secrets)


def _checked(content: bytes, model: type[_Body], known_kind: str | None, known_secrets: Collection[str]) -> CheckedConnection:
    value = parse_json(content)
    refuse_unstorable(value)
    body, problems = _parsed(model, value, "")
    given = value if isinstance(value, dict) else {}
    kind = known_kind or given.get("kind")
    config: dict[str, Any] = {}
    secrets: dict[str, str | None] = {}
    if known_kind is not None and given.get("kind") not in (None, known_kind):
        problems.append(FieldProblem("kind", f"is {known_kind} for good; make a new connection for another kind"))
    if not isinstance(kind, str) or kind not in CONNECTION_KINDS:
        if isinstance(kind, str):
            problems.append(FieldProblem("kind", f"must be one of {', '.join(sorted(CONNECTION_KINDS))}"))
    else:
        models = CONNECTION_KINDS[kind]
        parsed, found = _parsed(models.config, given.get("config", {}), "config")
        problems += found
        if parsed is not None:
            config = parsed.model_dump(mode="json", by_alias=True, exclude_none=True)
        secrets, found = _secrets(models.secrets, given.get("secrets", {}), known_secrets)
        problems += found
    if problems or body is None:
        by_path = {problem.path: problem for problem in reversed(problems)}
        ordered = tuple(problem for problem in problems if by_path[problem.path] is problem)
        raise Invalid("invalid_connection", "The connection is not as its kind asks for; see GET /connection-types.", ordered)
    return CheckedConnection(body.name, str(kind), config, [*dict.fromkeys(body.pools)], body.description, secrets)


def _secrets(model: type[BaseModel], given: Any, known: Collection[str]) -> tuple[dict[str, str | None], list[FieldProblem]]:
    """The secrets by the names they have on the wire."""
    if not isinstance(given, Mapping):
        return {}, [FieldProblem("secrets", "must be an object of names and texts")]
    names = {name: each.alias or name for name, each in model.model_fields.items()}
    wanted: dict[str, str | None] = {names.get(str(name), str(name)): value for name, value in given.items()}
    removed = {name for name, value in wanted.items() if value is None}
    new = {name: value for name, value in wanted.items() if value is not None}
    kept = {name: KEPT for name in known if name not in wanted}
    _, problems = _parsed(model, kept | new, "secrets")
    if model.model_config.get("extra") == "forbid":
        problems += [FieldProblem(f"secrets.{name}", "there is no such secret") for name in removed - set(names.values())]
    return {**new, **dict.fromkeys(removed, None)}, problems


_Part = TypeVar("_Part", bound=BaseModel)


def _parsed(model: type[_Part], value: object, path: str) -> tuple[_Part | None, list[FieldProblem]]:
    try:
        return model.model_validate(value), []
    except ValidationError as error:
        return None, [
            FieldProblem(f"{path}.{each.path}" if path and each.path else path or each.path, each.message)
            for each in field_problems(error)
        ]
