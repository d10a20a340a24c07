"""The events of an approval, in the log of this service. `execution_id` is the stream that asked, and is reported to.

What users see of an approval is in the execution's log, which is told by reports; this log is what the service decides from.
"""

from typing import ClassVar

from runyard_shared.contracts.base import Event
from runyard_shared.contracts.values import ApprovalStatus


class ApprovalOpened(Event, frozen=True, kw_only=True):
    """First event. Instants are RFC 3339, null for never. `channels`: as in the order; `notify`: those that are told now.
    `traceparent`: W3C trace context of the approval's span, where it is traced."""

    topic: ClassVar[str] = "approval.opened"
    execution_id: str
    root_execution_id: str
    node_id: str
    workflow_name: str
    started_by: str
    message: str
    requested_at: str
    approvers: list[str] = []
    min_approvals: int = 1
    prevent_self_approval: bool = False
    expires_at: str | None = None
    remind_at: str | None = None
    escalate_at: str | None = None
    escalate_to: list[str] = []
    channels: list[str] | None = None
    notify: list[str] = []
    traceparent: str | None = None


class ApprovalVoted(Event, frozen=True, kw_only=True):
    """One of several people approved, and more are needed. `request_id` tells a redelivery from a second answer."""

    topic: ClassVar[str] = "approval.voted"
    execution_id: str
    by: str
    note: str
    via: str
    approvals: int
    request_id: str


class ApprovalReminded(Event, frozen=True, kw_only=True):
    topic: ClassVar[str] = "approval.reminded"
    execution_id: str
    notify: list[str] = []


class ApprovalEscalated(Event, frozen=True, kw_only=True):
    """From now on these may answer as well."""

    topic: ClassVar[str] = "approval.escalated"
    execution_id: str
    to: list[str]
    notify: list[str] = []


class DeliveryFailed(Event, frozen=True, kw_only=True):
    """An attempt to tell a channel failed; there will be another one at `retry_at`."""

    topic: ClassVar[str] = "approval.delivery_failed"
    purpose: str
    channel: str
    attempts: int
    error: str
    retry_at: str


class ApprovalNotified(Event, frozen=True, kw_only=True):
    """A channel was told, or will not be: `error`, after `attempts`."""

    topic: ClassVar[str] = "approval.notified"
    execution_id: str
    purpose: str
    channel: str
    attempts: int
    error: str | None = None


class ApprovalResolved(Event, frozen=True, kw_only=True):
    """The one decision. `link`: the one-time code of the signed link that was used; `approvals`: how many had approved."""

    topic: ClassVar[str] = "approval.resolved"
    execution_id: str
    status: ApprovalStatus
    approvals: int
    by: str | None = None
    note: str = ""
    via: str | None = None
    request_id: str | None = None
    link: str | None = None


APPROVAL_EVENTS: dict[str, type[Event]] = {
    event_type.topic: event_type
    for event_type in (
        ApprovalOpened,
        ApprovalVoted,
        ApprovalReminded,
        ApprovalEscalated,
        DeliveryFailed,
        ApprovalNotified,
        ApprovalResolved,
    )
}
"""Every event of this log by its topic."""
