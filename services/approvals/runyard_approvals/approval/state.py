"""What an approval is, made of its events by `evolve` alone."""

from dataclasses import dataclass, field
from datetime import datetime

from runyard_shared.contracts.values import ApprovalStatus

from runyard_approvals.approval.events import ApprovalOpened, ApprovalResolved
from runyard_approvals.approval.lifecycle import Purpose


@dataclass(frozen=True)
class Vote:
    """One person's approval while more were needed."""

    by: str
    request_id: str


@dataclass(frozen=True)
class Delivery:
    """The message of one purpose to one channel, and the timer that stands for it until it is done with."""

    purpose: Purpose
    channel: str

    @property
    def timer_id(self) -> str:
        return f"notify:{self.purpose}:{self.channel}"

    @classmethod
    def of_timer(cls, timer_id: str) -> "Delivery":
        """The other way round. Raises `ValueError` for a timer of another kind."""
        _, purpose, channel = timer_id.split(":", 2)
        return cls(Purpose(purpose), channel)


@dataclass(frozen=True)
class ApprovalState:
    approval_id: str
    tenant_id: str
    opened: ApprovalOpened
    version: int = 1
    """Of the event stream."""
    votes: tuple[Vote, ...] = ()
    reminded: bool = False
    escalated: bool = False
    outstanding: dict[Delivery, int] = field(default_factory=dict)
    """What is to be delivered, with the attempts that have failed."""
    resolved: ApprovalResolved | None = None
    resolved_at: datetime | None = None

    @property
    def status(self) -> ApprovalStatus:
        return self.resolved.status if self.resolved is not None else ApprovalStatus.PENDING

    @property
    def approvals(self) -> int:
        """How many have approved."""
        return self.resolved.approvals if self.resolved is not None else len(self.votes)

    @property
    def approvers(self) -> list[str]:
        """Who may answer: names, and roles as `role:name`. Empty: everybody."""
        opened = self.opened
        return [*opened.approvers, *opened.escalate_to] if self.escalated and opened.approvers else opened.approvers
