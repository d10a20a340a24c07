"""The status banner (R11): the state of an execution in one sentence; nothing active is left without a reason."""

from collections.abc import Iterator, Sequence

from runyard_shared.contracts.values import ExecutionStatus, JobStatus

from runyard_gateway.answers import WaitingRow
from runyard_gateway.durations import duration
from runyard_gateway.queries.executions import Execution

MAX_REASONS = 3


def banner(execution: Execution, waiting: Sequence[WaitingRow]) -> str:
    """A sentence for people. For an active execution: what it does and what it waits for, now."""
    row = execution.found.row
    match row.status:
        case ExecutionStatus.COMPLETED:
            return f"Completed in {duration(row.duration_ms / 1000)}"
        case ExecutionStatus.FAILED:
            return f"Failed: {row.error.message}" if row.error else "Failed"
        case ExecutionStatus.CANCELLED:
            return _cancelled(execution)
    failing = any(each.reason == "jobs" for each in waiting)
    reasons = [*_failing(execution, failing), *_running(execution)]
    reasons += [each.detail for each in waiting if each.reason != "jobs"]
    # `waiting` is but the oldest of all that is waited for
    unnamed = max(0, row.waiting_total - len(waiting)) + execution.live_jobs.total - len(execution.live_jobs.first)
    distinct = list(dict.fromkeys(reasons))
    if not distinct:
        return "Deciding what comes next"
    shown = distinct[:MAX_REASONS]
    more = len(distinct) - len(shown) + unnamed
    if more:
        shown.append(f"and {more} more")
    text = "; ".join(shown)
    return text[0].upper() + text[1:]


def _cancelled(execution: Execution) -> str:
    text = "Cancelled"
    if execution.cancellation is not None:
        text += f" by {execution.cancellation.by}" if execution.cancellation.by else ""
        text += f": {execution.cancellation.reason}" if execution.cancellation.reason else ""
    live = execution.live_jobs.total
    return f"{text}; {_count(live, 'job')} still running to {'its' if live == 1 else 'their'} end" if live else text


def _failing(execution: Execution, failing: bool) -> Iterator[str]:
    if failing and execution.found.row.error is not None:
        yield f"failing, and waiting for running jobs to end: {execution.found.row.error.message}"


def _running(execution: Execution) -> Iterator[str]:
    for job in execution.live_jobs.first:
        item = f"{job.item}: " if job.item else ""
        if job.status == JobStatus.RUNNING:
            yield f"{item}running {job.node_name} on {job.agent}"
        elif job.status == JobStatus.DISPATCHED:
            yield f"{item}{job.node_name} was sent to {job.agent} and is about to start"


def _count(number: int, noun: str) -> str:
    return f"1 {noun} is" if number == 1 else f"{number} {noun}s are"
