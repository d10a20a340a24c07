"""What the log says of jobs that run and end: a line for each at ordinary load, and one line for all that begin or end in the
same turn of the event loop, so that a log never costs more than the jobs it is about."""

import asyncio
from collections.abc import Callable

import structlog
from runyard_shared.contracts.jobs import RunJob
from runyard_shared.contracts.reports import JobFinished
from runyard_shared.trace_context import trace_id_of

log = structlog.get_logger(__name__)


class JobLog:
    def __init__(self) -> None:
        self._ran: list[RunJob] = []
        self._ended: list[tuple[RunJob, JobFinished]] = []

    def runs(self, job: RunJob) -> None:
        self._ran.append(job)
        if len(self._ran) == 1:
            _at_the_end_of_the_turn(self._say_ran)

    def ended(self, job: RunJob, finished: JobFinished) -> None:
        self._ended.append((job, finished))
        if len(self._ended) == 1:
            _at_the_end_of_the_turn(self._say_ended)

    def _say_ran(self) -> None:
        jobs, self._ran = self._ran, []
        if len(jobs) == 1:
            (job,) = jobs
            log.info("job runs", **named(job), action=job.action, attempt=job.attempt)
        else:
            log.info("jobs run", job_ids=", ".join([f"{job.job_id}/{job.dispatch}" for job in jobs]))

    def _say_ended(self) -> None:
        ends, self._ended = self._ended, []
        if len(ends) == 1:
            ((job, finished),) = ends
            log.info("job ended", **named(job), status=finished.status.value, **_why(finished))
        else:
            log.info("jobs ended", job_ids=", ".join([f"{job.job_id}/{job.dispatch} {end.status.value}" for job, end in ends]))


def named(job: RunJob) -> dict[str, object]:
    names: dict[str, object] = {"job_id": job.job_id, "execution_id": job.execution_id, "dispatch": job.dispatch}
    if job.traceparent is not None:
        names["trace_id"] = trace_id_of(job.traceparent)
    return names


def _why(finished: JobFinished) -> dict[str, object]:
    """Only the kind of error: its message may quote what the job wrote."""
    return {"reason": finished.error.reason} if finished.error is not None else {}


def _at_the_end_of_the_turn(call: Callable[[], None]) -> None:
    asyncio.get_running_loop().call_soon(call)
