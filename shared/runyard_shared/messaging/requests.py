"""Request and reply over the bus, for whoever must wait for an answer (the gateway).

A request names the mailbox of its asker; the answer finds it by the request's id. A mailbox is gone with its connection, and
what was in it: then all that wait ask again, and whoever has answered a request answers it again, as before. So an answer may
come twice, or after the asker has given up: both are dropped.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import structlog

from runyard_shared.contracts.commands import Command, Reply, Request
from runyard_shared.errors import Unavailable
from runyard_shared.ids import new_id
from runyard_shared.messaging.bus import Bus, Subscription
from runyard_shared.messaging.topology import reply_mailbox

log = structlog.get_logger(__name__)


class _Waiting(NamedTuple):
    queue: str
    request: Request
    reply: "asyncio.Future[Reply]"


class Requests:
    """Asks, for one process. `instance` is unique among the processes that are alive."""

    def __init__(self, bus: Bus, instance: str) -> None:
        self._bus = bus
        self._mailbox = reply_mailbox(instance)
        self._waiting: dict[str, _Waiting] = {}
        self._subscription: Subscription | None = None
        bus.on_reconnect(self._ask_again)

    async def open(self) -> None:
        self._subscription = await self._bus.open_mailbox(self._mailbox, Reply, self._on_replies)

    async def close(self) -> None:
        if self._subscription is not None:
            await self._subscription.cancel()
            self._subscription = None

    async def ask(
        self,
        queue: str,
        command: Command,
        *,
        tenant_id: str,
        actor: str,
        request_id: str | None = None,
        timeout_seconds: float = 10.0,
    ) -> Reply:
        """Send a command to a queue and wait for its reply. Raises `Unavailable` if none comes in time; the command may
        have been carried out all the same. `request_id`: that of an earlier request if this is the same one."""
        request_id = request_id or new_id()
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        request = Request(request_id=request_id, tenant_id=tenant_id, actor=actor, command=command, reply_to=self._mailbox)
        waiting = self._waiting[request_id] = _Waiting(queue, request, reply)
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._bus.send(queue, [request])
                return await reply
        except TimeoutError:
            why = self._bus.trouble or f"is the {queue.partition('.')[0]} running?"
            raise Unavailable(f"{queue} did not answer within {timeout_seconds:g} s: {why}") from None
        finally:
            if self._waiting.get(request_id) is waiting:
                del self._waiting[request_id]

    async def _ask_again(self) -> None:
        """The mailbox is open again; what was answered meanwhile went nowhere."""
        by_queue: dict[str, list[Request]] = defaultdict(list)
        for waiting in self._waiting.values():
            by_queue[waiting.queue].append(waiting.request)
        for queue, together in by_queue.items():
            log.info("asking_again", queue=queue, requests=len(together))
            await self._bus.send(queue, together)

    async def _on_replies(self, replies: Sequence[Reply]) -> None:
        for reply in replies:
            waiting = self._waiting.get(reply.request_id)
            if waiting is None or waiting.reply.done():
                log.debug("reply_ignored", request_id=reply.request_id)
            else:
                waiting.reply.set_result(reply)


async def post_replies(bus: Bus, replies: Iterable[tuple[str, Reply]]) -> None:
    """Answer many requests, each `(mailbox, reply)`, with one message for each mailbox."""
    by_mailbox: dict[str, list[Reply]] = defaultdict(list)
    for mailbox, reply in replies:
        by_mailbox[mailbox].append(reply)
    for mailbox, together in by_mailbox.items():
        await bus.post(mailbox, together)
