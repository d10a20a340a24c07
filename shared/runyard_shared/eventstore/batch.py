"""What one commit writes: the appends that were waiting, laid out as arguments of the log's `append` function.

Two appends to one stream fit in one batch if the second follows on the first. If they do not, if both want one claim, or if
the later was decided on a version that the first has passed, the later one waits for the next batch, where it is judged by
what the first left behind. Appends that were decided on one version of a stream share one check of it.
"""

from asyncio import Future
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat
from typing import Any, Final

import msgspec

from runyard_shared.contracts.base import Contract
from runyard_shared.contracts.feed import Recorded
from runyard_shared.errors import RunyardError, VersionConflict
from runyard_shared.eventstore.store import Claim, ClaimTaken, ClearAllTimers, Commit, SetTimer, Snapshot, TimerChange

MAX_APPENDS: Final = 500
MAX_BYTES: Final = 4_000_000


@dataclass(slots=True, eq=False)
class Append:
    """One call of `append`, waiting for its commit. `alone`: a batch with it failed, so it gets one of its own."""

    stream_id: str
    expected_version: int
    tenant_id: str
    at: datetime
    correlation_id: str | None
    causation_id: str | None
    topics: list[str]
    data: list[bytes]
    timers: Sequence[TimerChange]
    claims: Sequence[Claim]
    snapshot: Snapshot | None
    decided_on: Mapping[str, int]
    done: Future[Commit]
    alone: bool = False

    @property
    def version(self) -> int:
        """The stream's version after it."""
        return self.expected_version + len(self.data)

    def fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)


class Batch:
    """Appends that can be one transaction."""

    def __init__(self) -> None:
        self.appends: list[Append] = []
        self._bytes = 0
        self._versions: dict[str, int] = {}
        self._claims: set[tuple[str, str, str]] = set()
        self._heads: list[tuple[int, str, int]] = []
        """(append, stream, version it expects there)"""
        self._checked: set[tuple[str, int]] = set()
        self._has_extras = False

    @classmethod
    def gather(cls, waiting: deque[Append]) -> "Batch":
        """Takes what fits from the front of `waiting`; what has to wait for the next batch stays in front."""
        batch = cls()
        left: list[Append] = []
        for _ in range(min(len(waiting), MAX_APPENDS)):
            append = waiting.popleft()
            if append.done.cancelled():
                continue
            if not batch._add(append):
                left.append(append)
            if batch._bytes >= MAX_BYTES or (batch.appends and batch.appends[0].alone):
                break
        waiting.extendleft(reversed(left))
        return batch

    def _add(self, append: Append) -> bool:
        version = self._versions.get(append.stream_id)
        if version not in (None, append.expected_version) or (append.alone and self.appends):
            return False
        if any(self._versions.get(*decided) != decided[1] for decided in append.decided_on.items()):
            return False
        if append.claims:
            claims = {(append.tenant_id, claim.scope, claim.key) for claim in append.claims}
            if claims & self._claims:
                return False
            self._claims |= claims
        if version is None:
            self._heads.append((len(self.appends), append.stream_id, append.expected_version))
        for decided in append.decided_on.items():
            if decided not in self._checked and decided[0] not in self._versions:
                self._checked.add(decided)
                self._heads.append((len(self.appends), *decided))
        self._versions[append.stream_id] = append.version
        self._bytes += sum(map(len, append.data))
        self._has_extras = self._has_extras or bool(append.timers or append.claims or append.snapshot)
        self.appends.append(append)
        return True

    def arguments(self) -> tuple[Any, ...]:
        """The arguments of `append` in log.sql."""
        stream_ids: list[str] = []
        versions: list[int] = []
        tenant_ids: list[str] = []
        topics: list[str] = []
        recorded_ats: list[datetime] = []
        data: list[str] = []
        correlation_ids: list[str | None] = []
        causation_ids: list[str | None] = []
        for append in self.appends:
            count = len(append.data)
            stream_ids.extend(repeat(append.stream_id, count))
            versions.extend(range(append.expected_version + 1, append.version + 1))
            tenant_ids.extend(repeat(append.tenant_id, count))
            topics.extend(append.topics)
            recorded_ats.extend(repeat(append.at, count))
            data.extend(map(bytes.decode, append.data))
            correlation_ids.extend(repeat(append.correlation_id, count))
            causation_ids.extend(repeat(append.causation_id, count))
        return (
            stream_ids,
            versions,
            tenant_ids,
            topics,
            recorded_ats,
            data,
            correlation_ids,
            causation_ids,
            [number for number, _, _ in self._heads],
            [stream_id for _, stream_id, _ in self._heads],
            [version for _, _, version in self._heads],
            _encode(_extras(self.appends)).decode() if self._has_extras else None,
        )

    def refuse(self, refused: str) -> list[Append]:
        """Fails the appends the log refused; returns the others, which were not written either."""
        refusals = _decode_refusals(refused)
        for refusal in refusals:
            self.appends[refusal.append].fail(_error(self.appends[refusal.append], refusal, refusals))
        guilty = {refusal.append for refusal in refusals}
        doubtful = {
            decided
            for refusal in refusals
            if refusal.version is not None
            for decided in self.appends[refusal.append].decided_on.items()
        }
        others: list[Append] = []
        for number, append in enumerate(self.appends):
            if number not in guilty:
                if doubtful.isdisjoint(append.decided_on.items()):
                    others.append(append)
                else:  # the check that it shares may be the one that failed; whoever decides again loses nothing
                    append.fail(VersionConflict(append.stream_id, append.expected_version))
        return others

    def recorded(self, base: int) -> list[Recorded]:
        """The rows it became, given the log's last position before it."""
        return [
            Recorded(
                position=position,
                stream_id=append.stream_id,
                version=version,
                tenant_id=append.tenant_id,
                topic=topic,
                recorded_at=append.at,
                data=msgspec.Raw(data),
                correlation_id=append.correlation_id,
                causation_id=append.causation_id,
            )
            for position, (append, version, topic, data) in enumerate(self._events(), base + 1)
        ]

    def succeed(self, base: int) -> None:
        position = base
        for append in self.appends:
            position += len(append.data)
            if not append.done.done():
                append.done.set_result(Commit(position, append.version))

    def earliest_timer(self) -> datetime | None:
        """When the first of the timers it sets falls due."""
        if not self._has_extras:
            return None
        return min(
            (change.due_at for append in self.appends for change in append.timers if isinstance(change, SetTimer)), default=None
        )

    def _events(self) -> Iterator[tuple[Append, int, str, bytes]]:
        for append in self.appends:
            for version, (topic, data) in enumerate(zip(append.topics, append.data, strict=True), append.expected_version + 1):
                yield append, version, topic, data


class _ClaimRow(Contract, frozen=True, kw_only=True):
    append: int
    claim: int
    tenant_id: str
    scope: str
    key: str
    value: dict[str, Any]
    stream_id: str
    claimed_at: datetime


class _TimerKey(Contract, frozen=True, kw_only=True):
    stream_id: str
    timer_id: str


class _TimerRow(Contract, frozen=True, kw_only=True):
    stream_id: str
    timer_id: str
    tenant_id: str
    due_at: datetime
    payload: dict[str, Any]


class _SnapshotRow(Contract, frozen=True, kw_only=True):
    stream_id: str
    version: int
    state_schema: str
    state: bytes


class _Extras(Contract, frozen=True, kw_only=True):
    """Everything of a batch but its events, each row at most once (an upsert cannot touch a row twice)."""

    claims: list[_ClaimRow]
    ended_stream_ids: list[str]
    cleared_timers: list[_TimerKey]
    set_timers: list[_TimerRow]
    snapshots: list[_SnapshotRow]


class _Refusal(msgspec.Struct):
    append: int
    version: int | None = None
    claim: int | None = None
    value: dict[str, Any] | None = None


_encode = msgspec.json.Encoder().encode
_decode_refusals = msgspec.json.Decoder(list[_Refusal]).decode


def _extras(appends: list[Append]) -> _Extras:
    claims: list[_ClaimRow] = []
    ended: set[str] = set()
    timers: dict[str, dict[str, _TimerRow | None]] = {}
    snapshots: dict[str, _SnapshotRow] = {}
    for number, append in enumerate(appends):
        stream_id, tenant_id = append.stream_id, append.tenant_id
        claims.extend(
            _ClaimRow(
                append=number,
                claim=index,
                tenant_id=tenant_id,
                scope=claim.scope,
                key=claim.key,
                value=claim.value,
                stream_id=stream_id,
                claimed_at=append.at,
            )
            for index, claim in enumerate(append.claims)
        )
        for change in append.timers:
            if isinstance(change, ClearAllTimers):
                ended.add(stream_id)
                timers.pop(stream_id, None)
                continue
            owner = change.stream_id or stream_id
            if isinstance(change, SetTimer):
                timers.setdefault(owner, {})[change.timer_id] = _TimerRow(
                    stream_id=owner,
                    timer_id=change.timer_id,
                    tenant_id=tenant_id,
                    due_at=change.due_at,
                    payload=change.payload,
                )
            else:
                timers.setdefault(owner, {})[change.timer_id] = None
        if append.snapshot:
            snapshots[stream_id] = _SnapshotRow(
                stream_id=stream_id,
                version=append.snapshot.version,
                state_schema=append.snapshot.schema,
                state=append.snapshot.state,
            )
    return _Extras(
        claims=claims,
        ended_stream_ids=list(ended),
        cleared_timers=[
            _TimerKey(stream_id=stream_id, timer_id=timer_id)
            for stream_id, changes in timers.items()
            for timer_id, row in changes.items()
            if row is None
        ],
        set_timers=[row for changes in timers.values() for row in changes.values() if row is not None],
        snapshots=list(snapshots.values()),
    )


def _error(append: Append, refusal: _Refusal, refusals: list[_Refusal]) -> RunyardError:
    """A taken claim tells the caller more than a version conflict, so it goes first."""
    taken = next((r for r in refusals if r.append == refusal.append and r.claim is not None), None)
    if taken is not None and taken.claim is not None:
        return ClaimTaken(append.claims[taken.claim], taken.value or {})
    return VersionConflict(append.stream_id, append.expected_version)
