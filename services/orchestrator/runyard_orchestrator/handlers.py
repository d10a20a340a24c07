"""The shell around the pure parts, always the same: load, ask, append. One call handles one list of an inbox partition.

Items of one stream are handled in order and appended together; streams are independent of each other, so their appends
gather in one commit. Everything may come twice: a known execution, job or key answers as it did before.
"""

import asyncio
import hashlib
import random
from collections.abc import Sequence
from typing import Any

import msgspec
import structlog
from runyard_shared.clock import Clock
from runyard_shared.contracts import commands, events, reports
from runyard_shared.contracts.base import Event
from runyard_shared.contracts.commands import Problem, Reply, Request, TimerDue
from runyard_shared.errors import Conflict, NotFound, Refusal, VersionConflict
from runyard_shared.eventstore.store import Claim, ClaimTaken, EventStore

from runyard_orchestrator.action_types import ActionTypes
from runyard_orchestrator.execution.decide import Circumstances, decide, start
from runyard_orchestrator.execution.state import ExecutionState
from runyard_orchestrator.execution.timers import timer_changes
from runyard_orchestrator.inputs import accepted_inputs
from runyard_orchestrator.repository import Executions, Workflows, snapshot_of
from runyard_orchestrator.workflow import definition
from runyard_orchestrator.workflow.validate import problems

InboxItem = (
    Request
    | TimerDue
    | reports.JobDispatched
    | reports.JobStarted
    | reports.JobFinished
    | reports.JobLost
    | reports.JobWithdrawn
    | reports.ActionTypesAnnounced
)
Answer = tuple[str, Reply]
"""A reply and the mailbox it goes to."""

_CONFLICTS_BEFORE_GIVING_UP = 10
_log = structlog.get_logger(__name__)


class Handlers:
    """Handles what comes to the orchestrator's inbox; returns the answers to be posted."""

    def __init__(
        self,
        store: EventStore,
        workflows: Workflows,
        executions: Executions,
        action_types: ActionTypes,
        clock: Clock,
        chance: random.Random,
    ) -> None:
        self._store = store
        self._workflows = workflows
        self._executions = executions
        self._action_types = action_types
        self._clock = clock
        self._chance = chance

    async def handle(self, items: Sequence[InboxItem]) -> list[Answer]:
        """Handle a list in order. Raises the first error after every other stream was handled; then the list comes again."""
        streams: dict[str, list[InboxItem]] = {}
        for item in items:
            streams.setdefault(_stream_of(item), []).append(item)
        results = await asyncio.gather(
            *(self._handle_stream(stream_id, stream_items) for stream_id, stream_items in streams.items()),
            return_exceptions=True,
        )
        answers: list[Answer] = []
        error: BaseException | None = None
        for result in results:
            if isinstance(result, BaseException):
                error = error or result
            else:
                answers += result
        if error is not None:
            raise error
        return answers

    async def _handle_stream(self, stream_id: str, items: list[InboxItem]) -> list[Answer]:
        first = items[0]
        if isinstance(first, reports.ActionTypesAnnounced):
            await self._action_types.add(first.tenant_id, first.actions)
            return []
        for_workflow = isinstance(first, Request) and not isinstance(
            first.command, commands.StartExecution | commands.CancelExecution
        )
        for attempt in range(_CONFLICTS_BEFORE_GIVING_UP):
            try:
                if for_workflow:
                    return [answer for item in items for answer in await self._workflow_request(item)]
                return await self._execution_items(stream_id, items, seems_new=attempt == 0 and _begins(first))
            except VersionConflict:
                _log.info("another writer was first, deciding again", stream_id=stream_id)
                self._workflows.forget(stream_id)
                self._executions.forget(stream_id)
            except Exception:
                from_memory = self._executions.known(stream_id) is not None
                self._workflows.forget(stream_id)
                self._executions.forget(stream_id)
                if attempt > 0 or not from_memory:
                    raise
                # another process may have gone further than this one's memory: the log knows
        raise VersionConflict(stream_id, -1)

    # --- executions

    async def _execution_items(self, execution_id: str, items: list[InboxItem], *, seems_new: bool) -> list[Answer]:
        """Decide all items on one state, append what they make in one go, answer.

        `seems_new`: the first item starts the execution. That it was started before is then told by a version conflict, so
        that a new one costs no read.
        """
        state = self._executions.known(execution_id)
        if state is None and not seems_new:
            state = await self._executions.load(execution_id)
        before_version = state.version if state else 0
        before_timers = frozenset(state.timers) if state else frozenset()
        now = self._clock.now()
        circumstances = Circumstances(now, self._chance.random())
        new: list[Event] = []
        claims: list[Claim] = []
        outcomes: list[tuple[Request, dict[str, Any] | Problem]] = []
        for item in items:
            try:
                if isinstance(item, Request) and isinstance(item.command, commands.StartExecution):
                    if state is None:
                        state = await self._start_once(item, item.command, circumstances, new, claims)
                    _same_tenant(state, item.tenant_id)
                    outcomes.append((item, {"executionId": execution_id}))
                    continue
                if state is None:
                    raise NotFound("execution_not_found", f"there is no execution {execution_id}")
                state = await self._stimulate(state, item, circumstances, new)
                if isinstance(item, Request):
                    outcomes.append((item, {"executionId": execution_id, "status": state.status.value}))
            except Refusal as refusal:
                if not isinstance(item, Request):
                    raise
                outcomes.append((item, _problem(refusal)))
        position: int | None = None
        if new and state is not None:
            try:
                commit = await self._store.append(
                    execution_id,
                    before_version,
                    new,
                    tenant_id=state.tenant_id,
                    at=now,
                    timers=timer_changes(before_timers, state, new, now),
                    claims=claims,
                    snapshot=snapshot_of(before_version, state),
                )
            except ClaimTaken as taken:
                return await self._already_started(items, taken)
            position = commit.position
            self._executions.remember(state)
        if position is None and any(isinstance(outcome, dict) for _, outcome in outcomes):
            position = await self._store.head()
        return [answer for request, outcome in outcomes if (answer := _answer(request, outcome, position))]

    async def _start_once(
        self,
        request: Request,
        command: commands.StartExecution,
        circumstances: Circumstances,
        new: list[Event],
        claims: list[Claim],
    ) -> ExecutionState:
        try:
            return await self._start(request, command, circumstances, new, claims)
        except Refusal:
            # What cannot start now may have started before: then this is a redelivery, and its answer is the same.
            started = await self._executions.load(command.execution_id)
            if started is None:
                raise
            return started

    async def _start(
        self,
        request: Request,
        command: commands.StartExecution,
        circumstances: Circumstances,
        new: list[Event],
        claims: list[Claim],
    ) -> ExecutionState:
        workflow = self._workflows.known(command.workflow_id) or await self._workflows.get(
            command.workflow_id, request.tenant_id
        )
        if workflow.tenant_id != request.tenant_id:
            raise NotFound("workflow_not_found", f"there is no workflow {command.workflow_id}")
        graph = await self._workflows.graph(command.workflow_id, definition.version_to_run(workflow))
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
            claims.append(Claim("run", command.idempotency_key, value))
        decision = start(command.execution_id, request.tenant_id, started, graph, circumstances)
        new += decision.events
        return decision.state

    async def _stimulate(
        self, state: ExecutionState, item: InboxItem, circumstances: Circumstances, new: list[Event]
    ) -> ExecutionState:
        actor = ""
        stimulus: Any = item
        if isinstance(item, Request):
            _same_tenant(state, item.tenant_id)
            stimulus, actor = item.command, item.actor
        elif isinstance(item, reports.JobReport) and item.tenant_id != state.tenant_id:
            raise NotFound("execution_not_found", f"tenant {item.tenant_id} has no execution {state.execution_id}")
        graph = await self._workflows.graph(state.workflow_id, state.workflow_version)
        decision = decide(state, stimulus, graph, circumstances, actor)
        new += decision.events
        return decision.state

    async def _already_started(self, items: list[InboxItem], taken: ClaimTaken) -> list[Answer]:
        """The idempotency key was used before: the first answer again, or a refusal if it was for something else."""
        answers: list[Answer] = []
        for item in items:
            if not isinstance(item, Request) or not isinstance(item.command, commands.StartExecution):
                raise TypeError(f"{item} came for an execution that was never started")
            if taken.existing["fingerprint"] != _fingerprint(item.command):
                outcome: dict[str, Any] | Problem = Problem(
                    code="idempotency_key_reused",
                    detail=f"the Idempotency-Key {taken.claim.key!r} was used for another run; use a new key",
                    status=422,
                )
            else:
                outcome = {"executionId": taken.existing["executionId"]}
            if answer := _answer(item, outcome, await self._store.head()):
                answers.append(answer)
        return answers

    # --- workflows

    async def _workflow_request(self, request: InboxItem) -> list[Answer]:
        if not isinstance(request, Request):
            raise TypeError(f"{type(request).__name__} is not for a workflow")
        position: int | None = None
        outcome: dict[str, Any] | Problem
        try:
            outcome, position = await self._change_workflow(request)
        except Refusal as refusal:
            outcome = _problem(refusal)
        answer = _answer(request, outcome, position)
        return [answer] if answer else []

    async def _change_workflow(self, request: Request) -> tuple[dict[str, Any], int]:
        command: Any = request.command
        state = await self._workflows.load(command.workflow_id)
        claims: list[Claim] = []
        if isinstance(command, commands.CreateWorkflow):
            if state is not None and state.tenant_id == request.tenant_id:
                return _summary(state), await self._store.head()  # the same command again
            created = definition.create(command, request.actor)
            claims.append(Claim("workflow-name", created.name, {"workflowId": command.workflow_id}))
            new: list[Event] = [created]
        else:
            state = await self._workflows.get(command.workflow_id, request.tenant_id)
            known = await self._action_types.known(request.tenant_id)
            if isinstance(command, commands.ValidateWorkflow):
                found = problems(state.draft.document, known.__contains__)
                errors = [{"path": problem.path, "message": problem.message} for problem in found]
                return {"valid": not errors, "errors": errors}, await self._store.head()
            new = definition.decide(state, command, request.actor, known.__contains__)
        if not new:
            return _result(command, state), await self._store.head()
        try:
            commit = await self._store.append(
                command.workflow_id,
                state.version if state else 0,
                new,
                tenant_id=request.tenant_id,
                at=self._clock.now(),
                causation_id=request.request_id,
                claims=claims,
            )
        except ClaimTaken as taken:
            raise Conflict(
                "workflow_name_taken",
                f"there is already a workflow called {taken.claim.key!r}; save a draft of it instead",
                **taken.existing,
            ) from taken
        for event in new:
            state = definition.evolve(state, event, command.workflow_id, request.tenant_id)
        if state is not None:
            self._workflows.remember(state)
        return _result(command, state), commit.position


def _stream_of(item: InboxItem) -> str:
    if isinstance(item, Request):
        command: Any = item.command
        return str(getattr(command, "execution_id", None) or command.workflow_id)
    if isinstance(item, TimerDue):
        return item.stream_id
    if isinstance(item, reports.ActionTypesAnnounced):
        return "action-types"
    return item.execution_id


def _begins(item: InboxItem) -> bool:
    return isinstance(item, Request) and isinstance(item.command, commands.StartExecution)


def _same_tenant(state: ExecutionState, tenant_id: str) -> None:
    if state.tenant_id != tenant_id:
        raise NotFound("execution_not_found", f"there is no execution {state.execution_id}")


def _fingerprint(command: commands.StartExecution) -> str:
    body = msgspec.json.encode((command.workflow_id, command.variables), order="deterministic")
    return hashlib.sha256(body).hexdigest()


def _summary(state: definition.WorkflowState) -> dict[str, Any]:
    return {
        "workflowId": state.workflow_id,
        "name": state.name,
        "active": state.active,
        "archived": state.archived,
        "version": state.running_version,
        "draft": state.draft.document,
    }


def _result(command: Any, state: definition.WorkflowState | None) -> dict[str, Any]:
    if state is None:
        raise TypeError("a workflow command left no workflow")
    if isinstance(command, commands.PublishWorkflow | commands.RollBackWorkflow):
        return {"workflowId": state.workflow_id, "version": state.running_version}
    return _summary(state)


def _problem(refusal: Refusal) -> Problem:
    return Problem(
        code=refusal.code,
        detail=refusal.detail,
        status=refusal.status,
        errors=[{"path": error.path, "message": error.message} for error in refusal.errors],
        extra=refusal.extra,
    )


def _answer(request: Request, outcome: dict[str, Any] | Problem, position: int | None) -> Answer | None:
    if request.reply_to is None:
        return None
    if isinstance(outcome, Problem):
        return request.reply_to, Reply(request_id=request.request_id, problem=outcome)
    return request.reply_to, Reply(request_id=request.request_id, result=outcome, position=position)
