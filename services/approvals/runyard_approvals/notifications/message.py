"""What people are told: plain text, the same for every channel."""

from dataclasses import dataclass
from datetime import datetime

from runyard_shared.clock import rfc3339

from runyard_approvals.approval.lifecycle import Purpose
from runyard_approvals.approval.state import ApprovalState

_TITLES = {
    Purpose.REQUESTED: "Approval wanted",
    Purpose.REMINDER: "Reminder: approval wanted",
    Purpose.ESCALATION: "Escalated: approval wanted",
}


@dataclass(frozen=True)
class Message:
    title: str
    body: str


def message_of(state: ApprovalState, purpose: Purpose, public_url: str, link: tuple[str, datetime] | None = None) -> Message:
    """`link`: a signed link, and until when it holds."""
    opened = state.opened
    who = ", ".join(state.approvers) if state.approvers else "anyone who may run workflows"
    if opened.min_approvals > 1:
        who += f" ({opened.min_approvals - state.approvals} more of {opened.min_approvals} must approve)"
    if opened.prevent_self_approval:
        who += f", but not {opened.started_by}"
    lines = [
        opened.message,
        "",
        f"Workflow: {_one_line(opened.workflow_name)}",
        f"Started by: {opened.started_by}",
        f"Who may answer: {who}",
        f"Expires: {opened.expires_at or 'never'}",
        f"Details: {public_url}/automation/executions/{opened.root_execution_id}",
    ]
    if link is not None:
        url, holds_until = link
        lines.append(f"Answer without signing in (once, until {rfc3339(holds_until)}): {url}")
    return Message(f"{_TITLES[purpose]}: {_one_line(opened.workflow_name)}", "\n".join(lines))


def test_message_of(channel: str) -> Message:
    """To see whether a channel works."""
    return Message("Test message from Runyard", f"The channel {channel!r} works.")


def _one_line(text: str) -> str:
    """Titles become headers of mails."""
    return " ".join(text.split())
