"""Over a bus: RabbitMQ, or the bus of the process that the agent runs in.

A bus lets everyone in whom its broker knows; whoever makes the connection to RabbitMQ says what happens when that ends
(`transport.amqp`).
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from runyard_shared.contracts.jobs import AgentOrder
from runyard_shared.messaging.bus import Bus, Handler, Subscription
from runyard_shared.messaging.topology import JOB_OUTPUT, LIVE_OUTPUT, agent_mailbox


class BusTransport:
    def __init__(self, bus: Bus, tenant_id: str, agent_name: str) -> None:
        self._bus = bus
        self._mailbox = agent_mailbox(tenant_id, agent_name)
        self._on_revoked: Callable[[str], None] = lambda reason: None

    async def open(self) -> None:
        await self._bus.open()

    async def close(self) -> None:
        await self._bus.close()

    @property
    def trouble(self) -> str | None:
        return self._bus.trouble

    async def send(self, queue: str, items: Sequence[Any]) -> None:
        if queue == JOB_OUTPUT:
            # A broker that knows the agent by an account of its own copies the output by itself: there this does nothing.
            await self._bus.broadcast(LIVE_OUTPUT, items)
        await self._bus.send(queue, items)

    async def receive(self, handler: Handler[AgentOrder]) -> Subscription:
        return await self._bus.open_mailbox(self._mailbox, AgentOrder, handler)

    def on_reconnect(self, callback: Callable[[], Awaitable[None]]) -> None:
        self._bus.on_reconnect(callback)

    def on_revoked(self, callback: Callable[[str], None]) -> None:
        self._on_revoked = callback

    def revoked(self, reason: str) -> None:
        """The broker does not know the agent any more, and the server gives it no other account."""
        self._on_revoked(reason)
