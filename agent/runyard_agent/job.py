"""Runs one job to its end: connection opened, parameters checked, action run, output sealed, one `JobFinished` made of it,
whatever happens. No secret of the connection is in anything that leaves here: output, error, log."""

import asyncio
import time
import traceback
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import msgspec
import structlog
from pydantic import BaseModel, ValidationError
from runyard_shared.contracts.connections import OpenedConnection
from runyard_shared.contracts.jobs import RunJob
from runyard_shared.contracts.reports import JobFinished
from runyard_shared.contracts.values import ErrorInfo, JobStatus
from runyard_shared.sealing import CannotOpen, OpeningKey

from runyard_agent.actions.base import Action, Context, InvalidParams, Outcome
from runyard_agent.connection import open_connection
from runyard_agent.delivery import Delivery
from runyard_agent.leases import Lease, Stop
from runyard_agent.redacted_log import kept_from_log
from runyard_agent.redaction import NO_SECRETS, Redactor
from runyard_agent.spans import context_of_run, tell_run

log = structlog.get_logger(__name__)
_OUTPUT_LIMIT: Final = 1024 * 1024


async def run_job(
    lease: Lease, actions: Mapping[str, Action[Any]], delivery: Delivery, agent: str, key: OpeningKey
) -> JobFinished:
    """Run the lease's job in the current task. `key` opens its connection. The action's time, not that of delivering its
    output, is the duration."""
    job = lease.job
    opened = _opened(job, key)
    connection = opened if isinstance(opened, OpenedConnection) else None
    redactor = Redactor(connection.secrets.values()) if connection is not None else NO_SECRETS
    context = Context(job, delivery, connection, redactor, traceparent=context_of_run(job))
    deadline = None
    if job.timeout_seconds > 0:
        deadline = asyncio.get_running_loop().call_later(job.timeout_seconds, lease.stop, Stop.TIMEOUT)
    began_at, began_at_ns = time.monotonic(), time.time_ns()
    lease.interruptible = True
    try:
        if lease.stopping is not None:
            outcome = _stopped(lease, context)
        elif isinstance(opened, Outcome):
            outcome = opened
        else:
            with kept_from_log(redactor):
                outcome = _deliverable(await _run_action(job, actions, context), redactor)
    except asyncio.CancelledError:
        if lease.stopping is None:
            raise
        outcome = _stopped(lease, context)
    except Exception as error:  # noqa: BLE001 - logged without its secrets, which log.exception would print
        raised = redactor.text("".join(traceback.format_exception(error)))
        log.error("action raised", job_id=job.job_id, action=job.action, exception=raised)
        outcome = _raised(error) if lease.stopping is None else _stopped(lease, context, error)
    finally:
        lease.interruptible = False
        if deadline is not None:
            deadline.cancel()
    duration_ms = round((time.monotonic() - began_at) * 1000)
    if lease.stopping is not None and outcome.status is JobStatus.FAILED:
        outcome = _stopped(lease, context)
    tell_run(job, agent, began_at_ns, began_at_ns + duration_ms * 1_000_000, outcome)
    return JobFinished(
        tenant_id=job.tenant_id,
        execution_id=job.execution_id,
        job_id=job.job_id,
        dispatch=job.dispatch,
        agent=agent,
        status=outcome.status,
        duration_ms=duration_ms,
        output=dict(outcome.output),
        error=outcome.error and _error(outcome.error, job, redactor),
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
    unfit = _unfit(job.action, action, context.connection)
    if unfit is not None:
        return Outcome.failed("invalid_params", unfit)
    try:
        return await action.run(_validated(action.params, job.params), context)
    except InvalidParams as invalid:
        return Outcome.failed("invalid_params", f"parameters of {job.action}: {invalid}")


def _opened(job: RunJob, key: OpeningKey) -> OpenedConnection | Outcome | None:
    """The job's connection, if it names one; or why the job fails."""
    if job.connection is None:
        return None
    try:
        if job.sealed_connection is None:
            raise CannotOpen("no sealed box came with the job")
        connection = open_connection(key, job.sealed_connection)
        if connection.name != job.connection:
            raise CannotOpen(f"the sealed box holds connection {connection.name!r}")
    except CannotOpen as closed:
        log.warning("connection not delivered", job_id=job.job_id, connection=job.connection, reason=str(closed))
        return Outcome.failed(
            "credentials_undelivered",
            f"connection {job.connection!r} did not reach this agent: {closed}. Run the job again; if that does not help, "
            "restart the agent, so that it enrols anew with the key it has now",
        )
    return connection


def _unfit(action_type: str, action: Action[Any], connection: OpenedConnection | None) -> str | None:
    """What is wrong with the choice of the connection, and what to do."""
    kinds = " or ".join(action.connections)
    if connection is None:
        if not action.needs_connection:
            return None
        return f"{action_type} needs a connection of the kind {kinds}: name one in the node's `connection`"
    if connection.kind in action.connections:
        return None
    takes = f"one of the kind {kinds}" if kinds else "none: take `connection` out of the node"
    return f"connection {connection.name!r} is of the kind {connection.kind}, and {action_type} can use {takes}"


def _validated(model: type[BaseModel], params: dict[str, Any]) -> BaseModel:
    try:
        return model.model_validate(params)
    except ValidationError as invalid:
        problems = [f"{'.'.join(map(str, problem['loc'])) or 'params'}: {problem['msg']}" for problem in invalid.errors()]
        raise InvalidParams(*problems) from None


def _deliverable(outcome: Outcome, redactor: Redactor) -> Outcome:
    """An output that is no JSON, or more than a message may hold, must not keep other reports from being sent."""
    if not outcome.output:
        return outcome
    try:
        output = redactor.value(msgspec.to_builtins(outcome.output, str_keys=True)) if redactor else outcome.output
        size = len(msgspec.json.encode(output))
    except (TypeError, ValueError, RecursionError) as error:
        return Outcome.failed("exception", f"the action's output cannot be written as JSON: {error}")
    if size > _OUTPUT_LIMIT:
        return Outcome.failed(
            "exception", f"the action's output of {size} bytes is more than the {_OUTPUT_LIMIT} that a job may return"
        )
    return replace(outcome, output=output)


def _error(error: ErrorInfo, job: RunJob, redactor: Redactor) -> ErrorInfo:
    return msgspec.structs.replace(
        error,
        reason=redactor.text(error.reason),
        message=redactor.text(error.message),
        node_id=job.node_id,
        action_type=job.action,
    )


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
