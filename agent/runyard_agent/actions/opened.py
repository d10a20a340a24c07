"""An opened connection as its kind's models: what its action and its probe read it with."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError
from runyard_shared.contracts.connections import OpenedConnection

from runyard_agent.actions.base import InvalidParams

C = TypeVar("C", bound=BaseModel)
S = TypeVar("S", bound=BaseModel)


def opened(connection: OpenedConnection | None, config: type[C], secrets: type[S]) -> tuple[C, S]:
    """Its config and its secrets. Raises `InvalidParams` with all problems, or if there is none; no value is in their words."""
    if connection is None:
        raise InvalidParams("connection: this action needs one; name it in the node's `connection`")
    problems: list[str] = []
    found_config, found_secrets = None, None
    try:
        found_config = config.model_validate(connection.config)
    except ValidationError as invalid:
        problems += _words(connection, "config", invalid)
    try:
        found_secrets = secrets.model_validate(connection.secrets)
    except ValidationError as invalid:
        problems += _words(connection, "secrets", invalid)
    if found_config is None or found_secrets is None:
        raise InvalidParams(*problems)
    return found_config, found_secrets


def _words(connection: OpenedConnection, part: str, invalid: ValidationError) -> list[str]:
    return [
        f"connection {connection.name!r}: {'.'.join([part, *map(str, problem['loc'])])}: {problem['msg']}"
        for problem in invalid.errors(include_input=False, include_context=False, include_url=False)
    ]
