"""Runs one job to its end: parameters checked, action run, output sealed, one `JobFinished` made of it, whatever happens."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import structlog
from pydantic import BaseModel, ValidationError
from runyard_shared.contracts.jobs import RunJob
from runyard_shared.contracts.reports import JobFinished
from runyard_shared.contracts.values import ErrorInfo, JobStatus

from runyard_agent.actions.base import Action, Context, InvalidParams, Outcome
from runyard_agent.delivery import Delivery
from runyard_agent.leases import Lease, Stop

log = structlog.get_logger(__name__)
_OUTPUT_LIMIT: Final = 1024 * 1024


async def run_job(lease: Lease, actions: Mapping[str, Action[Any]], delivery: Delivery, agent: str) -> JobFinished:
    """Run the lease's job in the current task. The action's time, not that of delivering its output, is the duration."""
    job = lease.job
    context = Context(job, delivery)
    deadline = None
    if job.timeout_seconds > 0:
        deadline = asyncio.get_running_loop().call_later(job.timeout_seconds, lease.stop, Stop.TIMEOUT)
    began_at = time.monotonic()
    lease.interruptible = True
    try:
        outcome = await _run_action(job, actions, context) if lease.stopping is None else _stopped(lease, context)
    except asyncio.CancelledError:
        if lease.stopping is None:
            raise
        outcome = _stopped(lease, context)
    except Exception as error:
        log.exception("action raised", job_id=job.job_id, action=job.action)
        outcome = _raised(error) if lease.stopping is None else _stopped(lease, context, error)
    finally:
        lease.interruptible = False
        if deadline is not None:
            deadline.cancel()
    duration_ms = round((time.monotonic() - began_at) * 1000)
    if lease.stopping is not None and outcome.status is JobStatus.FAILED:
        outcome = _stopped(lease, context)
    return JobFinished(
        tenant_id=job.tenant_id,
        execution_id=job.execution_id,
        job_id=job.job_id,
        dispatch=job.dispatch,
        agent=agent,
        status=outcome.status,
        duration_ms=duration_ms,
        output=dict(outcome.output),
        error=outcome.error and msgspec.structs.replace(outcome.error, node_id=job.node_id, action_type=job.action),
        seals=await context.output.seal() if context.output is not None else [],
    )


def not_run(job: RunJob, agent: str) -> JobFinished:
    """The report of a job that was cancelled before it began."""
    return JobFinished(
        tenant_id=job.tenant_id,
        execution_id=job.execution_id,
        job_id=job.job_id,
        dispatch=job.dispatch,
        agent=agent,
        status=JobStatus.CANCELLED,
        duration_ms=0,
    )


async def _run_action(job: RunJob, actions: Mapping[str, Action[Any]], context: Context) -> Outcome:
    action = actions.get(job.action)
    if action is None:
        return Outcome.failed(
            "unknown_action", f"this agent has no action {job.action!r}; it has {', '.join(actions) or 'none'}"
        )
    if job.connection is not None:
        return Outcome.failed("invalid_params", f"connection {job.connection!r} was not delivered to this agent")
    try:
        outcome = await action.run(_validated(action.params, job.params), context)
    except InvalidParams as invalid:
        return Outcome.failed("invalid_params", f"parameters of {job.action}: {invalid}")
    return _deliverable(outcome) if outcome.output else outcome


def _validated(model: type[BaseModel], params: dict[str, Any]) -> BaseModel:
    try:
        return model.model_validate(params)
    except ValidationError as invalid:
        problems = [f"{'.'.join(map(str, problem['loc'])) or 'params'}: {problem['msg']}" for problem in invalid.errors()]
        raise InvalidParams(*problems) from None


def _deliverable(outcome: Outcome) -> Outcome:
    """An output that is no JSON, or more than a message may hold, must not keep other reports from being sent."""
    try:
        size = len(msgspec.json.encode(outcome.output))
    except (TypeError, ValueError, RecursionError) as error:
        return Outcome.failed("exception", f"the action's output cannot be written as JSON: {error}")
    if size > _OUTPUT_LIMIT:
        return Outcome.failed(
            "exception", f"the action's output of {size} bytes is more than the {_OUTPUT_LIMIT} that a job may return"
        )
    return outcome


def _raised(error: Exception) -> Outcome:
    return Outcome.failed("exception", f"{type(error).__name__}: {error}")


def _stopped(lease: Lease, context: Context, error: Exception | None = None) -> Outcome:
    """What a stopped job reports: its status, the output so far, and whether stopping it failed."""
    output = context.output_so_far()
    doubt = f"; stopping it failed, it may still run: {error}" if error is not None else ""
    match lease.stopping:
        case Stop.TIMEOUT:
            message = f"ran over its timeout of {lease.job.timeout_seconds:g} s and was stopped{doubt}"
            return Outcome(JobStatus.TIMEOUT, output, ErrorInfo(reason="timeout", message=message))
        case Stop.AGENT_STOPPED:
            return Outcome.failed("agent_stopped", f"the agent was stopped while the job ran{doubt}", output)
        case _:
            unconfirmed = ErrorInfo(reason="exception", message=f"cancelled{doubt}") if doubt else None
            return Outcome(JobStatus.CANCELLED, output, unconfirmed)
