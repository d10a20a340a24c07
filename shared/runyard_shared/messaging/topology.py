"""Every queue, exchange and mailbox by name. Nothing else in the code spells one.

Work queues are quorum queues with a single active consumer, a delivery limit and a dead-letter queue; arguments are those that
RabbitMQ 3.10 and 4.x both accept.
"""

from dataclasses import dataclass
from typing import Final

from runyard_shared.ids import partition_of

ORCHESTRATOR_PARTITIONS: Final = 2
"""As many orchestrator processes can share the work. Fewer partitions make longer lists: on two cores, one partition took at
least a tenth less CPU for an execution than four."""
APPROVALS_PARTITIONS: Final = 2
"""As many approvals processes can share the work."""
DISPATCHER_INBOX: Final = "dispatcher.inbox"
"""Placement orders from the orchestrator."""
AGENT_STATUS: Final = "dispatcher.agents"
"""Registrations and heartbeats."""
JOB_OUTPUT: Final = "projections.output"
"""Output chunks to be kept."""
PARKED: Final = "parked"
"""Messages that could not be handled, each with its reason."""

DEAD_LETTERS: Final = "dead-letters"
"""Message bodies that the broker gave up on, as they were: each took its consumer's process down again and again."""

FEED: Final = "feed"
"""The log feed (`FeedBatch` items), of all logs."""
LIVE_OUTPUT: Final = "output"
"""Output chunks as they come, for whoever watches."""


def orchestrator_inbox(stream_id: str) -> str:
    """The inbox partition of a stream (execution or workflow): commands, reports and timers."""
    return orchestrator_inbox_partition(partition_of(stream_id, ORCHESTRATOR_PARTITIONS))


def orchestrator_inbox_partition(partition: int) -> str:
    return f"orchestrator.inbox.{partition}"


def approvals_inbox(approval_id: str) -> str:
    """The inbox partition of an approval: orders, answers and timers."""
    return approvals_inbox_partition(partition_of(approval_id, APPROVALS_PARTITIONS))


def approvals_inbox_partition(partition: int) -> str:
    return f"approvals.inbox.{partition}"


def agent_mailbox(tenant_id: str, agent_name: str) -> str:
    return f"agent.{tenant_id}.{agent_name}"


def reply_mailbox(instance: str) -> str:
    return f"replies.{instance}"


@dataclass(frozen=True)
class Topology:
    """What a broker must have before anyone connects: durable queues and fanout exchanges."""

    queues: tuple[str, ...]
    exchanges: tuple[str, ...]
    delivery_limit: int = 100
    """How often a message may go back unacknowledged (each time its consumer's process or connection was lost) before it goes
    to the dead letters. High, because an outage can restart a process many times for reasons that no message caused."""


TOPOLOGY: Final = Topology(
    queues=(
        *(orchestrator_inbox_partition(n) for n in range(ORCHESTRATOR_PARTITIONS)),
        *(approvals_inbox_partition(n) for n in range(APPROVALS_PARTITIONS)),
        DISPATCHER_INBOX,
        AGENT_STATUS,
        JOB_OUTPUT,
        PARKED,
        DEAD_LETTERS,
    ),
    exchanges=(FEED, LIVE_OUTPUT),
)
