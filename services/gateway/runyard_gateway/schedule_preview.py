"""The next times of a schedule as people read them: by the clock on the wall, with a remark where that clock is changed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from runyard_shared.errors import FieldProblem, Invalid
from runyard_shared.schedule import Schedule, cron_problem, parse_schedule, timezone_problem

SKIPPED: Final = "The clocks skip the time that is meant; it comes as soon as they are past it."
ONCE: Final = "The clock shows this time twice; it comes the first time only."
FIRST: Final = "The clock shows this time twice; this is the first time."
SECOND: Final = "The clock shows this time twice; this is the second time."
CHANGED: Final = "The clocks were changed since the time before."


@dataclass(frozen=True)
class Fire:
    """`local`: with its offset from UTC. `remark`: null on ordinary days."""

    at: datetime
    local: datetime
    remark: str | None


def checked_schedule(cron: str, timezone: str) -> Schedule:
    """Raises `Invalid` with everything that is wrong."""
    found = (("cron", cron_problem(cron)), ("timezone", timezone_problem(timezone)))
    problems = tuple(FieldProblem(path, message) for path, message in found if message is not None)
    if problems:
        raise Invalid("invalid_schedule", "The schedule cannot be used.", problems)
    return parse_schedule(cron, timezone)


def preview(schedule: Schedule, after: datetime, count: int) -> list[Fire]:
    """At most `count`; fewer if there are no more within the next decades."""
    return list(_fires(schedule, after, schedule.upcoming(after, count)))


def _fires(schedule: Schedule, after: datetime, instants: list[datetime]) -> Iterator[Fire]:
    on_the_wall = Schedule(schedule.cron, parse_schedule(schedule.cron, "UTC").zone)
    before = after.astimezone(schedule.zone).utcoffset()
    for place, at in enumerate(instants):
        local = at.astimezone(schedule.zone)
        wall = local.replace(tzinfo=UTC, fold=0)
        remark = None
        if local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset():
            remark = SECOND if local.fold else FIRST if _comes_again(local, instants[place + 1 :]) else ONCE
        elif not on_the_wall.includes(wall):
            remark = SKIPPED
        elif local.utcoffset() != before:
            remark = CHANGED
        before = local.utcoffset()
        yield Fire(at, local, remark)


def _comes_again(local: datetime, later: list[datetime]) -> bool:
    """Whether the same time of the clock comes among the later ones."""
    wall = local.replace(tzinfo=None)
    return any(at.astimezone(local.tzinfo).replace(tzinfo=None) == wall for at in later)
