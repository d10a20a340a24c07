"""The log feed: what was committed, as it is broadcast to projections and event streams."""

from datetime import datetime

import msgspec

from runyard_shared.contracts.base import Contract


class Recorded(Contract, frozen=True, kw_only=True):
    """One row of a log. `data` is the event's JSON as stored; decode it with `runyard_shared.eventstore.mapper`."""

    position: int
    stream_id: str
    version: int
    tenant_id: str
    topic: str
    recorded_at: datetime
    data: msgspec.Raw
    correlation_id: str | None = None
    causation_id: str | None = None


class FeedBatch(Contract, frozen=True, kw_only=True):
    """Consecutive rows of one log (`orchestrator`, `dispatcher`), in order of position."""

    log: str
    events: list[Recorded]
