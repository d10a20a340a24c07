"""Finds the actions that are installed, by entry points: an action type is added by installing a package (R58)."""

from importlib.metadata import entry_points
from typing import Any, Final

import structlog

from runyard_agent.actions.base import Action
from runyard_agent.settings import Settings

GROUP: Final = "runyard.actions"
log = structlog.get_logger(__name__)


def load_actions(settings: Settings) -> dict[str, Action[Any]]:
    """One instance of each installed action by its type. A package that cannot be loaded is logged and left out: it must not
    keep the others from running."""
    actions: dict[str, Action[Any]] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        try:
            action = entry.load()(settings)
        except Exception:
            log.exception("action left out: it cannot be loaded", action=entry.name, source=entry.value)
            continue
        if not isinstance(action, Action):
            log.error("action left out: not a subclass of Action", action=entry.name, source=entry.value)
            continue
        actions[entry.name] = action
    return actions
