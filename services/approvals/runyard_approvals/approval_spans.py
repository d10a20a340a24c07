"""What traces say of approvals: a span for each, from the question to the decision, made of the log then. Pure."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec
from runyard_shared.contracts.base import Contract
from runyard_shared.contracts.feed import Recorded
from runyard_shared.contracts.values import ApprovalStatus
from runyard_shared.trace_context import is_sampled, within
from runyard_shared.tracing import Span, nanoseconds

from runyard_approvals.approval import events

_CAPACITY: Final = 20_000


class _Resolved(Contract, frozen=True, kw_only=True):
    status: ApprovalStatus
    via: str | None = None


@dataclass(frozen=True, slots=True)
class _Asked:
    opened: events.ApprovalOpened
    context: str | None
    """Of its span; None if it is not traced."""


_decode_opened = msgspec.json.Decoder(events.ApprovalOpened).decode
_decode_resolved = msgspec.json.Decoder(_Resolved).decode


class ApprovalSpans:
    """Remembers what was asked and not decided, of the newest."""

    def __init__(self, capacity: int = _CAPACITY) -> None:
        self._capacity = capacity
        self._asked: OrderedDict[str, _Asked] = OrderedDict()

    def knows(self, row: Recorded) -> bool:
        return row.topic != events.ApprovalResolved.topic or row.stream_id in self._asked

    def take(self, row: Recorded) -> Span | None:
        if row.topic == events.ApprovalOpened.topic:
            opened = _decode_opened(row.data)
            traced = opened.traceparent is not None and is_sampled(opened.traceparent)
            self._asked[row.stream_id] = _Asked(opened, opened.traceparent if traced else None)
            if len(self._asked) > self._capacity:
                self._asked.popitem(last=False)
        elif row.topic == events.ApprovalResolved.topic:
            asked = self._asked.pop(row.stream_id, None)
            if asked is not None and asked.context is not None:
                return _span(row, asked.opened, asked.context)
        return None


def _span(row: Recorded, opened: events.ApprovalOpened, context: str) -> Span:
    resolved = _decode_resolved(row.data)
    attributes = {
        "runyard.tenant.id": row.tenant_id,
        "runyard.execution.id": opened.root_execution_id,
        "runyard.approval.id": row.stream_id,
        "runyard.node.id": opened.node_id,
        "runyard.approval.status": resolved.status.value,
    }
    if resolved.via is not None:
        attributes["runyard.approval.via"] = resolved.via
    return Span(
        f"approval {opened.node_id}",
        context,
        within(context, opened.execution_id),
        nanoseconds(datetime.fromisoformat(opened.requested_at)),
        nanoseconds(row.recorded_at),
        attributes,
        error="approval_expired" if resolved.status is ApprovalStatus.EXPIRED else None,
    )
