"""Declares the topology: the one place that says what our queues and exchanges are made of.

`queues.py` has what a connection declares for itself, so that an agent needs nothing of what this module imports.

The arguments are those that RabbitMQ 3.10 and 4.x both accept, and none is left to a default that differs between them.
"""

import asyncio
from typing import Final

import aio_pika
from aio_pika.exceptions import AMQPError
from faststream.rabbit import ExchangeType, QueueType, RabbitBroker, RabbitExchange, RabbitQueue

from runyard_shared.messaging.amqp.queues import qualified
from runyard_shared.messaging.topology import DEAD_LETTERS, Topology

DECLARE_SECONDS: Final = 30


async def declare_topology(url: str, namespace: str, topology: Topology) -> None:
    """Declare all durable queues, exchanges and bindings; those that exist already stay as they are.

    Whoever is cancelled meanwhile waits until it is done, for moments as a rule: a connection that reconnects by itself cannot
    be ended while it is being made.

    Raises `ConnectionError` (also if a queue exists with other arguments), OSError, TimeoutError.
    """
    declaring = asyncio.create_task(_declare(url, namespace, topology), name="declaring the topology")
    try:
        await asyncio.shield(declaring)
    except AMQPError as problem:
        raise ConnectionError(f"the topology cannot be declared: {problem}") from problem
    except asyncio.CancelledError:
        await asyncio.gather(declaring, return_exceptions=True)
        raise


async def _declare(url: str, namespace: str, topology: Topology) -> None:
    broker = RabbitBroker(url, logger=None)
    async with asyncio.timeout(DECLARE_SECONDS):
        try:
            await broker.connect()
            queues = {
                name: await broker.declare_queue(_work_queue(namespace, name, topology.delivery_limit))
                for name in topology.queues
            }
            exchanges = {
                name: await broker.declare_exchange(_exchange(namespace, name, ExchangeType.FANOUT))
                for name in topology.exchanges
            }
            if topology.topic_exchange is not None:
                topic = await broker.declare_exchange(_exchange(namespace, topology.topic_exchange, ExchangeType.TOPIC))
                for pattern, name in topology.queue_bindings:
                    await queues[name].bind(topic, pattern)
                for pattern, name in topology.exchange_bindings:
                    await exchanges[name].bind(topic, pattern)
            if topology.public_exchange is not None:
                await broker.declare_exchange(_exchange(namespace, topology.public_exchange, ExchangeType.TOPIC))
        finally:
            await broker.stop()


async def delete_topology(url: str, namespace: str, topology: Topology) -> None:
    """Remove what `declare_topology` made, with all messages in it."""
    topics = [name for name in (topology.topic_exchange, topology.public_exchange) if name is not None]
    async with asyncio.timeout(DECLARE_SECONDS), await aio_pika.connect(url) as connection, connection.channel() as channel:
        for name in topology.queues:
            await channel.queue_delete(qualified(namespace, name))
        for name in (*topology.exchanges, *topics):
            await channel.exchange_delete(qualified(namespace, name))


def _exchange(namespace: str, name: str, kind: ExchangeType) -> RabbitExchange:
    return RabbitExchange(qualified(namespace, name), type=kind, durable=True)


def _work_queue(namespace: str, name: str, delivery_limit: int) -> RabbitQueue:
    return RabbitQueue(
        qualified(namespace, name),
        queue_type=QueueType.QUORUM,
        durable=True,
        arguments={
            "x-single-active-consumer": True,
            "x-delivery-limit": delivery_limit,
            "x-overflow": "reject-publish",
            "x-dead-letter-strategy": "at-least-once",
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": qualified(namespace, DEAD_LETTERS),
        }
        if name != DEAD_LETTERS
        else {"x-single-active-consumer": True},
    )
