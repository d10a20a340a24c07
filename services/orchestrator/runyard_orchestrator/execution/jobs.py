"""What a report does to a job, and how a job's end is the end of its node's attempt."""

from typing import TYPE_CHECKING, Any

from runyard_shared.contracts import events, reports
from runyard_shared.contracts.values import FINISHED_JOBS, ErrorInfo, JobStatus

from runyard_orchestrator.execution.lifecycle import Verdict, lease_to_come, verdict
from runyard_orchestrator.execution.state import JobState
from runyard_orchestrator.nodes.action import AGENT_LOST, after_failure

if TYPE_CHECKING:
    from runyard_orchestrator.execution.walk import Walk

MOST_IGNORED = 20
"""Reports without effect that are written down for one job: an agent that makes them up must not fill the log."""


def report_on_job(walk: "Walk", report: reports.Report) -> None:
    job = walk.state.jobs.get(report.job_id)
    if job is None:
        raise TypeError(f"execution {walk.state.execution_id} has no job {report.job_id}")
    match verdict(job, report):
        case Verdict.DISPATCH if isinstance(report, reports.JobDispatched):
            walk.emit(events.JobDispatched(job_id=report.job_id, dispatch=report.dispatch, agent=report.agent))
        case Verdict.START if isinstance(report, reports.JobStarted):
            walk.emit(
                events.JobStarted(
                    job_id=report.job_id, dispatch=report.dispatch, agent=report.agent, dispatched_at=report.dispatched_at
                )
            )
        case Verdict.FINISH if isinstance(report, reports.JobFinished):
            _finish(walk, job, report)
        case Verdict.LOSE if isinstance(report, reports.JobLost):
            error = _error_of(job, AGENT_LOST, f"agent {report.agent} was lost while the job ran: {report.reason}")
            walk.emit(events.JobFailed(job_id=report.job_id, dispatch=report.dispatch, error=error))
            after_failure(walk, job, error)
        case Verdict.REQUEUE if isinstance(report, reports.JobLost):
            _requeue(walk, job, report)
        case Verdict.WITHDRAW:
            _withdraw(walk, job, report)
        case Verdict.REFUSE if isinstance(report, reports.JobRefused):
            _refuse(walk, job, report)
        case Verdict.LATE:
            _ignore(walk, job, report)
        case _:
            pass


def _finish(walk: "Walk", job: JobState, report: reports.JobFinished) -> None:
    fields: dict[str, Any] = {
        "job_id": report.job_id,
        "dispatch": report.dispatch,
        "output": report.output,
        "duration_ms": report.duration_ms,
        "seals": report.seals,
    }
    if report.status == JobStatus.COMPLETED:
        walk.emit(events.JobCompleted(**fields))
        walk.complete(job.node_id, "success")
    elif report.status == JobStatus.CANCELLED:
        if job.queue_timeout_seconds and not job.cancel_requested:
            _time_out_in_queue(walk, job, report)
            return
        walk.emit(events.JobCancelled(reason=report.error.message if report.error else "stopped on its agent", **fields))
        _after_cancelled(walk, job)
    else:
        error = _reported_error(job, report)
        failed = events.JobTimedOut if report.status == JobStatus.TIMEOUT else events.JobFailed
        walk.emit(failed(error=error, **fields))
        after_failure(walk, job, error)


def _requeue(walk: "Walk", job: JobState, report: reports.JobLost) -> None:
    if job.cancel_requested:
        walk.emit(events.JobCancelled(job_id=report.job_id, reason=f"its agent was lost before it started: {report.reason}"))
        _after_cancelled(walk, job)
    elif job.queue_timeout_seconds:
        _time_out_in_queue(walk, job, report)
    else:
        walk.emit(events.JobRequeued(job_id=report.job_id, dispatch=report.dispatch, reason=report.reason))


def _withdraw(walk: "Walk", job: JobState, report: reports.Report) -> None:
    if job.cancel_requested:
        walk.emit(events.JobCancelled(job_id=report.job_id, reason="withdrawn before it was sent to an agent"))
        _after_cancelled(walk, job)
    elif job.queue_timeout_seconds:
        _time_out_in_queue(walk, job, report)


def _refuse(walk: "Walk", job: JobState, report: reports.JobRefused) -> None:
    """Another attempt would be refused as well."""
    if job.cancel_requested:
        _withdraw(walk, job, report)
        return
    error = _error_of(job, report.reason, report.message)
    walk.emit(events.JobFailed(job_id=report.job_id, dispatch=report.dispatch, error=error))
    walk.fail(job.node_id, error)


def _time_out_in_queue(walk: "Walk", job: JobState, report: reports.Report) -> None:
    error = _error_of(job, "queue_timeout", f"no agent started the job within {job.queue_timeout_seconds:g} s")
    walk.emit(events.JobTimedOut(job_id=report.job_id, dispatch=report.dispatch, error=error))
    after_failure(walk, job, error)


def _after_cancelled(walk: "Walk", job: JobState) -> None:
    walk.emit(events.NodeCancelled(node_id=job.node_id))
    if walk.state.may_schedule:
        walk.fail_execution(_error_of(job, "cancelled", "the job was cancelled on its agent"))


def _ignore(walk: "Walk", job: JobState, report: reports.Report) -> None:
    name, agent = type(report).__name__, getattr(report, "agent", None)
    if (name, report.dispatch, agent) in job.ignored or len(job.ignored) >= MOST_IGNORED:
        return
    outcome = f" ({report.status})" if isinstance(report, reports.JobFinished) else ""
    detail = f"{name}{outcome} of dispatch {report.dispatch} {_why_ignored(job, report, agent)}"
    walk.emit(events.JobReportIgnored(job_id=report.job_id, dispatch=report.dispatch, report=name, detail=detail, agent=agent))


def _why_ignored(job: JobState, report: reports.Report, agent: str | None) -> str:
    if job.status not in FINISHED_JOBS and report.dispatch > lease_to_come(job):
        return f"came from {agent}, but there was no such dispatch"
    if agent is not None and job.agent not in (None, agent) and report.dispatch == job.lease:
        return f"came from {agent}, but it is {job.agent} that has the job"
    return f"came after the job was {job.status}, dispatch {job.lease}"


def _reported_error(job: JobState, report: reports.JobFinished) -> ErrorInfo:
    error = report.error or ErrorInfo(reason="exception", message=f"the agent reported {report.status} without a reason")
    return ErrorInfo(
        reason=error.reason,
        message=error.message,
        node_id=job.node_id,
        action_type=job.action,
        exit_code=error.exit_code,
        status_code=error.status_code,
    )


def _error_of(job: JobState, reason: str, message: str) -> ErrorInfo:
    return ErrorInfo(reason=reason, message=message, node_id=job.node_id, action_type=job.action)
