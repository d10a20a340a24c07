"""What answers show once is marked so, for all that must not keep it."""

from typing import get_type_hints

import msgspec
from runyard_gateway import answers
from runyard_gateway.http.operation import Call, Operation
from runyard_gateway.shown_once import is_shown_once
from starlette.types import ASGIApp

SECRETS = {"key", "secret", "token", "password"}


async def nobody(_: Call) -> ASGIApp:
    raise NotImplementedError


def operation(answer: type) -> Operation:
    return Operation(method="POST", path="/", handle=nobody, name="", summary="", tag="", permission=None, answer=answer)


def test_every_field_that_is_called_like_a_secret_is_marked_as_shown_once() -> None:
    bodies = [each for each in vars(answers).values() if isinstance(each, type) and issubclass(each, msgspec.Struct)]
    hints = {body.__name__: get_type_hints(body, include_extras=True) for body in bodies}
    called_so = {(body, name): hint for body, fields in hints.items() for name, hint in fields.items() if name in SECRETS}
    assert {place for place, hint in called_so.items() if not is_shown_once(hint)} == set()
    assert operation(answers.AgentMade).holds_secret and not operation(answers.AgentRow).holds_secret
