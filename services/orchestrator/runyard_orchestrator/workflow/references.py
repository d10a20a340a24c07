"""What an action refers to outside of its workflow, held against the catalog of a publish: its type, pool, agent and
connection (R47, R52)."""

from collections.abc import Collection, Iterator, Sequence
from typing import Final

from runyard_shared.contracts.actions import ACTIONS, ActionType
from runyard_shared.contracts.commands import Catalog
from runyard_shared.contracts.workflow import ActionNode

from runyard_orchestrator.workflow.combinations import combination_problems
from runyard_orchestrator.workflow.expressions import has_template
from runyard_orchestrator.workflow.names import CERTAIN, instead, listed, nearest
from runyard_orchestrator.workflow.parameters import model_problems, schema_problems

DEFAULT_POOL: Final = "default"
"""Is always there."""
_NO_TEMPLATE: Final = "is a name, in which no template is evaluated; write the name itself"


def action_problems(spec: ActionNode, path: str, catalog: Catalog) -> Iterator[tuple[str, str]]:
    offered = sorted({*ACTIONS, *(action.type for action in catalog.actions)})
    if spec.action not in offered:
        yield f"{path}.action", _not_there("action type", spec.action, offered)
        meant = nearest(spec.action, offered, CERTAIN)
        if meant is not None:
            spec = spec.model_copy(update={"action": meant})
    yield from _of_type(spec, path, catalog)
    pools = sorted({DEFAULT_POOL, *catalog.pools})
    if spec.pool not in pools:
        yield f"{path}.pool", _not_there("pool", spec.pool, pools)
    if spec.agent is not None and spec.agent not in catalog.agents:
        yield f"{path}.agent", _not_there("agent", spec.agent, sorted(catalog.agents))


def announced_type(action: str, catalog: Catalog) -> ActionType | None:
    return next((announced for announced in catalog.actions if announced.type == action), None)


def _of_type(spec: ActionNode, path: str, catalog: Catalog) -> Iterator[tuple[str, str]]:
    """What depends on what the action is."""
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
        yield from _connection_problems(spec, path, catalog, None, needed=False)


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
    elif has_template(spec.connection):
        yield place, _NO_TEMPLATE
    elif kind is None:
        meant = nearest(spec.connection, fitting)
        yield place, f"there is no connection {spec.connection!r}; {f'did you mean {meant!r}?' if meant else _there(fitting)}"
    elif kinds is not None and kind not in kinds:
        yield place, f"{spec.connection!r} is of kind {kind}, but {spec.action} uses {_or(kinds)}; {_there(fitting)}"


def _not_there(what: str, name: str, known: Sequence[str]) -> str:
    if has_template(name):
        return _NO_TEMPLATE
    begin = f"no agent offers the {what}" if what == "action type" else f"there is no {what}"
    return f"{begin} {name!r}; {instead(name, known)}{'' if known else ' yet'}"


def _there(fitting: Sequence[str]) -> str:
    return f"of those that fit there are {listed(fitting)}" if fitting else "there is none that fits yet"


def _or(kinds: Collection[str] | None) -> str:
    return " or ".join(kinds or ())
