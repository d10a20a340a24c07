"""A channel of the wire: one conversation with the broker, with at most one consumer on it.

Calls are answered in order and one at a time; content (a delivery or a returned message) is put together here from its frames.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from pamqp import commands
from pamqp.base import Frame
from pamqp.frame import marshal
from pamqp.header import ContentHeader

from runyard_shared.messaging.amqp import frames

CALL_SECONDS: Final = 30
CLOSE_SECONDS: Final = 5
"""Nothing hangs on a good-bye: a broker that does not answer it loses the wire, and puts everything back by itself."""

Origin = tuple[str, str] | None
"""The exchange and the routing key that a message was published to; None for the default exchange."""
Delivered = Callable[[int, bytes, Origin, int], None]
"""Called with the delivery tag, the body, the origin and when it was sent (`frames.sent_at`), in order."""
Settled = Callable[[str | None], None]
"""Called once for a published message: None when the broker has it safe, else why not."""


class WireClosed(Exception):
    """The connection has ended, for the reason given; nothing more can be said on it."""


class LoginRefused(WireClosed):
    """The broker does not know this user, or not with this password."""


class ChannelClosed(Exception):
    """The broker refused a call on this channel and closed it. `code`: 403 not allowed, 404 not found, 405 another's, 406
    not as declared."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code} {text}")
        self.code = code


class Line(Protocol):
    """What a channel needs of its wire."""

    @property
    def largest_payload(self) -> int: ...

    def write(self, data: bytes) -> None: ...

    def forget(self, number: int) -> None: ...

    def abort(self, reason: str) -> None: ...


class Channel:
    def __init__(self, line: Line, number: int) -> None:
        self.number = number
        self.on_delivery: Delivered | None = None
        self._line = line
        self._calls = asyncio.Lock()
        self._answer: asyncio.Future[Frame] | None = None
        self._published = 0
        self._unsettled: dict[int, tuple[str, Settled]] = {}
        self._returned: dict[str, str] = {}
        self._tag = 0
        """Delivery tag of the content that is coming in; 0 for a returned message, which is not kept."""
        self._origin: Origin = None
        self._sent_at = 0
        self.on_headers: Callable[[ContentHeader], None] | None = None
        """Called before `on_delivery`, where somebody reads the headers of messages."""
        self._missing = 0
        self._body: list[bytes] = []

    async def call(self, frame: Frame, *, seconds: float = CALL_SECONDS) -> Frame:
        """Send a method and wait for its answer. Raises `WireClosed`, or `ChannelClosed` if the broker refuses."""
        return await self.ask(marshal(frame, self.number), seconds=seconds)

    async def ask(self, data: bytes, *, seconds: float = CALL_SECONDS) -> Frame:
        """Write bytes that the broker answers with a method."""
        async with self._calls:
            answer: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
            self._answer = answer
            self._line.write(data)
            try:
                async with asyncio.timeout(seconds):
                    return await answer
            except (TimeoutError, asyncio.CancelledError):
                # The answer may still come, and would be taken for that of the next call.
                self._line.abort(f"a call on channel {self.number} was given up")
                raise
            finally:
                self._answer = None

    async def consume(self, queue: str, on_delivery: Delivered) -> None:
        self.on_delivery = on_delivery
        await self.call(commands.Basic.Consume(queue=queue, consumer_tag=queue))

    async def waiting_in(self, queue: str) -> int:
        """How many messages of a queue are with the broker and not on their way to a consumer. Raises `ChannelClosed` (404)."""
        declared = await self.call(commands.Queue.Declare(queue=queue, passive=True))
        return declared.message_count or 0 if isinstance(declared, commands.Queue.DeclareOk) else 0

    async def close(self) -> None:
        """The broker puts what was not acknowledged back in its place. Raises `WireClosed`, `ChannelClosed`, `TimeoutError`."""
        self.on_delivery = None
        await self.call(commands.Channel.Close(200, "", 0, 0), seconds=CLOSE_SECONDS)
        self._line.forget(self.number)

    def publish(self, head: bytes, body: bytes) -> None:
        """Publish and forget. `head`: see `frames.publish_head`. Raises `WireClosed`."""
        parts = frames.content(self.number, body, self._line.largest_payload, persistent=False)
        self._line.write(b"".join((head, *parts)))

    def publish_safely(
        self, routing_key: str, head: bytes, body: bytes, settled: Settled, content_type: str | None = None
    ) -> None:
        """Publish to disk; `settled` is called when the broker has confirmed, refused or returned it. At most one unsettled
        message for each routing key that may be returned: a return names only that. Raises `WireClosed`."""
        parts = frames.content(self.number, body, self._line.largest_payload, persistent=True, content_type=content_type)
        self._line.write(b"".join((head, *parts)))
        self._published += 1
        self._unsettled[self._published] = (routing_key, settled)

    def acknowledge(self, tag: int) -> None:
        """Acknowledge delivery `tag` and all before it. Raises `WireClosed`."""
        self._line.write(frames.acknowledge(self.number, tag))

    def end_wire(self, reason: str) -> None:
        self._line.abort(reason)

    # --- called by the wire as frames come in

    def answered(self, frame: Frame) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(frame)

    def fail(self, problem: Exception) -> bool:
        """Whether somebody was waiting for an answer and is told."""
        waiting = self._answer is not None and not self._answer.done()
        if self._answer is not None and waiting:
            self._answer.set_exception(problem)
        return waiting

    def confirmed(self, tag: int, *, multiple: bool, accepted: bool) -> None:
        tags = [known for known in self._unsettled if known <= tag] if multiple else [tag]
        for each in tags:
            routing_key, settled = self._unsettled.pop(each)
            returned = self._returned.pop(routing_key, None)
            settled(returned if accepted else "the broker refused the message")

    def delivery_begins(self, tag: int, origin: Origin) -> None:
        self._tag = tag
        self._origin = origin

    def return_begins(self, routing_key: str, reason: str) -> None:
        """The message itself follows, and then its confirmation."""
        self._tag = 0
        self._returned[routing_key] = reason

    def content_begins(self, size: int, sent_at: int) -> None:
        self._missing = size
        self._sent_at = sent_at
        self._body.clear()
        if size == 0:
            self._content_ends()

    def content_goes_on(self, piece: bytes) -> None:
        self._body.append(piece)
        self._missing -= len(piece)
        if self._missing == 0:
            self._content_ends()

    def _content_ends(self) -> None:
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body.clear()
        if self._tag and self.on_delivery is not None:
            self.on_delivery(self._tag, body, self._origin, self._sent_at)
