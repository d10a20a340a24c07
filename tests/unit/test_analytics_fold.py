"""What is counted is what was made up, however the log is cut into batches."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from runyard_projections.analytics.changes import OpenExecution
from runyard_projections.analytics.durations import bucket_of
from runyard_projections.analytics.fold import fold
from runyard_projections.analytics.rollups import ALL_WORKFLOWS, DAY, QUARTER, ExecutionCounts, JobCounts, Place
from runyard_projections.analytics.settle import Placed, settle
from runyard_projections.projection import ProjectionBroken
from runyard_shared.contracts.feed import Recorded
from runyard_shared.eventstore.mapper import UnknownTopic

from tests.figures import Execution, Past, made_up
from tests.histories import MAPPER
from tests.projections import cut

T0 = datetime(2026, 3, 28, 20, 0, tzinfo=UTC)


class Stored:
    """The tables, in memory."""

    def __init__(self) -> None:
        self.executions: dict[Place, ExecutionCounts] = {}
        self.jobs: dict[Place, JobCounts] = {}
        self.open: dict[str, OpenExecution] = {}
        self.placed: dict[str, Placed] = {}

    def apply(self, batch: list[Recorded]) -> None:
        changes = fold(batch, MAPPER)
        opened = {key: self.open[key] for key in changes.executions if key in self.open}
        placed = {
            key: self.placed.pop(key) for key, job in changes.jobs.items() if job.status is not None and key in self.placed
        }
        outcome = settle(changes, opened, placed)
        for place, counts in outcome.executions.items():
            self.executions.setdefault(place, ExecutionCounts()).add(counts)
        for place, job_counts in outcome.jobs.items():
            self.jobs.setdefault(place, JobCounts()).add(job_counts)
        self.open |= outcome.open
        self.placed |= outcome.placed
        for execution_id in outcome.over:
            del self.open[execution_id]
        for job_id in outcome.released:
            self.placed.pop(job_id, None)


def past(seed: int, executions: int = 60) -> Past:
    chance = random.Random(seed)
    return made_up(seed, [T0 + timedelta(seconds=chance.randrange(8 * 3600)) for _ in range(executions)])


def stored(batches: list[list[Recorded]]) -> Stored:
    tables = Stored()
    for batch in batches:
        tables.apply(batch)
    return tables


@pytest.mark.parametrize("seed", range(10))
def test_the_counts_are_those_of_whoever_counts_the_executions(seed: int) -> None:
    happened = past(seed)
    tables = stored(cut(happened.log, random.Random(seed)))
    for width in (QUARTER, DAY):
        expected: dict[Place, list[Execution]] = {}
        for each in happened.executions:
            starts = int(each.started_at.timestamp() // width * width)
            for workflow_id in (each.workflow_id, ALL_WORKFLOWS):
                place = (each.tenant_id, workflow_id, each.trigger_type, width, starts)
                expected.setdefault(place, []).append(each)
        found = {place: counts for place, counts in tables.executions.items() if place[3] == width}
        assert found.keys() == expected.keys()
        for place, executions in expected.items():
            statuses = Counter(each.status for each in executions)
            durations = [each.duration_ms for each in executions if each.duration_ms is not None]
            assert found[place] == ExecutionCounts(
                len(executions),
                statuses["completed"],
                statuses["failed"],
                statuses["cancelled"],
                sum(durations),
                Counter(bucket_of(duration) for duration in durations),
            )


@pytest.mark.parametrize("seed", range(10))
def test_jobs_are_counted_with_their_execution_for_the_agent_they_ended_on(seed: int) -> None:
    happened = past(seed)
    tables = stored(cut(happened.log, random.Random(seed)))
    one = happened.executions[0].workflow_id
    for tenant_id, of_workflow in product(("default", "acme"), (ALL_WORKFLOWS, one)):
        expected: dict[tuple[str, str], tuple[int, int]] = {}
        for execution in happened.executions:
            counts_here = execution.tenant_id == tenant_id and of_workflow in (ALL_WORKFLOWS, execution.workflow_id)
            for job in execution.jobs if counts_here else ():
                count, busy_ms = expected.get((job.agent or "", job.status), (0, 0))
                expected[job.agent or "", job.status] = (count + 1, busy_ms + job.duration_ms)
        summed: dict[str, JobCounts] = {}
        for (tenant, workflow_id, agent, width, _), counts in tables.jobs.items():
            if (tenant, workflow_id, width) == (tenant_id, of_workflow, DAY):
                summed.setdefault(agent, JobCounts()).add(counts)
        for agent, counts in summed.items():
            completed, failed, timed_out, cancelled = [
                expected.get((agent, status), (0, 0)) for status in ("completed", "failed", "timeout", "cancelled")
            ]
            busy_ms = sum(ms for _, ms in (completed, failed, timed_out, cancelled))
            assert counts == JobCounts(completed[0], failed[0], timed_out[0], cancelled[0], busy_ms)
        assert summed.keys() == {agent for agent, _ in expected}


def test_what_is_over_is_forgotten_and_what_is_not_is_known() -> None:
    happened = past(3, executions=300)
    tables = stored(cut(happened.log, random.Random(3)))
    active = {each.execution_id for each in happened.executions if each.ended_at is None}
    ended = tables.open.keys() - active
    assert active <= tables.open.keys()
    assert all(tables.open[execution_id].ended and tables.open[execution_id].outstanding for execution_id in ended)
    assert 0 < len(ended) < 30, "cancelled while a job ran that has not come back"


def test_an_event_of_an_execution_that_never_began_stops_the_projection() -> None:
    happened = past(1, executions=1)
    with pytest.raises(ProjectionBroken, match="did not begin"):
        stored([happened.log[1:]])


def test_an_event_nobody_knows_stops_the_projection() -> None:
    (row, *_) = past(1, executions=1).log
    unknown = Recorded(
        position=1, stream_id=row.stream_id, version=1, tenant_id="default", topic="memory.lost", recorded_at=T0, data=row.data
    )
    with pytest.raises(UnknownTopic, match="does not know"):
        fold([unknown], MAPPER)
