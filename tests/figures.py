"""Random histories of executions, with what there is to count in them said by whoever made them up."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec
from runyard_shared.contracts import events
from runyard_shared.contracts.base import Event
from runyard_shared.contracts.feed import Recorded
from runyard_shared.contracts.values import ErrorInfo, ExecutionStatus, JobStatus, Parent, Trigger
from runyard_shared.ids import derived_id

from tests.histories import MAPPER

ERROR = ErrorInfo(reason="exit_code", message="it ended with 3")
WORKFLOWS = ("Backup", "Disk cleanup", "Nightly\0report")
AGENTS = ("web-1", "web-2", "db-1")


@dataclass
class Job:
    status: str
    agent: str | None
    duration_ms: int


@dataclass
class Execution:
    """`jobs`: those that have ended."""

    execution_id: str
    tenant_id: str
    workflow_id: str
    trigger_type: str
    started_at: datetime
    status: str = "running"
    ended_at: datetime | None = None
    jobs: list[Job] = field(default_factory=list)

    @property
    def duration_ms(self) -> int | None:
        return None if self.ended_at is None else round((self.ended_at - self.started_at) / timedelta(milliseconds=1))


@dataclass
class Past:
    """What the log says, and what it means."""

    log: list[Recorded]
    executions: list[Execution]

    def of(self, tenant_id: str, starts: datetime, ends: datetime) -> list[Execution]:
        return [each for each in self.executions if each.tenant_id == tenant_id and starts <= each.started_at < ends]


_Entry = tuple[datetime, str, Event, str | None]
"""When, stream, what, and of which execution it is if the stream is an iteration's."""


def made_up(seed: int, starts: Iterable[datetime], tenants: tuple[str, ...] = ("default", "acme")) -> Past:
    """One execution for each start, of every kind: cancelled ones whose jobs end later, children, re-runs, retries, jobs in
    iterations, jobs that change their agent or never get one, and some that go on."""
    chance = random.Random(seed)
    entries: list[_Entry] = []
    executions: list[Execution] = []
    for number, at in enumerate(sorted(starts)):
        writer = _Writer(chance, number, at, chance.choice(tenants), executions)
        writer.write()
        entries += writer.entries
        executions.append(writer.execution)
    tenant_of = {each.execution_id: each.tenant_id for each in executions}
    return Past(list(_recorded(sorted(entries, key=lambda entry: entry[0]), tenant_of)), executions)


def _recorded(entries: list[_Entry], tenant_of: dict[str, str]) -> Iterator[Recorded]:
    versions: dict[str, int] = {}
    for position, (at, stream_id, event, correlation_id) in enumerate(entries, 1):
        versions[stream_id] = versions.get(stream_id, 0) + 1
        yield Recorded(
            position=position,
            stream_id=stream_id,
            version=versions[stream_id],
            tenant_id=tenant_of[correlation_id or stream_id],
            topic=event.topic,
            recorded_at=at,
            data=msgspec.Raw(MAPPER.encode(event)),
            correlation_id=correlation_id,
        )


class _Writer:
    """Writes one execution. Its clock only goes on."""

    def __init__(self, chance: random.Random, number: int, at: datetime, tenant_id: str, earlier: list[Execution]) -> None:
        self._chance = chance
        self._number = number
        self._at = at
        self._earlier = [each for each in earlier if each.tenant_id == tenant_id]
        workflow = chance.randrange(len(WORKFLOWS))
        self._name = WORKFLOWS[workflow]
        workflow_id = derived_id(datetime.fromisoformat("2026-01-01T00:00:00Z"), tenant_id, workflow)
        trigger_type = chance.choice(("manual", "cron", "webhook"))
        self.execution = Execution(derived_id(at, "execution", number), tenant_id, workflow_id, trigger_type, at)
        self.entries: list[_Entry] = []

    def write(self) -> None:
        self._begin()
        late = None
        for place in range(self._chance.choice((0, 1, 1, 2, 4))):
            late = self._job(place, self._iteration(place) if self._chance.random() < 0.3 else None)
            if late is not None:
                break
        dice = self._chance.random()
        overtaken = self._iteration(8) if dice < 0.05 else None
        if late is not None or dice < 0.15:
            self._end(ExecutionStatus.CANCELLED, events.ExecutionCancelled(by="bob"))
        elif dice < 0.35:
            self._end(ExecutionStatus.FAILED, events.ExecutionFailing(error=ERROR), events.ExecutionFailed(error=ERROR))
        elif dice < 0.9:
            self._end(ExecutionStatus.COMPLETED, events.ExecutionCompleted())
        if late is not None and self._chance.random() < 0.8:
            self._end_job(*late)
        if overtaken is not None:
            self._job(8, overtaken)

    def _begin(self) -> None:
        more: dict[str, Any] = {}
        if self._earlier and self._chance.random() < 0.3:
            before = self._chance.choice(self._earlier).execution_id
            more = self._chance.choice(
                (
                    {"rerun_of": before},
                    {"parent_execution_id": before, "parent": Parent(stream_id=before, node_id="sub"), "depth": 1},
                )
            )
        self._say(
            events.ExecutionStarted(
                workflow_id=self.execution.workflow_id,
                workflow_name=self._name,
                version=1,
                trigger=Trigger(type=self.execution.trigger_type),
                inputs={},
                started_by="ann",
                **more,
            ),
            after_ms=0,
        )

    def _end(self, status: ExecutionStatus, *endings: Event) -> None:
        for ending in endings:
            self._say(ending)
        self.execution.status = status.value
        self.execution.ended_at = self._at

    def _iteration(self, place: int) -> str:
        """The stream of an iteration that may begin; whatever happens meanwhile, it does."""
        stream = derived_id(self._at, "iteration", self._number, place)
        self._say(events.ForEachEntered(node_id=f"each{place}", items=[place]))
        self._say(events.IterationsScheduled(node_id=f"each{place}", first=0, stream_ids=[stream]))
        return stream

    def _job(self, place: int, stream: str | None) -> "tuple[str, str | None, str | None, datetime | None] | None":
        """Returns the job if it is still open: the execution will be cancelled meanwhile."""
        parent = Parent(stream_id=self.execution.execution_id, node_id=f"each{place}", index=0)
        if stream is not None:
            self._say(
                events.IterationStarted(
                    execution_id=self.execution.execution_id,
                    parent=parent,
                    path=f"each{place}[0]",
                    body=f"each{place}",
                    item=place,
                    scope={},
                    workflow_id=self.execution.workflow_id,
                    workflow_name=self._name,
                    version=1,
                    started_by="ann",
                ),
                stream,
            )
        attempts = self._chance.choice((1, 1, 2))
        for attempt in range(1, attempts + 1):
            job_id = derived_id(self._at, "job", self._number, place, attempt)
            self._say(
                events.JobScheduled(
                    job_id=job_id, node_id=f"n{place}", attempt=attempt, action="script.bash", params={}, pool="default"
                ),
                stream,
            )
            agent, started_at = self._place(job_id, stream)
            if attempt == attempts and self._chance.random() < 0.1:
                return job_id, stream, agent, started_at
            self._end_job(job_id, stream, agent, started_at, failed=attempt < attempts)
        if stream is not None:
            self._say(events.IterationCompleted(parent=parent), stream)
        return None

    def _place(self, job_id: str, stream: str | None) -> tuple[str | None, datetime | None]:
        """The agent that it got, if any, and when it began."""
        if self._chance.random() < 0.1:
            return None, None
        agent = self._chance.choice(AGENTS)
        if self._chance.random() < 0.3:
            self._say(events.JobDispatched(job_id=job_id, dispatch=1, agent=agent), stream)
            if self._chance.random() < 0.3:
                self._say(events.JobRequeued(job_id=job_id, dispatch=1, reason="agent_lost"), stream)
                agent = self._chance.choice(AGENTS)
            elif self._chance.random() < 0.2:
                return agent, None
        self._say(events.JobStarted(job_id=job_id, dispatch=1, agent=agent), stream)
        return agent, self._at

    def _end_job(
        self, job_id: str, stream: str | None, agent: str | None, started_at: datetime | None, *, failed: bool = False
    ) -> None:
        measured = self._chance.choice((0, 7, self._chance.randrange(1, 5_000_000)))
        status = JobStatus.FAILED if failed else self._chance.choice((*[JobStatus.COMPLETED] * 5, *JobStatus))
        of: dict[str, Any] = {"job_id": job_id, "dispatch": 1, "duration_ms": measured}
        match status:
            case JobStatus.FAILED:
                event: Event = events.JobFailed(error=ERROR, **of)
            case JobStatus.TIMEOUT:
                event = events.JobTimedOut(error=ERROR, **of)
            case JobStatus.CANCELLED:
                event = events.JobCancelled(reason="enough", **of)
            case _:
                status = JobStatus.COMPLETED
                event = events.JobCompleted(output={}, **of)
        self._say(event, stream)
        if status == JobStatus.COMPLETED or measured:
            duration_ms = measured
        else:
            duration_ms = 0 if started_at is None else round((self._at - started_at) / timedelta(milliseconds=1))
        self.execution.jobs.append(Job(status.value, agent, duration_ms))

    def _say(self, event: Event, stream: str | None = None, *, after_ms: int | None = None) -> None:
        passed = int(self._chance.expovariate(1 / 60_000)) if after_ms is None else after_ms
        self._at += timedelta(milliseconds=passed)
        own = self.execution.execution_id
        self.entries.append((self._at, stream or own, event, own if stream else None))


def percentile(values: list[int], percent: int) -> int | None:
    """By nearest rank."""
    return sorted(values)[-(-len(values) * percent // 100) - 1] if values else None
