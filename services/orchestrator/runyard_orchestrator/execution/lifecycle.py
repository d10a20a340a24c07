"""The life of a job, as a table. What a report means depends only on this.

    status      | JobDispatched   | JobStarted | JobFinished | JobLost                  | JobWithdrawn | JobRefused
    ------------|-----------------|------------|-------------|--------------------------|--------------|-----------
    pending     | -> dispatched   | -> running | -> ended    | requeue (stays pending)  | -> cancelled | -> failed
    dispatched  | again: nothing  | -> running | -> ended    | requeue -> pending       | -> cancelled | -> failed
    running     | nothing         | nothing    | -> ended    | -> failed (agent_lost)   | nothing      | late
    ended       | nothing         | nothing    | late        | nothing                  | nothing      | nothing

A report counts only for the current lease: above every lease that was given up (`voided`), not below the one already known.
Anything of an older lease is late: kept as `job.report_ignored`, without effect (R40). So is what an agent says of a lease that
another is known to hold: its holder is the agent that was told, or the first to say that it started. A JobStarted may overtake
its JobDispatched, since they come from two senders; the later one then changes nothing.
"""

from enum import Enum

from runyard_shared.contracts import reports
from runyard_shared.contracts.values import FINISHED_JOBS, JobStatus

from runyard_orchestrator.execution.state import JobState


class Verdict(Enum):
    """What a report does to a job."""

    DISPATCH = "dispatch"
    START = "start"
    FINISH = "finish"
    LOSE = "lose"
    REQUEUE = "requeue"
    WITHDRAW = "withdraw"
    REFUSE = "refuse"
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


_OF_ANOTHER_LEASE: dict[tuple[JobStatus, type[reports.JobReport]], Verdict] = {
    (JobStatus.DISPATCHED, reports.JobDispatched): Verdict.DISPATCH,
    (JobStatus.RUNNING, reports.JobDispatched): Verdict.LATE,
    (JobStatus.RUNNING, reports.JobStarted): Verdict.LATE,
    (JobStatus.RUNNING, reports.JobFinished): Verdict.LATE,
    (JobStatus.RUNNING, reports.JobLost): Verdict.LATE,
}
"""Where it makes a difference that the report is of a later lease than the one known."""
_WAITING = (JobStatus.PENDING, JobStatus.DISPATCHED)


def verdict(job: JobState, report: reports.Report) -> Verdict:
    """What `report` does to the job."""
    if isinstance(report, reports.JobWithdrawn):
        return Verdict.WITHDRAW if job.status in _WAITING else Verdict.NOTHING
    if isinstance(report, reports.JobRefused):
        return _verdict_on_refusal(job, report)
    by_agent = isinstance(report, reports.JobStarted | reports.JobFinished)
    foreign = by_agent and report.dispatch == job.lease and job.agent is not None and report.agent != job.agent
    if job.status in FINISHED_JOBS:
        # The JobFinished that ended it comes again as a redelivery, not as news.
        again = job.ended_by_report and report.dispatch == job.lease and not foreign
        return Verdict.LATE if isinstance(report, reports.JobFinished) and not again else Verdict.NOTHING
    if foreign or report.dispatch <= job.voided or report.dispatch < job.lease:
        return Verdict.LATE if by_agent else Verdict.NOTHING
    if report.dispatch != job.lease:
        return _OF_ANOTHER_LEASE.get((job.status, type(report)), _LIVE[job.status, type(report)])
    return _LIVE[job.status, type(report)]


def _verdict_on_refusal(job: JobState, report: reports.JobRefused) -> Verdict:
    if job.status in FINISHED_JOBS:
        return Verdict.NOTHING
    sent_since = job.status == JobStatus.DISPATCHED and report.dispatch < job.lease
    return Verdict.LATE if sent_since or job.status not in _WAITING else Verdict.REFUSE
