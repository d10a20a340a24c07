"""The leases an agent holds: each (job, dispatch) it was sent, until its end is reported. A lease runs at most once, so those
that ended are remembered for as long as the dispatcher may still send them again."""

import asyncio
import time
from dataclasses import dataclass
from enum import Enum
from typing import Final

from runyard_shared.contracts.jobs import RunJob

Key = tuple[str, int]
"""(job_id, dispatch)"""

_REMEMBER_AT_LEAST: Final = 20_000


class Phase(Enum):
    WAITING = "waiting for a free slot"
    STARTING = "its start is being reported"
    RUNNING = "running"
    REPORTING = "its end is being reported"
    GIVEN_UP = "given up before it began"


class Stop(Enum):
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    AGENT_STOPPED = "agent stopped"


@dataclass(eq=False, slots=True)
class Lease:
    """One job under one lease, and how far it is."""

    job: RunJob
    phase: Phase = Phase.WAITING
    stopping: Stop | None = None
    task: asyncio.Task[None] | None = None
    interruptible: bool = False
    """Only while the action itself runs: its output and its end are reported whatever happens."""

    def stop(self, why: Stop) -> None:
        """End the job. The first reason counts, and the action is interrupted once: its own cleaning up is not."""
        if self.stopping is None:
            self.stopping = why
            if self.interruptible and self.task is not None:
                self.task.cancel()


class Leases:
    def __init__(self, remember_seconds: float) -> None:
        self._held: dict[Key, Lease] = {}
        self._ended = RecentKeys(remember_seconds)

    def add(self, job: RunJob) -> Lease | None:
        """None if this lease is held, has ended, or was refused."""
        key = (job.job_id, job.dispatch)
        if key in self._held or key in self._ended:
            return None
        lease = self._held[key] = Lease(job)
        return lease

    def get(self, key: Key) -> Lease | None:
        return self._held.get(key)

    def end(self, key: Key) -> None:
        """Its end is reported: the lease is no longer held, and never runs again."""
        self._held.pop(key, None)
        self._ended.add(key)

    def give_up(self, lease: Lease) -> None:
        """It did not begin: if the lease is still good, the dispatcher sends it again."""
        lease.phase = Phase.GIVEN_UP
        self._held.pop((lease.job.job_id, lease.job.dispatch), None)

    def held(self) -> list[Lease]:
        return list(self._held.values())

    def keys_of(self, session_id: str) -> list[Key]:
        return [key for key, lease in self._held.items() if lease.job.session_id == session_id]


class RecentKeys:
    """Remembers keys for at least `seconds` after they were last added or asked for, and 20,000 of them for longer.

    The dispatcher repeats an unfinished lease with each heartbeat, which renews it here: forgetting is safe after several.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._recent: set[Key] = set()
        self._older: set[Key] = set()
        self._turned_at = time.monotonic()

    def __contains__(self, key: Key) -> bool:
        if key in self._recent:
            return True
        if key in self._older:
            self._recent.add(key)
            return True
        return False

    def add(self, key: Key) -> None:
        self._recent.add(key)
        if len(self._recent) >= _REMEMBER_AT_LEAST and time.monotonic() - self._turned_at >= self._seconds:
            self._older, self._recent = self._recent, set()
            self._turned_at = time.monotonic()
