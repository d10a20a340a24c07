"""What happens to executions: starts, cancels, reports and timers of one stream become one append.

`decide` works on what is in memory and never waits, so that the streams of a list share a commit without a task for each.
Whatever memory does not know, or may be wrong about, goes through `handle`, which asks the log.
"""

import random
from asyncio import Future
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from runyard_shared.clock import Clock
from runyard_shared.contracts import commands, events, reports
from runyard_shared.contracts.base import Event
from runyard_shared.contracts.commands import Problem, Request, TimerDue
from runyard_shared.contracts.values import ErrorInfo, ExecutionStatus
from runyard_shared.errors import NotFound, Refusal, VersionConflict
from runyard_shared.eventstore.store import Claim, ClaimTaken, Commit, EventStore, TimerChange
from runyard_shared.messaging.answers import Answer, Outcome, answers_to, problem_of

from runyard_orchestrator import metrics
from runyard_orchestrator.beginnings import TRIGGERED, Beginnings, Begun, StartCommand, fingerprint
from runyard_orchestrator.execution.decide import EXECUTION_FINISHED, Circumstances, decide, start
from runyard_orchestrator.execution.state import ExecutionState
from runyard_orchestrator.execution.timers import timer_changes
from runyard_orchestrator.repository import Executions, Workflows, snapshot_of

ExecutionItem = Request | TimerDue | reports.Report | reports.AnyApprovalReport | reports.FamilyMessage
_CONFLICTS_BEFORE_GIVING_UP = 10
_log = structlog.get_logger(__name__)


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
    refusals: list[reports.ChildEnded] = field(default_factory=list)
    """Of subworkflows that cannot start: what their parents are to be told."""
    refused: list[tuple[reports.StartTriggered, Refusal]] = field(default_factory=list)
    """Executions that triggers announced and that cannot start: what their records are to be told."""
    decided_on: dict[str, int] = field(default_factory=dict)
    """Versions of other streams."""

    @property
    def is_final(self) -> bool:
        """Nothing follows, whatever the log holds."""
        return not self.events and self.state is not None and self.state.is_finished


class ExecutionHandler:
    def __init__(
        self,
        store: EventStore,
        workflows: Workflows,
        executions: Executions,
        clock: Clock,
        chance: random.Random,
    ) -> None:
        self._store = store
        self._workflows = workflows
        self._executions = executions
        self._beginnings = Beginnings(workflows, executions)
        self._clock = clock
        self._chance = chance

    def decide_from_memory(self, execution_id: str, items: Sequence[ExecutionItem]) -> Decided | None:
        """None if memory is not enough, or has an error to tell: then `handle` the items. No events: nothing follows from them,
        which has to be submitted as well, unless the execution has ended: memory may be older than the log.

        A start is taken for new: that it is not is told by a version conflict, so that a new one costs no read.
        """
        state = self._executions.known(execution_id)
        if state is None and not _begins(items[0]):
            return None
        try:
            decided = self._decide(execution_id, items, state)
        except Exception:  # noqa: BLE001 - memory may be older than the log; what is wrong with the items shows there again
            return None
        if decided.state is None:
            return None
        return decided if decided.events or not decided.outcomes else None

    def submit(self, decided: Decided) -> "Future[Commit]":
        """Write it, or, without events, see that it was decided on what the log holds. After it `written` must be called."""
        state = decided.state
        if state is None:
            raise TypeError("events of no execution")
        return self._store.submit(
            decided.execution_id,
            decided.version,
            decided.events,
            tenant_id=state.tenant_id,
            at=decided.at,
            correlation_id=None if state.iteration is None else state.root_id,
            causation_id=next(
                (request.request_id for request, outcome in decided.outcomes if _cancelled(request, outcome)), None
            ),
            timers=decided.timers,
            claims=decided.claims,
            snapshot=snapshot_of(decided.version, state),
            decided_on=decided.decided_on,
        )

    def written(self, decided: Decided, commit: Commit) -> list[Answer]:
        """The answers, now that it is written."""
        if decided.state is not None:
            self._executions.remember(decided.state)
            metrics.written(decided.state, decided.events, decided.at)
        return answers_to(decided.outcomes, commit.position)

    async def handle(self, execution_id: str, items: Sequence[ExecutionItem]) -> list[Answer]:
        """The same with the log at hand: load, decide, append, until no other writer is first."""
        for _ in range(_CONFLICTS_BEFORE_GIVING_UP):
            self._executions.forget(execution_id)
            state = await self._executions.load(execution_id)
            if state is None:
                await self._beginnings.load(items)
            decided = self._decide(execution_id, items, state)
            decided.outcomes = await self._as_before(execution_id, decided.outcomes)
            for refusal in decided.refusals:
                # Not by a message: there is no event from which the relay could send it again.
                await self.handle(refusal.execution_id, [refusal])
            for item, reason in decided.refused:
                await self._refuse(item, reason)
            if not decided.events:
                return answers_to(decided.outcomes, await self._store.head())
            try:
                return self.written(decided, await self.submit(decided))
            except ClaimTaken as taken:
                if taken.claim.scope != TRIGGERED:
                    return await self._already_started(items, taken)
                if "begun" not in taken.existing:  # refused before, and that stays
                    items = [item for item in items if not isinstance(item, reports.StartTriggered)]
            except VersionConflict:
                continue
            finally:
                if decided.state is not self._executions.known(execution_id):
                    self._executions.forget(execution_id)
        raise VersionConflict(execution_id, -1)

    async def _as_before(self, execution_id: str, outcomes: list[Outcome]) -> list[Outcome]:
        """A cancel that comes again is not too late because of itself: the log says what it did."""
        late = {request.request_id for request, outcome in outcomes if _comes_late(request, outcome)}
        if not late:
            return outcomes
        late &= {recorded.causation_id for recorded in await self._store.load(execution_id)}
        done = {"executionId": execution_id, "status": ExecutionStatus.CANCELLED.value}
        return [(request, done if request.request_id in late else outcome) for request, outcome in outcomes]

    async def _refuse(self, item: reports.StartTriggered, refusal: Refusal) -> None:
        """Tell the trigger record, once, that what it announced cannot begin."""
        details = "".join(f"; {error.path}: {error.message}" for error in refusal.errors)
        event = events.TriggerRefused(
            workflow_id=item.workflow_id,
            execution_id=item.execution_id,
            code=refusal.code,
            reason=refusal.detail + details,
        )
        claim = Claim(TRIGGERED, item.execution_id, {"recordId": item.record_id})
        for _ in range(_CONFLICTS_BEFORE_GIVING_UP):
            try:
                await self._store.append(
                    item.record_id,
                    len(await self._store.load(item.record_id)),
                    [event],
                    tenant_id=item.tenant_id,
                    at=self._clock.now(),
                    claims=[claim],
                )
            except VersionConflict:
                continue  # another execution of the same incident was refused
            except ClaimTaken:
                pass  # told already, or another process could begin it
            return
        raise VersionConflict(item.record_id, -1)

    def forget(self, execution_id: str) -> None:
        """It is not known what the log holds of it."""
        self._executions.forget(execution_id)

    def _decide(self, execution_id: str, items: Sequence[ExecutionItem], state: ExecutionState | None) -> Decided:
        now = self._clock.now()
        circumstances = Circumstances(now, self._chance.random())
        timers = state.timers if state is not None else {}
        decided = Decided(execution_id, items, state.version if state is not None else 0, now, state)
        for item in items:
            try:
                self._apply(decided, item, circumstances)
            except Refusal as refusal:
                if not isinstance(item, Request):
                    raise
                decided.outcomes.append((item, problem_of(refusal)))
        if decided.events and decided.state is not None:
            decided.timers = timer_changes(timers, decided.state)
        return decided

    def _apply(self, decided: Decided, item: ExecutionItem, circumstances: Circumstances) -> None:
        state = decided.state
        if _begins(item):
            self._begin(decided, item, circumstances)
            return
        if state is None:
            if isinstance(item, Request):
                raise NotFound("execution_not_found", f"there is no execution {decided.execution_id}")
            # A subworkflow that could not be started; or it was archived long ago, and somebody was away until now.
            _log.info("ignored: there is no such execution", execution_id=decided.execution_id, item=type(item).__name__)
            return
        actor = ""
        stimulus: Any = item
        if isinstance(item, Request):
            stimulus, actor = item.command, item.actor
            if state.iteration is not None:
                raise NotFound("execution_not_found", f"there is no execution {state.execution_id}")
        if not isinstance(item, TimerDue):
            _same_tenant(state, item.tenant_id)
        decision = decide(state, stimulus, self._workflows.known_graph_of(state), circumstances, actor)
        decided.events += decision.events
        decided.state = decision.state
        if isinstance(item, Request):
            outcome = {"executionId": decided.execution_id, "status": decision.state.status.value}
            decided.outcomes.append((item, outcome))

    def _begin(self, decided: Decided, item: ExecutionItem, circumstances: Circumstances) -> None:
        state = decided.state
        if state is None:
            begun = self._begun(decided, item)
            if begun is None:
                return
            decision = start(decided.execution_id, begun.tenant_id, begun.started, begun.graph, circumstances, begun.reused)
            decided.claims += begun.claims
            if begun.workflow is not None:
                decided.decided_on[begun.workflow.workflow_id] = begun.workflow.version
            decided.events += decision.events
            decided.state = state = decision.state
        _same_tenant(state, getattr(item, "tenant_id", ""))
        if isinstance(item, Request):
            decided.outcomes.append((item, {"executionId": decided.execution_id}))

    def _begun(self, decided: Decided, item: ExecutionItem) -> Begun | None:
        """What begins; None for what is not wanted any more, and for what cannot, of which the parent or the record is told."""
        try:
            return self._beginning(item)
        except Refusal as refusal:
            if isinstance(item, reports.StartSubworkflow):
                decided.refusals.append(_refused(item, refusal))
            elif isinstance(item, reports.StartTriggered):
                decided.refused.append((item, refusal))
            else:
                raise
            return None

    def _beginning(self, item: ExecutionItem) -> Begun | None:
        match item:
            case reports.StartTriggered():
                return self._beginnings.triggered(item)
            case reports.StartIteration():
                return self._beginnings.iteration(item)
            case reports.StartSubworkflow():
                return self._beginnings.subworkflow(item) if self._beginnings.is_awaited(item) else None
            case Request(command=commands.RerunExecution() as command):
                return self._beginnings.rerun(item, command)
            case Request(command=commands.StartExecution() as command):
                return self._beginnings.execution(item, command)
            case _:
                raise TypeError(f"{type(item).__name__} begins nothing")

    async def _already_started(self, items: Sequence[ExecutionItem], taken: ClaimTaken) -> list[Answer]:
        """The idempotency key was used before: the first answer again, or a refusal if it was for something else."""
        outcomes: list[Outcome] = []
        for item in items:
            if not isinstance(item, Request) or not isinstance(item.command, StartCommand):
                raise TypeError(f"{item} came for an execution that was never started")
            if taken.existing["fingerprint"] == fingerprint(item.command):
                outcomes.append((item, {"executionId": taken.existing["executionId"]}))
            else:
                detail = f"the Idempotency-Key {taken.claim.key!r} was used for another run; use a new key"
                outcomes.append((item, Problem(code="idempotency_key_reused", detail=detail, status=422)))
        return answers_to(outcomes, await self._store.head())


def _begins(item: ExecutionItem) -> bool:
    if isinstance(item, Request):
        return isinstance(item.command, StartCommand)
    return isinstance(item, reports.StartIteration | reports.StartSubworkflow | reports.StartTriggered)


def _cancelled(request: Request, outcome: dict[str, Any] | Problem) -> bool:
    return isinstance(request.command, commands.CancelExecution) and not isinstance(outcome, Problem)


def _comes_late(request: Request, outcome: dict[str, Any] | Problem) -> bool:
    cancel = isinstance(request.command, commands.CancelExecution)
    return cancel and isinstance(outcome, Problem) and outcome.code == EXECUTION_FINISHED


def _same_tenant(state: ExecutionState, tenant_id: str) -> None:
    if state.tenant_id != tenant_id:
        raise NotFound("execution_not_found", f"there is no execution {state.execution_id}")


def _refused(item: reports.StartSubworkflow, refusal: Refusal) -> reports.ChildEnded:
    details = "".join(f"; {error.path}: {error.message}" for error in refusal.errors)
    message = f"{item.workflow} could not be started: {refusal.detail}{details}"
    return reports.ChildEnded(
        tenant_id=item.tenant_id,
        execution_id=item.parent_stream_id,
        node_id=item.node_id,
        child_id=item.execution_id,
        status=ExecutionStatus.FAILED,
        error=ErrorInfo(reason="child_not_started", message=message, node_id=item.node_id),
    )
