"""What follows from a committed event for the dispatcher: at most one order for each event, in log order."""

from collections.abc import Callable, Iterable

import msgspec
from runyard_shared.contracts import events, jobs
from runyard_shared.contracts.base import Contract
from runyard_shared.contracts.feed import Recorded
from runyard_shared.messaging.topology import DISPATCHER_INBOX


class _JobOf(Contract, frozen=True):
    """The one field that an order about an existing job needs."""

    job_id: str


_decode_scheduled = msgspec.json.Decoder(events.JobScheduled).decode
_decode_requeued = msgspec.json.Decoder(events.JobRequeued).decode
_decode_cancel = msgspec.json.Decoder(events.JobCancelRequested).decode
_decode_ended = msgspec.json.Decoder(_JobOf).decode


def orders_of(recorded: Recorded) -> Iterable[tuple[str, jobs.PlacementOrder]]:
    """(queue, order) pairs for one event: the relay's route."""
    order = _ORDERS.get(recorded.topic)
    return ((DISPATCHER_INBOX, order(recorded)),) if order else ()


def _place(recorded: Recorded) -> jobs.PlaceJob:
    scheduled = _decode_scheduled(recorded.data)
    return jobs.PlaceJob(
        position=recorded.position,
        tenant_id=recorded.tenant_id,
        execution_id=recorded.stream_id,
        job_id=scheduled.job_id,
        node_id=scheduled.node_id,
        attempt=scheduled.attempt,
        action=scheduled.action,
        params=scheduled.params,
        pool=scheduled.pool,
        agent=scheduled.agent,
        tags=scheduled.tags,
        connection=scheduled.connection,
        timeout_seconds=scheduled.timeout_seconds,
    )


def _requeue(recorded: Recorded) -> jobs.RequeueJob:
    requeued = _decode_requeued(recorded.data)
    return jobs.RequeueJob(position=recorded.position, job_id=requeued.job_id, dispatch=requeued.dispatch)


def _withdraw(recorded: Recorded) -> jobs.WithdrawJob:
    cancel = _decode_cancel(recorded.data)
    return jobs.WithdrawJob(position=recorded.position, job_id=cancel.job_id, force=cancel.force)


def _release(recorded: Recorded) -> jobs.ReleaseJob:
    return jobs.ReleaseJob(position=recorded.position, job_id=_decode_ended(recorded.data).job_id)


_ORDERS: dict[str, Callable[[Recorded], jobs.PlacementOrder]] = {
    events.JobScheduled.topic: _place,
    events.JobRequeued.topic: _requeue,
    events.JobCancelRequested.topic: _withdraw,
    events.JobCompleted.topic: _release,
    events.JobFailed.topic: _release,
    events.JobTimedOut.topic: _release,
    events.JobCancelled.topic: _release,
}
