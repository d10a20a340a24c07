"""The consumer: binds its queue, catches up over HTTP, goes on live, and does so again whenever anything was lost.

The queue is durable, so the broker keeps what comes while this process is away. History is read all the same at each beginning:
the queue may be new, or somebody may have deleted it. Events that come both ways are told by (source, id).
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import aio_pika
import aio_pika.abc
import httpx

from runyard_consumer.history import LOGS, History
from runyard_consumer.ledger import Ledger

PREFETCH = 20
SETTLE_AT = 5_000
"""With so many ids in memory, what is behind is settled by reading it once more over HTTP."""
SETTLE_EVERY_SECONDS = 300.0
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0

log = logging.getLogger(__name__)

Effect = Callable[[dict[str, Any]], Awaitable[None]]
"""What is to be done for an event. It may be done again if the process dies right after it."""


class Consumer:
    def __init__(
        self, amqp_url: str, exchange: str, queue: str, binding: str, history: History, ledger: Ledger, effect: Effect | None
    ) -> None:
        self._amqp_url = amqp_url
        self._exchange = exchange
        self._queue = queue
        self._binding = binding
        self._history = history
        self._ledger = ledger
        self._effect = effect

    async def run(self) -> None:
        """For ever."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                async with await aio_pika.connect(self._amqp_url) as connection:
                    await self._consume(connection)
                log.warning("the connection to the broker has ended")
                pause = FIRST_PAUSE_SECONDS
            except (OSError, aio_pika.exceptions.AMQPError, httpx.HTTPError, TimeoutError) as problem:
                log.warning("again in %.1f s: %r", pause, problem)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _consume(self, connection: aio_pika.abc.AbstractConnection) -> None:
        channel = await connection.channel()
        await channel.set_qos(PREFETCH)
        queue = await channel.declare_queue(self._queue, durable=True, arguments={"x-queue-type": "quorum"})
        # By its name alone: the account may not declare the exchange.
        await queue.bind(self._exchange, self._binding)
        await self.catch_up()  # after the queue was bound, so that nothing falls between
        log.info("live from %s", self._ledger.positions)
        settled = asyncio.get_running_loop().time()
        async with queue.iterator() as messages:
            async for message in messages:
                await self._handle(json.loads(message.body))
                await message.ack()
                now = asyncio.get_running_loop().time()
                if self._ledger.unsettled >= SETTLE_AT or now - settled > SETTLE_EVERY_SECONDS:
                    await self.catch_up()
                    settled = now

    async def catch_up(self) -> None:
        """Handle everything that history has, up to now."""
        for source in LOGS:
            async for page in self._history.after(source, self._ledger.positions.get(source, 0)):
                await self._handle(page.events)
                self._ledger.settle(source, page.position)

    async def _handle(self, events: list[dict[str, Any]]) -> None:
        news = [event for event in events if not self._ledger.knows(event)]
        if self._effect is None:
            self._ledger.add([await self._history.whole(event) for event in news])
            return
        for event in news:
            await self._effect(await self._history.whole(event))
            self._ledger.add([event])
