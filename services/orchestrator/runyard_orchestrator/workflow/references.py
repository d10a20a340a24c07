"""What an action refers to outside of its workflow, held against the catalog of a publish: its type, pool, agent and
connection (R47, R52)."""

from collections.abc import Collection, Iterable, Iterator

from runyard_shared.contracts.actions import ACTIONS, ActionType
from runyard_shared.contracts.commands import Catalog
from runyard_shared.contracts.workflow import ActionNode

from runyard_orchestrator.workflow.combinations import combination_problems
from runyard_orchestrator.workflow.parameters import model_problems, schema_problems

DEFAULT_POOL = "default"
"""Is always there."""
_SHOWN = 20


def action_problems(spec: ActionNode, path: str, catalog: Catalog) -> Iterator[tuple[str, str]]:
    announced = announced_type(spec.action, catalog)
    built_in = ACTIONS.get(spec.action)
    if built_in is not None:
        yield from model_problems(spec.action, spec.params, built_in.params, f"{path}.params")
        yield from combination_problems(spec, path)
        yield from _connection_problems(spec, path, catalog, built_in.connections, needed=built_in.needs_connection)
    elif announced is not None:
        yield from schema_problems(announced, spec.params, f"{path}.params")
        yield from _connection_problems(spec, path, catalog, announced.connections, needed=announced.needs_connection)
    else:
        offered = {*ACTIONS, *(action.type for action in catalog.actions)}
        yield f"{path}.action", f"no agent offers the action type {spec.action!r}; there are {', '.join(sorted(offered))}"
        yield from _connection_problems(spec, path, catalog, None, needed=False)
    pools = {DEFAULT_POOL, *catalog.pools}
    if spec.pool not in pools:
        yield f"{path}.pool", f"there is no pool {spec.pool!r}; there are {_names(pools)}"
    if spec.agent is not None and spec.agent not in catalog.agents:
        there = f"there are {_names(catalog.agents)}" if catalog.agents else "there is none yet"
        yield f"{path}.agent", f"there is no agent {spec.agent!r}; {there}"


def announced_type(action: str, catalog: Catalog) -> ActionType | None:
    return next((announced for announced in catalog.actions if announced.type == action), None)


def _connection_problems(
    spec: ActionNode, path: str, catalog: Catalog, kinds: Collection[str] | None, *, needed: bool
) -> Iterator[tuple[str, str]]:
    """`kinds`: that the action can use; None if that is not known."""
    place = f"{path}.connection"
    fitting = sorted(name for name, kind in catalog.connections.items() if kinds is None or kind in kinds)
    if spec.connection is None:
        if needed:
            yield place, f"{spec.action} needs a connection of kind {_or(kinds)}; {_there(fitting)}"
        return
    kind = catalog.connections.get(spec.connection)
    if kinds is not None and not kinds:
        yield place, f"{spec.action} uses no connection; remove it"
    elif kind is None:
        yield place, f"there is no connection {spec.connection!r}; {_there(fitting)}"
    elif kinds is not None and kind not in kinds:
        yield place, f"{spec.connection!r} is of kind {kind}, but {spec.action} uses {_or(kinds)}; {_there(fitting)}"


def _there(fitting: list[str]) -> str:
    return f"of those that fit there are {_names(fitting)}" if fitting else "there is none that fits yet"


def _or(kinds: Collection[str] | None) -> str:
    return " or ".join(kinds or ())


def _names(names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = f", and {len(ordered) - _SHOWN} more" if len(ordered) > _SHOWN else ""
    return ", ".join(ordered[:_SHOWN]) + more
