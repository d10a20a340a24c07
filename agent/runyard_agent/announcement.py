"""What the agent tells of its action types: those that did not come with Runyard, so that publish and editor know them."""

import inspect
from collections.abc import Mapping
from typing import Any

from runyard_shared.contracts.actions import ACTIONS, ActionType

from runyard_agent.actions.base import Action


def action_types(actions: Mapping[str, Action[Any]]) -> list[ActionType]:
    """The description is the first line of the parameters' docstring, else that of the action."""
    return [
        ActionType(
            type=name,
            params=action.params.model_json_schema(),
            output=action.output.model_json_schema(mode="serialization") if action.output is not None else {},
            connections=list(action.connections),
            needs_connection=action.needs_connection,
            description=_first_line(action.params.__doc__) or _first_line(type(action).__doc__),
        )
        for name, action in actions.items()
        if name not in ACTIONS
    ]


def _first_line(doc: str | None) -> str:
    return inspect.cleandoc(doc or "").partition("\n")[0]
