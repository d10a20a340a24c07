"""How executions begin: by a run, a re-run, a trigger, a subworkflow node, or as an iteration of a forEach.

Everything is looked up in memory, where `load` brings it; what is missing there raises `LookupError`.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from runyard_shared.contracts import commands, events, reports
from runyard_shared.contracts.commands import Request
from runyard_shared.contracts.values import Parent, Trigger
from runyard_shared.contracts.workflow import WebhookTrigger
from runyard_shared.errors import Conflict, NotFound, Refusal
from runyard_shared.eventstore.store import Claim
from runyard_shared.tracing import begin_trace

from runyard_orchestrator.execution.evolve import Beginning
from runyard_orchestrator.execution.rerun import reused_nodes
from runyard_orchestrator.inputs import accepted_inputs
from runyard_orchestrator.repository import Executions, Workflows
from runyard_orchestrator.workflow import definition
from runyard_orchestrator.workflow.definition import WorkflowState
from runyard_orchestrator.workflow.graph import Graph

StartCommand = commands.StartExecution | commands.RerunExecution
TRIGGERED = "triggered"
"""The scope of the claims by which what a trigger record announced is begun, or refused, once. Key: the execution's id."""


@dataclass(frozen=True, slots=True)
class Begun:
    """The first event, and what goes with it."""

    tenant_id: str
    started: Beginning
    graph: Graph
    reused: Sequence[events.NodeReused] = ()
    claims: Sequence[Claim] = ()
    workflow: WorkflowState | None = None
    """Whose being as it is was decisive."""


class Beginnings:
    def __init__(self, workflows: Workflows, executions: Executions) -> None:
        self._workflows = workflows
        self._executions = executions

    async def load(self, items: Sequence[Any]) -> None:
        """Bring into memory what beginnings among the items need, workflows as they are now."""
        for item in items:
            match item:
                case Request(command=commands.StartExecution() as command):
                    await self._load_workflow(command.workflow_id)
                case Request(command=commands.RerunExecution() as command):
                    before = await self._executions.load(command.rerun_of)
                    if before is not None:
                        await self._load_workflow(before.workflow_id)
                case reports.StartTriggered():
                    await self._load_workflow(item.workflow_id)
                case reports.StartIteration():
                    known = self._executions.known(item.parent_stream_id)
                    if known is not None and item.node_id not in known.loops:
                        self._executions.forget(item.parent_stream_id)
                    await self._executions.load(item.parent_stream_id)
                case reports.StartSubworkflow():
                    if not self.is_awaited(item):
                        self._executions.forget(item.parent_stream_id)
                    await self._executions.load(item.parent_stream_id)
                    workflow_id = await self._workflows.id_of(item.tenant_id, item.workflow)
                    if workflow_id is not None:
                        await self._load_workflow(workflow_id)

    async def _load_workflow(self, workflow_id: str) -> None:
        workflow = await self._workflows.fresh(workflow_id)
        if workflow is not None and workflow.running_version is not None:
            await self._workflows.graph(workflow.workflow_id, workflow.running_version)

    def execution(self, request: Request, command: commands.StartExecution) -> Begun:
        if command.trigger.type == "webhook":
            workflow, graph = self._of_webhook(command, request.tenant_id)
        else:
            workflow = self._workflow(command.workflow_id, request.tenant_id)
            graph = self._workflows.known_graph(command.workflow_id, definition.version_to_run(workflow))
        inputs = self._inputs(graph, command.variables)
        traceparent = command.traceparent or begin_trace(command.execution_id)
        started = _started(graph, command.trigger, inputs, request.actor, traceparent)
        return Begun(request.tenant_id, started, graph, claims=_claims(command), workflow=workflow)

    def triggered(self, item: reports.StartTriggered) -> Begun:
        """What a trigger record announced; its inputs are the defaults."""
        workflow = self._workflow(item.workflow_id, item.tenant_id)
        graph = self._workflows.known_graph(item.workflow_id, definition.version_to_run(workflow))
        traceparent = begin_trace(item.execution_id)
        started = _started(graph, item.trigger, self._inputs(graph, {}), item.started_by, traceparent)
        claims = (Claim(TRIGGERED, item.execution_id, {"recordId": item.record_id, "begun": True}),)
        return Begun(item.tenant_id, started, graph, claims=claims, workflow=workflow)

    def rerun(self, request: Request, command: commands.RerunExecution) -> Begun:
        """From a node: of the version that ran, whose results are reused. Else of the version that is published now."""
        before = self._executions.known(command.rerun_of)
        if before is None or before.tenant_id != request.tenant_id or before.iteration is not None:
            raise NotFound("execution_not_found", f"there is no execution {command.rerun_of}")
        if not before.is_finished:
            raise Conflict("execution_active", "the execution has not ended; cancel it, or wait for its end, to run it again")
        workflow = self._workflow(before.workflow_id, request.tenant_id)
        version = definition.version_to_run(workflow)
        if command.from_node is not None:
            version = before.workflow_version
        graph = self._workflows.known_graph(before.workflow_id, version)
        reused = reused_nodes(before, graph, command.from_node) if command.from_node is not None else ()
        inputs = self._inputs(graph, before.inputs | command.variables)
        traceparent = command.traceparent or begin_trace(command.execution_id)
        started = msgspec.structs.replace(
            _started(graph, before.trigger, inputs, request.actor, traceparent),
            rerun_of=command.rerun_of,
            from_node=command.from_node,
        )
        return Begun(request.tenant_id, started, graph, reused, _claims(command), workflow)

    def is_awaited(self, item: reports.StartSubworkflow) -> bool:
        """Whether the parent waits for this child. If the message comes again after a refusal, it does no more."""
        parent = self._executions.known(item.parent_stream_id)
        return parent is not None and parent.subworkflows.get(item.node_id) == item.execution_id

    def subworkflow(self, item: reports.StartSubworkflow) -> Begun:
        workflow_id = self._workflows.known_id(item.tenant_id, item.workflow)
        if workflow_id is None:
            raise NotFound("workflow_not_found", f"there is no workflow called {item.workflow!r}")
        workflow = self._workflow(workflow_id, item.tenant_id)
        graph = self._workflows.known_graph(workflow_id, definition.version_to_run(workflow))
        trigger = Trigger(type="manual", user=item.started_by)
        parent = self._executions.known(item.parent_stream_id)
        traceparent = parent.traceparent if parent is not None else None
        started = msgspec.structs.replace(
            _started(graph, trigger, self._inputs(graph, item.inputs), item.started_by, traceparent),
            parent_execution_id=item.parent_execution_id,
            parent=Parent(stream_id=item.parent_stream_id, node_id=item.node_id),
            depth=item.depth,
        )
        return Begun(item.tenant_id, started, graph, workflow=workflow)

    def iteration(self, item: reports.StartIteration) -> Begun:
        parent = self._executions.known(item.parent_stream_id)
        if parent is None:
            raise LookupError(f"execution {item.parent_stream_id} is not in memory")
        loop = parent.loops[item.node_id]
        around = parent.iteration
        body = f"{around.body}.{item.node_id}" if around is not None else item.node_id
        place = f"{item.node_id}[{item.index}]"
        started = events.IterationStarted(
            execution_id=parent.root_id,
            parent=Parent(stream_id=item.parent_stream_id, node_id=item.node_id, index=item.index),
            path=f"{around.path}.{place}" if around is not None else place,
            body=body,
            item=loop.items[item.index],
            scope=loop.scope,
            workflow_id=parent.workflow_id,
            workflow_name=parent.workflow_name,
            version=parent.workflow_version,
            started_by=parent.started_by,
            depth=parent.depth,
            traceparent=parent.traceparent,
        )
        graph = self._workflows.known_graph(parent.workflow_id, parent.workflow_version).body(body)
        return Begun(item.tenant_id, started, graph)

    def _of_webhook(self, command: commands.StartExecution, tenant_id: str) -> tuple[WorkflowState, Graph]:
        """A webhook that nothing would answer to is not there, whatever the reason (R46)."""
        webhook_id = command.trigger.webhook_id
        try:
            workflow = self._workflow(command.workflow_id, tenant_id)
            graph = self._workflows.known_graph(command.workflow_id, definition.version_to_run(workflow))
        except Refusal as refusal:
            raise NotFound("webhook_not_found", f"there is no webhook {webhook_id!r} now: {refusal.detail}") from refusal
        if not any(isinstance(trigger, WebhookTrigger) and trigger.id == webhook_id for trigger in graph.workflow.triggers):
            raise NotFound(
                "webhook_not_found",
                f"version {graph.version} of workflow {graph.workflow.name!r}, which runs now, has no webhook {webhook_id!r}",
            )
        return workflow, graph

    def _workflow(self, workflow_id: str, tenant_id: str) -> WorkflowState:
        workflow = self._workflows.known(workflow_id)
        if workflow is None or workflow.tenant_id != tenant_id:
            raise NotFound("workflow_not_found", f"there is no workflow {workflow_id}")
        return workflow

    def _inputs(self, graph: Graph, variables: dict[str, Any]) -> dict[str, Any]:
        return accepted_inputs(graph.workflow.inputs, self._workflows.input_validator(graph), variables)


def _started(
    graph: Graph, trigger: Trigger, inputs: dict[str, Any], actor: str, traceparent: str | None
) -> events.ExecutionStarted:
    return events.ExecutionStarted(
        workflow_id=graph.workflow_id,
        workflow_name=graph.workflow.name,
        version=graph.version,
        trigger=trigger,
        inputs=inputs,
        started_by=actor,
        timeout_seconds=graph.workflow.timeout_seconds,
        traceparent=traceparent,
    )


def _claims(command: StartCommand) -> Sequence[Claim]:
    if command.idempotency_key is None:
        return ()
    value = {"executionId": command.execution_id, "fingerprint": fingerprint(command)}
    return (Claim("run", command.idempotency_key, value),)


def fingerprint(command: StartCommand) -> str:
    """What must be the same for the same Idempotency-Key."""
    if isinstance(command, commands.StartExecution):
        what: Any = (command.workflow_id, command.variables)
    else:
        what = (command.rerun_of, command.from_node, command.variables)
    return hashlib.sha256(msgspec.json.encode(what, order="deterministic")).hexdigest()
