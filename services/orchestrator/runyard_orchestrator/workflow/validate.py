"""Says everything that is wrong with a workflow document, at once, each with the path of its field (R47)."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import chain, islice, pairwise
from typing import Any

from runyard_shared.contracts.commands import Catalog
from runyard_shared.contracts.workflow import (
    ITEM_NODE,
    TRIGGER_NODE,
    AnyNode,
    Body,
    Edge,
    ForEachNode,
    SetVariablesNode,
    Workflow,
)
from runyard_shared.errors import FieldProblem

from runyard_orchestrator.nodes import type_of
from runyard_orchestrator.workflow.expressions import (
    ROOTS,
    ExpressionError,
    UnknownName,
    compile_expression,
    template_expressions,
)
from runyard_orchestrator.workflow.failures import unknown_function, unknown_name
from runyard_orchestrator.workflow.mending import MAX_TOLD, Mended, mended
from runyard_orchestrator.workflow.names import instead, listed, nearest
from runyard_orchestrator.workflow.parameters import below
from runyard_orchestrator.workflow.schemas import SchemaError, compile_schema, schema_mistakes
from runyard_orchestrator.workflow.suspicions import input_warnings, node_warnings
from runyard_orchestrator.workflow.triggers import trigger_problems, trigger_warnings
from runyard_orchestrator.workflow.typecheck import Samples, type_problem, unknown_functions

_MOST_CYCLES = 5
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_IN_ITERATIONS = frozenset({"item", "index"})


@dataclass(frozen=True)
class _Around:
    """What a graph sees around it.

    `ids`: the places of the nodes. `elsewhere`: the paths of what expressions can read, by the last name in them.
    """

    ids: Mapping[str, str]
    elsewhere: Mapping[str, str]
    samples: Samples
    mended: Mended


@dataclass(frozen=True)
class _Level:
    """The graph of the workflow, or of a body.

    `ids`: the place of each node id, as far as nodes have one. `outside`: the places of the ids of the graphs around it.
    `nameless`: how many nodes have none, each of which may be the one that something else names.
    `elsewhere`: as around it, with what is here.
    """

    prefix: str
    source: str
    nodes: Sequence[AnyNode]
    edges: Sequence[Edge]
    ids: Mapping[str, int]
    outside: Mapping[str, str]
    nameless: int
    elsewhere: Mapping[str, str]
    samples: Samples
    mended: Mended

    def is_void(self, place: str) -> bool:
        return self.mended.is_void(f"{self.prefix}{place}")

    def knows(self, name: str) -> bool:
        return name in self.ids or name in self.outside or self.nameless > 0 or self.is_void("nodes")


def problems(document: dict[str, Any], catalog: Catalog) -> tuple[FieldProblem, ...]:
    """Every problem of the document; empty when it can be published. `catalog`: what there is to refer to."""
    result = mended(document)
    found = [*result.misfits, *islice(result.told(_problems(result, catalog)), MAX_TOLD + 1 - len(result.misfits))]
    more = (FieldProblem("", f"has more than {MAX_TOLD} problems; these are some of them"),) if len(found) > MAX_TOLD else ()
    return (*more, *_in_order(document, found[:MAX_TOLD]))


def warnings(document: dict[str, Any]) -> tuple[FieldProblem, ...]:
    """What does not keep the document from being published, and will not do what its author seems to expect."""
    result = mended(document)
    workflow = result.workflow
    if workflow is None:
        return ()
    inputs = workflow.inputs
    suspicions = _suspicions(workflow, "", {}, inputs)
    found = chain(trigger_warnings(workflow.triggers, inputs), input_warnings(inputs), suspicions)
    return _in_order(document, islice(result.told(found), MAX_TOLD))


def _suspicions(
    graph: Workflow | Body, prefix: str, outside: Mapping[str, AnyNode], inputs: dict[str, Any] | None
) -> Iterator[tuple[str, str]]:
    known = {**outside} | {node.id: node for node in graph.nodes}
    for index, node in enumerate(graph.nodes):
        path = f"{prefix}nodes[{index}]"
        yield from node_warnings(node, path, known, inputs)
        if isinstance(node, ForEachNode):
            yield from _suspicions(node.body, f"{path}.body.", known, inputs)


def _in_order(document: dict[str, Any], found: Iterable[FieldProblem]) -> tuple[FieldProblem, ...]:
    """By their places as the document is read; what is missing comes first in what it is missing in."""

    def place(problem: FieldProblem) -> list[int]:
        at: Any = document
        places: list[int] = []
        for name, index in _STEP.findall(problem.path):
            if isinstance(at, dict) and name in at:
                places.append(list(at).index(name))
                at = at[name]
            elif isinstance(at, list) and index and int(index) < len(at):
                places.append(int(index))
                at = at[int(index)]
            else:
                break
        return places

    return tuple(sorted(found, key=place))


def _problems(result: Mended, catalog: Catalog) -> Iterator[tuple[str, str]]:
    workflow = result.workflow
    if workflow is None:
        return
    samples = Samples(workflow.inputs, catalog)
    declared = workflow.inputs.get("properties") if workflow.inputs is not None else None
    elsewhere = {name: f"inputs.{name}" for name in (declared if isinstance(declared, dict) else ())}
    yield from _input_problems(workflow.inputs)
    yield from trigger_problems(workflow.triggers, catalog)
    around = _Around({}, elsewhere, samples, result)
    yield from _level_problems(_level(workflow, "", TRIGGER_NODE, around), catalog)


def _level(graph: Workflow | Body, prefix: str, source: str, around: _Around) -> _Level:
    result = around.mended
    ids: dict[str, int] = {}
    nameless = 0
    named: list[AnyNode] = []
    elsewhere = dict(around.elsewhere)
    for index, node in enumerate(graph.nodes):
        path = f"{prefix}nodes[{index}]"
        written = result.ids.get(f"{path}.id")
        named.append(node if written is None else node.model_copy(update={"id": written}))
        if written is not None or not result.is_void(f"{path}.id"):
            ids.setdefault(named[-1].id, index)
        elif not result.is_void(path):
            nameless += 1
        if isinstance(node, SetVariablesNode):
            elsewhere |= {name: f"vars.{name}" for name in node.values}
    return _Level(
        prefix=prefix,
        source=source,
        nodes=named,
        edges=graph.edges,
        ids=ids,
        outside=around.ids,
        nameless=nameless,
        elsewhere=elsewhere | {name: f"nodes.{name}" for name in ids},
        samples=around.samples.with_nodes(named, in_iteration=source == ITEM_NODE),
        mended=result,
    )


def _level_problems(level: _Level, catalog: Catalog) -> Iterator[tuple[str, str]]:
    yield from _node_problems(level, catalog)
    yield from _edge_problems(level)
    yield from _graph_problems(level)


def _input_problems(inputs: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(inputs, dict):
        return
    found = [*schema_mistakes(inputs)]
    yield from ((below("inputs", steps), words) for steps, words in found if steps != ["type"])
    if not found:
        try:
            compile_schema(inputs)
        except SchemaError as error:
            yield below("inputs", error.steps), str(error)
    if inputs.get("type", "object") != "object":
        yield "inputs.type", "must be object: a run passes named variables"


def _node_problems(level: _Level, catalog: Catalog) -> Iterator[tuple[str, str]]:
    for index, node in enumerate(level.nodes):
        path = f"{level.prefix}nodes[{index}]"
        if node.id == level.source:
            yield f"{path}.id", f"{level.source!r} is the implicit source of the graph; choose another id"
        elif (first := level.ids.get(node.id, index)) != index:
            yield f"{path}.id", f"{node.id!r} is also the id of {level.prefix}nodes[{first}]; every node needs its own"
        elif node.id in level.outside:
            yield f"{path}.id", f"{node.id!r} is also the id of {level.outside[node.id]}; every node needs its own"
        yield from type_of(node).problems(node, path, catalog)
        yield from _text_problems(node, path, level)
        if isinstance(node, ForEachNode):
            ids = {**level.outside} | {name: f"{level.prefix}nodes[{place}]" for name, place in level.ids.items()}
            around = _Around(ids, level.elsewhere, level.samples, level.mended)
            yield from _level_problems(_level(node.body, f"{path}.body.", ITEM_NODE, around), catalog)


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
        except UnknownName as error:
            yield place, f"{error.source!r} {unknown_name(error.name, sorted(ROOTS), level.elsewhere)}"
            continue
        except ExpressionError as error:
            yield place, str(error)
            continue
        unknown = [name for name in expression.nodes if not level.knows(name)]
        if unknown:
            there = instead(unknown[0], [*level.ids, *level.outside])
            yield place, f"reads nodes.{unknown[0]}, but there is no node {unknown[0]!r} here; {there}"
        elif functions := unknown_functions(expression):
            yield place, f"{expression.source!r} {unknown_function(functions[0])}"
        elif level.source != ITEM_NODE and (loose := _IN_ITERATIONS.intersection(expression.roots)):
            yield place, f"reads {', '.join(sorted(loose))}, which is only there in the body of a forEach"
        elif message := type_problem(expression, level.samples, node.type if whole else None):
            yield place, message


def _edge_problems(level: _Level) -> Iterator[tuple[str, str]]:
    for index, edge in enumerate(level.edges):
        path = f"{level.prefix}edges[{index}]"
        if edge.to == level.source:
            yield f"{path}.to", f"nothing leads to {level.source!r}; it is the source"
        elif edge.to not in level.ids and (edge.to in level.outside or not level.knows(edge.to)):
            yield f"{path}.to", _no_node(edge.to, level, [*level.ids])
        place = level.ids.get(edge.from_node)
        if place is not None:
            node = level.nodes[place]
            ports = type_of(node).ports_of(node)
            if ports is not None and edge.port not in (None, *ports) and not level.is_void(f"nodes[{place}].cases"):
                there = f"it has {', '.join(ports)}"
                yield f"{path}.port", f"{edge.from_node!r} ({node.type}) has no port {edge.port!r}; {there}"
        elif edge.from_node == level.source:
            if edge.port not in (None, "out"):
                yield f"{path}.port", f"the only port of {level.source!r} is out"
        elif edge.from_node in level.outside or not level.knows(edge.from_node):
            yield f"{path}.from", _no_node(edge.from_node, level, [level.source, *level.ids])


def _no_node(name: str, level: _Level, known: Sequence[str]) -> str:
    if name in level.outside or name == TRIGGER_NODE:
        return f"{name!r} is not in this body; its edges begin at {level.source!r} and stay in it"
    return f"there is no node {name!r}; {instead(name, known)}"


def _graph_problems(level: _Level) -> Iterator[tuple[str, str]]:
    targets: dict[str, set[str]] = {name: set() for name in (level.source, *level.ids)}
    reached = {level.source}
    guesses = 0
    for index, edge in enumerate(level.edges):
        source = edge.from_node if edge.from_node in targets else None
        target = edge.to if edge.to in level.ids else None
        if None in (source, target) and guesses < MAX_TOLD:
            guesses += 1
            source, target = source or nearest(edge.from_node, targets), target or nearest(edge.to, level.ids)
        if target is not None and source is not None:
            targets[source].add(target)
        elif target is not None:
            reached.add(target)  # by an edge of which something else is told
        elif level.is_void(f"edges[{index}].to") or level.knows(edge.to):
            reached.update(level.ids)  # it may lead to any of them
    yield from _cycles(level, targets)
    if not level.is_void("edges") and not level.is_void("nodes"):
        yield from _unreachable(level, targets, reached)
    for index, node in enumerate(level.nodes):
        needed = type_of(node).needs(node) or 0
        incoming = sum(edge.to == node.id for edge in level.edges)
        if needed > max(1, incoming) and not level.is_void("edges"):
            yield f"{level.prefix}nodes[{index}].count", f"asks for {needed} taken edges, but only {incoming} lead here"


def _cycles(level: _Level, targets: Mapping[str, set[str]]) -> Iterator[tuple[str, str]]:
    """Each at the last of its edges, without which the next one is looked for."""
    left = {name: {*onto} for name, onto in targets.items()}
    for _ in range(_MOST_CYCLES):
        try:
            TopologicalSorter(left).prepare()
        except CycleError as error:
            cycle = [*reversed(error.args[1])]
        else:
            return
        steps = set(pairwise(cycle))
        places = {(edge.from_node, edge.to): index for index, edge in enumerate(level.edges)}
        closing = max(steps, key=lambda step: places.get(step, -1))
        left[closing[0]].discard(closing[1])
        at = [*reversed(cycle[:-1])].index(closing[1])
        begin = len(cycle) - 2 - at
        shown = " -> ".join([*cycle[begin:-1], *cycle[:begin], closing[1]])
        place = f"edges[{places[closing]}]" if closing in places else "edges"
        yield f"{level.prefix}{place}", f"the graph must not have cycles, and this edge closes one: {shown}"


def _unreachable(level: _Level, targets: Mapping[str, set[str]], reached: set[str]) -> Iterator[tuple[str, str]]:
    """Of nodes that follow each other only the first: an edge to it is all that is missing."""
    reached = _from(reached, targets)
    lost = [name for name in level.ids if name not in reached]
    followers = {target for name in lost for target in targets[name] if target != name}
    for name in sorted(lost, key=followers.__contains__):  # in a cycle each follows another
        if name not in reached:
            after = _from({name}, targets) - reached - {name}
            reached |= after | {name}
            also = f", and so neither can {listed([each for each in level.ids if each in after])}" if after else ""
            source = "the trigger" if level.source == TRIGGER_NODE else repr(level.source)
            path = f"{level.prefix}nodes[{level.ids[name]}]"
            yield path, f"{name!r} can never be reached from {source}{also}; add an edge to it or remove it"


def _from(start: set[str], targets: Mapping[str, set[str]]) -> set[str]:
    reached, todo = {*start}, [*start]
    while todo:
        new = targets[todo.pop()] - reached
        reached |= new
        todo.extend(new)
    return reached
