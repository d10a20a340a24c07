"""What traces say of notifications: a span for each attempt to tell a channel."""

import time

from runyard_shared.trace_context import within
from runyard_shared.tracing import Span, is_traced, record

from runyard_approvals.approval.state import ApprovalState, Delivery
from runyard_approvals.notifications.sender import Sent


def tell_notification(state: ApprovalState, delivery: Delivery, began_at: int, sent: Sent) -> None:
    approval = state.opened.traceparent
    attempt = state.outstanding.get(delivery, 0) + 1
    context = within(approval, state.approval_id, delivery.timer_id, attempt)
    if context is None or not is_traced(context):
        return
    attributes = {
        "runyard.tenant.id": state.tenant_id,
        "runyard.execution.id": state.opened.root_execution_id,
        "runyard.approval.id": state.approval_id,
        "runyard.channel": delivery.channel,
        "runyard.notification.purpose": delivery.purpose.value,
        "runyard.notification.attempt": attempt,
    }
    error = "not_delivered" if sent.error is not None else None
    record(Span("notify", context, approval, began_at, time.time_ns(), attributes, kind="client", error=error))
