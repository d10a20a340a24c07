"""Composition root of the projections: the only place that builds their adapters and connects them."""

import asyncpg
from runyard_shared.clock import Clock
from runyard_shared.contracts.commands import Request
from runyard_shared.contracts.events import EVENT_TYPES
from runyard_shared.contracts.feed import FeedBatch
from runyard_shared.contracts.jobs import OutputMessage, Parked
from runyard_shared.eventstore.mapper import EventMapper
from runyard_shared.eventstore.migrate import migrate
from runyard_shared.eventstore.postgres import PostgresEventStore
from runyard_shared.eventstore.store import EventStore
from runyard_shared.messaging.bus import Bus, Subscription
from runyard_shared.messaging.topology import FEED, JOB_OUTPUT, PARKED, PROJECTIONS_COMMANDS

from runyard_projections.analytics.projection import Analytics
from runyard_projections.archive.archiver import Archiver
from runyard_projections.commands import CommandHandler
from runyard_projections.executions.projection import Executions
from runyard_projections.handlers import OutputKeeper, ParkedKeeper
from runyard_projections.projection import LIVE, LOG, Projection
from runyard_projections.projector import Projector
from runyard_projections.retention import OutputRetention
from runyard_projections.settings import Settings
from runyard_projections.triggers.projection import Triggers
from runyard_projections.upkeep import Upkeep
from runyard_projections.workflows import Workflows


def projections() -> list[Projection]:
    """All of them."""
    mapper = EventMapper(EVENT_TYPES)
    return [Executions(mapper), Workflows(mapper), Analytics(mapper), Triggers(mapper)]


def log(pool: "asyncpg.Pool[asyncpg.Record]") -> EventStore:
    """The orchestrator's log, to read."""
    return PostgresEventStore(pool, LOG, EventMapper(EVENT_TYPES))


def archiver(settings: Settings, pool: "asyncpg.Pool[asyncpg.Record]", clock: Clock) -> Archiver:
    return Archiver(pool, clock, EventMapper(EVENT_TYPES), settings.archive_dir)


async def create(settings: Settings, *, bus: Bus, pool: "asyncpg.Pool[asyncpg.Record]", clock: Clock) -> "Service":
    """Migrates the schema; the bus and the pool are the caller's, open. One connection of the pool is held."""
    await migrate(pool, LIVE, "runyard_projections")
    return Service(settings, bus=bus, pool=pool, clock=clock)


class Service:
    """The projector, and the keepers of what is not in the log."""

    def __init__(self, settings: Settings, *, bus: Bus, pool: "asyncpg.Pool[asyncpg.Record]", clock: Clock) -> None:
        self._bus = bus
        self._projector = Projector(log(pool), pool, projections())
        self._output = OutputKeeper(pool)
        self._archiver = archiver(settings, pool, clock)
        upkeep = Upkeep(pool, log(pool), projections())
        self._commands = CommandHandler(bus, pool, upkeep, clock, may_archive=settings.archive_dir is not None)
        self._retention = OutputRetention(pool, clock, settings.output_retention_days)
        self._parked = ParkedKeeper(pool)
        self._subscriptions: list[Subscription] = []

    async def start(self) -> None:
        """Hears the feed from now on, and catches up with the log in the background."""
        self._subscriptions = [
            await self._bus.listen(FEED, FeedBatch, self._projector.hear),
            await self._bus.consume(JOB_OUTPUT, OutputMessage, self._output.keep),
            await self._bus.consume(PARKED, Parked, self._parked.keep),
            await self._bus.consume(PROJECTIONS_COMMANDS, Request, self._commands.handle),
        ]
        self._projector.start()
        self._retention.rounds.start()
        self._archiver.rounds.start()

    async def stop(self) -> None:
        """Ends what is under way; the rest stays in the log and the queues."""
        for subscription in self._subscriptions:
            await subscription.cancel()
        self._subscriptions = []
        await self._commands.stop()
        await self._archiver.rounds.stop()
        await self._retention.rounds.stop()
        await self._projector.stop()

    def health(self) -> dict[str, str | None]:
        return {
            "broker": self._bus.trouble,
            "read models": self._projector.trouble,
            "output": self._retention.rounds.trouble,
            "archive": self._archiver.rounds.trouble,
        }
