"""A published workflow, compiled: nodes with their edges by index, templates and expressions ready to evaluate.

Immutable and shared by all executions of a version. The body of a forEach is a graph of its own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from runyard_shared.contracts.workflow import ITEM_NODE, TRIGGER_NODE, AnyNode, Edge, ForEachNode, Workflow

from runyard_orchestrator.nodes import type_of
from runyard_orchestrator.workflow.expressions import Expression, Template, compile_expression, compile_template


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
    expression: Expression | None
    body: "Graph | None" = None
    """Of a forEach."""

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
    expressions: tuple[Expression, ...]
    """All of its nodes, and of their bodies."""

    def body(self, path: str) -> "Graph":
        """The body of a forEach, by its node ids from the outermost: `outer.each`. Raises `LookupError`."""
        graph: Graph = self
        for node_id in path.split("."):
            node = graph.nodes.get(node_id)
            if node is None or node.body is None:
                raise LookupError(f"version {self.version} of workflow {self.workflow_id} has no forEach {path}")
            graph = node.body
        return graph


def compile_graph(workflow_id: str, version: int, workflow: Workflow) -> Graph:
    """Compile a document that `validate` found no problem in."""
    return _compile(workflow_id, version, workflow, workflow.nodes, workflow.edges, TRIGGER_NODE)


def _compile(
    workflow_id: str, version: int, workflow: Workflow, specs: Sequence[AnyNode], links: Sequence[Edge], source: str
) -> Graph:
    ports = {spec.id: type_of(spec).ports_of(spec) for spec in specs}
    edges = [_edge(index, edge, ports.get(edge.from_node)) for index, edge in enumerate(links)]
    incoming = _group((edge.target, edge) for edge in edges)
    outgoing = _group((edge.source, edge) for edge in edges)
    nodes: dict[str, GraphNode] = {}
    expressions: list[Expression] = []
    for spec in specs:
        meaning = type_of(spec)
        values = meaning.template_of(spec)
        template = None if values is None else compile_template(values, meaning.template_field())
        own = [compile_expression(text) for _, text in meaning.expressions_of(spec)]
        body = None
        if isinstance(spec, ForEachNode):
            body = _compile(workflow_id, version, workflow, spec.body.nodes, spec.body.edges, ITEM_NODE)
            expressions += body.expressions
        expressions += [*own, *(template.expressions if template is not None else ())]
        nodes[spec.id] = GraphNode(
            spec,
            tuple(incoming.get(spec.id, ())),
            tuple(outgoing.get(spec.id, ())),
            template,
            own[0] if own else None,
            body,
        )
    entry = tuple(outgoing.get(source, ()))
    return Graph(workflow_id, version, workflow, nodes, entry, len(edges), tuple(dict.fromkeys(expressions)))


def _edge(index: int, edge: Edge, ports: tuple[str, ...] | None) -> GraphEdge:
    return GraphEdge(index, edge.from_node, None if ports is None else edge.port or ports[0], edge.to)


def _group(pairs: Iterable[tuple[str, GraphEdge]]) -> dict[str, list[GraphEdge]]:
    groups: dict[str, list[GraphEdge]] = {}
    for key, edge in pairs:
        groups.setdefault(key, []).append(edge)
    return groups
