"""What traces say of the dispatcher: a span for each lease, from when its job began to wait until it was sent to an agent. Its
id is made of the job and the lease: one that is told twice is the same span."""

from datetime import datetime
from typing import NamedTuple

from runyard_shared.contracts.jobs import PlaceJob
from runyard_shared.trace_context import within
from runyard_shared.tracing import Span, is_traced, nanoseconds, record


class Dispatch(NamedTuple):
    """A job got an agent."""

    order: PlaceJob
    lease: int
    agent: str
    waited_since: datetime
    at: datetime


def tell_dispatch(dispatch: Dispatch) -> None:
    order = dispatch.order
    context = within(order.traceparent, order.job_id, "dispatch", dispatch.lease)
    if context is None or not is_traced(context):
        return
    attributes: dict[str, str | int | bool] = {
        "runyard.tenant.id": order.tenant_id,
        "runyard.execution.id": order.execution_id,
        "runyard.job.id": order.job_id,
        "runyard.job.dispatch": dispatch.lease,
        "runyard.node.id": order.node_id,
        "runyard.pool": order.pool,
        "runyard.agent": dispatch.agent,
    }
    began_at, ended_at = nanoseconds(dispatch.waited_since), nanoseconds(dispatch.at)
    record(Span("dispatch", context, order.traceparent, began_at, ended_at, attributes, kind="producer"))
