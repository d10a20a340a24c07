"""The streams down to agents whose network lets only HTTPS out: for each, the agent's mailbox on the bus is held open here.

Orders may be lost on any way to an agent; the dispatcher keeps the truth. So a link owes its agent one thing: whenever orders
may have been lost, it ends, and the agent, which opens a new one, knows that it must ask.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from weakref import WeakValueDictionary

import msgspec
import structlog
from runyard_shared.contracts import events
from runyard_shared.contracts.feed import Recorded
from runyard_shared.contracts.jobs import AgentOrder, LinkTaken
from runyard_shared.errors import Conflict, Unavailable
from runyard_shared.ids import new_id
from runyard_shared.messaging.bus import Bus
from runyard_shared.messaging.bus import Subscription as BusSubscription
from runyard_shared.messaging.topology import agent_mailbox
from starlette.types import Receive, Scope, Send

from runyard_gateway.http.agent_keys import AgentIdentity, AgentKeys
from runyard_gateway.streams.event_stream import Connection, EventStream
from runyard_gateway.streams.subscription import LiveFrame, Subscription

DISPATCHER_LOG = "dispatcher"
KEEP_ALIVE_SECONDS = 5.0
TAKEOVER_SECONDS = 3.0
"""How long another gateway may take to let go of the mailbox."""
TAKEOVER_PAUSE_SECONDS = 0.1
FIRST_LOOK_SECONDS = 1.0
"""Whether the key still opens is looked up soon after a stream began: an event is heard a moment before the table shows it."""
BUFFER_BYTES = 16 * 1024 * 1024
"""Of orders that wait for an agent which does not read; more than all its jobs at once have."""
CUT_OFF_TOPICS = frozenset({events.AgentRevoked.topic, events.AgentKeyRotated.topic})

_OPENED = b": open\n\n"
_encode = msgspec.json.Encoder().encode
_log = structlog.get_logger(__name__)


class AgentLink:
    """One stream, as the answer to its request. `instance`: the agent's process."""

    def __init__(self, agent: AgentIdentity, instance: str, keys: AgentKeys, bus: Bus, on_end: "OnEnd") -> None:
        self.agent = agent
        self.instance = instance
        self.link_id = new_id()
        self.mailbox: BusSubscription | None = None
        self._keys = keys
        self._bus = bus
        self._on_end = on_end
        self._orders = Subscription(BUFFER_BYTES, lambda gone: None)
        self._releasing: asyncio.Task[None] | None = None

    async def hear(self, orders: Sequence[AgentOrder]) -> None:
        """The handler of the mailbox."""
        for order in orders:
            if not isinstance(order, LinkTaken):
                self._orders.offer(LiveFrame(b"data: [%b]\n\n" % _encode(order)))
            elif order.instance == self.instance and order.link != self.link_id:
                _log.info("an agent opened its stream anew elsewhere; this one ends", agent=self.agent.name)
                self.cut_off()

    def end(self) -> None:
        """In good order, as far as the agent still reads."""
        self._orders.close()

    def cut_off(self) -> None:
        """At once, whether the agent reads or not."""
        self._orders.cut_off()

    async def release(self) -> None:
        """Returns when the mailbox is free again."""
        self._orders.close()
        if self._releasing is None and self.mailbox is not None:
            self._releasing = asyncio.create_task(self.mailbox.cancel(), name="agent mailbox")
        if self._releasing is not None:
            await asyncio.shield(self._releasing)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await EventStream(self._frames)(scope, receive, send)
        finally:
            self._on_end(self)
            await self.release()

    async def _frames(self, connection: Connection) -> AsyncGenerator[bytes, None]:
        connection.attach(self._orders)
        yield _OPENED
        time = asyncio.get_running_loop().time
        look_at = time() + FIRST_LOOK_SECONDS
        while not self._orders.closed:
            frames = await self._orders.take(max(0.0, look_at - time()))
            if time() >= look_at:
                look_at = time() + KEEP_ALIVE_SECONDS
                if not await self._may_stay():
                    return
            if not self._orders.closed:
                yield b"".join(frame.content for frame in frames)

    async def _may_stay(self) -> bool:
        """What nobody may have told us."""
        if self._bus.trouble is not None:
            _log.warning("the stream of an agent ends: its orders cannot come", agent=self.agent.name, reason=self._bus.trouble)
            return False
        try:
            return await self._keys.still_opens(self.agent)
        except Unavailable as trouble:
            _log.warning("the key of an agent is looked up again later", agent=self.agent.name, reason=str(trouble))
            return True


OnEnd = Callable[[AgentLink], None]


class AgentLinks:
    """All of this gateway, by mailbox. An agent has one stream: that of its newest request, or, if two processes have one
    identity, that of the process which came first."""

    def __init__(self, bus: Bus, keys: AgentKeys) -> None:
        self._bus = bus
        self._keys = keys
        self._links: dict[str, AgentLink] = {}
        self._opening: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._ending = False
        bus.on_reconnect(self._orders_may_be_lost)

    async def open(self, agent: AgentIdentity, instance: str) -> AgentLink:
        """Raises `Conflict` (`agent_connected`) if another process of this agent is connected, here or elsewhere; `Unavailable`
        while this gateway stops or has no broker."""
        if self._bus.trouble is not None:
            raise Unavailable(self._bus.trouble)
        mailbox = agent_mailbox(agent.tenant_id, agent.name)
        lock = self._opening.setdefault(mailbox, asyncio.Lock())
        async with lock:
            held = self._links.get(mailbox)
            if held is not None:
                if held.instance != instance:
                    raise _connected(agent)
                held.cut_off()
                await held.release()
            if self._ending:
                raise Unavailable("this gateway is being stopped")
            link = AgentLink(agent, instance, self._keys, self._bus, self._forget)
            await self._take_mailbox(mailbox, link)
            self._links[mailbox] = link
        if self._ending:
            link.end()
        return link

    def hear_log(self, recorded: Iterable[Recorded]) -> None:
        """What the dispatcher's log says: whose key is gone is cut off."""
        gone = {each.stream_id for each in recorded if each.topic in CUT_OFF_TOPICS}
        if gone:
            self._keys.forget()
        for link in [each for each in self._links.values() if each.agent.agent_id in gone]:
            _log.info("the key of an agent is gone; its stream ends", agent=link.agent.name)
            link.cut_off()

    def end(self) -> None:
        """Ends every stream, now and from now on; the agents open theirs at another gateway."""
        self._ending = True
        for link in self._links.values():
            link.end()

    async def _take_mailbox(self, mailbox: str, link: AgentLink) -> None:
        """From another gateway, if that one has it for the same process."""
        time = asyncio.get_running_loop().time
        deadline = time() + TAKEOVER_SECONDS
        while True:
            try:
                link.mailbox = await self._bus.open_mailbox(mailbox, AgentOrder, link.hear)
            except Conflict:
                if time() >= deadline:
                    raise _connected(link.agent) from None
            else:
                return
            await self._bus.post(mailbox, [LinkTaken(instance=link.instance, link=link.link_id)])
            await asyncio.sleep(TAKEOVER_PAUSE_SECONDS)

    def _forget(self, link: AgentLink) -> None:
        mailbox = agent_mailbox(link.agent.tenant_id, link.agent.name)
        if self._links.get(mailbox) is link:
            del self._links[mailbox]

    async def _orders_may_be_lost(self) -> None:
        for link in self._links.values():
            link.cut_off()


def _connected(agent: AgentIdentity) -> Conflict:
    return Conflict(
        "agent_connected",
        f"Another process is connected as agent {agent.name}. Stop that one, or make an agent of its own for this one.",
    )
