"""What comes to an execution from others: of its jobs, its approvals, its children. They report; the execution decides.

Every report of a job names the lease (`dispatch`) it belongs to, so that a late one can be told (R40).
"""

from typing import Any

from runyard_shared.contracts.base import Message
from runyard_shared.contracts.values import ApprovalStatus, ErrorInfo, ExecutionStatus, JobStatus, StreamSeal, Trigger


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


class JobRefused(JobReport, frozen=True, kw_only=True, tag="JobRefused"):
    """From the dispatcher: no agent can ever run the job as things are set up (R52). It was waiting (`dispatch` is the last
    lease, 0 for none) and will not be sent; no retry would help.

    `reason`: connection_unknown, connection_disabled, connection_not_allowed (not in this pool), connection_wrong_kind,
    connection_unreadable (sealed with a master key that is not there), pool_unknown, agent_unknown, agent_revoked.
    """

    reason: str
    message: str


Report = JobDispatched | JobStarted | JobFinished | JobLost | JobWithdrawn | JobRefused


# --- from approvals: what became of a request. The execution writes it down, also after its end.


class ApprovalReport(Message, frozen=True, kw_only=True):
    """`execution_id`: the stream that asked, an iteration's perhaps."""

    tenant_id: str
    execution_id: str
    approval_id: str


class ApprovalVoted(ApprovalReport, frozen=True, kw_only=True, tag="ApprovalVoted"):
    """One of several people approved, and more are needed; `approvals` counts from 1, and tells a redelivery."""

    by: str
    note: str
    via: str
    approvals: int


class ApprovalReminded(ApprovalReport, frozen=True, kw_only=True, tag="ApprovalReminded"):
    """At most once for each approval."""


class ApprovalEscalated(ApprovalReport, frozen=True, kw_only=True, tag="ApprovalEscalated"):
    """At most once for each approval."""

    to: list[str]


class ApprovalNotified(ApprovalReport, frozen=True, kw_only=True, tag="ApprovalNotified"):
    """A channel was told (`error` null), or could not be told; at most once for each channel and purpose."""

    channel: str
    purpose: str
    attempts: int
    error: str | None = None


class ApprovalResolved(ApprovalReport, frozen=True, kw_only=True, tag="ApprovalResolved"):
    """The one decision. It answers a cancellation too: with what was decided before it, if anything was."""

    status: ApprovalStatus
    responded_at: str
    responded_by: str | None = None
    note: str = ""
    via: str | None = None


AnyApprovalReport = ApprovalVoted | ApprovalReminded | ApprovalEscalated | ApprovalNotified | ApprovalResolved

# --- between executions, by the orchestrator's own relay


class StartIteration(Message, frozen=True, kw_only=True):
    """Begin the stream `execution_id`: iteration `index` of a forEach node of `parent_stream_id`, which knows the rest."""

    tenant_id: str
    execution_id: str
    parent_stream_id: str
    node_id: str
    index: int


class StartTriggered(Message, frozen=True, kw_only=True):
    """Begin `execution_id`, which the trigger record `record_id` announced, of the version that is published now. If that is
    refused, the record gets a `trigger.refused`."""

    tenant_id: str
    execution_id: str
    record_id: str
    workflow_id: str
    trigger: Trigger
    started_by: str


class StartSubworkflow(Message, frozen=True, kw_only=True):
    """Begin `execution_id` of the workflow with that name or id. `parent_execution_id`: the execution that users see."""

    tenant_id: str
    execution_id: str
    parent_stream_id: str
    parent_execution_id: str
    node_id: str
    workflow: str
    inputs: dict[str, Any]
    started_by: str
    depth: int


class CancelChild(Message, frozen=True, kw_only=True):
    """The parent was cancelled, or failed."""

    tenant_id: str
    execution_id: str
    reason: str
    force: bool = False


class ChildEnded(Message, frozen=True, kw_only=True):
    """To the parent's stream `execution_id`: its child ended, or could not be started."""

    tenant_id: str
    execution_id: str
    node_id: str
    child_id: str
    index: int | None = None
    status: ExecutionStatus
    output: Any = None
    error: ErrorInfo | None = None


FamilyMessage = StartTriggered | StartIteration | StartSubworkflow | CancelChild | ChildEnded
