"""The queues that a connection makes for itself, and what queues and exchanges are called on the broker."""

from pamqp import commands
from pamqp.common import FieldTable

from runyard_shared.ids import new_id
from runyard_shared.messaging.amqp.channel import Channel


def qualified(namespace: str, name: str) -> str:
    """Installations that share a broker keep apart by a prefix."""
    return f"{namespace}.{name}" if namespace else name


async def declare_own_queue(channel: Channel, queue: str, *, max_waiting: int, exchange: str | None = None) -> None:
    """A queue that lives and dies with this connection and keeps the newest `max_waiting` messages; bound to `exchange`
    if one is given. Raises `ChannelClosed` with code 405 if another connection has a queue of this name."""
    arguments: FieldTable = {"x-max-length": max_waiting, "x-overflow": "drop-head"}
    await channel.call(commands.Queue.Declare(queue=queue, exclusive=True, auto_delete=True, arguments=arguments))
    if exchange is not None:
        await channel.call(commands.Queue.Bind(queue=queue, exchange=exchange))


def listener_queue(exchange: str) -> str:
    return f"{exchange}.{new_id()}"
