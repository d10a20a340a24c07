"""The shell of schedules: a due timer becomes records of the instants that have come, each with its claim and the next timer.

A record is a stream of its own, so a schedule that runs every minute for years costs its workflow nothing. Three things make
each instant count exactly once, whoever handles it, how often and wherever it dies: the claim of the instant, the timer of the
next one in the same commit, and the version of the workflow, on which all of it was decided.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from runyard_shared.clock import Clock, rfc3339
from runyard_shared.contracts import events
from runyard_shared.contracts.commands import TimerDue
from runyard_shared.errors import NotFound
from runyard_shared.eventstore.store import Claim, ClaimTaken, ClearTimer, EventStore, TimerChange
from runyard_shared.ids import derived_id

from runyard_orchestrator.repository import Executions, Recent, Workflows
from runyard_orchestrator.triggers import schedules
from runyard_orchestrator.triggers.declared import hears_of_incidents
from runyard_orchestrator.triggers.schedules import Due, Outcome, Running
from runyard_orchestrator.workflow.definition import WorkflowState

INCIDENT_TRIGGER = "incident-trigger"
"""The scope of the claims by which the workflows that hear of incidents are found; the key is the workflow's id."""
_HANDLED_KEPT = 10_000
_AGAIN_AFTER = timedelta(seconds=3)
"""Each orchestrator hands on every timer. Repetitions within this time need no look at the log: what is due comes again."""
_log = structlog.get_logger(__name__)


class ScheduleHandler:
    def __init__(self, store: EventStore, workflows: Workflows, executions: Executions, clock: Clock) -> None:
        self._store = store
        self._workflows = workflows
        self._executions = executions
        self._clock = clock
        self._handled: Recent[tuple[str, str, str], datetime] = Recent(_HANDLED_KEPT)

    async def handle(self, timer: TimerDue) -> None:
        """Raises `VersionConflict` if the workflow was changed meanwhile: then it is to be handled again."""
        key = (timer.stream_id, timer.timer_id, str(timer.payload.get("scheduledAt")))
        handled_at = self._handled.get(key)
        if handled_at is not None and abs(self._clock.now() - handled_at) < _AGAIN_AFTER:
            _log.debug("ignored: the timer has just been handled", workflow_id=timer.stream_id, timer_id=timer.timer_id)
            return
        await self._handle(timer)
        self._handled.put(key, self._clock.now())

    async def _handle(self, timer: TimerDue) -> None:
        state = await self._workflows.fresh(timer.stream_id)
        if state is None:
            raise NotFound("workflow_not_found", f"there is no workflow {timer.stream_id}")
        if timer.timer_id == schedules.RESUMED:
            await self._resume(state)
            return
        place = schedules.place_of(timer.timer_id)
        running = schedules.schedules_of(state).get(place)
        if running is None:
            await self._change_timers(state, [ClearTimer(timer.timer_id)])
            return
        first = datetime.fromisoformat(timer.payload["scheduledAt"])
        if running.made(timer.payload):
            await self._fire(state, running, first)
        elif not running.schedule.includes(first):
            before = timer.payload["cron"], timer.payload["timezone"]
            await self._record(state, place, before, Due(first, missed=False), Outcome(schedules.SUPERSEDED), None, [])

    async def _fire(self, state: WorkflowState, running: Running, first: datetime) -> None:
        live = await self._live(state, running)
        for due in schedules.due(running, first, self._clock.now()):
            made = schedules.outcome(running, due, live)
            timers = [schedules.next_timer(running, due.instant, state.workflow_id)]
            event = await self._record(state, running.place, running.identity, due, made, live, timers)
            if event is None:
                # Recorded already: the timer came again, or clocks were set back.
                await self._change_timers(state, timers)
                live = await self._live(state, running)
            elif event.execution_id is not None:
                live = event.execution_id

    async def _record(
        self,
        state: WorkflowState,
        place: int,
        identity: tuple[str, str],
        due: Due,
        made: Outcome,
        live: str | None,
        timers: Sequence[TimerChange],
    ) -> events.ScheduleFired | None:
        """Write down what becomes of an instant; None if it is written already."""
        now = self._clock.now()
        instant = rfc3339(due.instant)
        parts = ("schedule", state.workflow_id, place, instant)
        record_id, execution_id = derived_id(now, *parts), derived_id(now, *parts, "execution")
        event = schedules.fired(state, place, identity, due.instant, made, execution_id)
        value: dict[str, Any] = {"recordId": record_id, "executionId": event.execution_id or live}
        try:
            await self._store.append(
                record_id,
                0,
                [event],
                tenant_id=state.tenant_id,
                at=now,
                timers=timers,
                claims=[Claim(_scope(state, place), instant, value)],
                decided_on={state.workflow_id: state.version},
            )
        except ClaimTaken:
            _log.debug("ignored: the instant is recorded", workflow_id=state.workflow_id, instant=instant)
            return None
        return event

    async def _live(self, state: WorkflowState, running: Running) -> str | None:
        """The execution that the schedule started last, if it has not ended; not asked for where nobody wants to know."""
        if running.trigger.overlap == "allow":
            return None
        last = await self._store.last_claimed(state.tenant_id, _scope(state, running.place))
        if last is None or last[1]["executionId"] is None:
            return None
        execution_id = str(last[1]["executionId"])
        execution = await self._executions.fresh(execution_id)
        if execution is not None:
            return None if execution.is_finished else execution_id
        # Not begun: it is about to, unless that was refused.
        history = await self._store.load(last[1]["recordId"])
        refused = any(recorded.topic == events.TriggerRefused.topic for recorded in history)
        return None if refused else execution_id

    async def _resume(self, state: WorkflowState) -> None:
        """What publishes and activations of earlier versions of the program did not do."""
        timers = [*schedules.timer_changes(None, state, self._clock.now()), ClearTimer(schedules.RESUMED)]
        claims: list[Claim] = []
        if any(hears_of_incidents(version.document) for version in state.versions.values()):
            taken = await self._store.claimed(state.tenant_id, INCIDENT_TRIGGER, state.workflow_id)
            claims = [Claim(INCIDENT_TRIGGER, state.workflow_id, {})] if taken is None else []
        await self._change_timers(state, timers, claims)

    async def _change_timers(self, state: WorkflowState, timers: Sequence[TimerChange], claims: Sequence[Claim] = ()) -> None:
        await self._store.append(
            state.workflow_id,
            state.version,
            [],
            tenant_id=state.tenant_id,
            at=self._clock.now(),
            timers=timers,
            claims=claims,
        )


def _scope(state: WorkflowState, place: int) -> str:
    """Of the claims of a schedule's instants; the keys are the instants, so the last one is the greatest."""
    return f"cron/{state.workflow_id}/{place}"
