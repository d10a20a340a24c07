"""Agents and pools."""

from typing import Annotated, Literal

from msgspec import Meta

from runyard_gateway.answers.body import Body, Cursor, Id, Instant
from runyard_gateway.shown_once import ShownOnce


class AgentRow(Body):
    """`status`: new (has not enrolled with its key yet), online, draining (online, and gets nothing new), offline or revoked.
    `reason`: why it is not online. `health` is 0 to 100."""

    agent_id: Id
    name: str
    pool: str
    tags: list[str]
    actions: Annotated[list[str], Meta(description="The action types it offers")]
    version: str
    status: Literal["new", "online", "offline", "draining", "revoked"]
    drained: Annotated[bool, Meta(description="It gets nothing new until it is resumed, online or not")]
    reason: str | None
    health: int
    running: Annotated[int, Meta(description="Jobs it holds")]
    capacity: Annotated[int, Meta(description="Jobs it may hold at once; 0 before it first came")]
    transport: Annotated[str | None, Meta(description="amqp, https or local; null before it first came")]
    key_fingerprint: Annotated[str | None, Meta(description="Of the public key it enrolled with")]
    created_at: Instant
    registered_at: Instant | None
    last_heartbeat_at: Instant | None


class AgentList(Body):
    items: list[AgentRow]
    next_cursor: Cursor


class AgentKeyMade(Body):
    """`command` starts the agent with its key, on a machine where runyard-agent is installed."""

    agent_id: Id
    name: str
    key: ShownOnce
    command: str


class AgentMade(AgentKeyMade):
    pool: str
    tags: list[str]


class OwnAgent(Body):
    """What an agent's key is of."""

    agent_id: Id
    tenant_id: str
    name: str
    pool: str
    status: str
    server_time: Instant


class PoolRow(Body):
    """`capacity`: of its online agents. `waiting`: jobs that wait for it."""

    name: str
    description: str
    paused: bool
    paused_by: str | None
    pause_reason: str | None
    agents: int
    online: int
    capacity: int
    running: int
    waiting: int


class PoolList(Body):
    items: list[PoolRow]
    next_cursor: Cursor
