"""What the orchestrator's orders do to the board. Pure; a repeated order does nothing."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from runyard_shared.contracts.jobs import Order, PlaceJob, ReleaseJob, RequeueJob, WithdrawJob
from runyard_shared.messaging.topology import agent_mailbox

from runyard_dispatcher.board import Board, cancel_job
from runyard_dispatcher.jobs import Cancel, Job, demand_of
from runyard_dispatcher.lifecycle import JOB_STEPS, JobState, JobStep


def take_orders(board: Board, orders: Sequence[Order], now: datetime) -> list[Order]:
    """Take the orders into the board, in order; returns those that were ignored.

    Orders come in the order of their log positions, each position once, so one that is not above the last handled position is
    a repetition, also when its job has been released long ago.
    """
    ignored = []
    position = board.position
    for order in orders:
        if order.position <= position:
            ignored.append(order)
            continue
        position = order.position
        if not _TAKE[type(order)](board, order, now):
            ignored.append(order)
    if position != board.position:
        board.position = board.changes.position = position
    return ignored


def _place(board: Board, order: PlaceJob, now: datetime) -> bool:
    if order.job_id in board.jobs:
        return False
    job = Job(order, demand_of(order), now)
    board.jobs[order.job_id] = board.changes.jobs[order.job_id] = job
    board.wait(job, now)
    return True


def _requeue(board: Board, order: RequeueJob, now: datetime) -> bool:
    job = board.jobs.get(order.job_id)
    if job is None or job.dispatch != order.dispatch or (job.state, JobStep.REQUEUE) not in JOB_STEPS:
        return False
    if job.state is JobState.LEASED:
        board.end_lease(job, well=False)
    job.state = JOB_STEPS[job.state, JobStep.REQUEUE]
    job.since = now
    board.changes.jobs[order.job_id] = job
    if job.cancel is not None:
        board.withdraw(job, now)
    else:
        board.wait(job, now, first=True)
    return True


def _withdraw(board: Board, order: WithdrawJob, now: datetime) -> bool:
    job = board.jobs.get(order.job_id)
    if job is None or job.state in (JobState.WITHDRAWN, JobState.REFUSED):
        return False
    if job.state is JobState.WAITING:
        board.placement.leave(job)
        board.withdraw(job, now)
        return True
    job.cancel = Cancel.FORCE if order.force or job.cancel is Cancel.FORCE else Cancel.BEFORE_START
    board.changes.jobs[order.job_id] = job
    if job.state is JobState.LEASED and job.agent is not None:
        mailbox = agent_mailbox(job.agent.tenant_id, job.agent.name)
        board.changes.orders[mailbox].append(cancel_job(job, job.cancel))
    return True


def _release(board: Board, order: ReleaseJob, now: datetime) -> bool:
    job = board.jobs.pop(order.job_id, None)
    if job is None:
        return False
    if job.state is JobState.LEASED:
        board.end_lease(job, well=not order.faulty)
    elif job.state is JobState.WAITING:
        board.placement.leave(job)
    board.changes.jobs[order.job_id] = None
    return True


_TAKE: Final[dict[type[Order], Callable[[Board, Any, datetime], bool]]] = {
    PlaceJob: _place,
    RequeueJob: _requeue,
    WithdrawJob: _withdraw,
    ReleaseJob: _release,
}
