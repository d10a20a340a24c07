"""The life of a job, as a table. What a report means depends only on this.

    status      | JobDispatched   | JobStarted | JobFinished | JobLost                  | JobWithdrawn | JobRefused
    ------------|-----------------|------------|-------------|--------------------------|--------------|-----------
    pending     | -> dispatched   | -> running | -> ended    | requeue (stays pending)  | -> cancelled | -> failed
    dispatched  | same: nothing   | -> running | -> ended    | requeue -> pending       | -> cancelled | -> failed
    running     | same: nothing   | nothing    | -> ended    | -> failed (agent_lost)   | nothing      | late
    ended       | nothing         | nothing    | late        | nothing                  | nothing      | nothing

A report counts only for the current lease: above every lease that was given up (`voided`), not below the one already known.
Anything else that an agent says is kept as `job.report_ignored`, without effect (R40): of an older lease, of one that was never
made, of one that another agent holds. Its holder is whom the dispatcher names, and until it does, the first to say that it
started the job: a JobStarted may overtake its JobDispatched, since they come from two senders. If the dispatcher then names the
same agent, that changes nothing; if another, that one has the job.
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


_WAITING = (JobStatus.PENDING, JobStatus.DISPATCHED)


def verdict(job: JobState, report: reports.Report) -> Verdict:
    """What `report` does to the job."""
    match report:
        case reports.JobWithdrawn():
            return Verdict.WITHDRAW if job.status in _WAITING else Verdict.NOTHING
        case reports.JobRefused():
            return _verdict_on_refusal(job, report)
        case reports.JobStarted() | reports.JobFinished():
            return _verdict_on_agent(job, report)
        case _:
            return _verdict_on_lease(job, report)


def lease_to_come(job: JobState) -> int:
    """The one lease of which its agent may have something to say: the dispatcher makes no other before this one is void."""
    return job.voided + 1 if job.status == JobStatus.PENDING else job.lease


def _verdict_on_agent(job: JobState, report: reports.JobStarted | reports.JobFinished) -> Verdict:
    current = report.dispatch == lease_to_come(job) and job.agent in (None, report.agent)
    if job.status in FINISHED_JOBS:
        # The JobFinished that ended it comes again as a redelivery, not as news.
        again = job.ended_by_report and current
        return Verdict.LATE if isinstance(report, reports.JobFinished) and not again else Verdict.NOTHING
    return _LIVE[job.status, type(report)] if current else Verdict.LATE


def _verdict_on_lease(job: JobState, report: reports.JobDispatched | reports.JobLost) -> Verdict:
    if job.status in FINISHED_JOBS or report.dispatch <= job.voided or report.dispatch < job.lease:
        return Verdict.NOTHING
    if isinstance(report, reports.JobDispatched) and (report.dispatch, report.agent) != (job.lease, job.agent):
        return Verdict.DISPATCH
    return _LIVE[job.status, type(report)]


def _verdict_on_refusal(job: JobState, report: reports.JobRefused) -> Verdict:
    if job.status in FINISHED_JOBS:
        return Verdict.NOTHING
    sent_since = job.status == JobStatus.DISPATCHED and report.dispatch < job.lease
    return Verdict.LATE if sent_since or job.status not in _WAITING else Verdict.REFUSE
