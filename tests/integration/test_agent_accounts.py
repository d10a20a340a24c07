"""What an agent's account on RabbitMQ can do and cannot do, tried with its real credentials on a real broker."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import quote, urlsplit

import aio_pika
import httpx
import msgspec
import pytest
from pamqp import commands
from pamqp.base import Frame
from pamqp.common import FieldArray, FieldTable
from runyard_dispatcher.accounts import LIMITS, BrokerAccounts
from runyard_shared.contracts.commands import CancelExecution, Request
from runyard_shared.contracts.jobs import (
    AgentHeartbeat,
    AgentOrder,
    AgentStatus,
    CancelJob,
    OutputChunk,
    OutputMessage,
    Parked,
    RegisterAgent,
)
from runyard_shared.contracts.reports import JobFinished, JobLost, JobStarted, Report
from runyard_shared.contracts.values import JobStatus
from runyard_shared.errors import Conflict, Revoked, Unavailable
from runyard_shared.ids import new_id
from runyard_shared.messaging.amqp.channel import ChannelClosed, LoginRefused, WireClosed
from runyard_shared.messaging.amqp.declare import delete_topology
from runyard_shared.messaging.amqp.frames import publish_head
from runyard_shared.messaging.amqp.queues import declare_own_queue
from runyard_shared.messaging.amqp.wire import Wire
from runyard_shared.messaging.rabbit import AgentAccount, RabbitBus, Renew
from runyard_shared.messaging.topology import (
    AGENT_STATUS,
    AGENTS,
    FEED,
    JOB_OUTPUT,
    LIVE_OUTPUT,
    PARKED,
    PUBLIC_EVENTS,
    TOPOLOGY,
    agent_mailbox,
    agent_routing_key,
    orchestrator_inbox_partition,
)

from tests.buses import until

TENANT = "acme"
ME = "web-1.dmz"
OTHER = "db-1"
MAILBOX = agent_mailbox(TENANT, ME)
SECOND_INBOX = orchestrator_inbox_partition(1)
NOT_ALLOWED = 403

Inbox = Request | Report


class Heard:
    """Notes what a handler gets."""

    def __init__(self) -> None:
        self.items: list[Any] = []

    async def __call__(self, items: Sequence[Any]) -> None:
        self.items += items


class Site:
    """An installation on the broker: its services, as far as agents reach them, and the accounts that it made."""

    def __init__(self, amqp_url: str, management_url: str, namespace: str) -> None:
        self.url = amqp_url
        self.management_url = management_url
        self.namespace = namespace
        self.accounts = BrokerAccounts(management_url, amqp_url, namespace)
        self.services = RabbitBus(amqp_url, namespace=namespace)
        self.status, self.reports, self.output, self.live, self.parked = Heard(), Heard(), Heard(), Heard(), Heard()
        self._known: list[str] = []
        self._open: list[RabbitBus | Wire] = []

    async def open(self) -> None:
        await self.services.open()
        await self.services.consume(AGENT_STATUS, AgentStatus, self.status)
        await self.services.consume(SECOND_INBOX, Inbox, self.reports)
        await self.services.consume(JOB_OUTPUT, OutputMessage, self.output)
        await self.services.listen(LIVE_OUTPUT, OutputMessage, self.live)
        await self.services.consume(PARKED, Parked, self.parked)

    async def close(self) -> None:
        for each in self._open:
            await each.close()
        for agent_id in self._known:
            await self.accounts.revoke(agent_id)
        await self.accounts.close()
        await self.services.close()
        await delete_topology(self.url, self.namespace, TOPOLOGY)

    async def grant(self, name: str, password: str = "a fine password", agent_id: str | None = None) -> "Credentials":
        agent_id = agent_id or new_id()
        self._known.append(agent_id)
        return Credentials(self, agent_id, name, await self.accounts.grant(agent_id, TENANT, name, password), password)

    def opened(self, what: "RabbitBus | Wire") -> None:
        self._open.append(what)

    def on_broker(self, name: str) -> str:
        return f"{self.namespace}.{name}"


class Credentials:
    def __init__(self, site: Site, agent_id: str, name: str, username: str, password: str) -> None:
        self.site = site
        self.agent_id = agent_id
        self.name = name
        self.username = username
        self.password = password

    @property
    def url(self) -> str:
        parts = urlsplit(self.site.url)
        host = parts.netloc.rpartition("@")[2]
        return parts._replace(netloc=f"{quote(self.username)}:{quote(self.password)}@{host}").geturl()

    async def bus(self, *, renew: Renew | None = None) -> RabbitBus:
        bus = RabbitBus(
            self.url,
            namespace=self.site.namespace,
            account=AgentAccount(TENANT, self.name),
            renew=renew,
            send_timeout_seconds=2,
        )
        self.site.opened(bus)
        await bus.open()
        return bus

    async def wire(self) -> Wire:
        wire = await Wire.connect(self.url, timeout_seconds=5)
        self.site.opened(wire)
        return wire

    async def publish(self, exchange: str, routing_key: str, *items: Any) -> str | None:
        """As somebody who has stolen the credentials would: with a client of his own. Why the broker did not take it, None
        if it did."""
        wire = await self.wire()
        channel = await wire.open_channel(confirms=True)
        settled: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        head = publish_head(channel.number, exchange, routing_key, False)
        channel.publish_safely(routing_key, head, msgspec.json.encode(items), settled.set_result)
        await until(lambda: settled.done() or wire.closed.done())
        taken = not wire.closed.done()
        await wire.close()
        return settled.result() if taken else wire.closed.result()

    def key(self, queue: str) -> str:
        return agent_routing_key(TENANT, self.name, queue)


@pytest.fixture
async def site(amqp_url: str, management_url: str, namespace: str) -> AsyncIterator[Site]:
    site = Site(amqp_url, management_url, namespace)
    await site.open()
    yield site
    await site.close()


@pytest.fixture
async def mine(site: Site) -> Credentials:
    return await site.grant(ME)


def heartbeat(name: str = ME, tenant_id: str = TENANT) -> AgentHeartbeat:
    return AgentHeartbeat(tenant_id=tenant_id, name=name, session_id="s", leases=[])


def started(agent: str = ME, tenant_id: str = TENANT, job_id: str = "j") -> JobStarted:
    return JobStarted(tenant_id=tenant_id, execution_id="e", job_id=job_id, dispatch=1, agent=agent)


def chunk(tenant_id: str = TENANT, number: int = 0) -> OutputChunk:
    return OutputChunk(
        tenant_id=tenant_id, execution_id="e", job_id="j", stream="stdout", number=number, offset=0, data=b"hello"
    )


async def test_an_agent_holds_its_mailbox_and_says_what_is_its_own(site: Site, mine: Credentials) -> None:
    bus = await mine.bus()
    orders = Heard()
    await bus.open_mailbox(MAILBOX, AgentOrder, orders)
    order = CancelJob(job_id="j", dispatch=1)
    await site.services.post(MAILBOX, [order])
    await bus.send(AGENT_STATUS, [heartbeat()])
    await bus.send(SECOND_INBOX, [started()])
    await bus.send(JOB_OUTPUT, [chunk()])
    await bus.broadcast(LIVE_OUTPUT, [chunk()])  # the broker has copied it already
    await bus.send(JOB_OUTPUT, [chunk(number=1)])
    await until(lambda: orders.items and site.status.items and site.reports.items and len(site.live.items) == 2)
    assert orders.items == [order]
    assert site.status.items == [heartbeat()]
    assert site.reports.items == [started()]
    assert site.live.items == [chunk(), chunk(number=1)]
    await until(lambda: site.output.items == [chunk(), chunk(number=1)])
    assert site.parked.items == []


async def test_an_order_that_the_agent_cannot_read_is_not_parked_and_the_next_one_comes(site: Site, mine: Credentials) -> None:
    orders = Heard()
    await (await mine.bus()).open_mailbox(MAILBOX, AgentOrder, orders)
    await site.services.post(MAILBOX, [heartbeat(), CancelJob(job_id="j", dispatch=1)])
    await until(lambda: orders.items)
    assert orders.items == [CancelJob(job_id="j", dispatch=1)]
    assert site.parked.items == []


async def test_an_account_declares_consumes_and_binds_nothing_but_its_mailbox(site: Site, mine: Credentials) -> None:
    other = await (await site.grant(OTHER)).bus()
    await other.open_mailbox(agent_mailbox(TENANT, OTHER), AgentOrder, Heard())
    others_mailbox = site.on_broker(agent_mailbox(TENANT, OTHER))
    mailbox, agents, feed, public = (site.on_broker(name) for name in (MAILBOX, AGENTS, FEED, PUBLIC_EVENTS))
    attempts: list[Frame] = [
        commands.Queue.Declare(queue=site.on_broker("mine")),
        commands.Queue.Declare(queue=""),
        commands.Queue.Declare(queue=f"{mailbox}.too"),
        commands.Queue.Declare(queue=f"x{mailbox}"),
        commands.Queue.Declare(queue=mailbox.replace("web-1.dmz", "web-1xdmz")),
        commands.Queue.Declare(queue=site.on_broker(agent_mailbox(TENANT, "absent"))),
        commands.Exchange.Declare(exchange=site.on_broker("mine"), exchange_type="fanout"),
        commands.Exchange.Declare(exchange=mailbox, exchange_type="fanout", arguments={"alternate-exchange": feed}),
        commands.Exchange.Delete(exchange=agents),
        commands.Queue.Bind(queue=mailbox, exchange=agents, routing_key="#"),
        commands.Queue.Bind(queue=mailbox, exchange=feed),
        commands.Queue.Bind(queue=mailbox, exchange="amq.topic", routing_key="#"),
        commands.Queue.Bind(queue=mailbox, exchange=public, routing_key=f"{TENANT}.#"),
        commands.Exchange.Bind(destination=agents, source=public, routing_key="#"),
        commands.Exchange.Delete(exchange=public),
        commands.Queue.Bind(queue=site.on_broker(PARKED), exchange=agents, routing_key="#"),
        commands.Queue.Unbind(queue=site.on_broker(AGENT_STATUS), exchange=agents, routing_key="#.status"),
        commands.Exchange.Bind(destination=agents, source=feed),
        commands.Exchange.Bind(destination=feed, source=agents, routing_key="#"),
        commands.Basic.Consume(queue=others_mailbox),
        commands.Basic.Get(queue=others_mailbox),
        commands.Queue.Purge(queue=others_mailbox),
    ]
    for queue in TOPOLOGY.queues:
        name = site.on_broker(queue)
        attempts += [
            commands.Basic.Consume(queue=name),
            commands.Basic.Get(queue=name),
            commands.Queue.Purge(queue=name),
            commands.Queue.Delete(queue=name),
        ]
    wire = await mine.wire()

    async def refused(attempt: Frame) -> None:
        channel = await wire.open_channel()
        with pytest.raises(ChannelClosed) as refusal:
            await channel.call(attempt)
        assert refusal.value.code == NOT_ALLOWED, (attempt, str(refusal.value))

    await refused(commands.Queue.Declare(queue=mailbox, arguments={"x-dead-letter-exchange": feed}))
    await declare_own_queue(await wire.open_channel(), mailbox, max_waiting=10)
    for attempt in attempts:
        await refused(attempt)


async def test_an_account_publishes_nowhere_but_under_its_own_name(site: Site, mine: Credentials) -> None:
    agents = site.on_broker(AGENTS)
    theirs = agent_routing_key(TENANT, OTHER, AGENT_STATUS)
    own = mine.key(AGENT_STATUS)
    attempts = [
        *(("", site.on_broker(queue)) for queue in TOPOLOGY.queues),
        ("", site.on_broker(agent_mailbox(TENANT, OTHER))),
        ("", site.on_broker(MAILBOX)),
        ("", site.on_broker("replies.gateway")),
        *((site.on_broker(exchange), "") for exchange in TOPOLOGY.exchanges),
        (site.on_broker(PUBLIC_EVENTS), f"{TENANT}.job.completed"),
        (site.on_broker(PUBLIC_EVENTS), own),
        *((exchange, own) for exchange in ("amq.topic", "amq.direct", "amq.fanout", "amq.headers")),
        (agents, theirs),
        (agents, agent_routing_key("globex", ME, AGENT_STATUS)),
        (agents, ""),
        (agents, f"{TENANT}.{ME}.dispatcher"),
        (agents, f"{TENANT}.{ME}.{OTHER}.status"),
        (agents, f"x{own}"),
        (agents, f"{own}.status"),
        (agents, f"{own}\n"),
        (agents, own.replace("web-1.dmz", "web-1xdmz")),
        (agents, f"{TENANT}.{ME}.orchestrator-99"),
    ]
    for exchange, routing_key in attempts:
        refusal = await mine.publish(exchange, routing_key, heartbeat(OTHER))
        assert refusal is not None, (exchange, routing_key)
        assert "403 ACCESS_REFUSED" in refusal, (exchange, routing_key, refusal)
    assert await mine.publish(agents, own, heartbeat()) is None
    await until(lambda: site.status.items)
    assert site.status.items == [heartbeat()]


async def test_what_an_agent_says_for_others_is_parked_with_its_reason_and_the_rest_is_heard(
    site: Site, mine: Credentials
) -> None:
    bus = await mine.bus()
    register = RegisterAgent(tenant_id=TENANT, name=OTHER, session_id="s", tags=[], capacity=1, version="1", actions=[])
    await bus.send(AGENT_STATUS, [register, heartbeat(), heartbeat(tenant_id="globex")])
    finished = JobFinished(
        tenant_id=TENANT, execution_id="e", job_id="j", dispatch=1, agent=OTHER, status=JobStatus.COMPLETED, duration_ms=1
    )
    lost = JobLost(tenant_id=TENANT, execution_id="e", job_id="j", dispatch=1, agent=ME, reason="gone")
    request = Request(
        request_id="r",
        tenant_id=TENANT,
        actor="root",
        reply_to="replies.gateway",
        command=CancelExecution(execution_id="e"),
    )
    await bus.send(SECOND_INBOX, [finished, lost, request, started()])
    await bus.send(JOB_OUTPUT, [chunk("globex"), chunk()])
    await until(lambda: site.status.items and site.reports.items and site.output.items and site.live.items)
    await until(lambda: len(site.parked.items) == 6)
    assert site.status.items == [heartbeat()]
    assert site.reports.items == [started()]
    assert site.output.items == site.live.items == [chunk()]
    reasons = {(parked.queue, parked.reason) for parked in site.parked.items}
    assert reasons == {
        (AGENT_STATUS, f"agent {ME} of tenant {TENANT} spoke for agent {OTHER} of tenant {TENANT}"),
        (AGENT_STATUS, f"agent {ME} of tenant {TENANT} spoke for agent {ME} of tenant globex"),
        (SECOND_INBOX, f"agent {ME} of tenant {TENANT} spoke for agent {OTHER} of tenant {TENANT}"),
        (SECOND_INBOX, f"agent {ME} sent a JobLost, which is not for agents to say"),
        (SECOND_INBOX, f"agent {ME} sent a Request, which is not for agents to say"),
        (JOB_OUTPUT, f"agent {ME} of tenant {TENANT} spoke for agent {ME} of tenant globex"),
    }
    bodies = [msgspec.json.decode(parked.body) for parked in site.parked.items]
    assert msgspec.to_builtins(register) in bodies


async def test_further_routing_keys_in_the_headers_give_an_agent_no_other_name(site: Site, mine: Credentials) -> None:
    forged = msgspec.json.encode([heartbeat(OTHER)])
    theirs: FieldArray = [agent_routing_key(TENANT, OTHER, AGENT_STATUS)]
    for header in ("CC", "BCC"):
        with suppress(aio_pika.exceptions.AMQPError):  # newer brokers refuse it
            async with await aio_pika.connect(mine.url) as connection:
                exchange = await (await connection.channel()).get_exchange(site.on_broker(AGENTS), ensure=False)
                message = aio_pika.Message(forged, headers={header: theirs})
                await exchange.publish(message, routing_key=mine.key(JOB_OUTPUT))
    assert await mine.publish(site.on_broker(AGENTS), mine.key(AGENT_STATUS), heartbeat()) is None
    await until(lambda: site.status.items)
    assert site.status.items == [heartbeat()]


async def test_a_mailbox_that_sends_orders_on_in_the_name_of_another_agent_makes_nobody_believe_them(
    site: Site, mine: Credentials
) -> None:
    """An account may name `AGENTS` as the dead-letter exchange of its mailbox, and RabbitMQ looks at no routing key then. But
    only the dispatcher writes into mailboxes, and nobody takes orders for anything an agent says."""
    wire = await mine.wire()
    arguments: FieldTable = {
        "x-dead-letter-exchange": site.on_broker(AGENTS),
        "x-dead-letter-routing-key": agent_routing_key(TENANT, OTHER, AGENT_STATUS),
        "x-max-length": 0,
    }
    channel = await wire.open_channel()
    await channel.call(commands.Queue.Declare(queue=site.on_broker(MAILBOX), exclusive=True, arguments=arguments))
    await site.services.post(MAILBOX, [CancelJob(job_id="j", dispatch=1)])
    await until(lambda: site.parked.items)
    assert site.parked.items[0].reason.startswith("not readable")
    assert site.status.items == []


async def test_an_account_is_not_let_into_the_management_api(site: Site, mine: Credentials) -> None:
    host = urlsplit(site.management_url).netloc.rpartition("@")[2]
    async with httpx.AsyncClient(base_url=f"http://{host}/api/", auth=(mine.username, mine.password)) as client:
        for path in ("whoami", "overview", "users", "connections", "queues", "definitions"):
            assert (await client.get(path)).status_code == httpx.codes.UNAUTHORIZED


async def test_an_account_opens_a_handful_of_connections_and_no_more(site: Site, mine: Credentials) -> None:
    for _ in range(LIMITS["max-connections"]):
        await mine.wire()
    with pytest.raises(WireClosed, match="connection limit"):
        await mine.wire()
    wire = await (await site.grant(OTHER)).wire()
    for _ in range(LIMITS["max-channels"]):
        await wire.open_channel()
    with pytest.raises(WireClosed, match="channel"):
        await wire.open_channel()


async def test_a_second_process_of_an_agent_does_not_get_its_orders(site: Site, mine: Credentials) -> None:
    orders = Heard()
    await (await mine.bus()).open_mailbox(MAILBOX, AgentOrder, orders)
    second = await mine.bus()
    with pytest.raises(Conflict) as refusal:
        await second.open_mailbox(MAILBOX, AgentOrder, Heard())
    assert refusal.value.code == "mailbox_taken"
    await site.services.post(MAILBOX, [CancelJob(job_id="j", dispatch=1)])
    await until(lambda: orders.items)


async def test_a_revoked_agent_is_cut_off_at_once_and_does_not_come_back(site: Site, mine: Credentials) -> None:
    asked = 0

    async def renew() -> str:
        nonlocal asked
        asked += 1
        raise Revoked("the agent web-1.dmz was revoked")

    bus, stolen = await mine.bus(renew=renew), await mine.wire()
    await bus.open_mailbox(MAILBOX, AgentOrder, Heard())
    await site.accounts.revoke(mine.agent_id)
    async with asyncio.timeout(10):  # by heartbeats it would take a minute to see
        await stolen.closed
    await until(lambda: bus.trouble)
    with pytest.raises(LoginRefused):
        await Wire.connect(mine.url, timeout_seconds=5)
    with pytest.raises((Revoked, Unavailable)):
        await bus.send(AGENT_STATUS, [heartbeat()])
    await until(lambda: asked)
    assert bus.trouble == "the agent web-1.dmz was revoked"
    with pytest.raises(Revoked):
        await bus.send(AGENT_STATUS, [heartbeat()])
    with pytest.raises(Revoked):
        await mine.bus(renew=renew)
    await site.accounts.revoke(mine.agent_id)  # again: there is nothing to do


async def test_a_new_password_keeps_the_old_one_out_and_an_agent_that_asks_for_it_comes_back_by_itself(
    site: Site, mine: Credentials
) -> None:
    new = None

    async def renew() -> str:
        if new is None:
            raise Unavailable("the server is away")
        return new.url

    bus = await mine.bus(renew=renew)
    await site.accounts.revoke(mine.agent_id)
    await until(lambda: bus.trouble == "the server is away")
    new = await site.grant(ME, "another password", mine.agent_id)
    assert new.username == mine.username
    with pytest.raises(LoginRefused):
        await mine.wire()
    await until(lambda: bus.trouble is None)
    await bus.send(AGENT_STATUS, [heartbeat()])
    await until(lambda: site.status.items == [heartbeat()])


async def test_an_agent_that_is_let_in_anew_finds_nothing_of_what_a_thief_made_of_its_mailbox(
    site: Site, mine: Credentials
) -> None:
    thief = await mine.wire()
    await (await thief.open_channel()).call(commands.Queue.Declare(queue=site.on_broker(MAILBOX), durable=True))
    with pytest.raises(Conflict):
        await (await mine.bus()).open_mailbox(MAILBOX, AgentOrder, Heard())
    await site.accounts.revoke(mine.agent_id)
    bus = await (await site.grant(ME, "another password", mine.agent_id)).bus()
    orders = Heard()
    await bus.open_mailbox(MAILBOX, AgentOrder, orders)
    await site.grant(ME, "yet another password", mine.agent_id)  # the mailbox that is held stays
    await site.services.post(MAILBOX, [CancelJob(job_id="j", dispatch=1)])
    await until(lambda: orders.items)


async def test_who_makes_accounts_is_told_why_it_does_not_work(site: Site, amqp_url: str) -> None:
    host = urlsplit(site.management_url).netloc.rpartition("@")[2]
    troubles = {
        f"http://runyard:wrong@{host}": "refuses the login: RUNYARD_AMQP_MANAGEMENT_URL needs",
        "http://runyard:hush@127.0.0.1:1": "cannot be reached",
        site.management_url + "/nowhere": "with 405",
    }
    for url, words in troubles.items():
        accounts = BrokerAccounts(url, amqp_url, site.namespace)
        with pytest.raises(Unavailable, match=words) as trouble:
            await accounts.grant(new_id(), TENANT, ME, "a secret password")
        assert "hush" not in str(trouble.value)
        assert "secret" not in str(trouble.value)
        await accounts.close()
