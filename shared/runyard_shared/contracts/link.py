"""What an agent and its server say to each other outside of queues: enrolment, and the messages of an agent whose network lets
only HTTPS out (`/api/v1/agent/…`)."""

from runyard_shared.contracts.base import Contract
from runyard_shared.contracts.jobs import (
    AgentHeartbeat,
    AgentStopping,
    ConnectionProbed,
    OutputChunk,
    OutputSealed,
    RegisterAgent,
)
from runyard_shared.contracts.reports import JobFinished, JobStarted

LinkMessage = (
    RegisterAgent | AgentHeartbeat | AgentStopping | ConnectionProbed | JobStarted | JobFinished | OutputChunk | OutputSealed
)
"""All that an agent may ever say."""


class AmqpAccess(Contract, frozen=True, kw_only=True):
    """`url`: of the broker, without credentials. `sealed_password`: a box for the agent's public key."""

    url: str
    namespace: str
    username: str
    sealed_password: bytes


class Enrolment(Contract, frozen=True, kw_only=True):
    """`transport`: amqp (then with `amqp`), https or local. The intervals are the dispatcher's. `server_time`: RFC 3339."""

    agent_id: str
    tenant_id: str
    name: str
    pool: str
    transport: str
    heartbeat_seconds: float
    offline_after_seconds: float
    server_time: str
    amqp: AmqpAccess | None = None
