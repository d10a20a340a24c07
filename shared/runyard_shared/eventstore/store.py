"""The event store port as services use it; `postgres.py` is the adapter (group commit on asyncpg)."""

from asyncio import Future
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, Protocol

from runyard_shared.contracts.base import Event
from runyard_shared.contracts.feed import Recorded
from runyard_shared.errors import RunyardError


@dataclass(frozen=True)
class SetTimer:
    """Set (or move) the timer `timer_id` of the stream. When due, `payload` comes back in a `TimerDue`.

    `stream_id`: another stream of the tenant, if the timer is not one of the stream that is appended to.
    """

    timer_id: str
    due_at: datetime
    payload: dict[str, Any] = field(default_factory=dict)
    stream_id: str | None = None


@dataclass(frozen=True)
class ClearTimer:
    """Remove the timer if it is set. `stream_id` as in `SetTimer`."""

    timer_id: str
    stream_id: str | None = None


@dataclass(frozen=True)
class ClearAllTimers:
    """Remove every timer of the stream: it has ended."""


TimerChange = SetTimer | ClearTimer | ClearAllTimers


@dataclass(frozen=True)
class Claim:
    """Take a key that only one may have, in the same transaction: an idempotency key, a workflow name, a cron instant.

    `value` is what a later claimant of the same key is told.
    """

    scope: str
    key: str
    value: dict[str, Any]


class ClaimTaken(RunyardError):
    """The key is taken; nothing was appended. `existing` is the value of whoever took it."""

    def __init__(self, claim: Claim, existing: dict[str, Any]) -> None:
        super().__init__(f"{claim.scope} {claim.key!r} is taken")
        self.claim = claim
        self.existing = existing


@dataclass(frozen=True)
class Commit:
    """What an append made: the position of its last event and the stream's new version."""

    position: int
    version: int


@dataclass(frozen=True)
class Snapshot:
    """A state at `version`, as bytes its owner can decode; `schema` changes when older snapshots must be ignored."""

    version: int
    schema: str
    state: bytes


NOTHING: Final[Mapping[str, int]] = MappingProxyType({})


class EventStore(Protocol):
    """One log. Versions count from 1 in each stream; `expected_version` 0 means the stream must not exist.

    An append may be of no events, for its timers and claims. `decided_on`: other streams, with the versions that what is
    appended was decided on; it conflicts as well if one of them has gone on.
    """

    async def append(
        self,
        stream_id: str,
        expected_version: int,
        events: Sequence[Event],
        *,
        tenant_id: str,
        at: datetime,
        correlation_id: str | None = None,
        causation_id: str | None = None,
        timers: Sequence[TimerChange] = (),
        claims: Sequence[Claim] = (),
        snapshot: Snapshot | None = None,
        decided_on: Mapping[str, int] = NOTHING,
    ) -> Commit:
        """Durable when it returns. Raises `VersionConflict`, `ClaimTaken`, or `Unavailable` (then the outcome may be either:
        reload before deciding again)."""

    def submit(
        self,
        stream_id: str,
        expected_version: int,
        events: Sequence[Event],
        *,
        tenant_id: str,
        at: datetime,
        correlation_id: str | None = None,
        causation_id: str | None = None,
        timers: Sequence[TimerChange] = (),
        claims: Sequence[Claim] = (),
        snapshot: Snapshot | None = None,
        decided_on: Mapping[str, int] = NOTHING,
    ) -> "Future[Commit]":
        """`append` for many streams at once without a task for each: the future must be awaited."""

    async def load(self, stream_id: str, after_version: int = 0) -> list[Recorded]:
        """The stream's events in order; empty if it does not exist."""

    async def load_snapshot(self, stream_id: str) -> Snapshot | None: ...

    async def read(self, after: int, limit: int = 1000) -> list[Recorded]:
        """Events of all streams with a position greater than `after`, in order. A reader never sees n + 1 before n."""

    async def head(self) -> int:
        """The last committed position; 0 for an empty log."""

    async def claimed(self, tenant_id: str, scope: str, key: str) -> dict[str, Any] | None:
        """The value of a claim, None if nobody holds it."""

    async def last_claimed(self, tenant_id: str, scope: str) -> tuple[str, dict[str, Any]] | None:
        """Of the claims of a scope the one with the greatest key, and its value; None if there is none."""

    async def claims_of(self, tenant_id: str, scope: str) -> dict[str, dict[str, Any]]:
        """All claims of a scope: value by key."""
