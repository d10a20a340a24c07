"""The bus on RabbitMQ.

Keeps one connection alive and tells the parts that live on it (a `Sender` for each queue, a `Consumer` for each subscription)
when it is there and when it is gone. Each new connection is built up the same way as the first: topology, channels, consumers,
then what was not confirmed is sent again.

An agent in a customer's network comes with an account of its own, and the broker lets it do two things: hold its mailbox, and
publish under its own name to the exchange `AGENTS`, from which the topology's bindings lead on. As an agent, the bus asks for
nothing else.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog

from runyard_shared.clock import Clock, SystemClock
from runyard_shared.contracts.jobs import Parked
from runyard_shared.errors import Conflict, Revoked, Unavailable
from runyard_shared.loops import forever
from runyard_shared.messaging.amqp.channel import Channel, ChannelClosed, LoginRefused, WireClosed
from runyard_shared.messaging.amqp.consumer import PREFETCH, Consumer
from runyard_shared.messaging.amqp.dead_letters import DeadLetterConsumer
from runyard_shared.messaging.amqp.frames import publish_head
from runyard_shared.messaging.amqp.publisher import Publisher
from runyard_shared.messaging.amqp.queues import declare_own_queue, listener_queue, qualified
from runyard_shared.messaging.amqp.sender import MAX_ITEMS, Sender, encoded_lists
from runyard_shared.messaging.amqp.wire import Wire
from runyard_shared.messaging.bus import Handler, Hearer, Publication, Subscription, Waiting
from runyard_shared.messaging.delivery import Delivery
from runyard_shared.messaging.topology import (
    AGENTS,
    DEAD_LETTERS,
    PARKED,
    TOPOLOGY,
    Topology,
    agent_destinations,
    agent_mailbox,
    agent_routing_key,
)
from runyard_shared.metrics import RECONNECTS

log = structlog.get_logger(__name__)

CONNECT_SECONDS: Final = 10
FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 2.0
MAX_MAILBOX: Final = 10_000
MAX_UNHEARD: Final = 10_000
Renew = Callable[[], Awaitable[str]]
"""Gives the URL with new credentials when the broker refuses those there are. Raises `Unavailable`, or `Revoked`: give up."""
LOCKED: Final = 405
"""The broker's code for a queue that belongs to another connection."""


@dataclass(frozen=True)
class AgentAccount:
    """Whom the credentials of the URL belong to, if to an agent."""

    tenant_id: str
    agent_name: str


class RabbitBus:
    """`namespace` keeps installations on one broker apart. `send_timeout_seconds`: how long `send` and subscriptions wait for
    a broker that is away before they raise `Unavailable`.

    With `account`, the bus of an agent: `send` reaches the queues of `agent_destinations()` by way of `AGENTS`, `open_mailbox`
    opens the agent's own, `broadcast` does nothing, because the broker copies output by itself; all else is a `ValueError`.
    The topology must be there. `renew`: see `Renew`; after its `Revoked`, everything that needs the broker raises that.
    `ca_file`: trusted for an amqps broker besides what the system trusts.
    """

    def __init__(
        self,
        url: str,
        *,
        namespace: str = "",
        send_timeout_seconds: float = 30,
        topology: Topology = TOPOLOGY,
        account: AgentAccount | None = None,
        renew: Renew | None = None,
        ca_file: Path | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._url = url
        self._namespace = namespace
        self._patience = send_timeout_seconds
        self._topology = topology
        self._account = account
        self._renew = renew
        self._ca_file = ca_file
        self._clock = clock or SystemClock()
        self._trouble: str | None = "not connected yet"
        self._revoked: str | None = None
        self._wire: Wire | None = None
        self._plain: Channel | None = None
        """For what is published without a confirmation."""
        self._safe: Channel | None = None
        self._up = asyncio.Event()
        self._attaching = asyncio.Lock()
        """A consumer is attached either by its subscription or by a new connection, not by both."""
        self._senders: dict[str, Sender] = {}
        self._publisher = Publisher()
        self._consumers: list[Consumer] = []
        self._callbacks: list[Callable[[], Awaitable[None]]] = []
        self._keeper: asyncio.Task[None] | None = None
        self._calling_back: asyncio.Task[None] | None = None
        self._reconnects = RECONNECTS.labels("RabbitMQ")

    @property
    def in_process(self) -> bool:
        return False

    async def open(self) -> None:
        """Connect. Raises `Unavailable` if there is no broker within `send_timeout_seconds`, `Revoked` as `renew` does."""
        self._keeper = forever(self._keep_connected(), "broker connection")
        try:
            await self._until_up()
        except (Unavailable, Revoked):
            await self.close()
            raise

    async def close(self) -> None:
        for consumer in list(self._consumers):
            await consumer.cancel()
        for task in (self._keeper, self._calling_back):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        self._keeper = None
        for sender in self._senders.values():
            sender.fail("the bus was closed")
        if self._wire is not None:
            wire, self._wire = self._wire, None
            await wire.close()
        self._lost("the bus was closed")

    @property
    def trouble(self) -> str | None:
        if self._trouble is None and self._wire is not None and self._wire.blocked is not None:
            return f"RabbitMQ takes no messages: {self._wire.blocked}"
        if self._keeper is not None and self._keeper.done() and not self._keeper.cancelled() and self._keeper.exception():
            return f"the connection to RabbitMQ is no longer kept: {self._keeper.exception()!r}"
        return self._trouble or next((consumer.trouble for consumer in self._consumers if consumer.trouble), None)

    async def waiting(self) -> dict[str, Waiting]:
        """By work queue that is consumed here; asks the broker. Raises `Unavailable`."""
        wire = self._wire
        if wire is None:
            raise Unavailable(self.trouble or "RabbitMQ is away")
        here = {each.queue: each.waiting for each in self._consumers if each.queue in self._topology.queues}
        try:
            channel = await wire.open_channel()
            there = {queue: await channel.waiting_in(self._known(queue)) for queue in here}
            await channel.close()
        except (WireClosed, ChannelClosed, TimeoutError) as problem:
            raise Unavailable(f"RabbitMQ does not tell what waits: {problem}") from None
        return {queue: Waiting(there[queue] + known.messages, known.seconds) for queue, known in here.items()}

    async def send(self, queue: str, items: Sequence[Any]) -> None:
        if not items:
            return
        if self._revoked is not None:
            raise Revoked(self._revoked)
        sender = self._senders.get(queue) or self._new_sender(queue)
        try:
            await sender.send(items, self._patience)
        except TimeoutError:
            why = self.trouble or "it does not answer"
            raise Unavailable(f"RabbitMQ took nothing for {queue} in {self._patience:g} s: {why}") from None

    async def consume(self, queue: str, item_type: Any, handler: Handler[Any], *, max_items: int = 256) -> Subscription:
        self._refuse_agents("consume a work queue")
        name = self._known(queue)

        async def declare(_: Channel) -> str:
            return name

        delivery = self._delivery(queue, handler)
        if queue == DEAD_LETTERS:
            attempts = self._topology.delivery_limit + 1
            return await self._subscribe(
                DeadLetterConsumer(
                    declare, delivery, self._forget, namespace=self._namespace, attempts=attempts, agents=self._agents
                )
            )
        return await self._subscribe(
            Consumer(declare, item_type, delivery, self._forget, max_items=max_items, agents=self._agents)
        )

    async def broadcast(self, exchange: str, items: Sequence[Any]) -> None:
        if self._account is None:
            await self._publish(qualified(self._namespace, exchange), "", items)

    async def listen(self, exchange: str, item_type: Any, handler: Handler[Any], *, max_waiting: int = 10_000) -> Subscription:
        return await self._listen(exchange, item_type, handler, None, max_waiting)

    async def hear(self, exchange: str, item_type: Any, hearer: Hearer[Any]) -> Subscription:
        return await self._listen(exchange, item_type, _unheard, hearer, MAX_UNHEARD)

    async def _listen(
        self, exchange: str, item_type: Any, handler: Handler[Any], hearer: Hearer[Any] | None, max_waiting: int
    ) -> Subscription:
        self._refuse_agents("listen")
        name = qualified(self._namespace, exchange)

        async def declare(channel: Channel) -> str:
            queue = listener_queue(name)
            await declare_own_queue(channel, queue, max_waiting=max_waiting, exchange=name)
            return queue

        prefetch = min(PREFETCH, max_waiting)
        delivery = Delivery(exchange, handler, None, self._clock)
        return await self._subscribe(
            Consumer(
                declare,
                item_type,
                delivery,
                self._forget,
                max_items=MAX_ITEMS,
                prefetch=prefetch,
                agents=self._agents,
                hearer=hearer,
            )
        )

    async def publish(self, exchange: str, content_type: str, publications: Sequence[Publication]) -> None:
        self._refuse_agents("publish to the public")
        if exchange != self._topology.public_exchange:
            raise ValueError(f"no public exchange {exchange} in the topology")
        await self._publisher.publish(qualified(self._namespace, exchange), content_type, publications, self._patience)

    async def post(self, mailbox: str, items: Sequence[Any]) -> None:
        self._refuse_agents("post")
        await self._publish("", qualified(self._namespace, mailbox), items)

    async def open_mailbox(self, mailbox: str, item_type: Any, handler: Handler[Any]) -> Subscription:
        if self._account is not None and mailbox != agent_mailbox(self._account.tenant_id, self._account.agent_name):
            self._refuse_agents("open another mailbox than its own")
        name = qualified(self._namespace, mailbox)

        async def declare(channel: Channel) -> str:
            await declare_own_queue(channel, name, max_waiting=MAX_MAILBOX)
            return name

        try:
            delivery = self._delivery(mailbox, handler)
            return await self._subscribe(Consumer(declare, item_type, delivery, self._forget, max_items=MAX_ITEMS))
        except ChannelClosed:
            raise Conflict(
                "mailbox_taken", f"another process has the mailbox {mailbox}: stop it, or use another name"
            ) from None

    def on_reconnect(self, callback: Callable[[], Awaitable[None]]) -> None:
        self._callbacks.append(callback)

    # --- the connection

    async def _keep_connected(self) -> None:
        pause, again, renewed = FIRST_PAUSE_SECONDS, False, False
        while self._revoked is None:
            try:
                wire = await self._connect()
            except (OSError, WireClosed, ChannelClosed, TimeoutError) as problem:
                self._trouble = f"RabbitMQ cannot be reached: {str(problem) or repr(problem)}"
                log.warning("broker_unreachable", reason=str(problem) or repr(problem), again_in_seconds=pause)
                # Credentials that are refused although they were just given are not renewed in a hurry.
                renewed = isinstance(problem, LoginRefused) and not renewed and await self._renewed()
                if not renewed and self._revoked is None:
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
                continue
            pause, renewed = FIRST_PAUSE_SECONDS, False
            if again:
                log.info("broker_reconnected")
                self._reconnects.inc()
                self._calling_back = asyncio.create_task(self._call_back())
            again = True
            await asyncio.wait([wire.closed])
            self._lost(wire.closed.result())
            log.warning("broker_lost", reason=wire.closed.result())

    async def _connect(self) -> Wire:
        wire = await Wire.connect(self._url, timeout_seconds=CONNECT_SECONDS, ca_file=self._ca_file)
        try:
            if self._account is None:
                # An agent has none of what this imports.
                from runyard_shared.messaging.amqp.declare import declare_topology

                await declare_topology(self._url, self._namespace, self._topology)
            async with self._attaching:
                self._plain = await wire.open_channel()
                self._safe = await wire.open_channel(confirms=True)
                for consumer in list(self._consumers):
                    await consumer.attach(wire)
                self._wire = wire
        except BaseException:
            wire.abort("the connection could not be set up")
            raise
        for sender in self._senders.values():
            sender.attach(self._safe)
        self._publisher.attach(wire, self._safe)
        self._trouble = None
        self._up.set()
        return wire

    def _lost(self, reason: str) -> None:
        self._trouble = f"RabbitMQ is away: {reason}"
        self._up.clear()
        self._wire = self._plain = self._safe = None
        for sender in self._senders.values():
            sender.detach()
        self._publisher.detach(f"RabbitMQ is away: {reason}")

    async def _renewed(self) -> bool:
        if self._renew is None:
            return False
        try:
            self._url = await self._renew()
        except Unavailable as problem:
            self._trouble = str(problem)
            return False
        except Revoked as problem:
            self._trouble = self._revoked = str(problem)
            for sender in self._senders.values():
                sender.fail(self._revoked)
            self._up.set()  # those who wait are told
            return False
        return True

    async def _call_back(self) -> None:
        for callback in self._callbacks:
            try:
                await callback()
            except Exception:
                log.exception("reconnect_callback_failed")

    async def _until_up(self) -> None:
        try:
            async with asyncio.timeout(self._patience):
                await self._up.wait()
        except TimeoutError:
            raise Unavailable(self.trouble or "RabbitMQ does not answer") from None
        if self._revoked is not None:
            raise Revoked(self._revoked)

    # --- what lives on it

    def _known(self, queue: str) -> str:
        if queue not in self._topology.queues:
            raise ValueError(f"no queue {queue} in the topology")
        return qualified(self._namespace, queue)

    def _new_sender(self, queue: str) -> Sender:
        sender = self._senders[queue] = self._sender_to(queue)
        if self._safe is not None:
            sender.attach(self._safe)
        return sender

    def _sender_to(self, queue: str) -> Sender:
        if self._account is None:
            name = self._known(queue)
            return Sender(name, exchange="", routing_key=name)
        if queue not in agent_destinations():
            raise ValueError(f"no way for an agent to the queue {queue}")
        routing_key = agent_routing_key(self._account.tenant_id, self._account.agent_name, queue)
        return Sender(queue, exchange=qualified(self._namespace, AGENTS), routing_key=routing_key)

    def _refuse_agents(self, what: str) -> None:
        if self._account is not None:
            raise ValueError(f"agent {self._account.agent_name} may not {what}")

    @property
    def _agents(self) -> str | None:
        """The exchange by which agents speak."""
        topic = self._topology.topic_exchange
        return None if topic is None else qualified(self._namespace, topic)

    def _delivery(self, name: str, handler: Handler[Any]) -> Delivery:
        return Delivery(name, handler, self._park if self._account is None else None, self._clock)

    async def _subscribe(self, consumer: Consumer) -> Subscription:
        while True:
            await self._until_up()
            async with self._attaching:
                if self._wire is not None:
                    try:
                        await consumer.attach(self._wire)
                    except WireClosed as problem:
                        log.debug("subscribing_again", reason=str(problem))
                    except ChannelClosed as problem:
                        if problem.code == LOCKED:
                            raise
                        self._wire.abort(str(problem))  # connecting again declares again what somebody deleted
                        raise Unavailable(f"RabbitMQ refused a consumer: {problem}") from None
                    else:
                        self._consumers.append(consumer)
                        return consumer
            await asyncio.sleep(0)

    def _forget(self, consumer: Consumer) -> None:
        if consumer in self._consumers:
            self._consumers.remove(consumer)

    async def _publish(self, exchange: str, routing_key: str, items: Sequence[Any]) -> None:
        for body, _ in encoded_lists(items):
            wire, channel = self._wire, self._plain
            if wire is None or channel is None:
                return
            try:
                channel.publish(publish_head(channel.number, exchange, routing_key, False), b"[" + body + b"]")
            except WireClosed:
                return
            await wire.writable()

    async def _park(self, parked: Parked) -> None:
        await self.send(PARKED, [parked])


async def _unheard(_items: Sequence[Any]) -> None:
    """The handler of a consumer that has a hearer, which gets all there is."""
