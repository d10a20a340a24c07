"""Says everything that is wrong with a workflow document, at once, each with the path of its field (R47)."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any, TypeVar

import pydantic
from runyard_shared.contracts.commands import Catalog
from runyard_shared.contracts.workflow import (
    ITEM_NODE,
    TRIGGER_NODE,
    AnyNode,
    AnyTrigger,
    Edge,
    Workflow,
)
from runyard_shared.errors import FieldProblem

from runyard_orchestrator.nodes import type_of
from runyard_orchestrator.workflow.expressions import ExpressionError, compile_expression, template_expressions
from runyard_orchestrator.workflow.misfits import misfits
from runyard_orchestrator.workflow.parameters import below
from runyard_orchestrator.workflow.schemas import SchemaError, compile_schema
from runyard_orchestrator.workflow.triggers import trigger_problems, trigger_warnings
from runyard_orchestrator.workflow.typecheck import Samples, type_problem

PartT = TypeVar("PartT")
_TRIGGER: pydantic.TypeAdapter[AnyTrigger] = pydantic.TypeAdapter(AnyTrigger)
_NODE: pydantic.TypeAdapter[AnyNode] = pydantic.TypeAdapter(AnyNode)
_EDGE: pydantic.TypeAdapter[Edge] = pydantic.TypeAdapter(Edge)
_IN_ITERATIONS = frozenset({"item", "index"})


@dataclass(frozen=True)
class _Level:
    """The graph of the workflow, or of a body: what of it fits its model, by place. A part that does not fit must not hide what
    is wrong with the others.

    `ids`: the place of each node id, those of misshapen nodes included. `outside`: the ids of the graphs around it.
    """

    prefix: str
    source: str
    raw_nodes: list[Any]
    nodes: dict[int, AnyNode]
    edges: dict[int, Edge]
    ids: dict[str, int]
    outside: Mapping[str, str]
    samples: Samples


def problems(document: dict[str, Any], catalog: Catalog) -> tuple[FieldProblem, ...]:
    """Every problem of the document; empty when it can be published. `catalog`: what there is to refer to."""
    try:
        Workflow.model_validate(document)
        malformed: tuple[FieldProblem, ...] = ()
    except pydantic.ValidationError as error:
        malformed = tuple(misfits(document, error))
    samples = Samples(document.get("inputs"), catalog)
    level = _level(document.get("nodes"), document.get("edges"), "", TRIGGER_NODE, {}, samples)
    return malformed + tuple(
        FieldProblem(path, message)
        for path, message in (
            *_input_problems(document.get("inputs")),
            *trigger_problems(_fitting(_TRIGGER, document.get("triggers")), catalog),
            *_level_problems(level, catalog),
        )
    )


def warnings(document: dict[str, Any]) -> tuple[FieldProblem, ...]:
    """What does not keep the document from being published, and will not do what its author seems to expect."""
    found = trigger_warnings(_fitting(_TRIGGER, document.get("triggers")), document.get("inputs"))
    return tuple(FieldProblem(path, message) for path, message in found)


def _level(nodes: Any, edges: Any, prefix: str, source: str, outside: Mapping[str, str], samples: Samples) -> _Level:
    raw_nodes = nodes if isinstance(nodes, list) else []
    ids: dict[str, int] = {}
    for index, node in enumerate(raw_nodes):
        if isinstance(node, dict) and isinstance(node.get("id"), str):
            ids.setdefault(node["id"], index)
    fitting = _fitting(_NODE, raw_nodes)
    return _Level(
        prefix=prefix,
        source=source,
        raw_nodes=raw_nodes,
        nodes=fitting,
        edges=_fitting(_EDGE, edges),
        ids=ids,
        outside=outside,
        samples=samples.with_nodes(fitting.values(), in_iteration=source == ITEM_NODE),
    )


def _level_problems(level: _Level, catalog: Catalog) -> Iterator[tuple[str, str]]:
    yield from _node_problems(level, catalog)
    yield from _edge_problems(level)
    yield from _graph_problems(level)


def _fitting(adapter: "pydantic.TypeAdapter[PartT]", values: Any) -> dict[int, PartT]:
    fitting: dict[int, PartT] = {}
    for index, value in enumerate(values if isinstance(values, list) else ()):
        with suppress(pydantic.ValidationError):  # already among the problems of the whole
            fitting[index] = adapter.validate_python(value)
    return fitting


def _input_problems(inputs: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(inputs, dict):
        return
    try:
        compile_schema(inputs)
    except SchemaError as error:
        if error.steps != ["type"]:
            yield below("inputs", error.steps), str(error)
    if inputs.get("type", "object") != "object":
        yield "inputs.type", "must be object: a run passes named variables"


def _node_problems(level: _Level, catalog: Catalog) -> Iterator[tuple[str, str]]:
    for index, raw in enumerate(level.raw_nodes):
        path = f"{level.prefix}nodes[{index}]"
        node = level.nodes.get(index)
        node_id = raw.get("id") if isinstance(raw, dict) else None
        if isinstance(node_id, str):
            first = level.ids[node_id]
            if node_id == level.source:
                yield f"{path}.id", f"{level.source!r} is the implicit source of the graph; choose another id"
            elif first != index:
                yield f"{path}.id", f"{node_id!r} is also the id of {level.prefix}nodes[{first}]; every node needs its own"
            elif node_id in level.outside:
                yield f"{path}.id", f"{node_id!r} is also the id of {level.outside[node_id]}; every node needs its own"
        if node is not None:
            yield from type_of(node).problems(node, path, catalog)
            yield from _text_problems(node, path, level)
        body = raw.get("body") if isinstance(raw, dict) and raw.get("type") == "forEach" else None
        if isinstance(body, dict):
            around = {**level.outside} | {name: f"{level.prefix}nodes[{place}]" for name, place in level.ids.items()}
            inner = _level(body.get("nodes"), body.get("edges"), f"{path}.body.", ITEM_NODE, around, level.samples)
            yield from _level_problems(inner, catalog)


def _text_problems(node: AnyNode, path: str, level: _Level) -> Iterator[tuple[str, str]]:
    """What is wrong with the expressions and templates of a node: of each only the first thing."""
    meaning = type_of(node)
    sources = [(f"{path}.{field}", source, True) for field, source in meaning.expressions_of(node)]
    value = meaning.template_of(node)
    if value is not None:
        for place, source in template_expressions(value, f"{path}.{meaning.template_field()}"):
            if isinstance(source, ExpressionError):
                yield place, str(source)
            else:
                sources.append((place, source, False))
    for place, source, whole in sources:
        try:
            expression = compile_expression(source)
        except ExpressionError as error:
            yield place, str(error)
            continue
        unknown = [name for name in expression.nodes if name not in level.ids and name not in level.outside]
        if unknown:
            yield place, f"reads nodes.{unknown[0]}, but there is no node {unknown[0]!r} here"
        elif level.source != ITEM_NODE and (loose := _IN_ITERATIONS.intersection(expression.roots)):
            yield place, f"reads {', '.join(sorted(loose))}, which is only there in the body of a forEach"
        elif message := type_problem(expression, level.samples, node.type if whole else None):
            yield place, message


def _edge_problems(level: _Level) -> Iterator[tuple[str, str]]:
    nodes = {node.id: node for node in level.nodes.values()}
    for index, edge in level.edges.items():
        path = f"{level.prefix}edges[{index}]"
        if edge.to == level.source:
            yield f"{path}.to", f"nothing leads to {level.source!r}; it is the source"
        elif edge.to not in level.ids:
            yield f"{path}.to", f"there is no node {edge.to!r}"
        source = nodes.get(edge.from_node)
        if source is not None:
            ports = type_of(source).ports_of(source)
            if ports is not None and edge.port is not None and edge.port not in ports:
                yield f"{path}.port", f"{edge.from_node!r} ({source.type}) has no port {edge.port!r}; it has {', '.join(ports)}"
        elif edge.from_node == level.source:
            if edge.port not in (None, "out"):
                yield f"{path}.port", f"the only port of {level.source!r} is out"
        elif edge.from_node not in level.ids:
            yield f"{path}.from", f"there is no node {edge.from_node!r}"


def _graph_problems(level: _Level) -> Iterator[tuple[str, str]]:
    targets: dict[str, set[str]] = {name: set() for name in (level.source, *level.ids)}
    for edge in level.edges.values():
        if edge.from_node in targets and edge.to in level.ids:
            targets[edge.from_node].add(edge.to)
    try:
        TopologicalSorter(targets).prepare()
    except CycleError as error:
        yield f"{level.prefix}edges", f"the graph must not have cycles: {' -> '.join(reversed(error.args[1]))}"
    reached, todo = {level.source}, [level.source]
    while todo:
        new = targets[todo.pop()] - reached
        reached |= new
        todo.extend(new)
    for name, index in level.ids.items():
        if name not in reached:
            path = f"{level.prefix}nodes[{index}]"
            yield path, f"{name!r} can never be reached from {_the_source(level)}; add an edge to it or remove it"
    for index, node in level.nodes.items():
        needed = type_of(node).needs(node) or 0
        incoming = sum(edge.to == node.id for edge in level.edges.values())
        if needed > max(1, incoming):
            yield f"{level.prefix}nodes[{index}].count", f"asks for {needed} taken edges, but only {incoming} lead here"


def _the_source(level: _Level) -> str:
    return "the trigger" if level.source == TRIGGER_NODE else f"{level.source!r}"
