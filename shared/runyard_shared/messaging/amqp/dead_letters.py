"""Consumes what the broker gave up on. Such a message has nothing of its own left but its body; where it came for and when it
died is in the header `x-death`, which the broker writes and which no other consumer reads.

What had come by the exchange that agents publish to was held against its sender's name by nobody: it keeps that name.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from pamqp.header import ContentHeader

from runyard_shared.clock import rfc3339
from runyard_shared.contracts.jobs import Parked
from runyard_shared.messaging.amqp.channel import Channel, Origin
from runyard_shared.messaging.amqp.consumer import Consumer, Declare, Refused
from runyard_shared.messaging.delivery import PARKED_BYTES, Delivery
from runyard_shared.messaging.topology import sender_of

UNKNOWN_QUEUE: Final = "unknown"
_BEFORE_ALL: Final = datetime(1970, 1, 1, tzinfo=UTC)


class DeadLetterConsumer(Consumer):
    """`namespace`: what our queues' names begin with on the broker. `attempts`: how often each of these was delivered."""

    def __init__(
        self,
        declare: Declare,
        delivery: Delivery,
        ended: Callable[[Consumer], None],
        *,
        namespace: str,
        attempts: int,
        agents: str | None,
    ) -> None:
        super().__init__(declare, Any, delivery, ended, max_items=1, agents=agents)
        self._prefix = f"{namespace}." if namespace else ""
        self._attempts = attempts
        self._death: dict[str, Any] = {}
        self._dead: dict[int, dict[str, Any]] = {}

    def _made_ready(self, channel: Channel) -> None:
        self._dead.clear()
        channel.on_headers = self._read

    def _read(self, header: ContentHeader) -> None:
        deaths: Any = (header.properties.headers or {}).get("x-death")
        self._death = deaths[0] if isinstance(deaths, list) and deaths and isinstance(deaths[0], dict) else {}

    def _on_delivery(self, tag: int, body: bytes, origin: Origin, sent_at: int) -> None:
        self._dead[tag] = self._death
        super()._on_delivery(tag, body, origin, sent_at)

    def _take(self) -> tuple[int, list[Any], list[Refused]]:
        tag, body, *_ = self._waiting.popleft()
        return tag, [self._parked(body, self._dead.pop(tag, {}))], []

    def _parked(self, body: bytes, death: dict[str, Any]) -> Parked:
        died_at, keys = death.get("time"), death.get("routing-keys")
        by_agent = death.get("exchange") == self._agents and isinstance(keys, list) and bool(keys)
        return Parked(
            queue=str(death.get("queue", UNKNOWN_QUEUE)).removeprefix(self._prefix),
            body=body[:PARKED_BYTES],
            reason="RabbitMQ gave up on it: each time, the process that was handling it ended or lost its connection",
            attempts=self._attempts,
            parked_at=rfc3339(died_at if isinstance(died_at, datetime) else _BEFORE_ALL),
            sender="/".join(sender_of(str(keys[0]))) if by_agent and isinstance(keys, list) else "",
        )
