"""What the dispatcher and the agents tell the orchestrator about a job. They report; the execution decides.

Every report names the lease (`dispatch`) it belongs to, so that a late one can be told (R40).
"""

from typing import Any

from runyard_shared.contracts.base import Message
from runyard_shared.contracts.values import ErrorInfo, JobStatus, StreamSeal


class JobReport(Message, frozen=True, kw_only=True):
    tenant_id: str
    execution_id: str
    job_id: str
    dispatch: int


class JobDispatched(JobReport, frozen=True, kw_only=True, tag="JobDispatched"):
    """From the dispatcher: the job was sent to `agent` a moment ago and may not have started. A start that comes sooner tells
    it as well."""

    agent: str


class JobStarted(JobReport, frozen=True, kw_only=True, tag="JobStarted"):
    """From the agent. It is in the inbox, durable, before the action runs: no attempt runs that the inbox does not know."""

    agent: str
    dispatched_at: str | None = None


class JobFinished(JobReport, frozen=True, kw_only=True, tag="JobFinished"):
    """From the agent: `status` is completed, failed, timeout or cancelled."""

    agent: str
    status: JobStatus
    duration_ms: int
    output: dict[str, Any] = {}
    error: ErrorInfo | None = None
    seals: list[StreamSeal] = []


class JobLost(JobReport, frozen=True, kw_only=True, tag="JobLost"):
    """From the dispatcher: the agent of this lease is gone. The execution knows whether the job had started."""

    agent: str
    reason: str


class JobWithdrawn(JobReport, frozen=True, kw_only=True, tag="JobWithdrawn"):
    """From the dispatcher: the job was still waiting (`dispatch` is the last lease, 0 for none) and will not be sent."""


Report = JobDispatched | JobStarted | JobFinished | JobLost | JobWithdrawn


class ActionTypesAnnounced(Message, frozen=True, kw_only=True):
    """From the dispatcher: an agent registered that offers these action types, so workflows may use them."""

    tenant_id: str
    actions: list[str]
