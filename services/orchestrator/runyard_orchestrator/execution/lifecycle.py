"""The life of a job, as a table. What a report means depends only on this.

    status      | JobDispatched   | JobStarted | JobFinished | JobLost                       | JobWithdrawn
    ------------|-----------------|------------|-------------|-------------------------------|-------------
    pending     | -> dispatched   | -> running | -> ended    | requeue (stays pending)       | -> cancelled
    dispatched  | again: nothing  | -> running | -> ended    | requeue -> pending            | -> cancelled
    running     | nothing         | nothing    | -> ended    | -> failed (agent_lost)        | nothing
    ended       | nothing         | nothing    | late        | nothing                       | nothing

A report counts only for the current lease: above every lease that was given up (`voided`), not below the one already known.
Anything of an older lease is late: kept as `job.report_ignored`, without effect (R40). A JobStarted may overtake its
JobDispatched, since they come from two senders; the later one then changes nothing.
"""

from enum import Enum

from runyard_shared.contracts import reports
from runyard_shared.contracts.values import FINISHED_JOBS, JobStatus


class Verdict(Enum):
    """What a report does to a job."""

    DISPATCH = "dispatch"
    START = "start"
    FINISH = "finish"
    LOSE = "lose"
    REQUEUE = "requeue"
    WITHDRAW = "withdraw"
    NOTHING = "nothing"
    LATE = "late"


_LIVE: dict[tuple[JobStatus, type[reports.JobReport]], Verdict] = {
    (JobStatus.PENDING, reports.JobDispatched): Verdict.DISPATCH,
    (JobStatus.PENDING, reports.JobStarted): Verdict.START,
    (JobStatus.PENDING, reports.JobFinished): Verdict.FINISH,
    (JobStatus.PENDING, reports.JobLost): Verdict.REQUEUE,
    (JobStatus.DISPATCHED, reports.JobDispatched): Verdict.NOTHING,
    (JobStatus.DISPATCHED, reports.JobStarted): Verdict.START,
    (JobStatus.DISPATCHED, reports.JobFinished): Verdict.FINISH,
    (JobStatus.DISPATCHED, reports.JobLost): Verdict.REQUEUE,
    (JobStatus.RUNNING, reports.JobDispatched): Verdict.NOTHING,
    (JobStatus.RUNNING, reports.JobStarted): Verdict.NOTHING,
    (JobStatus.RUNNING, reports.JobFinished): Verdict.FINISH,
    (JobStatus.RUNNING, reports.JobLost): Verdict.LOSE,
}


def verdict(status: JobStatus, lease: int, voided: int, ended_by_report: bool, report: reports.Report) -> Verdict:
    """What `report` does to a job in `status`: `lease` is its newest known lease, those up to `voided` were given up.

    `ended_by_report`: the job ended with a JobFinished of `lease`; the same report again is a redelivery, not news.
    """
    if isinstance(report, reports.JobWithdrawn):
        return Verdict.WITHDRAW if status in (JobStatus.PENDING, JobStatus.DISPATCHED) else Verdict.NOTHING
    if status in FINISHED_JOBS:
        news = isinstance(report, reports.JobFinished) and not (ended_by_report and report.dispatch == lease)
        return Verdict.LATE if news else Verdict.NOTHING
    if report.dispatch <= voided or report.dispatch < lease:
        quiet = isinstance(report, reports.JobDispatched | reports.JobLost)
        return Verdict.NOTHING if quiet else Verdict.LATE
    if status == JobStatus.RUNNING and report.dispatch != lease:
        return Verdict.LATE
    if status == JobStatus.DISPATCHED and report.dispatch != lease and isinstance(report, reports.JobDispatched):
        return Verdict.DISPATCH
    return _LIVE[status, type(report)]
