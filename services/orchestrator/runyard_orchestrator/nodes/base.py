"""What a type of node is: everything about it in one module of this package, listed in `NODE_TYPES`.

Its fields are its model in `runyard_shared.contracts.workflow`; events of its own are in `contracts.events`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from runyard_shared.contracts.base import Event
from runyard_shared.contracts.commands import Catalog
from runyard_shared.contracts.reports import ChildEnded
from runyard_shared.contracts.values import NodeStatus
from runyard_shared.contracts.workflow import Node

if TYPE_CHECKING:
    from runyard_orchestrator.execution.state import ExecutionState
    from runyard_orchestrator.execution.walk import Walk
    from runyard_orchestrator.workflow.graph import Graph, GraphNode

SpecT = TypeVar("SpecT", bound=Node)
Apply = Callable[["ExecutionState", Any, "Graph"], None]
Problems = Iterator[tuple[str, str]]
"""(path, message) pairs."""


class NodeType(ABC, Generic[SpecT]):
    """One type of node. Nothing is kept here: the same object serves every node of the type."""

    ports: ClassVar[tuple[str, ...] | None] = ("out",)
    """By which a node may be left, its default first; None: any name will do, and all edges are taken."""
    applies: ClassVar[Mapping[type[Event], Apply]] = {}
    """How the events that only this type makes change the state (see `evolve`)."""

    def ports_of(self, spec: SpecT) -> tuple[str, ...] | None:
        return self.ports

    def template_of(self, spec: SpecT) -> Any:
        """The JSON value with templates in it, None if the type has none."""
        return None

    def template_field(self) -> str:
        """The field it comes from, for the path of a problem."""
        return ""

    def expressions_of(self, spec: SpecT) -> Iterator[tuple[str, str]]:
        """(field, CEL source) pairs; the first is the compiled node's `expression`."""
        return iter(())

    def sample_output(self, spec: SpecT, catalog: Catalog) -> dict[str, Any] | None:
        """A value of each type that its output may have, as far as it is known, for the check of types on publish."""
        return None

    def problems(self, spec: SpecT, path: str, catalog: Catalog) -> Problems:
        """What is wrong with a node beyond its model, its expressions and its templates. `catalog`: what it may refer to."""
        return iter(())

    def needs(self, spec: SpecT) -> int | None:
        """How many edges into the node must be taken for its turn to come; None: one, once all of them are settled."""
        return None

    @abstractmethod
    def enter(self, walk: "Walk", node_id: str, node: "GraphNode") -> None:
        """The node's turn has come: complete it, fail it, or leave it running or waiting."""

    def timer_due(self, walk: "Walk", node_id: str, kind: str) -> None:
        raise TypeError(f"a node of type {type(self).__name__} has no {kind} timer")

    def child_ended(self, walk: "Walk", node_id: str, report: ChildEnded) -> None:
        raise TypeError(f"a node of type {type(self).__name__} has no children")

    def completed(self, state: "ExecutionState", node_id: str, output: Any, graph: "Graph") -> None:
        """What the state learns from its completion, beside its output and its edges. Called by `evolve`."""

    def give_up(self, walk: "Walk", node_id: str, reason: str, *, force: bool) -> None:
        """The execution was cancelled, or fails: the node, which is running or waiting, begins nothing more. What runs goes on
        unless forced."""
        if walk.state.nodes[node_id].status == NodeStatus.WAITING:
            walk.cancel_node(node_id)
