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
DISPATCHER_COMMANDS: Final = "dispatcher.commands"
"""Requests of the gateway about agents, pools and connections."""
AGENT_STATUS: Final = "dispatcher.agents"
"""Registrations and heartbeats."""
JOB_OUTPUT: Final = "projections.output"
"""Output chunks to be kept."""
PROJECTIONS_COMMANDS: Final = "projections.commands"
"""Requests of the gateway to the projections."""
PARKED: Final = "parked"
"""Messages that could not be handled, each with its reason."""

DEAD_LETTERS: Final = "dead-letters"
"""Message bodies that the broker gave up on, as they were: each took its consumer's process down again and again."""

FEED: Final = "feed"
"""The log feed (`FeedBatch` items), of all logs."""
LIVE_OUTPUT: Final = "output"
"""Output chunks as they come, for whoever watches."""


AGENTS: Final = "agents"
"""The topic exchange that agents with an account of their own publish to, and nowhere else. Routing keys are
`<tenant>.<agent name>.<destination>`; a tenant and a destination have no dot in them."""

PUBLIC_EVENTS: Final = "runyard.events"
"""The topic exchange for other programs, which bind queues of their own to it: batches of CloudEvents (`public_events`), under
routing keys `<tenant>.<topic>`, such as acme.job.completed."""


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


def relay_mailbox(log: str) -> str:
    """Of the process that relays a log: what the others commit."""
    return f"relay.{log}"


def agent_destinations() -> dict[str, str]:
    """By queue: the last word of the routing key by which an agent reaches it. What goes to `output` reaches `LIVE_OUTPUT`
    too."""
    inboxes = {orchestrator_inbox_partition(n): f"orchestrator-{n}" for n in range(ORCHESTRATOR_PARTITIONS)}
    return {AGENT_STATUS: "status", JOB_OUTPUT: "output", **inboxes}


def agent_routing_key(tenant_id: str, agent_name: str, queue: str) -> str:
    """Raises `KeyError` for a queue that is none of an agent's business."""
    return f"{tenant_id}.{agent_name}.{agent_destinations()[queue]}"


def sender_of(routing_key: str) -> tuple[str, str]:
    """(tenant, agent name) of a message that came by `AGENTS`."""
    tenant_id, _, rest = routing_key.partition(".")
    return tenant_id, rest.rpartition(".")[0]


@dataclass(frozen=True)
class Topology:
    """What a broker must have before anyone connects: durable queues, fanout exchanges, `topic_exchange`, from which the
    (pattern, queue) and (pattern, exchange) bindings lead on, and `public_exchange`, a topic exchange that others bind to."""

    queues: tuple[str, ...]
    exchanges: tuple[str, ...]
    topic_exchange: str | None = None
    queue_bindings: tuple[tuple[str, str], ...] = ()
    exchange_bindings: tuple[tuple[str, str], ...] = ()
    public_exchange: str | None = None
    delivery_limit: int = 100
    """How often a message may go back unacknowledged (each time its consumer's process or connection was lost) before it goes
    to the dead letters. High, because an outage can restart a process many times for reasons that no message caused."""


TOPOLOGY: Final = Topology(
    queues=(
        *(orchestrator_inbox_partition(n) for n in range(ORCHESTRATOR_PARTITIONS)),
        *(approvals_inbox_partition(n) for n in range(APPROVALS_PARTITIONS)),
        DISPATCHER_INBOX,
        DISPATCHER_COMMANDS,
        AGENT_STATUS,
        JOB_OUTPUT,
        PROJECTIONS_COMMANDS,
        PARKED,
        DEAD_LETTERS,
    ),
    exchanges=(FEED, LIVE_OUTPUT),
    topic_exchange=AGENTS,
    queue_bindings=tuple((f"#.{word}", queue) for queue, word in agent_destinations().items()),
    exchange_bindings=((f"#.{agent_destinations()[JOB_OUTPUT]}", LIVE_OUTPUT),),
    public_exchange=PUBLIC_EVENTS,
)
