"""Another program: a queue of its own at the exchange `runyard.events`, as whoever follows Runyard has it."""

import asyncio
import json
import secrets
from collections import defaultdict
from typing import Any

import aio_pika
from runyard_shared.messaging.topology import PUBLIC_EVENTS

from tests.acceptance.systems import PATIENCE_SECONDS, Distributed

Json = dict[str, Any]


class PublicConsumer:
    """Takes what is published from the moment it is made; the broker keeps it until `take_until`."""

    def __init__(self, system: Distributed) -> None:
        self._url = system.deployment.amqp_url
        self._queue = f"consumer.{secrets.token_hex(4)}"
        self.taken: list[Json] = []
        asyncio.run(self._bind())

    def take_until(self, ids: set[str]) -> None:
        """Every event of these ids has come at least once; the queue is gone."""
        asyncio.run(self._take_until(set(ids)))

    def firsts_by_subject(self) -> dict[str, list[int]]:
        """The events of each subject in the order in which they were first heard of."""
        found: dict[str, dict[int, None]] = defaultdict(dict)
        for event in self.taken:
            found[event["subject"]][int(event["id"])] = None
        return {subject: list(ids) for subject, ids in found.items()}

    async def _bind(self) -> None:
        async with await aio_pika.connect(self._url) as connection:
            queue = await (await connection.channel()).declare_queue(self._queue, durable=True)
            await queue.bind(PUBLIC_EVENTS, "#")

    async def _take_until(self, missing: set[str]) -> None:
        async with await aio_pika.connect(self._url) as connection, asyncio.timeout(PATIENCE_SECONDS):
            channel = await connection.channel()
            queue = await channel.get_queue(self._queue)
            async with queue.iterator(no_ack=True) as messages:
                async for message in messages:
                    events = [each for each in json.loads(message.body) if each["source"] == "/runyard/orchestrator"]
                    self.taken += events
                    missing -= {each["id"] for each in events}
                    if not missing:
                        break
            await queue.delete(if_unused=False, if_empty=False)
