"""What traces say of jobs here: a span for each run, and one for each request that `http.request` makes. A run that an agent
reports twice is the same span: its id is made of the job and its lease."""

from urllib.parse import urlsplit

from runyard_shared.contracts.jobs import RunJob
from runyard_shared.contracts.values import JobStatus
from runyard_shared.ids import new_id
from runyard_shared.trace_context import within
from runyard_shared.tracing import Span, is_traced, record

from runyard_agent.actions.base import Outcome


def context_of_run(job: RunJob) -> str | None:
    """What goes with all that the job calls: the context of its run here, or where this agent tells of none, of the job."""
    return within(job.traceparent, job.job_id, "run", job.dispatch) if is_traced(job.traceparent) else job.traceparent


def tell_run(job: RunJob, agent: str, began_at: int, ended_at: int, outcome: Outcome) -> None:
    context = context_of_run(job)
    if context is None or not is_traced(context):
        return
    error = None
    if outcome.status is not JobStatus.COMPLETED:
        error = outcome.error.reason if outcome.error is not None else outcome.status.value
    attributes: dict[str, str | int | bool] = {
        "runyard.tenant.id": job.tenant_id,
        "runyard.execution.id": job.execution_id,
        "runyard.job.id": job.job_id,
        "runyard.job.attempt": job.attempt,
        "runyard.job.dispatch": job.dispatch,
        "runyard.job.status": outcome.status.value,
        "runyard.node.id": job.node_id,
        "runyard.action": job.action,
        "runyard.agent": agent,
    }
    record(Span(job.action, context, job.traceparent, began_at, ended_at, attributes, kind="consumer", error=error))


def context_of_call(run: str | None) -> str | None:
    """For one request of a run: its own where this agent tells of it."""
    return within(run, new_id()) if is_traced(run) else run


def tell_call(
    context: str | None, run: str | None, method: str, address: str, began_at: int, ended_at: int, answered: int | str
) -> None:
    """`address`: without what may be secret in it. `answered`: the status, or the kind of error."""
    if context is None or not is_traced(context):
        return
    url = urlsplit(address)
    attributes: dict[str, str | int | bool] = {
        "http.request.method": method,
        "url.full": address,
        "server.address": url.hostname or "",
        "server.port": url.port or (443 if url.scheme == "https" else 80),
    }
    error = answered if isinstance(answered, str) else None
    if isinstance(answered, int):
        attributes["http.response.status_code"] = answered
        error = str(answered) if answered >= 400 else None
    record(Span(method, context, run, began_at, ended_at, attributes, kind="client", error=error))
