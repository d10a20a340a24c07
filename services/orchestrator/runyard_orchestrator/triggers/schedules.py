"""Which instants of a schedule start an execution, and when the next one is. Pure.

Each schedule of the version that runs has one durable timer on the workflow's stream, for its next instant. What changes the
version or stops it changes the timers in the same append (`timer_changes`); a schedule that stays as it was keeps its timer, so
a publish loses no instant that is just due.

    the timer of an instant is handed on                    what becomes of the instant
    ------------------------------------------------------  -------------------------------------------------
    workflow inactive, archived, without such a schedule    nothing (the timer is removed)
    the schedule was changed since the timer was set        superseded
    catchUp latest: a later instant is due too              missed
    catchUp none: it is over a minute late                  missed
    overlap skip: the execution before has not ended        overlap
    overlap cancelPrevious: the same                        it starts an execution, that one is cancelled
    else                                                    it starts an execution
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from runyard_shared.clock import rfc3339
from runyard_shared.contracts import events
from runyard_shared.contracts.workflow import ScheduleTrigger
from runyard_shared.eventstore.store import ClearTimer, SetTimer, TimerChange
from runyard_shared.schedule import Schedule, ScheduleError, parse_schedule

from runyard_orchestrator.triggers.declared import triggers_of
from runyard_orchestrator.workflow.definition import WorkflowState

RESUMED: Final = "schedules"
"""The timer by which a migration asks for the timers of a workflow that was published before there were any."""
MOST_AT_ONCE: Final = 100
"""After a long absence only so many of the last instants are looked at, recorded or made up for."""
ON_TIME: Final = timedelta(minutes=1)
_PREFIX: Final = "cron:"

MISSED: Final = "missed"
OVERLAP: Final = "overlap"
SUPERSEDED: Final = "superseded"


@dataclass(frozen=True, slots=True)
class Running:
    """A schedule of the version that runs. `place`: among the document's triggers."""

    place: int
    trigger: ScheduleTrigger
    schedule: Schedule

    @property
    def timer_id(self) -> str:
        return f"{_PREFIX}{self.place}"

    @property
    def identity(self) -> tuple[str, str]:
        return self.trigger.cron, self.trigger.timezone

    def made(self, payload: Mapping[str, Any]) -> bool:
        """Whether the timer with this payload was set for it as it is now."""
        return self.identity == (payload.get("cron"), payload.get("timezone"))


@dataclass(frozen=True, slots=True)
class Due:
    """An instant that has come. `missed`: it is too late for it."""

    instant: datetime
    missed: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an instant does: it starts an execution if `reason` is empty; `cancels` gives way to it."""

    reason: str = ""
    cancels: tuple[str, ...] = ()


def is_timer_of_workflow(timer_id: str) -> bool:
    return timer_id.startswith(_PREFIX) or timer_id == RESUMED


def place_of(timer_id: str) -> int:
    return int(timer_id.removeprefix(_PREFIX))


def schedules_of(state: WorkflowState) -> dict[int, Running]:
    """By place; one that cannot be read (from before schedules were checked) never comes."""
    found: dict[int, Running] = {}
    for place, trigger in triggers_of(state).items():
        if isinstance(trigger, ScheduleTrigger) and (schedule := _parsed(trigger.cron, trigger.timezone)) is not None:
            found[place] = Running(place, trigger, schedule)
    return found


def timer_changes(before: WorkflowState | None, after: WorkflowState, now: datetime) -> list[TimerChange]:
    """What to write with the events that led from one state to the other."""
    old = schedules_of(before) if before is not None else {}
    new = schedules_of(after)
    changes: list[TimerChange] = [ClearTimer(old[place].timer_id) for place in sorted(old.keys() - new.keys())]
    changes += [
        next_timer(running, now, after.workflow_id)
        for place, running in sorted(new.items())
        if place not in old or old[place].identity != running.identity
    ]
    return changes


def next_timer(running: Running, after: datetime, workflow_id: str) -> TimerChange:
    """The timer for the first instant after `after`; none if the schedule never comes again."""
    instant = running.schedule.next_after(after)
    if instant is None:
        return ClearTimer(running.timer_id, workflow_id)
    cron, timezone = running.identity
    payload = {"scheduledAt": rfc3339(instant), "cron": cron, "timezone": timezone}
    return SetTimer(running.timer_id, instant, payload, workflow_id)


def due(running: Running, first: datetime, now: datetime) -> list[Due]:
    """The instants from `first`, whose timer was handed on, until now, in order."""
    instants = [first, *running.schedule.latest(first, now, MOST_AT_ONCE)][-MOST_AT_ONCE:]
    match running.trigger.catch_up:
        case "all":
            return [Due(instant, missed=False) for instant in instants]
        case "latest":
            return [Due(instant, missed=instant != instants[-1]) for instant in instants]
        case "none":
            return [Due(instant, missed=now - instant > ON_TIME) for instant in instants]


def outcome(running: Running, instant: Due, live: str | None) -> Outcome:
    """`live`: the execution that the schedule started last, if it has not ended."""
    if instant.missed:
        return Outcome(MISSED)
    if live is not None and running.trigger.overlap == "skip":
        return Outcome(OVERLAP)
    if live is not None and running.trigger.overlap == "cancelPrevious":
        return Outcome(cancels=(live,))
    return Outcome()


def fired(
    state: WorkflowState, place: int, identity: tuple[str, str], instant: datetime, made: Outcome, execution_id: str
) -> events.ScheduleFired:
    """The record of an instant. `execution_id`: of the execution that it starts, if it starts one."""
    if state.running_version is None:
        raise TypeError(f"workflow {state.workflow_id} does not run")
    return events.ScheduleFired(
        workflow_id=state.workflow_id,
        workflow_name=state.name,
        version=state.running_version,
        trigger=place,
        cron=identity[0],
        timezone=identity[1],
        scheduled_at=rfc3339(instant),
        execution_id=None if made.reason else execution_id,
        reason=made.reason,
        cancels=list(made.cancels),
    )


@lru_cache(maxsize=4096)
def _parsed(cron: str, timezone: str) -> Schedule | None:
    try:
        return parse_schedule(cron, timezone)
    except ScheduleError:
        return None
