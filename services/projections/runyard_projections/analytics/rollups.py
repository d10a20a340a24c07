"""Counts of what began in a quarter of an hour or a UTC day, to be added to those that are stored.

Every offset from UTC that is in use is a multiple of a quarter of an hour: so the days of any time zone, those of 23 and 25
hours too, are sums of quarters, most of them already summed up to days.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol, Self, TypeAlias, TypeVar

from runyard_shared.contracts.values import ExecutionStatus, JobStatus

from runyard_projections.analytics.durations import Histogram, bucket_of

QUARTER: Final = 900
DAY: Final = 86_400
"""Both in seconds."""
ALL_WORKFLOWS: Final = "00000000-0000-0000-0000-000000000000"
"""In place of a workflow's id: all of the tenant's together."""


@dataclass(slots=True)
class ExecutionCounts:
    """Of executions that began in an interval; `duration_ms` and `durations` of those that have ended."""

    started: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    duration_ms: int = 0
    durations: Histogram = field(default_factory=dict)

    def end(self, status: ExecutionStatus, duration_ms: int) -> None:
        match status:
            case ExecutionStatus.COMPLETED:
                self.completed += 1
            case ExecutionStatus.FAILED:
                self.failed += 1
            case _:
                self.cancelled += 1
        self.duration_ms += duration_ms
        bucket = bucket_of(duration_ms)
        self.durations[bucket] = self.durations.get(bucket, 0) + 1

    def add(self, other: Self) -> None:
        self.started += other.started
        self.completed += other.completed
        self.failed += other.failed
        self.cancelled += other.cancelled
        self.duration_ms += other.duration_ms
        for bucket, count in other.durations.items():
            self.durations[bucket] = self.durations.get(bucket, 0) + count


@dataclass(slots=True)
class JobCounts:
    """Of ended jobs of executions that began in an interval."""

    completed: int = 0
    failed: int = 0
    timed_out: int = 0
    cancelled: int = 0
    busy_ms: int = 0

    def end(self, status: JobStatus, duration_ms: int) -> None:
        match status:
            case JobStatus.COMPLETED:
                self.completed += 1
            case JobStatus.FAILED:
                self.failed += 1
            case JobStatus.TIMEOUT:
                self.timed_out += 1
            case _:
                self.cancelled += 1
        self.busy_ms += duration_ms

    def add(self, other: Self) -> None:
        self.completed += other.completed
        self.failed += other.failed
        self.timed_out += other.timed_out
        self.cancelled += other.cancelled
        self.busy_ms += other.busy_ms


class _Counts(Protocol):
    def __init__(self) -> None: ...

    def add(self, other: Self, /) -> None: ...


_C = TypeVar("_C", bound=_Counts)

Quarter: TypeAlias = tuple[str, str, str, int]
"""Tenant, workflow, trigger or agent, and when it begins, in seconds since 1970."""
Place: TypeAlias = tuple[str, str, str, int, int]
"""Tenant, workflow, trigger or agent, width and begin of an interval."""


def quarter_of(at: datetime) -> int:
    """When the quarter of an hour begins."""
    return int(at.timestamp()) // QUARTER * QUARTER


def in_all_widths(kind: type[_C], quarters: Mapping[Quarter, _C]) -> dict[Place, _C]:
    """With the sums of each day."""
    placed: dict[Place, _C] = {}
    for (tenant_id, workflow_id, by, starts), counts in quarters.items():
        placed[tenant_id, workflow_id, by, QUARTER, starts] = counts
        day = (tenant_id, workflow_id, by, DAY, starts // DAY * DAY)
        if day not in placed:
            placed[day] = kind()
        placed[day].add(counts)
    return placed


def with_all_workflows(kind: type[_C], quarters: Mapping[Quarter, _C]) -> dict[Quarter, _C]:
    """With those of each tenant as a whole."""
    every = dict(quarters)
    for (tenant_id, _, by, starts), counts in quarters.items():
        whole = (tenant_id, ALL_WORKFLOWS, by, starts)
        if whole not in every:
            every[whole] = kind()
        every[whole].add(counts)
    return every
