"""The bus port: everything services and agents may ask of a broker.

Four ways for a message to travel, each for one need:

- **queue**: `send` / `consume`. Durable, at least once, in order. For commands, reports, orders.
- **broadcast**: `broadcast` / `listen`. To everyone who listens now, may be lost (a listener that needs all of it sees the
  gap by position and reads the log). For the log feed and live output.
- **mailbox**: `post` / `open_mailbox`. To one process, gone with it. For replies and orders to an agent; whoever posts keeps
  the truth elsewhere and posts again.
- **publication**: `publish`. To queues of other programs, which they bind by themselves. Confirmed, in order, dropped by the
  broker where nobody has bound one. For the public events.

Every message carries a list of items of one type. Calls that come while a send is under way are gathered into the next message;
nothing waits for company.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

T = TypeVar("T")

Handler = Callable[[Sequence[T]], Awaitable[None]]
"""Handles a list of items, in order. Returning acknowledges all of them; `Unavailable` means try the same list again later;
any other exception makes the adapter offer the items one by one and park those that still fail."""


Hearer = Callable[[Sequence[T]], None]
"""Takes a list of items without waiting for anything. What it raises is logged, and the items are lost to it."""


class Publication(NamedTuple):
    """`body`: a JSON list, ready to be sent."""

    routing_key: str
    body: bytes


class Waiting(NamedTuple):
    """In a queue: messages that wait or are being handled, and the age of the oldest in seconds. Each adapter tells it of the
    work queues that are consumed by it."""

    messages: int
    seconds: float


class Subscription(Protocol):
    async def cancel(self) -> None:
        """Take nothing more, and wait for the handler that is under way."""


class Bus(Protocol):
    """A broker connection. It reconnects by itself; `send` waits for that, at most the adapter's `send_timeout_seconds`,
    and then raises `Unavailable`."""

    @property
    def in_process(self) -> bool:
        """Whether everybody on it is in this process."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    @property
    def trouble(self) -> str | None:
        """Why the bus does not work right now, in words for `/readyz`; None when it does."""

    async def send(self, queue: str, items: Sequence[Any]) -> None:
        """Returns once the items are safe: confirmed by the broker (rabbit), or handled (memory). Items that one process
        sends to one queue arrive in the order of the calls."""

    async def consume(self, queue: str, item_type: Any, handler: Handler[Any], *, max_items: int = 256) -> Subscription:
        """Consume a work queue, one handler call at a time. `item_type` is a msgspec-decodable type (a tagged union).
        Each call gets all items that are waiting, at most about `max_items`. From `DEAD_LETTERS` come `Parked`, each with the
        whole body of a message that took its consumer's process down again and again."""

    async def broadcast(self, exchange: str, items: Sequence[Any]) -> None:
        """Send to every listener of the exchange. Not confirmed; drops silently while the broker is away."""

    async def listen(self, exchange: str, item_type: Any, handler: Handler[Any], *, max_waiting: int = 10_000) -> Subscription:
        """Hear broadcasts from now on. At most `max_waiting` messages wait; beyond that the oldest are dropped."""

    async def hear(self, exchange: str, item_type: Any, hearer: Hearer[Any]) -> Subscription:
        """As `listen`, for who must not be late: called where a message comes in, and not when the loop gets to it."""

    async def publish(self, exchange: str, content_type: str, publications: Sequence[Publication]) -> None:
        """Publish to a topic exchange, in this order; returns once the broker has all of it safe in every queue bound to it.
        Raises `Unavailable`: then all must be published again, and some of it comes twice."""

    async def post(self, mailbox: str, items: Sequence[Any]) -> None:
        """Send to a mailbox if it is open; not confirmed, dropped if nobody has it open."""

    async def open_mailbox(self, mailbox: str, item_type: Any, handler: Handler[Any]) -> Subscription:
        """Open a mailbox of one's own. Raises `Conflict` (code `mailbox_taken`) if another process holds it."""

    def on_reconnect(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Call back after each re-established connection (posts and broadcasts may have been lost)."""
