"""The status banner (R11): the state of an execution in one sentence; nothing active is left without a reason."""

from collections.abc import Iterator
from datetime import datetime

from runyard_shared.contracts.values import ExecutionStatus, JobStatus

from runyard_gateway.queries.executions import Execution, Waiting

MAX_REASONS = 3


def banner(execution: Execution, now: datetime) -> str:
    """A sentence for people. For an active execution: what it does and what it waits for, now."""
    row = execution.row
    match row.status:
        case ExecutionStatus.COMPLETED:
            return f"Completed in {duration(row.duration_ms / 1000)}"
        case ExecutionStatus.FAILED:
            return f"Failed: {execution.error.message}" if execution.error else "Failed"
        case ExecutionStatus.CANCELLED:
            return _cancelled(execution)
    reasons = list(dict.fromkeys((*_failing(execution), *_running(execution), *_waiting(execution, now))))
    if not reasons:
        return "Deciding what comes next"
    shown = reasons[:MAX_REASONS]
    if len(reasons) > MAX_REASONS:
        shown.append(f"and {len(reasons) - MAX_REASONS} more")
    text = "; ".join(shown)
    return text[0].upper() + text[1:]


def duration(seconds: float) -> str:
    """`340 ms`, `8 s`, `12 min`, `3 h 5 min`."""
    if seconds < 1:
        return f"{max(0, round(seconds * 1000))} ms"
    if seconds < 90:
        return f"{seconds:.3g} s" if seconds < 10 else f"{round(seconds)} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{round(hours / 24)} days"


def _cancelled(execution: Execution) -> str:
    text = "Cancelled"
    if execution.cancellation is not None:
        text += f" by {execution.cancellation.by}" if execution.cancellation.by else ""
        text += f": {execution.cancellation.reason}" if execution.cancellation.reason else ""
    live = sum(job.status in (JobStatus.DISPATCHED, JobStatus.RUNNING) for job in execution.jobs)
    return f"{text}; {_count(live, 'job')} still running to {'its' if live == 1 else 'their'} end" if live else text


def _failing(execution: Execution) -> Iterator[str]:
    if any(each.reason == "jobs" for each in execution.waiting) and execution.error is not None:
        yield f"failing, and waiting for running jobs to end: {execution.error.message}"


def _running(execution: Execution) -> Iterator[str]:
    for job in execution.jobs:
        if job.status == JobStatus.RUNNING:
            yield f"running {job.node_name} on {job.agent}"
        elif job.status == JobStatus.DISPATCHED:
            yield f"{job.node_name} was sent to {job.agent} and is about to start"


def _waiting(execution: Execution, now: datetime) -> Iterator[str]:
    names = {node.node_id: node.name for node in execution.nodes}
    for each in execution.waiting:
        name = names.get(each.node_id or "", each.node_id or "")
        match each.reason:
            case "agent":
                yield execution.waiting_jobs.get(each.job_id or "") or f"{name} is waiting for an agent in pool {each.pool}"
            case "retry":
                yield f"retry {(each.attempt or 2) - 1} of {(each.max_attempts or 2) - 1} of {name} {_in(each, now)}"
            case "delay":
                yield f"{name} goes on {_in(each, now)}"


def _in(each: Waiting, now: datetime) -> str:
    if each.until is None:
        return "soon"
    seconds = (datetime.fromisoformat(each.until) - now).total_seconds()
    return f"in {duration(seconds)}" if seconds > 0 else "now"


def _count(number: int, noun: str) -> str:
    return f"1 {noun} is" if number == 1 else f"{number} {noun}s are"
