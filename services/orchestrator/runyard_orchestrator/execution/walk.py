"""Walking the graph: enter, complete, skip, fail, and how an execution ends. What a node does is in `nodes/`.

One walk is one decision: a state of its own that evolves with each event it emits.
"""

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from runyard_shared.contracts import events
from runyard_shared.contracts.base import Event
from runyard_shared.contracts.values import ErrorInfo, NodeStatus

from runyard_orchestrator.execution.evolve import evolve
from runyard_orchestrator.execution.scope import scope_for
from runyard_orchestrator.execution.state import TAKEN, UNSETTLED, ExecutionState
from runyard_orchestrator.nodes import type_of
from runyard_orchestrator.workflow.expressions import Expression, ExpressionError, Template, UnresolvedPath
from runyard_orchestrator.workflow.graph import Graph, GraphNode


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the engine may not find out by itself: the time, and a random number in [0, 1)."""

    now: datetime
    chance: float = 0.5


class Walk:
    """What node types work with: the state, the graph, the circumstances, and the steps they may take."""

    def __init__(self, state: ExecutionState, graph: Graph, circumstances: Circumstances) -> None:
        self.state = state
        self.graph = graph
        self.now = circumstances.now
        self.chance = circumstances.chance
        self.new: list[Event] = []
        self._arrivals: deque[str] = deque()
        self._walking = False

    def emit(self, event: Event) -> None:
        evolve(self.state, event, self.graph)
        self.new.append(event)

    # --- from node to node

    def arrive(self, targets: list[str]) -> None:
        """Some edges into these nodes were settled: enter or skip those that are decided, and go on from there."""
        self._arrivals.extend(targets)
        if self._walking:  # a node entered below completed at once; the loop that entered it goes on
            return
        self._walking = True
        while self._arrivals:
            node_id = self._arrivals.popleft()
            if node_id not in self.state.nodes and self.state.may_schedule:
                node = self.graph.nodes[node_id]
                ready = self._readiness(node)
                if ready:
                    type_of(node.spec).enter(self, node_id, node)
                elif ready is False:
                    self.emit(events.NodeSkipped(node_id=node_id))
                    self._arrivals.extend(edge.target for edge in node.outgoing)
        self._walking = False

    def _readiness(self, node: GraphNode) -> bool | None:
        """True: enter; False: skip; None: some edge must settle first."""
        settled = [self.state.edges[edge.index] for edge in node.incoming]
        taken = settled.count(TAKEN)
        needed = type_of(node.spec).needs(node.spec)
        if needed is not None and taken >= needed:
            return True
        if UNSETTLED in settled:
            return None
        return needed is None and taken > 0

    # --- how a node ends

    def complete(
        self,
        node_id: str,
        port: str | None,
        output: Any = None,
        *,
        reads: dict[str, Any] | None = None,
        warnings: list[str] | None = None,
    ) -> None:
        self.emit(events.NodeCompleted(node_id=node_id, port=port, output=output, reads=reads or {}, warnings=warnings or []))
        self.arrive([edge.target for edge in self.graph.nodes[node_id].outgoing])

    def fail(self, node_id: str, error: ErrorInfo) -> None:
        """By its error edge; as a warning by success, if the node is not critical; else the execution fails."""
        node = self.graph.nodes[node_id]
        port = None
        if self.state.may_schedule:
            if node.has_port("error"):
                port = "error"
            elif not getattr(node.spec, "critical", True):
                port = "success"
        self.emit(events.NodeFailed(node_id=node_id, error=error, port=port))
        if port is not None:
            self.arrive([edge.target for edge in node.outgoing])
        elif self.state.may_schedule:
            self.fail_execution(error)

    def cancel_node(self, node_id: str) -> None:
        self.emit(events.NodeCancelled(node_id=node_id))

    # --- how an execution ends

    def conclude(self) -> None:
        """End the execution if nothing is outstanding."""
        state = self.state
        if not self.new or state.is_finished:
            return
        for node in state.nodes.values():
            if node.status is NodeStatus.RUNNING or node.status is NodeStatus.WAITING:
                return
        if state.iteration is not None and state.parent is not None:
            if state.failing is not None:
                self.emit(events.IterationFailed(parent=state.parent, error=state.failing))
            else:
                self.emit(events.IterationCompleted(parent=state.parent, output=self._last_output()))
        elif state.failing is not None:
            self.emit(events.ExecutionFailed(error=state.failing, parent=state.parent))
        else:
            variables = state.vars if state.parent is not None else {}
            self.emit(events.ExecutionCompleted(parent=state.parent, variables=variables))

    def fail_execution(self, error: ErrorInfo, *, force: bool = False) -> None:
        """Nothing new begins; it has failed when what runs has ended."""
        if self.state.failing is not None:
            return
        self.emit(events.ExecutionFailing(error=error))
        self.give_up(f"the execution failed: {error.message}", force=force)

    def give_up(self, reason: str, *, force: bool) -> None:
        """Nothing that waits goes on; what runs goes on unless forced."""
        nodes = list(self.state.nodes.items())
        for status in (NodeStatus.WAITING, NodeStatus.RUNNING):
            for node_id, node in nodes:
                if node.status == status:
                    type_of(self.graph.nodes[node_id].spec).give_up(self, node_id, reason, force=force)

    def _last_output(self) -> Any:
        """What an iteration gives: the output of the node that ended its path; by node id, if several did."""
        ends = {
            node_id: node.output
            for node_id, node in self.state.nodes.items()
            if node.status in (NodeStatus.COMPLETED, NodeStatus.FAILED)
            and all(self.state.edges[edge.index] != TAKEN for edge in self.graph.nodes[node_id].outgoing)
        }
        return next(iter(ends.values()), None) if len(ends) == 1 else ends

    # --- evaluating

    def evaluate(self, node_id: str, expression: Expression | None, reads: dict[str, Any] | None = None) -> Any:
        """The value, or the error the node fails with. What the expression read, for the log, is added to `reads`."""
        if expression is None:
            raise TypeError(f"{node_id} has no expression")
        scope = scope_for(self.state, (expression,))
        try:
            value = expression.evaluate(scope)
        except UnresolvedPath as missing:
            message = f"{expression.source!r}: {missing}. Ask for it with has() first, if it may be absent"
            return ErrorInfo(reason="expression", message=message, node_id=node_id)
        except ExpressionError as error:
            return ErrorInfo(reason="expression", message=str(error), node_id=node_id)
        if reads is not None:
            reads.update(expression.reads(scope))
        return value

    def render(self, node_id: str, template: Template | None, warnings: list[str]) -> Any:
        """The value, or the error the node fails with. Paths that do not resolve are added to `warnings`."""
        if template is None:
            raise TypeError(f"{node_id} has no template")
        scope = scope_for(self.state, template.expressions) if template.expressions else {}
        try:
            return template.render(scope, warnings)
        except ExpressionError as error:
            return ErrorInfo(reason="template", message=str(error), node_id=node_id)
