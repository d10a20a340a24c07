"""For networks that let only HTTPS out: a long-lived stream of orders down, requests with messages up.

The stream is one of Server-Sent Events with a sign of life every few seconds; when none comes it is dead, whatever TCP says,
and is opened anew. Each message is on the server's bus, as safe as over AMQP, when its request is answered.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final

import httpx
import msgspec
import structlog
from runyard_shared.contracts.jobs import AgentOrder
from runyard_shared.errors import Conflict, Refusal, Revoked, Unavailable
from runyard_shared.ids import new_id
from runyard_shared.loops import forever
from runyard_shared.messaging.bus import Handler, Subscription
from runyard_shared.messaging.topology import agent_destinations

from runyard_agent.backoff import Backoff
from runyard_agent.server import Server, words_of
from runyard_agent.transport.posting import Posting
from runyard_agent.transport.sse import event_data

log = structlog.get_logger(__name__)

SILENCE_SECONDS: Final = 15.0
"""Three signs of life of the server."""
_FIRST_PAUSE_SECONDS: Final = 0.2
_LONGEST_PAUSE_SECONDS: Final = 10.0
_decode_orders = msgspec.json.Decoder(list[AgentOrder]).decode


class HttpsTransport:
    """`patience_seconds`: how long `send` and `receive` wait for a server that is away before they raise `Unavailable`."""

    def __init__(self, server: Server, *, patience_seconds: float = 30, silence_seconds: float = SILENCE_SECONDS) -> None:
        self._server = server
        self._patience = patience_seconds
        self._silence = silence_seconds
        self._instance = new_id()
        self._stream: _OrderStream | None = None
        self._reconnected: list[Callable[[], Awaitable[None]]] = []
        self._on_revoked: Callable[[str], None] = lambda reason: None
        self._revoked: Revoked | None = None
        self._postings = {queue: Posting(server, queue, self._cut_off) for queue in agent_destinations()}

    async def open(self) -> None:
        await self._server.who_am_i()

    async def close(self) -> None:
        if self._stream is not None:
            await self._stream.cancel()
        for posting in self._postings.values():
            await posting.close("the connection to the server was closed")

    @property
    def trouble(self) -> str | None:
        if self._revoked is not None:
            return str(self._revoked)
        stream = self._stream.trouble if self._stream is not None else None
        return stream or next((posting.trouble for posting in self._postings.values() if posting.trouble), None)

    async def send(self, queue: str, items: Sequence[Any]) -> None:
        if self._revoked is not None:
            raise Revoked(str(self._revoked))
        if items:
            await self._postings[queue].send(items, self._patience)

    async def receive(self, handler: Handler[AgentOrder]) -> Subscription:
        stream = _OrderStream(self._server, self._instance, self._silence, handler, self._call_back, self._cut_off)
        await stream.begin(self._patience)
        self._stream = stream
        return stream

    def on_reconnect(self, callback: Callable[[], Awaitable[None]]) -> None:
        self._reconnected.append(callback)

    def on_revoked(self, callback: Callable[[str], None]) -> None:
        self._on_revoked = callback

    async def _call_back(self) -> None:
        for callback in self._reconnected:
            try:
                await callback()
            except Exception:
                log.exception("a callback after a reconnect failed")

    def _cut_off(self, reason: str) -> None:
        if self._revoked is None:
            self._revoked = Revoked(reason)
            self._on_revoked(reason)


class _OrderStream:
    """The stream of orders, opened again whenever it is lost."""

    def __init__(
        self,
        server: Server,
        instance: str,
        silence_seconds: float,
        handler: Handler[AgentOrder],
        call_back: Callable[[], Coroutine[Any, Any, None]],
        on_revoked: Callable[[str], None],
    ) -> None:
        self.trouble: str | None = "not connected yet"
        self._server = server
        self._instance = instance
        self._silence = silence_seconds
        self._handler = handler
        self._call_back = call_back
        self._on_revoked = on_revoked
        self._handling = asyncio.Lock()
        self._first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task: asyncio.Task[None] | None = None
        self._calling_back: asyncio.Task[None] | None = None

    async def begin(self, patience_seconds: float) -> None:
        """Returns when it is open for the first time. Raises `Conflict`, `Unavailable`, `Revoked`."""
        self._task = forever(self._keep(), "orders")
        try:
            async with asyncio.timeout(patience_seconds):
                await self._first
        except TimeoutError:
            await self.cancel()
            raise Unavailable(self.trouble or "the server does not answer") from None
        except BaseException:
            await self.cancel()
            raise

    async def cancel(self) -> None:
        async with self._handling:
            for task in (self._task, self._calling_back):
                if task is not None:
                    task.cancel()
        tasks = [task for task in (self._task, self._calling_back) if task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        backoff = Backoff(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
        while True:
            began_at, unavailable = loop.time(), None
            try:
                await self._read()
                reason = "the server ended the stream of orders"
            except Revoked as gone:
                self._end(gone)
                self._on_revoked(str(gone))
                return
            except Refusal as refusal:
                if not self._first.done():
                    self._end(Conflict("mailbox_taken", refusal.detail) if isinstance(refusal, Conflict) else refusal)
                    return
                reason = refusal.detail
            except Unavailable as trouble:
                reason, unavailable = str(trouble), trouble
            except httpx.HTTPError as problem:
                reason = words_of(problem, self._server.url)
            except Exception as problem:
                log.exception("the stream of orders failed, it is opened again")
                reason = f"{type(problem).__name__}: {problem}"
            if loop.time() - began_at > _LONGEST_PAUSE_SECONDS:
                backoff.reset()
            wait = backoff.seconds(unavailable)
            self.trouble = reason
            log.warning("waiting for the server", reason=reason, again_in_seconds=round(wait, 1))
            await asyncio.sleep(wait)

    async def _read(self) -> None:
        """One stream, until it ends."""
        async with self._server.orders(self._instance, self._silence) as answer:
            await self._server.checked(answer)
            self.trouble = None
            if self._first.done():
                log.info("connected again")
                self._calling_back = asyncio.create_task(self._call_back(), name="reconnected")
            else:
                self._first.set_result(None)
            async for data in event_data(answer.aiter_bytes()):
                await self._take(data)

    async def _take(self, data: bytes) -> None:
        try:
            orders = _decode_orders(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            log.error("an order is left out: this agent cannot read it; update the agent", reason=str(problem))
            return
        async with self._handling:
            try:
                await self._handler(orders)
            except Exception:
                log.exception("orders could not be carried out", orders=len(orders))

    def _end(self, error: Exception) -> None:
        self.trouble = str(error)
        if not self._first.done():
            self._first.set_exception(error)
