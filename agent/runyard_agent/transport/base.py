"""What an agent asks of the way to its server, whichever it is."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from runyard_shared.contracts.jobs import AgentOrder
from runyard_shared.messaging.bus import Handler, Subscription


class Transport(Protocol):
    """Reconnects by itself. `send` waits for that a while and then raises `Unavailable`."""

    async def open(self) -> None:
        """Connect. Raises `Unavailable` if the server cannot be reached, `Revoked` if it does not know the agent (any more)."""

    async def close(self) -> None: ...

    @property
    def trouble(self) -> str | None:
        """Why it does not work right now, in words; None when it does."""

    async def send(self, queue: str, items: Sequence[Any]) -> None:
        """Returns once the items are safe at the server. `queue` is one of `agent_destinations()`; items that are sent to one
        queue arrive in the order of the calls. Raises `Unavailable`: some may have arrived all the same; `Revoked`, for good.
        """

    async def receive(self, handler: Handler[AgentOrder]) -> Subscription:
        """Take orders from now on; they may be lost while the connection is, and come again. Raises `Conflict` (code
        `mailbox_taken`) if another process receives the orders of this agent."""

    def on_reconnect(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Call back after each re-established connection: orders may have been lost."""

    def on_revoked(self, callback: Callable[[str], None]) -> None:
        """Call once, with the reason, when the server does not let this agent in any more."""
