"""Publishes to an exchange that other programs bind to: many messages one after the other, all confirmed, none mandatory.

Unlike a `Sender` it keeps nothing: when the connection goes, whoever publishes is told, and publishes all of it again.
"""

import asyncio
from collections.abc import Sequence

from runyard_shared.errors import Unavailable
from runyard_shared.messaging.amqp.channel import Channel, WireClosed
from runyard_shared.messaging.amqp.frames import publish_head
from runyard_shared.messaging.amqp.wire import Wire
from runyard_shared.messaging.bus import Publication
from runyard_shared.messaging.call import Call


class Publisher:
    def __init__(self) -> None:
        self._wire: Wire | None = None
        self._channel: Channel | None = None
        self._why_not = "not connected yet"
        self._calls: set[Call] = set()

    def attach(self, wire: Wire, channel: Channel) -> None:
        """Publish on this channel from now on."""
        self._wire, self._channel = wire, channel

    def detach(self, reason: str) -> None:
        """What was not confirmed may be lost."""
        self._wire = self._channel = None
        self._why_not = reason
        for call in tuple(self._calls):
            call.settle(reason)

    async def publish(
        self, exchange: str, content_type: str, publications: Sequence[Publication], timeout_seconds: float
    ) -> None:
        """Returns when all are confirmed. Raises `Unavailable`."""
        if not publications:
            return
        wire, channel = self._wire, self._channel
        if wire is None or channel is None:
            raise Unavailable(self._why_not)
        call = Call(len(publications))
        self._calls.add(call)
        try:
            async with asyncio.timeout(timeout_seconds):
                for routing_key, body in publications:
                    # On the one channel: what follows on the next connection must not overtake what was lost with this one.
                    head = publish_head(channel.number, exchange, routing_key, False)
                    channel.publish_safely(routing_key, head, body, call.settle, content_type)
                    await wire.writable()
                await call.future
        except WireClosed as problem:
            raise Unavailable(f"RabbitMQ is away: {problem}") from None
        except TimeoutError:
            raise Unavailable(f"RabbitMQ did not confirm what was published in {timeout_seconds:g} s") from None
        finally:
            self._calls.discard(call)
            if call.future.done() and not call.future.cancelled():
                call.future.exception()  # what is raised here tells it
