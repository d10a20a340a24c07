"""An agent as the dispatcher sees it: what it offers, which leases it holds, and how well it does."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

from runyard_dispatcher.lifecycle import AgentStatus

if TYPE_CHECKING:
    from runyard_dispatcher.jobs import Job

VOID_SESSIONS_KEPT: Final = 50
"""A repeated registration of an ended session is told by this list; none comes that late."""

RESULT_WEIGHT: Final = 0.1
"""How much the end of one lease moves `reliability`."""


@dataclass(slots=True, eq=False)
class Agent:
    """`reliability` (0 to 1) is the share of leases that did not end by the loss of the agent, the latest weighing most.

    `leases` are those of the running session, by job id.
    """

    agent_id: str
    tenant_id: str
    name: str
    pool: str
    tags: frozenset[str]
    capacity: int
    version: str
    actions: list[str]
    session_id: str
    registered_at: datetime
    last_heartbeat_at: datetime
    status: AgentStatus = AgentStatus.ONLINE
    reason: str = ""
    reliability: float = 1.0
    void_sessions: list[str] = field(default_factory=list)
    log_version: int = 0
    health: int = 100
    silent_seconds: float = 0.0
    leases: dict[str, "Job"] = field(default_factory=dict)

    @property
    def online(self) -> bool:
        return self.status is AgentStatus.ONLINE

    @property
    def free(self) -> int:
        """Slots it can still take: never more than its capacity, none while it is offline."""
        return self.capacity - len(self.leases) if self.status is AgentStatus.ONLINE else 0

    def refresh_health(self, heartbeat_seconds: float, offline_after_seconds: float) -> None:
        """health = 100 x freshness x reliability, 0 while offline.

        Freshness is 1 up to one and a half heartbeat intervals of silence, and falls evenly to 0 where the agent is declared
        offline.
        """
        fresh_until = min(1.5 * heartbeat_seconds, offline_after_seconds)
        late = self.silent_seconds - fresh_until
        freshness = 1.0 if late <= 0 else max(0.0, 1 - late / (offline_after_seconds - fresh_until or late))
        self.health = round(100 * freshness * self.reliability) if self.online else 0

    def count_result(self, well: bool) -> None:
        """A lease ended: in good order, or by the loss of the agent."""
        self.reliability += RESULT_WEIGHT * ((1.0 if well else 0.0) - self.reliability)

    def void_session(self) -> None:
        """The running session has ended and never counts again."""
        self.void_sessions.append(self.session_id)
        del self.void_sessions[:-VOID_SESSIONS_KEPT]
