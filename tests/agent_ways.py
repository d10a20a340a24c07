"""The ways by which an agent talks with its server, each with the server's end of it, and, where there is a network between the
two, with a cable that can be cut."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

import asyncpg
from pydantic import SecretStr
from runyard_agent.server import Server
from runyard_agent.settings import Settings
from runyard_agent.transport.base import Transport
from runyard_agent.transport.bus import BusTransport
from runyard_agent.transport.https import HttpsTransport
from runyard_dispatcher.accounts import BrokerAccounts
from runyard_shared.ids import new_id
from runyard_shared.messaging.amqp.declare import delete_topology
from runyard_shared.messaging.bus import Bus
from runyard_shared.messaging.memory import MemoryBus
from runyard_shared.messaging.rabbit import AgentAccount, RabbitBus
from runyard_shared.messaging.topology import TOPOLOGY

from tests.agents import NAME, TENANT
from tests.buses import Cable
from tests.dispatcher import a_house
from tests.gateway import gateway_alone

KEY = "rya_the-key-of-agent-1"
PATIENCE_SECONDS = 3


class Way:
    """`bus`: the server's end. `transport` makes the end of an agent's process, which its maker opens."""

    def __init__(self, bus: Bus, parts: AsyncExitStack) -> None:
        self.bus = bus
        self._parts = parts

    def transport(self) -> Transport:
        raise NotImplementedError

    def _kept(self, transport: Transport) -> Transport:
        self._parts.push_async_callback(transport.close)
        return transport


class Memory(Way):
    def transport(self) -> Transport:
        return BusTransport(self.bus, TENANT, NAME)


class Wired(Way):
    cable: Cable


class Amqp(Wired):
    """With the agent's own account."""

    def __init__(self, bus: Bus, parts: AsyncExitStack, cable: Cable, namespace: str, username: str, password: str) -> None:
        super().__init__(bus, parts)
        self.cable = cable
        self._namespace = namespace
        self._login = f"{quote(username, safe='')}:{password}"

    def transport(self) -> Transport:
        url = urlsplit(self.cable.url)
        bus = RabbitBus(
            url._replace(netloc=f"{self._login}@{url.netloc.rpartition('@')[2]}").geturl(),
            namespace=self._namespace,
            account=AgentAccount(TENANT, NAME),
            send_timeout_seconds=PATIENCE_SECONDS,
        )
        return self._kept(BusTransport(bus, TENANT, NAME))


class Https(Wired):
    """To the gateway."""

    def __init__(self, bus: Bus, parts: AsyncExitStack, cable: Cable) -> None:
        super().__init__(bus, parts)
        self.cable = cable

    def transport(self) -> Transport:
        address = f"http://127.0.0.1:{urlsplit(self.cable.url).port}"
        server = Server(Settings(url=address, agent_key=SecretStr(KEY), agent_state_dir=Path("/nowhere")))
        self._parts.push_async_callback(server.close)
        return self._kept(HttpsTransport(server, patience_seconds=PATIENCE_SECONDS))


@asynccontextmanager
async def memory() -> AsyncIterator[Memory]:
    async with AsyncExitStack() as parts:
        bus = MemoryBus()
        await bus.open()
        parts.push_async_callback(bus.close)
        yield Memory(bus, parts)


@asynccontextmanager
async def amqp(amqp_url: str, management_url: str, namespace: str) -> AsyncIterator[Amqp]:
    async with AsyncExitStack() as parts:
        parts.push_async_callback(delete_topology, amqp_url, namespace, TOPOLOGY)
        bus = RabbitBus(amqp_url, namespace=namespace)
        await bus.open()
        parts.push_async_callback(bus.close)
        accounts = BrokerAccounts(management_url, amqp_url, namespace)
        parts.push_async_callback(accounts.close)
        agent_id = new_id()
        username = await accounts.grant(agent_id, TENANT, NAME, "a-password")
        parts.push_async_callback(accounts.revoke, agent_id)
        cable = Cable(amqp_url)
        await cable.mend()
        parts.push_async_callback(cable.cut)
        yield Amqp(bus, parts, cable, namespace, username, "a-password")


@asynccontextmanager
async def https(pool: "asyncpg.Pool[asyncpg.Record]") -> AsyncIterator[Https]:
    """The gateway is alone on its bus, so that the test hears what the agent says; the dispatcher, on another, has let the
    agent in."""
    async with AsyncExitStack() as parts:
        house = await parts.enter_async_context(a_house(pool))
        await house.enrol(await house.create(NAME, key=KEY), NAME, transport="https", key=KEY)
        bus = MemoryBus()
        await bus.open()
        gateway = await parts.enter_async_context(gateway_alone(bus, pool))
        cable = Cable(gateway.gateway.address)
        await cable.mend()
        parts.push_async_callback(cable.cut)
        yield Https(bus, parts, cable)
