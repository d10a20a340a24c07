"""What happens to executions: starts, cancels, reports and timers of one stream become one append.

`decide` works on what is in memory and never waits, so that the streams of a list share a commit without a task for each.
Whatever memory does not know, or may be wrong about, goes through `handle`, which asks the log.
"""

import hashlib
import random
from asyncio import Future
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from runyard_shared.clock import Clock
from runyard_shared.contracts import commands, events, reports
from runyard_shared.contracts.base import Event
from runyard_shared.contracts.commands import Problem, Request, TimerDue
from runyard_shared.errors import NotFound, Refusal, VersionConflict
from runyard_shared.eventstore.store import Claim, ClaimTaken, Commit, EventStore, TimerChange

from runyard_orchestrator.answers import Answer, Outcome, answers_to, problem_of
from runyard_orchestrator.execution.decide import Circumstances, decide, start
from runyard_orchestrator.execution.state import ExecutionState
from runyard_orchestrator.execution.timers import timer_changes
from runyard_orchestrator.inputs import accepted_inputs
from runyard_orchestrator.repository import Executions, Workflows, snapshot_of
from runyard_orchestrator.workflow import definition

ExecutionItem = Request | TimerDue | reports.Report
_CONFLICTS_BEFORE_GIVING_UP = 10


@dataclass(slots=True)
class Decided:
    """What the items of one execution come to, before it is written."""

    execution_id: str
    items: Sequence[ExecutionItem]
    version: int
    """Of the stream, which the append expects."""
    at: datetime
    state: ExecutionState | None
    events: list[Event] = field(default_factory=list)
    timers: list[TimerChange] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)


class ExecutionHandler:
    def __init__(
        self, store: EventStore, workflows: Workflows, executions: Executions, clock: Clock, chance: random.Random
    ) -> None:
        self._store = store
        self._workflows = workflows
        self._executions = executions
        self._clock = clock
        self._chance = chance

    def decide_from_memory(self, execution_id: str, items: Sequence[ExecutionItem]) -> Decided | None:
        """None if memory is not enough, or has an error to tell: then `handle` the items. No events: there is nothing to write.

        A start is taken for new: that it is not is told by a version conflict, so that a new one costs no read.
        """
        state = self._executions.known(execution_id)
        if state is None and not _begins(items[0]):
            return None
        try:
            decided = self._decide(execution_id, items, state)
        except Exception:  # noqa: BLE001 - memory may be older than the log; what is wrong with the items shows there again
            return None
        return decided if decided.events or not decided.outcomes else None

    def submit(self, decided: Decided) -> "Future[Commit]":
        """Write it. When it is written, `written` must be called."""
        state = decided.state
        if state is None:
            raise TypeError("events of no execution")
        return self._store.submit(
            decided.execution_id,
            decided.version,
            decided.events,
            tenant_id=state.tenant_id,
            at=decided.at,
            timers=decided.timers,
            claims=decided.claims,
            snapshot=snapshot_of(decided.version, state),
        )

    def written(self, decided: Decided, commit: Commit) -> list[Answer]:
        """The answers, now that it is written."""
        if decided.state is not None:
            self._executions.remember(decided.state)
        return answers_to(decided.outcomes, commit.position)

    async def handle(self, execution_id: str, items: Sequence[ExecutionItem]) -> list[Answer]:
        """The same with the log at hand: load, decide, append, until no other writer is first."""
        for _ in range(_CONFLICTS_BEFORE_GIVING_UP):
            self._executions.forget(execution_id)
            state = await self._executions.load(execution_id)
            await self._load_workflows(items)
            decided = self._decide(execution_id, items, state)
            if not decided.events:
                return answers_to(decided.outcomes, await self._store.head())
            try:
                return self.written(decided, await self.submit(decided))
            except ClaimTaken as taken:
                return await self._already_started(items, taken)
            except VersionConflict:
                continue
            finally:
                if decided.state is not self._executions.known(execution_id):
                    self._executions.forget(execution_id)
        raise VersionConflict(execution_id, -1)

    def forget(self, execution_id: str) -> None:
        """It is not known what the log holds of it."""
        self._executions.forget(execution_id)

    def _decide(self, execution_id: str, items: Sequence[ExecutionItem], state: ExecutionState | None) -> Decided:
        now = self._clock.now()
        circumstances = Circumstances(now, self._chance.random())
        timers = frozenset(state.timers) if state is not None and state.timers else _NO_TIMERS
        decided = Decided(execution_id, items, state.version if state is not None else 0, now, state)
        for item in items:
            try:
                self._apply(decided, item, circumstances)
            except Refusal as refusal:
                if not isinstance(item, Request):
                    raise
                decided.outcomes.append((item, problem_of(refusal)))
        if decided.events and decided.state is not None:
            decided.timers = timer_changes(timers, decided.state, decided.events, now)
        return decided

    def _apply(self, decided: Decided, item: ExecutionItem, circumstances: Circumstances) -> None:
        state = decided.state
        if isinstance(item, Request) and isinstance(item.command, commands.StartExecution):
            if state is None:
                state = self._start(decided, item, item.command, circumstances)
            _same_tenant(state, item.tenant_id)
            decided.outcomes.append((item, {"executionId": decided.execution_id}))
            return
        if state is None:
            raise NotFound("execution_not_found", f"there is no execution {decided.execution_id}")
        actor = ""
        stimulus: Any = item
        if isinstance(item, Request):
            stimulus, actor = item.command, item.actor
        if not isinstance(item, TimerDue):
            _same_tenant(state, item.tenant_id)
        graph = self._workflows.known_graph(state.workflow_id, state.workflow_version)
        decision = decide(state, stimulus, graph, circumstances, actor)
        decided.events += decision.events
        decided.state = decision.state
        if isinstance(item, Request):
            outcome = {"executionId": decided.execution_id, "status": decision.state.status.value}
            decided.outcomes.append((item, outcome))

    def _start(
        self, decided: Decided, request: Request, command: commands.StartExecution, circumstances: Circumstances
    ) -> ExecutionState:
        workflow = self._workflows.known(command.workflow_id)
        if workflow is None or workflow.tenant_id != request.tenant_id:
            raise NotFound("workflow_not_found", f"there is no workflow {command.workflow_id}")
        graph = self._workflows.known_graph(command.workflow_id, definition.version_to_run(workflow))
        inputs = accepted_inputs(graph.workflow.inputs, self._workflows.input_validator(graph), command.variables)
        started = events.ExecutionStarted(
            workflow_id=command.workflow_id,
            workflow_name=graph.workflow.name,
            version=graph.version,
            trigger=command.trigger,
            inputs=inputs,
            started_by=request.actor,
            timeout_seconds=graph.workflow.timeout_seconds,
        )
        if command.idempotency_key is not None:
            value = {"executionId": command.execution_id, "fingerprint": _fingerprint(command)}
            decided.claims.append(Claim("run", command.idempotency_key, value))
        decision = start(command.execution_id, request.tenant_id, started, graph, circumstances)
        decided.events += decision.events
        decided.state = decision.state
        return decision.state

    async def _load_workflows(self, items: Sequence[ExecutionItem]) -> None:
        """Bring into memory what starts among the items need; the execution's own graph came with its state."""
        for item in items:
            if isinstance(item, Request) and isinstance(item.command, commands.StartExecution):
                workflow = await self._workflows.load(item.command.workflow_id)
                if workflow is not None and workflow.running_version is not None:
                    await self._workflows.graph(workflow.workflow_id, workflow.running_version)

    async def _already_started(self, items: Sequence[ExecutionItem], taken: ClaimTaken) -> list[Answer]:
        """The idempotency key was used before: the first answer again, or a refusal if it was for something else."""
        outcomes: list[Outcome] = []
        for item in items:
            if not isinstance(item, Request) or not isinstance(item.command, commands.StartExecution):
                raise TypeError(f"{item} came for an execution that was never started")
            if taken.existing["fingerprint"] == _fingerprint(item.command):
                outcomes.append((item, {"executionId": taken.existing["executionId"]}))
            else:
                detail = f"the Idempotency-Key {taken.claim.key!r} was used for another run; use a new key"
                outcomes.append((item, Problem(code="idempotency_key_reused", detail=detail, status=422)))
        return answers_to(outcomes, await self._store.head())


_NO_TIMERS: frozenset[str] = frozenset()


def _begins(item: ExecutionItem) -> bool:
    return isinstance(item, Request) and isinstance(item.command, commands.StartExecution)


def _same_tenant(state: ExecutionState, tenant_id: str) -> None:
    if state.tenant_id != tenant_id:
        raise NotFound("execution_not_found", f"there is no execution {state.execution_id}")


def _fingerprint(command: commands.StartExecution) -> str:
    body = msgspec.json.encode((command.workflow_id, command.variables), order="deterministic")
    return hashlib.sha256(body).hexdigest()
