"""An agent as the dispatcher sees it: who may come as it, what it offers, which leases it holds, and how well it does."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Final

from runyard_dispatcher.lifecycle import AgentStatus

if TYPE_CHECKING:
    from runyard_dispatcher.jobs import Job

VOID_SESSIONS_KEPT: Final = 50
"""A repeated registration of an ended session is told by this list; none comes that late."""

RESULT_WEIGHT: Final = 0.1
"""How much the end of one lease moves `reliability`."""


class Account(StrEnum):
    """Of the agent at the broker. `granted` is written before it is made and `none` after it is deleted, so whoever dies
    between leaves behind at most an account that is known here, with a password that nobody knows."""

    NONE = "none"
    GRANTED = "granted"
    VOID = "void"
    """It must be deleted, and its connections closed."""


@dataclass(slots=True, eq=False)
class Agent:
    """`reliability` (0 to 1) is the share of leases that ended neither by the loss of the agent nor by its fault, the latest
    weighing most. `held`: its pool is paused.

    `leases` are those of the running session, by job id. `tags`: given and announced ones.
    """

    scope: ClassVar[str] = "agent"

    agent_id: str
    tenant_id: str
    name: str
    pool: str
    created_at: datetime
    given_tags: frozenset[str] = frozenset()
    announced_tags: frozenset[str] = frozenset()
    key_hash: str | None = None
    public_key: bytes | None = None
    transport: str | None = None
    account: Account = Account.NONE
    drained: bool = False
    capacity: int = 0
    version: str = ""
    actions: list[str] = field(default_factory=list)
    session_id: str | None = None
    contact: int = 0
    registered_at: datetime | None = None
    last_heartbeat_at: datetime | None = None
    status: AgentStatus = AgentStatus.NEW
    reason: str = ""
    reliability: float = 1.0
    void_sessions: list[str] = field(default_factory=list)
    log_version: int = 0
    health: int = 0
    held: bool = False
    silent_seconds: float = 0.0
    leases: dict[str, "Job"] = field(default_factory=dict)
    tags: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self.tags = self.given_tags | self.announced_tags

    @property
    def stream_id(self) -> str:
        return self.agent_id

    @stream_id.setter
    def stream_id(self, stream_id: str) -> None:
        self.agent_id = stream_id

    @property
    def online(self) -> bool:
        return self.status is AgentStatus.ONLINE

    @property
    def revoked(self) -> bool:
        return self.status is AgentStatus.REVOKED

    @property
    def enrolled(self) -> bool:
        """A process has come with the key it has now."""
        return self.key_hash is not None and self.public_key is not None

    @property
    def free(self) -> int:
        """Slots it can still take: never more than its capacity, none while it is to get nothing."""
        available = self.status is AgentStatus.ONLINE and not self.drained and not self.held
        return self.capacity - len(self.leases) if available else 0

    def give_tags(self, tags: Iterable[str]) -> None:
        self.given_tags = frozenset(tags)
        self.tags = self.given_tags | self.announced_tags

    def announce_tags(self, tags: Iterable[str]) -> None:
        self.announced_tags = frozenset(tags)
        self.tags = self.given_tags | self.announced_tags

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
        """A lease ended: in good order, or by the loss of the agent or its fault."""
        self.reliability += RESULT_WEIGHT * ((1.0 if well else 0.0) - self.reliability)

    def void_session(self) -> None:
        """The running session has ended and never counts again."""
        if self.session_id is not None:
            self.void_sessions.append(self.session_id)
            del self.void_sessions[:-VOID_SESSIONS_KEPT]
