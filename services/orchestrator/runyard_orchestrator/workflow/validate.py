"""Says everything that is wrong with a workflow document, at once, each with the path of its field (R47)."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any, TypeVar

import jsonschema_rs
import pydantic
from runyard_shared.contracts.actions import BUILT_IN_ACTIONS
from runyard_shared.contracts.workflow import (
    TRIGGER_NODE,
    ActionNode,
    AnyNode,
    AnyTrigger,
    ConditionNode,
    DelayNode,
    Edge,
    IncidentTrigger,
    JoinNode,
    SetVariablesNode,
    SwitchNode,
    Workflow,
)
from runyard_shared.errors import FieldProblem

from runyard_orchestrator.workflow.expressions import ExpressionError, compile_expression, template_problems
from runyard_orchestrator.workflow.graph import ports_of

PartT = TypeVar("PartT")
_TRIGGER: pydantic.TypeAdapter[AnyTrigger] = pydantic.TypeAdapter(AnyTrigger)
_NODE: pydantic.TypeAdapter[AnyNode] = pydantic.TypeAdapter(AnyNode)
_EDGE: pydantic.TypeAdapter[Edge] = pydantic.TypeAdapter(Edge)

KnownAction = Callable[[str], bool]
"""Whether an action type that does not come with Runyard was announced by an agent."""


@dataclass(frozen=True)
class _Parts:
    """What of a document fits its model, by place: a part that does not fit must not hide what is wrong with the others."""

    inputs: Any
    triggers: dict[int, AnyTrigger]
    nodes: dict[int, AnyNode]
    edges: dict[int, Edge]
    ids: dict[str, int]
    """The place of each node id, those of misshapen nodes included."""


def problems(document: dict[str, Any], is_known_action: KnownAction) -> tuple[FieldProblem, ...]:
    """Every problem of the document; empty when it can be published."""
    try:
        Workflow.model_validate(document)
        malformed: tuple[FieldProblem, ...] = ()
    except pydantic.ValidationError as error:
        malformed = tuple(
            FieldProblem(_path(document, problem["loc"]), _words(problem["type"], problem["msg"])) for problem in error.errors()
        )
    parts = _parts(document)
    return malformed + tuple(
        FieldProblem(path, message)
        for path, message in (
            *_input_problems(parts),
            *_trigger_problems(parts),
            *_node_problems(parts, is_known_action),
            *_edge_problems(parts),
            *_graph_problems(parts),
        )
    )


def _parts(document: dict[str, Any]) -> _Parts:
    nodes = document.get("nodes")
    ids: dict[str, int] = {}
    for index, node in enumerate(nodes if isinstance(nodes, list) else ()):
        if isinstance(node, dict) and isinstance(node.get("id"), str):
            ids.setdefault(node["id"], index)
    return _Parts(
        inputs=document.get("inputs"),
        triggers=_fitting(_TRIGGER, document.get("triggers")),
        nodes=_fitting(_NODE, nodes),
        edges=_fitting(_EDGE, document.get("edges")),
        ids=ids,
    )


def _fitting(adapter: "pydantic.TypeAdapter[PartT]", values: Any) -> dict[int, PartT]:
    fitting: dict[int, PartT] = {}
    for index, value in enumerate(values if isinstance(values, list) else ()):
        with suppress(pydantic.ValidationError):  # already among the problems of the whole
            fitting[index] = adapter.validate_python(value)
    return fitting


def _input_problems(parts: _Parts) -> Iterator[tuple[str, str]]:
    if not isinstance(parts.inputs, dict):
        return
    try:
        jsonschema_rs.validator_for(parts.inputs)
    except (jsonschema_rs.ValidationError, ValueError) as error:
        yield "inputs", f"is not a valid JSON Schema: {getattr(error, 'message', error)}"
    if parts.inputs.get("type", "object") != "object":
        yield "inputs.type", "must be object: a run passes named variables"


def _trigger_problems(parts: _Parts) -> Iterator[tuple[str, str]]:
    for index, trigger in parts.triggers.items():
        if isinstance(trigger, IncidentTrigger) and trigger.condition is not None:
            yield from _expression_problems(trigger.condition, f"triggers[{index}].condition")


def _node_problems(parts: _Parts, is_known_action: KnownAction) -> Iterator[tuple[str, str]]:
    for index, node in parts.nodes.items():
        path = f"nodes[{index}]"
        first = parts.ids[node.id]
        if node.id == TRIGGER_NODE:
            yield f"{path}.id", f"{TRIGGER_NODE!r} is the implicit source of the graph; choose another id"
        elif first != index:
            yield f"{path}.id", f"{node.id!r} is also the id of nodes[{first}]; every node needs its own"
        yield from _one_node(node, path, is_known_action)


def _one_node(node: AnyNode, path: str, is_known_action: KnownAction) -> Iterator[tuple[str, str]]:
    match node:
        case ActionNode():
            yield from _action_problems(node, path, is_known_action)
        case ConditionNode() | SwitchNode():
            yield from _expression_problems(node.expression, f"{path}.expression")
        case DelayNode(seconds=None, until=None):
            yield path, "a delay needs seconds or until"
        case DelayNode(seconds=float(), until=str()):
            yield path, "a delay takes seconds or until, not both"
        case DelayNode(until=str(until)):
            yield from _expression_problems(until, f"{path}.until")
        case SetVariablesNode():
            yield from template_problems(node.values, f"{path}.values")
        case JoinNode(mode="count", count=None):
            yield f"{path}.count", "mode count needs count: how many incoming edges must be taken"
        case JoinNode(mode="all" | "any", count=int()):
            yield f"{path}.count", f"is only for mode count, not {node.mode}"
        case _:
            return


def _action_problems(node: ActionNode, path: str, is_known_action: KnownAction) -> Iterator[tuple[str, str]]:
    yield from template_problems(node.params, f"{path}.params")
    model = BUILT_IN_ACTIONS.get(node.action)
    if model is None:
        if not is_known_action(node.action):
            known = ", ".join(sorted(BUILT_IN_ACTIONS))
            yield f"{path}.action", f"no agent offers the action type {node.action!r}; built in are {known}"
        return
    fields = {field.alias or name for name, field in model.model_fields.items()}
    for name in sorted(set(node.params) - fields):
        yield f"{path}.params.{name}", f"{node.action} has no parameter {name!r}; it has {', '.join(sorted(fields))}"
    for name, field in model.model_fields.items():
        if field.is_required() and (field.alias or name) not in node.params:
            yield f"{path}.params.{field.alias or name}", f"is required by {node.action}"
    if not any("{{" in str(value) for value in node.params.values()):
        yield from _parameter_problems(node, model, path)


def _parameter_problems(node: ActionNode, model: type[pydantic.BaseModel], path: str) -> Iterator[tuple[str, str]]:
    try:
        model.model_validate(node.params)
    except pydantic.ValidationError as error:
        for problem in error.errors():
            if problem["type"] not in ("missing", "extra_forbidden"):
                yield f"{path}.params.{'.'.join(map(str, problem['loc']))}", problem["msg"]


def _expression_problems(source: str, path: str) -> Iterator[tuple[str, str]]:
    try:
        compile_expression(source)
    except ExpressionError as error:
        yield path, str(error)


def _edge_problems(parts: _Parts) -> Iterator[tuple[str, str]]:
    nodes = {node.id: node for node in parts.nodes.values()}
    for index, edge in parts.edges.items():
        path = f"edges[{index}]"
        if edge.to == TRIGGER_NODE:
            yield f"{path}.to", "nothing leads to the trigger; it is the source"
        elif edge.to not in parts.ids:
            yield f"{path}.to", f"there is no node {edge.to!r}"
        source = nodes.get(edge.from_node)
        if source is not None:
            ports = ports_of(source)
            if ports is not None and edge.port is not None and edge.port not in ports:
                yield f"{path}.port", f"{edge.from_node!r} ({source.type}) has no port {edge.port!r}; it has {', '.join(ports)}"
        elif edge.from_node == TRIGGER_NODE:
            if edge.port not in (None, "out"):
                yield f"{path}.port", "the trigger's only port is out"
        elif edge.from_node not in parts.ids:
            yield f"{path}.from", f"there is no node {edge.from_node!r}"


def _graph_problems(parts: _Parts) -> Iterator[tuple[str, str]]:
    targets: dict[str, set[str]] = {name: set() for name in (TRIGGER_NODE, *parts.ids)}
    for edge in parts.edges.values():
        if edge.from_node in targets and edge.to in parts.ids:
            targets[edge.from_node].add(edge.to)
    try:
        TopologicalSorter(targets).prepare()
    except CycleError as error:
        yield "edges", f"the graph must not have cycles: {' -> '.join(reversed(error.args[1]))}"
    reached, todo = {TRIGGER_NODE}, [TRIGGER_NODE]
    while todo:
        new = targets[todo.pop()] - reached
        reached |= new
        todo.extend(new)
    for name, index in parts.ids.items():
        if name not in reached:
            yield f"nodes[{index}]", f"{name!r} can never be reached from the trigger; add an edge to it or remove it"
    for index, node in parts.nodes.items():
        if isinstance(node, JoinNode) and node.count is not None:
            incoming = sum(edge.to == node.id for edge in parts.edges.values())
            if node.count > incoming:
                yield f"nodes[{index}].count", f"asks for {node.count} taken edges, but only {incoming} lead here"


def _path(document: dict[str, Any], location: tuple[int | str, ...]) -> str:
    """The place as its author wrote it: pydantic also names the member of a union, which is not a field."""
    path = ""
    at: Any = document
    may_be_tag = False
    for step in location:
        if isinstance(step, int):
            path += f"[{step}]"
            at = at[step] if isinstance(at, list) and step < len(at) else None
        elif not (may_be_tag and isinstance(at, dict) and at.get("type") == step):
            path += f".{step}" if path else step
            at = at.get(step) if isinstance(at, dict) else None
        may_be_tag = isinstance(step, int)
    return path


_WORDS = {
    "missing": "is required",
    "extra_forbidden": "is not a field of this; check its spelling",
}


def _words(kind: str, message: str) -> str:
    return _WORDS.get(kind, message[:1].lower() + message[1:])
