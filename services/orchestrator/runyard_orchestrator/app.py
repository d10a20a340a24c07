"""Composition root of the orchestrator: the only place that builds its adapters and connects them."""

import random
from collections.abc import Sequence

import asyncpg
from runyard_shared.clock import Clock
from runyard_shared.contracts.events import EVENT_TYPES
from runyard_shared.eventstore.checkpoint import Checkpoint
from runyard_shared.eventstore.mapper import EventMapper
from runyard_shared.eventstore.migrate import migrate
from runyard_shared.eventstore.postgres import PostgresEventStore
from runyard_shared.eventstore.relay import Relay
from runyard_shared.messaging.bus import Bus, Subscription
from runyard_shared.messaging.requests import post_replies
from runyard_shared.messaging.topology import ORCHESTRATOR_PARTITIONS, orchestrator_inbox, orchestrator_inbox_partition
from runyard_shared.timers import Timers, to_inbox

from runyard_orchestrator.execution_handler import ExecutionHandler
from runyard_orchestrator.handlers import Handlers, InboxItem
from runyard_orchestrator.incident_handler import IncidentHandler
from runyard_orchestrator.orders import orders_of
from runyard_orchestrator.repository import Executions, Workflows
from runyard_orchestrator.schedule_handler import ScheduleHandler
from runyard_orchestrator.settings import Settings
from runyard_orchestrator.workflow_handler import WorkflowHandler

SCHEMA = "orchestrator"


class Service:
    """The running orchestrator: inbox partitions, relay and timers around one event store."""

    def __init__(self, settings: Settings, *, bus: Bus, pool: "asyncpg.Pool[asyncpg.Record]", clock: Clock) -> None:
        self._bus = bus
        self._pool = pool
        mapper = EventMapper(EVENT_TYPES)
        self._store = PostgresEventStore(pool, SCHEMA, mapper)
        public = Checkpoint(pool, SCHEMA, "public")
        self._relay = Relay(SCHEMA, self._store, bus, orders_of, Checkpoint(pool, SCHEMA), public=public)
        self._timers = Timers(pool, SCHEMA, clock, to_inbox(bus, orchestrator_inbox))
        self._store.on_commit = self._relay.committed
        self._store.on_timer = self._timers.hint
        self._workflows = Workflows(self._store, mapper)
        self._executions = Executions(self._store, mapper, self._workflows, capacity=settings.cached_executions)
        chance = random.Random()  # noqa: S311 - spreads retries, guards nothing
        self._handlers = Handlers(
            ExecutionHandler(self._store, self._workflows, self._executions, clock, chance),
            WorkflowHandler(self._store, self._workflows, clock),
            ScheduleHandler(self._store, self._workflows, self._executions, clock),
            IncidentHandler(self._store, mapper, self._workflows, clock),
            self._workflows,
        )
        self._subscriptions: list[Subscription] = []
        bus.on_reconnect(self._forget_states)

    async def start(self) -> None:
        """Migrate, repair what an earlier process left unsent, then take work."""
        await migrate(self._pool, SCHEMA, "runyard_orchestrator", with_log=True)
        await self._store.open()
        await self._relay.start()
        for partition in range(ORCHESTRATOR_PARTITIONS):
            queue = orchestrator_inbox_partition(partition)
            self._subscriptions.append(await self._bus.consume(queue, InboxItem, self._handle))
        await self._timers.start()

    async def stop(self) -> None:
        """Finish what is under way; the rest stays in the queues."""
        await self._timers.stop()
        for subscription in self._subscriptions:
            await subscription.cancel()
        self._subscriptions.clear()
        await self._store.close()
        await self._relay.stop()

    def health(self) -> dict[str, str | None]:
        return {
            "event store": self._store.trouble,
            "relay": self._relay.trouble,
            "timers": self._timers.trouble,
            "bus": self._bus.trouble,
        }

    async def _forget_states(self) -> None:
        """While the connection was away, another process may have had the inbox."""
        self._workflows.forget_all()
        self._executions.forget_all()

    async def _handle(self, items: Sequence[InboxItem]) -> None:
        await post_replies(self._bus, await self._handlers.handle(items))


async def create(settings: Settings, *, bus: Bus, pool: "asyncpg.Pool[asyncpg.Record]", clock: Clock) -> Service:
    return Service(settings, bus=bus, pool=pool, clock=clock)
