"""Values that events, commands and reports share."""

from enum import StrEnum
from typing import Any

from runyard_shared.contracts.base import Contract

NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$"
"""The names of agents, pools, tags and connections."""
TENANT = r"^[a-z0-9][a-z0-9-]{0,62}$"
"""A tenant's id is a word of a routing key: no dots."""


class Status(StrEnum):
    """Statuses are looked up on every step; a text's own hash is made once, an enum's each time."""

    __hash__ = str.__hash__


class ExecutionStatus(Status):
    """R7. `paused`: everything outstanding waits for people."""

    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class JobStatus(Status):
    """R34. `pending` waits for an agent, `dispatched` was sent and has not started."""

    PENDING = "pending"
    DISPATCHED = "dispatched"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"


class NodeStatus(Status):
    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class ApprovalStatus(Status):
    """`expired`: nobody decided in time. `cancelled`: the execution ended first."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


FINISHED_EXECUTIONS = frozenset({ExecutionStatus.COMPLETED, ExecutionStatus.FAILED, ExecutionStatus.CANCELLED})
FINISHED_JOBS = frozenset({JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.TIMEOUT, JobStatus.CANCELLED})


class Trigger(Contract, frozen=True, kw_only=True):
    """What started an execution (R12). `type`: manual, webhook, cron or incident; the rest as applicable."""

    type: str
    user: str | None = None
    webhook_id: str | None = None
    scheduled_at: str | None = None
    event: str | None = None
    incident_id: str | None = None
    payload: dict[str, Any] | None = None


class Parent(Contract, frozen=True, kw_only=True):
    """The node that waits for a child (an iteration of a forEach, or the execution of a subworkflow), and its stream.

    `index`: which iteration it is, from 0; null for a subworkflow.
    """

    stream_id: str
    node_id: str
    index: int | None = None


class ErrorInfo(Contract, frozen=True, kw_only=True):
    """Why a job, a node or an execution failed.

    `reason` is stable: exit_code, http_status, refused (the other end said no: a mail server, a database, a host that lets the
    user not in), host_key_unknown, host_key_changed (which may be an attack), rollout_failed, timeout, agent_lost,
    agent_stopped, exception, invalid_params, unknown_action, expression, template, execution_timeout, queue_timeout, cancelled,
    approval_rejected, approval_expired, approval_cancelled, item_failed, not_a_list, too_many_items, child_failed,
    child_cancelled, child_not_started, no_edge, credentials_undelivered (the agent got no connection it can open),
    and those of `JobRefused`.
    """

    reason: str
    message: str
    node_id: str | None = None
    action_type: str | None = None
    exit_code: int | None = None
    status_code: int | None = None


class StreamSeal(Contract, frozen=True, kw_only=True):
    """Closes one output stream of a job (R15): how many chunks and bytes there are, and the SHA-256 (hex) of them all."""

    stream: str
    chunks: int
    size: int
    sha256: str


REFUSALS = frozenset(
    {
        "connection_unknown",
        "connection_disabled",
        "connection_not_allowed",
        "connection_wrong_kind",
        "connection_unreadable",
        "pool_unknown",
        "agent_unknown",
        "agent_revoked",
    }
)
"""Reasons of a job that the dispatcher refused (`JobRefused`)."""
AGENT_FAULTS = frozenset({"agent_lost", "agent_stopped", "exception", "unknown_action", "credentials_undelivered"})
"""Reasons of a failed job that say something of its agent: they count against its health."""
