"""Declares the topology: the one place that says what our queues and exchanges are made of.

`queues.py` has what a connection declares for itself.

The arguments are those that RabbitMQ 3.10 and 4.x both accept, and none is left to a default that differs between them.
"""

from typing import Final

from pamqp import commands
from pamqp.common import FieldTable

from runyard_shared.messaging.amqp.queues import qualified
from runyard_shared.messaging.amqp.wire import Wire
from runyard_shared.messaging.topology import DEAD_LETTERS, Topology

LOGIN_SECONDS: Final = 30


async def declare_topology(wire: Wire, namespace: str, topology: Topology) -> None:
    """Declare all durable queues, exchanges and bindings; those that exist already stay as they are.

    Raises `WireClosed`, `ChannelClosed` (a queue exists with other arguments), TimeoutError.
    """
    channel = await wire.open_channel()

    def full(name: str) -> str:
        return qualified(namespace, name)

    async def exchange(name: str, kind: str) -> None:
        await channel.call(commands.Exchange.Declare(exchange=full(name), exchange_type=kind, durable=True))

    for name in topology.queues:
        arguments = _work_queue(namespace, name, topology.delivery_limit)
        await channel.call(commands.Queue.Declare(queue=full(name), durable=True, arguments=arguments))
    for name in topology.exchanges:
        await exchange(name, "fanout")
    if topology.topic_exchange is not None:
        await exchange(topology.topic_exchange, "topic")
        topic = full(topology.topic_exchange)
        for pattern, name in topology.queue_bindings:
            await channel.call(commands.Queue.Bind(queue=full(name), exchange=topic, routing_key=pattern))
        for pattern, name in topology.exchange_bindings:
            await channel.call(commands.Exchange.Bind(destination=full(name), source=topic, routing_key=pattern))
    if topology.public_exchange is not None:
        await exchange(topology.public_exchange, "topic")
    await channel.close()


async def delete_topology(url: str, namespace: str, topology: Topology) -> None:
    """Remove what `declare_topology` made, with all messages in it."""
    topics = [name for name in (topology.topic_exchange, topology.public_exchange) if name is not None]
    wire = await Wire.connect(url, timeout_seconds=LOGIN_SECONDS)
    try:
        channel = await wire.open_channel()
        for name in topology.queues:
            await channel.call(commands.Queue.Delete(queue=qualified(namespace, name)))
        for name in (*topology.exchanges, *topics):
            await channel.call(commands.Exchange.Delete(exchange=qualified(namespace, name)))
    finally:
        await wire.close()


def _work_queue(namespace: str, name: str, delivery_limit: int) -> FieldTable:
    common: FieldTable = {"x-queue-type": "quorum", "x-single-active-consumer": True}
    if name == DEAD_LETTERS:
        return common
    return {
        **common,
        "x-delivery-limit": delivery_limit,
        "x-overflow": "reject-publish",
        "x-dead-letter-strategy": "at-least-once",
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": qualified(namespace, DEAD_LETTERS),
    }
