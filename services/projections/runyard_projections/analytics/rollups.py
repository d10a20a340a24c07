"""Counts of what began in a quarter of an hour or a UTC day, to be added to those that are stored.

Every offset from UTC that is in use is a multiple of a quarter of an hour: so the days of any time zone, those of 23 and 25
hours too, are sums of quarters, most of them already summed up to days.
"""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Protocol, Self, TypeVar

from runyard_shared.contracts.values import ExecutionStatus, JobStatus

from runyard_projections.analytics.durations import Histogram, bucket_of

QUARTER: Final = 900
DAY: Final = 86_400
WIDTHS: Final = (QUARTER, DAY)
"""In seconds, the finest first; each a multiple of the one before."""
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

    @property
    def buckets(self) -> list[int]:
        return sorted(self.durations)

    @property
    def counts(self) -> list[int]:
        return [self.durations[bucket] for bucket in sorted(self.durations)]


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


_K = TypeVar("_K", bound=Hashable)
_C = TypeVar("_C", bound=_Counts)


def quarter_of(at: datetime) -> int:
    """Seconds since 1970 at which the quarter of an hour begins."""
    return int(at.timestamp()) // QUARTER * QUARTER


def in_all_widths(kind: type[_C], quarters: Mapping[tuple[_K, int], _C]) -> dict[tuple[_K, int, datetime], _C]:
    """By key, width and begin of the interval, from counts by key and quarter."""
    summed: dict[tuple[_K, int, int], _C] = {}
    for (key, starts), counts in quarters.items():
        for width in WIDTHS:
            place = (key, width, starts // width * width)
            if place not in summed:
                summed[place] = kind()
            summed[place].add(counts)
    return {(key, width, datetime.fromtimestamp(starts, UTC)): counts for (key, width, starts), counts in summed.items()}


def with_all_workflows(
    quarters: Iterable[tuple[tuple[tuple[str, str], int], ExecutionCounts]],
) -> dict[tuple[tuple[str, str], int], ExecutionCounts]:
    """By (tenant, workflow) and quarter, with those of each tenant as a whole."""
    every: dict[tuple[tuple[str, str], int], ExecutionCounts] = {}
    for ((tenant_id, workflow_id), starts), counts in quarters:
        every[(tenant_id, workflow_id), starts] = counts
        whole = every.setdefault(((tenant_id, ALL_WORKFLOWS), starts), ExecutionCounts())
        whole.add(counts)
    return every
