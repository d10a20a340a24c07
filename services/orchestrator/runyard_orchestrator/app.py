"""Composition root of the orchestrator: the only place that builds its adapters and connects them."""

import random
from collections.abc import Sequence

import asyncpg
from runyard_shared.clock import Clock
from runyard_shared.contracts.events import EVENT_TYPES
from runyard_shared.contracts.feed import Recorded
from runyard_shared.eventstore.checkpoint import Checkpoint
from runyard_shared.eventstore.figures import LogFigures
from runyard_shared.eventstore.mapper import EventMapper
from runyard_shared.eventstore.migrate import migrate
from runyard_shared.eventstore.postgres import PostgresEventStore
from runyard_shared.eventstore.relay import Relay
from runyard_shared.eventstore.traces import Traces
from runyard_shared.messaging.bus import Bus
from runyard_shared.messaging.inboxes import Inboxes
from runyard_shared.messaging.requests import post_replies
from runyard_shared.messaging.topology import ORCHESTRATOR_PARTITIONS, orchestrator_inbox, orchestrator_inbox_partition
from runyard_shared.metrics import at_scrape, no_longer_at_scrape
from runyard_shared.shares import Share, Shares
from runyard_shared.timers import Timers, to_inbox
from runyard_shared.tracing import tracing

from runyard_orchestrator.execution_handler import ExecutionHandler
from runyard_orchestrator.execution_spans import ExecutionSpans
from runyard_orchestrator.handlers import Handlers, InboxItem
from runyard_orchestrator.incident_handler import IncidentHandler
from runyard_orchestrator.moments import say
from runyard_orchestrator.orders import orders_of
from runyard_orchestrator.repository import Executions, Workflows
from runyard_orchestrator.schedule_handler import ScheduleHandler
from runyard_orchestrator.settings import Settings
from runyard_orchestrator.workflow_handler import WorkflowHandler

SCHEMA = "orchestrator"
RELAY = "relay"
"""The share of handing on what all orchestrators commit."""
TRACES = "traces"
"""The share of telling what happened as spans, if that is on."""


class Service:
    """The running orchestrator: inbox partitions, relay and timers around one event store. Partitions and relay are shared out
    among all orchestrators there are."""

    def __init__(self, settings: Settings, *, bus: Bus, pool: "asyncpg.Pool[asyncpg.Record]", clock: Clock) -> None:
        self._bus = bus
        self._pool = pool
        mapper = EventMapper(EVENT_TYPES)
        self._store = PostgresEventStore(pool, SCHEMA, mapper)
        public = Checkpoint(pool, SCHEMA, "public")
        self._relay = Relay(
            SCHEMA, self._store, bus, orders_of, Checkpoint(pool, SCHEMA), public=public, shared=not bus.in_process
        )
        self._timers = Timers(pool, SCHEMA, clock, to_inbox(bus, orchestrator_inbox), is_mine=self._is_mine)
        self._traces = Traces(self._store, Checkpoint(pool, SCHEMA, TRACES), ExecutionSpans())
        self._store.on_commit = self._committed
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
        self._inboxes = Inboxes(
            bus,
            [orchestrator_inbox_partition(partition) for partition in range(ORCHESTRATOR_PARTITIONS)],
            InboxItem,
            self._handle,
            gained=self._forget_states,
            settled=self._timers.look_again,
            weight=2,
        )
        relay = Share(RELAY, self._relay.start, self._relay.stop)
        traces = [Share(TRACES, self._traces.start, self._traces.stop)] if tracing() else []
        self._shares = Shares(
            pool, SCHEMA, [relay, *self._inboxes.shares(), *traces], able=lambda: bus.trouble is None, alone=bus.in_process
        )
        bus.on_reconnect(self._reconnected)
        self._figures = LogFigures(pool, SCHEMA)

    async def start(self) -> None:
        """Migrate, then take the part of the work that falls to this process."""
        await migrate(self._pool, SCHEMA, "runyard_orchestrator", with_log=True)
        await self._store.open()
        await self._shares.start()
        await self._timers.start()
        at_scrape(self._figures.read)

    async def stop(self) -> None:
        """Finish what is under way; the rest stays in the queues."""
        no_longer_at_scrape(self._figures.read)
        await self._timers.stop()
        await self._shares.stop()
        await self._store.close()

    def health(self) -> dict[str, str | None]:
        return {
            "event store": self._store.trouble,
            "relay": self._relay.trouble if self._shares.has(RELAY) else None,
            "timers": self._timers.trouble,
            "bus": self._bus.trouble,
            "shares": self._shares.trouble,
        }

    async def check_health(self) -> dict[str, str | None]:
        """As `health`, after asking the database."""
        return {**self.health(), "log": await self._store.check()}

    def standing(self) -> dict[str, str]:
        """Who does each part of the work: "here", or which other process."""
        return self._shares.standing()

    def _committed(self, rows: list[Recorded]) -> None:
        self._relay.committed(rows)
        self._traces.committed(rows)
        say(rows)

    def _is_mine(self, stream_id: str) -> bool:
        return self._inboxes.has(orchestrator_inbox(stream_id))

    def _forget_states(self) -> None:
        """Another process may have had the inbox, and have written since."""
        self._workflows.forget_all()
        self._executions.forget_all()

    async def _reconnected(self) -> None:
        self._forget_states()

    async def _handle(self, items: Sequence[InboxItem]) -> None:
        await post_replies(self._bus, await self._handlers.handle(items))


async def create(settings: Settings, *, bus: Bus, pool: "asyncpg.Pool[asyncpg.Record]", clock: Clock) -> Service:
    return Service(settings, bus=bus, pool=pool, clock=clock)
