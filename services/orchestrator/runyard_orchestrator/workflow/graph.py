"""A published workflow, compiled: nodes with their edges by index, templates and expressions ready to evaluate.

Immutable and shared by all executions of a version. Which ports a node type has is decided here, in `ports_of`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from runyard_shared.contracts.workflow import (
    TRIGGER_NODE,
    ActionNode,
    AnyNode,
    ConditionNode,
    DelayNode,
    Edge,
    SetVariablesNode,
    SwitchNode,
    Workflow,
)

from runyard_orchestrator.workflow.expressions import Expression, Template, as_text, compile_expression, compile_template

_PORTS: dict[str, tuple[str, ...]] = {
    "action": ("success", "error"),
    "condition": ("true", "false"),
    "delay": ("out",),
    "join": ("out",),
    "setVariables": ("out",),
    "errorHandler": ("out",),
}


def ports_of(node: AnyNode) -> tuple[str, ...] | None:
    """The ports a node may be left by, its default first; None when any name will do (parallel)."""
    if isinstance(node, SwitchNode):
        return (*(as_text(case) for case in node.cases), "default")
    return _PORTS.get(node.type)


@dataclass(frozen=True, slots=True)
class GraphEdge:
    index: int
    source: str
    port: str | None
    """None: taken whenever its source completes (trigger, parallel)."""
    target: str


@dataclass(frozen=True, slots=True)
class GraphNode:
    spec: AnyNode
    incoming: tuple[GraphEdge, ...]
    outgoing: tuple[GraphEdge, ...]
    template: Template | None
    """Of an action its `params`, of setVariables its `values`."""
    expression: Expression | None
    """Of a condition or switch; of a delay its `until`."""

    def has_port(self, port: str) -> bool:
        return any(edge.port == port for edge in self.outgoing)


@dataclass(frozen=True, slots=True)
class Graph:
    workflow_id: str
    version: int
    workflow: Workflow
    nodes: dict[str, GraphNode]
    entry: tuple[GraphEdge, ...]
    """The edges out of the trigger."""
    edge_count: int


def compile_graph(workflow_id: str, version: int, workflow: Workflow) -> Graph:
    """Compile a document that `validate` found no problem in."""
    ports = {spec.id: ports_of(spec) for spec in workflow.nodes}
    edges = [_edge(index, edge, ports.get(edge.from_node)) for index, edge in enumerate(workflow.edges)]
    incoming = _group((edge.target, edge) for edge in edges)
    outgoing = _group((edge.source, edge) for edge in edges)
    nodes = {
        spec.id: GraphNode(
            spec,
            tuple(incoming.get(spec.id, ())),
            tuple(outgoing.get(spec.id, ())),
            _template_of(spec),
            _expression_of(spec),
        )
        for spec in workflow.nodes
    }
    return Graph(workflow_id, version, workflow, nodes, tuple(outgoing.get(TRIGGER_NODE, ())), len(edges))


def _edge(index: int, edge: Edge, ports: tuple[str, ...] | None) -> GraphEdge:
    return GraphEdge(index, edge.from_node, None if ports is None else edge.port or ports[0], edge.to)


def _group(pairs: Iterable[tuple[str, GraphEdge]]) -> dict[str, list[GraphEdge]]:
    groups: dict[str, list[GraphEdge]] = {}
    for key, edge in pairs:
        groups.setdefault(key, []).append(edge)
    return groups


def _template_of(spec: AnyNode) -> Template | None:
    values: Any = None
    if isinstance(spec, ActionNode):
        values = spec.params
    elif isinstance(spec, SetVariablesNode):
        values = spec.values
    return None if values is None else compile_template(values)


def _expression_of(spec: AnyNode) -> Expression | None:
    if isinstance(spec, ConditionNode | SwitchNode):
        return compile_expression(spec.expression)
    if isinstance(spec, DelayNode) and spec.until is not None:
        return compile_expression(spec.until)
    return None
