"""The composition root: the dispatcher as a service. Of several processes one leads and the others stand by."""

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import structlog
from runyard_shared.clock import Clock
from runyard_shared.contracts.commands import Request
from runyard_shared.contracts.feed import Recorded
from runyard_shared.contracts.jobs import AgentStatus, PlacementOrder
from runyard_shared.errors import Unavailable
from runyard_shared.eventstore.checkpoint import Checkpoint
from runyard_shared.eventstore.figures import LogFigures
from runyard_shared.eventstore.migrate import migrate
from runyard_shared.eventstore.postgres import PostgresEventStore
from runyard_shared.eventstore.relay import Relay
from runyard_shared.loops import forever
from runyard_shared.messaging.bus import Bus
from runyard_shared.messaging.topology import AGENT_STATUS, DISPATCHER_COMMANDS, DISPATCHER_INBOX
from runyard_shared.metrics import Sample, at_scrape, no_longer_at_scrape

from runyard_dispatcher import metrics
from runyard_dispatcher.accounts import BrokerAccounts
from runyard_dispatcher.answering import Answering
from runyard_dispatcher.commands import Commands
from runyard_dispatcher.enrolment import Accounts, Enrolments
from runyard_dispatcher.handlers import Handlers
from runyard_dispatcher.journal import MAPPER, Journal
from runyard_dispatcher.lead import lead
from runyard_dispatcher.probes import Probes
from runyard_dispatcher.rescuer import rescue_forever
from runyard_dispatcher.rotation import Rotation
from runyard_dispatcher.settings import Settings
from runyard_dispatcher.turns import Turns
from runyard_dispatcher.vault import Vault

SCHEMA = "dispatcher"
_RETRY_SECONDS = 0.5

_log = structlog.get_logger(__name__)


async def create(
    settings: Settings,
    *,
    bus: Bus,
    pool: "asyncpg.Pool[asyncpg.Record]",
    clock: Clock,
    accounts: Accounts | None = None,
) -> "Service":
    """The bus and the pool are the caller's, open. Two connections of the pool are held. `accounts`: at the broker, for agents;
    else those that the settings lead to."""
    return Service(settings, bus, pool, clock, accounts)


class Service:
    def __init__(
        self,
        settings: Settings,
        bus: Bus,
        pool: "asyncpg.Pool[asyncpg.Record]",
        clock: Clock,
        accounts: Accounts | None,
    ) -> None:
        self._settings = settings
        self._bus = bus
        self._pool = pool
        self._clock = clock
        self._store = PostgresEventStore(pool, SCHEMA, MAPPER)
        public = Checkpoint(pool, SCHEMA, "public")
        self._relay = Relay(SCHEMA, self._store, bus, _no_work, Checkpoint(pool, SCHEMA), public=public)
        self._store.on_commit = self._relay.committed
        self._figures = LogFigures(pool, SCHEMA)
        self._broker: BrokerAccounts | None = None
        if accounts is None and settings.amqp_management_url:
            accounts = self._broker = BrokerAccounts(
                settings.amqp_management_url, amqp_url=settings.amqp_url, namespace=settings.amqp_namespace
            )
        vault = Vault(settings.keys)
        journal, answering = Journal(self._store), Answering(bus)
        self._turns = Turns(bus, clock, vault)
        self._enrolments = Enrolments(
            self._turns,
            journal,
            answering,
            accounts,
            clock,
            settings.patience,
            broker_url=settings.broker_url,
            namespace=settings.amqp_namespace,
        )
        self._probes = Probes(self._turns, journal, answering, vault, clock, settings.probe_timeout_seconds)
        self._handlers = Handlers(
            self._turns,
            journal,
            Commands(vault),
            self._enrolments,
            self._probes,
            answering,
            Rotation(pool, vault),
            settings.patience,
        )
        self._task: asyncio.Task[None] | None = None
        self._settled = asyncio.Event()
        self._leading = False
        self._leader = "nobody yet"
        self._trouble: str | None = None
        bus.on_reconnect(self._handlers.reconnected)

    async def start(self) -> None:
        """Migrates; returns when this process leads, or stands by because another one does, to take over when that one ends."""
        await migrate(self._pool, SCHEMA, "runyard_dispatcher", with_log=True)
        at_scrape(self._figures.read)
        at_scrape(self._read)
        self._settled.clear()
        self._task = forever(self._serve_forever(), "dispatcher")
        await self._settled.wait()

    async def stop(self) -> None:
        """Stops where it is: the tables and the queues hold the rest."""
        no_longer_at_scrape(self._figures.read)
        no_longer_at_scrape(self._read)
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if self._broker is not None:
            await self._broker.close()

    def health(self) -> dict[str, str | None]:
        """Trouble by part, in words. A process that stands by is well."""
        leading = self._leading
        return {
            "broker": self._bus.trouble,
            "placement": self._trouble,
            "log": self._store.trouble if leading else None,
            "relay": self._relay.trouble if leading else None,
            "accounts": self._enrolments.trouble if leading else None,
        }

    def standing(self) -> dict[str, str]:
        """Who leads: "here", or which other process."""
        return {"placement": "here" if self._leading else self._leader}

    async def check_health(self) -> dict[str, str | None]:
        """As `health`, after asking the database."""
        return {**self.health(), "log": await self._store.check()}

    async def _read(self) -> Iterable[Sample]:
        return await metrics.read(self._pool)

    async def _serve_forever(self) -> None:
        said = None
        while True:
            try:
                await self._lead()
                self._trouble = "the connection to PostgreSQL was lost"
            except Unavailable as trouble:
                self._trouble = str(trouble)
            except Exception as error:  # noqa: BLE001 - a service goes on trying; its health says so
                _log.exception("the dispatcher failed and begins again")
                self._trouble = f"it failed and begins again: {error!r}"
            if self._trouble != said:
                said = self._trouble
                _log.warning("the dispatcher does not work", reason=said)
            self._settled.set()
            await asyncio.sleep(_RETRY_SECONDS)

    async def _lead(self) -> None:
        """Lead until the database connection is lost."""
        async with AsyncExitStack() as stack:
            connection = await stack.enter_async_context(lead(self._pool, self._stand_by))
            connection.add_termination_listener(lambda _: self._turns.lost.set())
            await self._store.open()
            stack.push_async_callback(self._store.close)
            await self._relay.start()
            stack.push_async_callback(self._relay.stop)
            await self._turns.begin(connection)
            stack.push_async_callback(self._turns.end)
            stack.callback(self._probes.drop)
            stack.push_async_callback(self._enrolments.drop)
            statuses = await self._bus.consume(AGENT_STATUS, AgentStatus, self._handlers.handle_statuses)
            stack.push_async_callback(statuses.cancel)
            orders = await self._bus.consume(DISPATCHER_INBOX, PlacementOrder, self._handlers.handle_orders)
            stack.push_async_callback(orders.cancel)
            requests = await self._bus.consume(DISPATCHER_COMMANDS, Request, self._handlers.handle_requests)
            stack.push_async_callback(requests.cancel)
            rescuer = forever(self._rescue(), "rescuer")
            stack.push_async_callback(_end, rescuer)
            deleter = forever(self._enrolments.delete_accounts_forever(), "accounts")
            stack.push_async_callback(_end, deleter)
            self._leading, self._trouble = True, None
            stack.callback(self._lead_no_more)
            self._settled.set()
            _log.info("the dispatcher leads")
            await self._turns.lost.wait()

    async def _rescue(self) -> None:
        await rescue_forever(self._handlers, self._bus, self._clock, self._settings.rescue_every_seconds)

    def _stand_by(self, leader: str) -> None:
        self._trouble, self._leader = None, leader
        if not self._settled.is_set():
            _log.info("another dispatcher leads; this one stands by", leader=leader)
            self._settled.set()

    def _lead_no_more(self) -> None:
        self._leading = False


async def _end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _no_work(_: Recorded) -> Iterable[tuple[str, Any]]:
    """What happens to agents, pools and connections goes to the feed; nobody's work follows from it."""
    return ()
