"""Approvals, and the channels by which approvers are told."""

from typing import Annotated

from msgspec import Meta
from runyard_shared.contracts.values import ApprovalStatus

from runyard_gateway.answers.body import Body, Cursor, Id, Instant, Item


class ApprovalVote(Body):
    """An approval before the deciding answer."""

    by: str
    at: Instant
    note: str = ""
    via: str = ""


class ApprovalNotification(Body):
    """A channel was told, or could not be told: `error`."""

    channel: str
    purpose: Annotated[str, Meta(description="requested, reminder or escalation")]
    error: str | None = None
    attempts: int = 1
    at: Instant | None = None


class ApprovalRow(Body):
    """`approvers` and `escalatedTo`: names and `role:` names; empty `approvers`: anyone with automation:execute."""

    approval_id: Id
    execution_id: Id
    item: Item
    workflow_id: Id
    workflow_name: str
    node_id: str
    node_name: str
    message: str
    status: ApprovalStatus
    approvers: list[str]
    min_approvals: int
    prevent_self_approval: bool
    votes: Annotated[list[ApprovalVote], Meta(description="Approvals before the deciding answer")]
    requested_at: Instant
    expires_at: Annotated[Instant | None, Meta(description="Null: never")]
    escalated_to: list[str]
    escalated_at: Instant | None
    reminded_at: Instant | None
    responded_by: str | None
    response_note: str | None
    responded_via: Annotated[str | None, Meta(description="web, mobile, api or link")]
    responded_at: Instant | None
    notifications: list[ApprovalNotification]
    started_by: str


class ApprovalList(Body):
    items: list[ApprovalRow]
    next_cursor: Cursor


class ApprovalAnswered(Body):
    """`status` is pending while more people have to approve."""

    approval_id: Id
    status: ApprovalStatus
    responded_by: str | None
    response_note: str | None
    responded_via: str | None
    responded_at: Instant | None
    approvals: Annotated[int, Meta(description="People who have approved so far")]
    min_approvals: int


class Channel(Body):
    """`kind`: what it reaches, such as mailto, slack or json."""

    channel_id: Id
    name: str
    kind: str
    enabled: bool


class ChannelRow(Channel):
    created_at: Instant


class ChannelList(Body):
    items: list[ChannelRow]
    next_cursor: Cursor


class ChannelTested(Body):
    delivered: bool
    error: str | None
