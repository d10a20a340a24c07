"""Declares the topology: the one place that says what our queues and exchanges are made of.

The arguments are those that RabbitMQ 3.10 and 4.x both accept, and none is left to a default that differs between them.
"""

import asyncio
from typing import Final

from faststream.rabbit import ExchangeType, QueueType, RabbitBroker, RabbitExchange, RabbitQueue
from pamqp import commands
from pamqp.common import FieldTable

from runyard_shared.ids import new_id
from runyard_shared.messaging.amqp.channel import Channel
from runyard_shared.messaging.topology import DEAD_LETTERS, Topology

DECLARE_SECONDS: Final = 30


def qualified(namespace: str, name: str) -> str:
    """Installations that share a broker keep apart by a prefix."""
    return f"{namespace}.{name}" if namespace else name


async def declare_topology(url: str, namespace: str, topology: Topology) -> None:
    """Declare all durable queues and exchanges; those that exist already stay as they are.

    Raises OSError, `aio_pika.exceptions.AMQPError` (a queue exists with other arguments), TimeoutError.
    """
    broker = RabbitBroker(url, logger=None)
    async with asyncio.timeout(DECLARE_SECONDS):
        try:
            await broker.connect()
            for name in topology.queues:
                await broker.declare_queue(_work_queue(namespace, name, topology.delivery_limit))
            for name in topology.exchanges:
                await broker.declare_exchange(
                    RabbitExchange(qualified(namespace, name), type=ExchangeType.FANOUT, durable=True)
                )
        finally:
            await broker.stop()


async def delete_topology(url: str, namespace: str, topology: Topology) -> None:
    """Remove what `declare_topology` made, with all messages in it."""
    broker = RabbitBroker(url, logger=None)
    async with asyncio.timeout(DECLARE_SECONDS):
        try:
            channel = await (await broker.connect()).channel()
            for name in topology.queues:
                await channel.queue_delete(qualified(namespace, name))
            for name in topology.exchanges:
                await channel.exchange_delete(qualified(namespace, name))
        finally:
            await broker.stop()


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


async def declare_own_queue(channel: Channel, queue: str, *, max_waiting: int, exchange: str | None = None) -> None:
    """A queue that lives and dies with this connection and keeps the newest `max_waiting` messages; bound to `exchange`
    if one is given. Raises `ChannelClosed` with code 405 if another connection has a queue of this name."""
    arguments: FieldTable = {"x-max-length": max_waiting, "x-overflow": "drop-head"}
    await channel.call(commands.Queue.Declare(queue=queue, exclusive=True, auto_delete=True, arguments=arguments))
    if exchange is not None:
        await channel.call(commands.Queue.Bind(queue=queue, exchange=exchange))


def listener_queue(exchange: str) -> str:
    return f"{exchange}.{new_id()}"
