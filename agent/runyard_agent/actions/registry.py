"""Finds the actions that are installed, by entry points: an action type is added by installing a package (R58)."""

from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

import structlog
from runyard_shared.contracts.actions import ACTIONS

from runyard_agent.actions.base import Action, Unusable
from runyard_agent.settings import Settings

GROUP: Final = "runyard.actions"
_OURS: Final = "runyard-agent"
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An installed action that this agent does not offer. `broken`: it ought to work, and does not; else something that it
    needs is not there, which `reason` says how to get."""

    action: str
    package: str
    reason: str
    broken: bool


def find_actions(settings: Settings) -> tuple[dict[str, Action[Any]], list[LeftOut]]:
    """One instance of each installed action by its type, and what was left out: a package that cannot be loaded must not keep
    the others from running."""
    actions: dict[str, Action[Any]] = {}
    left_out: list[LeftOut] = []
    offered_by: dict[str, str] = {}
    for entry in sorted(entry_points(group=GROUP), key=_order):
        package = _package(entry)
        if entry.name in offered_by:
            reason = f"it is offered by {offered_by[entry.name]} already: uninstall one of the two"
            left_out.append(LeftOut(entry.name, package, reason, broken=True))
            continue
        offered_by[entry.name] = package
        if entry.name in ACTIONS and package != _OURS:
            reason = "the name is that of an action of Runyard: the package must give it another"
            left_out.append(LeftOut(entry.name, package, reason, broken=True))
            continue
        try:
            actions[entry.name] = _load(entry, settings)
        except Unusable as missing:
            left_out.append(LeftOut(entry.name, package, str(missing), broken=False))
        except Exception as error:
            log.debug("an action cannot be loaded", action=entry.name, source=entry.value, exc_info=True)
            reason = f"{entry.value} cannot be loaded: {type(error).__name__}: {error}"
            left_out.append(LeftOut(entry.name, package, reason, broken=True))
    return actions, left_out


def load_actions(settings: Settings) -> dict[str, Action[Any]]:
    """As `find_actions`; what was left out is logged."""
    actions, left_out = find_actions(settings)
    for left in left_out:
        (log.error if left.broken else log.info)(
            "action left out", action=left.action, package=left.package, reason=left.reason
        )
    return actions


def _load(entry: EntryPoint, settings: Settings) -> Action[Any]:
    action = entry.load()(settings)
    if not isinstance(action, Action):
        raise TypeError("it is no subclass of runyard_agent.actions.base.Action")
    if not isinstance(getattr(action, "params", None), type):
        raise TypeError("it does not say what its `params` are")
    return action


def _order(entry: EntryPoint) -> tuple[str, bool, str]:
    """Ours before another of the same name."""
    package = _package(entry)
    return entry.name, package != _OURS, package


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else entry.module
