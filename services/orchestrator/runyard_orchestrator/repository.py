"""Loading aggregates: from memory if this process wrote them last, else replayed from the log (from a snapshot, if long)."""

from collections import OrderedDict
from dataclasses import replace
from typing import Generic, NamedTuple, TypeVar

import jsonschema_rs
from runyard_shared.contracts import events
from runyard_shared.contracts.base import Event
from runyard_shared.contracts.feed import Recorded
from runyard_shared.contracts.workflow import Workflow
from runyard_shared.errors import NotFound
from runyard_shared.eventstore.mapper import EventMapper
from runyard_shared.eventstore.store import EventStore, Snapshot
from runyard_shared.ids import is_id

from runyard_orchestrator.execution.evolve import begin, evolve
from runyard_orchestrator.execution.state import SCHEMA, ExecutionState, decode_state, encode_state
from runyard_orchestrator.workflow import definition
from runyard_orchestrator.workflow.definition import WorkflowState
from runyard_orchestrator.workflow.graph import Graph, compile_graph
from runyard_orchestrator.workflow.schemas import compile_schema

SNAPSHOT_EVERY = 200
FINISHED_KEPT = 500
_BEGINNINGS = (events.ExecutionStarted.topic, events.IterationStarted.topic)
_KeyT = TypeVar("_KeyT")
_ValueT = TypeVar("_ValueT")


class Recent(Generic[_KeyT, _ValueT]):
    """The last `capacity` values used, by key."""

    def __init__(self, capacity: int) -> None:
        self._values: OrderedDict[_KeyT, _ValueT] = OrderedDict()
        self._capacity = capacity

    def get(self, key: _KeyT) -> _ValueT | None:
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: _KeyT, value: _ValueT) -> None:
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self._capacity:
            self._values.popitem(last=False)

    def forget(self, key: _KeyT) -> None:
        self._values.pop(key, None)

    def clear(self) -> None:
        self._values.clear()


class AsLeft(NamedTuple):
    """A workflow as a request left it: the events that it made, and the position of the last."""

    state: WorkflowState
    made: list[Event]
    position: int


class Workflows:
    """Workflow aggregates, and what is compiled from their versions."""

    def __init__(self, store: EventStore, mapper: EventMapper, *, capacity: int = 1000) -> None:
        self._store = store
        self._mapper = mapper
        self._states: Recent[str, WorkflowState] = Recent(capacity)
        self._graphs: Recent[tuple[str, int], Graph] = Recent(capacity)
        self._validators: Recent[tuple[str, int], jsonschema_rs.Validator] = Recent(capacity)
        self._ids: Recent[tuple[str, str], str] = Recent(capacity)

    async def load(self, workflow_id: str) -> WorkflowState | None:
        """None if there is no such stream, or it is not a workflow's."""
        state = self._states.get(workflow_id)
        if state is None:
            history = await self._store.load(workflow_id)
            if not history or history[0].topic != events.WorkflowCreated.topic:
                return None
            for recorded in history:
                state, _ = self._evolved(state, recorded)
            if state is not None:
                self._states.put(workflow_id, state)
        return state

    async def fresh(self, workflow_id: str) -> WorkflowState | None:
        """As `load`, with whatever another process has written."""
        state = self._states.get(workflow_id)
        if state is None:
            return await self.load(workflow_id)
        for recorded in await self._store.load(workflow_id, after_version=state.version):
            state, _ = self._evolved(state, recorded)
        known = self._states.get(workflow_id)
        if known is None or known.version < state.version:
            self._states.put(workflow_id, state)
        return state

    async def as_left_by(self, request_id: str, workflow_id: str) -> AsLeft | None:
        """None if the request has made no event of the workflow."""
        state: WorkflowState | None = None
        left: AsLeft | None = None
        made: list[Event] = []
        for recorded in await self._store.load(workflow_id):
            state, event = self._evolved(state, recorded)
            if recorded.causation_id == request_id:
                made.append(event)
                left = AsLeft(state, made, recorded.position)
        return left

    def _evolved(self, state: WorkflowState | None, recorded: Recorded) -> tuple[WorkflowState, Event]:
        event = self._mapper.decode(recorded)
        after = definition.evolve(state, event, recorded.stream_id, recorded.tenant_id, recorded.recorded_at)
        if recorded.causation_id is not None:
            after = replace(after, requests=after.requests | {recorded.causation_id})
        return after, event

    async def get(self, workflow_id: str, tenant_id: str) -> WorkflowState:
        """Raises `NotFound` also for another tenant's workflow."""
        state = await self.load(workflow_id)
        if state is None or state.tenant_id != tenant_id:
            raise NotFound("workflow_not_found", f"there is no workflow {workflow_id}")
        return state

    def remember(self, state: WorkflowState) -> None:
        self._states.put(state.workflow_id, state)

    def forget(self, workflow_id: str) -> None:
        self._states.forget(workflow_id)

    def forget_all(self) -> None:
        """Another process may have written since."""
        self._states.clear()

    def known(self, workflow_id: str) -> WorkflowState | None:
        """The state if it is in memory."""
        return self._states.get(workflow_id)

    def known_graph(self, workflow_id: str, version: int) -> Graph:
        """The compiled graph if it is in memory, where loading an execution brings it. Raises `LookupError`."""
        graph = self._graphs.get((workflow_id, version))
        if graph is None:
            raise LookupError(f"version {version} of workflow {workflow_id} is not in memory")
        return graph

    def known_graph_of(self, state: ExecutionState) -> Graph:
        """What the execution walks: its workflow, or the body of its forEach. Raises `LookupError`."""
        graph = self.known_graph(state.workflow_id, state.workflow_version)
        return graph if state.iteration is None else graph.body(state.iteration.body)

    async def id_of(self, tenant_id: str, name_or_id: str) -> str | None:
        """A workflow keeps its name, so what was found once stays true."""
        found = self._ids.get((tenant_id, name_or_id))
        if found is None:
            claimed = await self._store.claimed(tenant_id, "workflow-name", name_or_id)
            if claimed is not None:
                found = str(claimed["workflowId"])
            elif is_id(name_or_id) and (state := await self.load(name_or_id)) is not None and state.tenant_id == tenant_id:
                found = name_or_id
            if found is not None:
                self._ids.put((tenant_id, name_or_id), found)
        return found

    def known_id(self, tenant_id: str, name_or_id: str) -> str | None:
        """The same as far as it is in memory."""
        return self._ids.get((tenant_id, name_or_id))

    async def graph(self, workflow_id: str, version: int) -> Graph:
        """The compiled graph of a published version. Raises `NotFound`."""
        graph = self._graphs.get((workflow_id, version))
        if graph is None:
            state = await self.load(workflow_id)
            if state is None or version not in state.versions:
                raise NotFound("version_not_found", f"workflow {workflow_id} has no version {version}")
            document = Workflow.model_validate(state.versions[version].document)
            graph = compile_graph(workflow_id, version, document)
            self._graphs.put((workflow_id, version), graph)
        return graph

    def input_validator(self, graph: Graph) -> jsonschema_rs.Validator | None:
        """The compiled JSON Schema of the inputs, None when the workflow declares none."""
        if graph.workflow.inputs is None:
            return None
        key = (graph.workflow_id, graph.version)
        validator = self._validators.get(key)
        if validator is None:
            validator = compile_schema(graph.workflow.inputs)
            self._validators.put(key, validator)
        return validator


class Executions:
    """Execution aggregates. Those under way are kept as long as there is room; of the finished ones only the last few, for
    the reports that come late: they must not crowd out the others."""

    def __init__(self, store: EventStore, mapper: EventMapper, workflows: Workflows, *, capacity: int = 5000) -> None:
        self._store = store
        self._mapper = mapper
        self._workflows = workflows
        self._states: Recent[str, ExecutionState] = Recent(capacity)
        self._finished: Recent[str, ExecutionState] = Recent(FINISHED_KEPT)

    def known(self, execution_id: str) -> ExecutionState | None:
        """The state if it is in memory."""
        return self._states.get(execution_id) or self._finished.get(execution_id)

    async def load(self, execution_id: str) -> ExecutionState | None:
        """None if there is no such stream, or it is not an execution's."""
        state = self.known(execution_id)
        if state is None:
            state = await self._replay(execution_id)
            if state is not None:
                self.remember(state)
        return state

    async def fresh(self, execution_id: str) -> ExecutionState | None:
        """As `load`, with whatever another process has written."""
        state = self.known(execution_id)
        if state is not None and not state.is_finished and await self._store.load(execution_id, after_version=state.version):
            self.forget(execution_id)
        return await self.load(execution_id)

    def remember(self, state: ExecutionState) -> None:
        if state.is_finished:
            self._states.forget(state.execution_id)
            self._finished.put(state.execution_id, state)
        else:
            self._states.put(state.execution_id, state)

    def forget(self, execution_id: str) -> None:
        self._states.forget(execution_id)
        self._finished.forget(execution_id)

    def forget_all(self) -> None:
        """Another process may have written since."""
        self._states.clear()
        self._finished.clear()

    async def _replay(self, execution_id: str) -> ExecutionState | None:
        state: ExecutionState | None = None
        graph: Graph | None = None
        snapshot = await self._snapshot(execution_id)
        if snapshot is not None:
            state = snapshot
            await self._workflows.graph(state.workflow_id, state.workflow_version)
            graph = self._workflows.known_graph_of(state)
        history = await self._store.load(execution_id, after_version=snapshot.version if snapshot else 0)
        if state is None and (not history or history[0].topic not in _BEGINNINGS):
            return None
        for recorded in history:
            event = self._mapper.decode(recorded)
            if isinstance(event, events.ExecutionStarted):
                graph = await self._workflows.graph(event.workflow_id, event.version)
                state = begin(execution_id, recorded.tenant_id, event, recorded.recorded_at, graph)
            elif isinstance(event, events.IterationStarted):
                graph = (await self._workflows.graph(event.workflow_id, event.version)).body(event.body)
                state = begin(execution_id, recorded.tenant_id, event, recorded.recorded_at, graph)
            elif state is None or graph is None:
                raise TypeError(f"execution {execution_id} begins with {event.topic}, not with execution.started")
            else:
                evolve(state, event, graph)
        return state

    async def _snapshot(self, execution_id: str) -> ExecutionState | None:
        snapshot = await self._store.load_snapshot(execution_id)
        return decode_state(snapshot.state) if snapshot is not None and snapshot.schema == SCHEMA else None


def snapshot_of(before: int, state: ExecutionState) -> Snapshot | None:
    """A snapshot to write with the events that led from version `before` to `state`, when another 200 are full."""
    if before // SNAPSHOT_EVERY == state.version // SNAPSHOT_EVERY:
        return None
    return Snapshot(state.version, SCHEMA, encode_state(state))
