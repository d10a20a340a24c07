"""Composition root of the projections: the only place that builds their adapters and connects them."""

from collections.abc import Iterable

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
from runyard_shared.messaging.inboxes import Inboxes
from runyard_shared.messaging.topology import DEAD_LETTERS, FEED, JOB_OUTPUT, PARKED, PROJECTIONS_COMMANDS
from runyard_shared.metrics import Sample, at_scrape, no_longer_at_scrape
from runyard_shared.shares import Share, Shares

from runyard_projections import metrics
from runyard_projections.analytics.projection import Analytics
from runyard_projections.archive.archiver import Archiver
from runyard_projections.commands import CommandHandler
from runyard_projections.executions.projection import Executions
from runyard_projections.handlers import OutputKeeper
from runyard_projections.parked import ParkedKeeper
from runyard_projections.projection import LIVE, LOG, Projection
from runyard_projections.projector import Projector
from runyard_projections.retention import OutputRetention
from runyard_projections.settings import Settings
from runyard_projections.triggers.projection import Triggers
from runyard_projections.upkeep import Upkeep
from runyard_projections.workflows import Workflows

READ_MODELS = "read models"
"""The share of applying the log to the read models."""


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
    """Migrates the schema; the bus and the pool are the caller's, open. Up to two connections of the pool are held."""
    await migrate(pool, LIVE, "runyard_projections")
    return Service(settings, bus=bus, pool=pool, clock=clock)


class Service:
    """The projector, and the keepers of what is not in the log, shared out among all processes of the service."""

    def __init__(self, settings: Settings, *, bus: Bus, pool: "asyncpg.Pool[asyncpg.Record]", clock: Clock) -> None:
        self._bus = bus
        self._pool = pool
        self._log = PostgresEventStore(pool, LOG, EventMapper(EVENT_TYPES))
        self._projector = Projector(self._log, pool, projections())
        self._archiver = archiver(settings, pool, clock)
        upkeep = Upkeep(pool, log(pool), projections())
        parked = ParkedKeeper(pool)
        self._commands = CommandHandler(bus, pool, upkeep, clock, parked, may_archive=settings.archive_dir is not None)
        self._retention = OutputRetention(pool, clock, settings.output_retention_days)
        self._feed: Subscription | None = None
        kept = [
            Inboxes(bus, [JOB_OUTPUT], OutputMessage, OutputKeeper(pool).keep),
            Inboxes(bus, [PROJECTIONS_COMMANDS], Request, self._commands.handle),
            Inboxes(bus, [PARKED, DEAD_LETTERS], Parked, parked.keep),
        ]
        queues = [share for inboxes in kept for share in inboxes.shares()]
        read_models = Share(READ_MODELS, self._begin_to_apply, self._end_to_apply, weight=3)
        self._shares = Shares(pool, LIVE, [read_models, *queues], able=lambda: bus.trouble is None, alone=bus.in_process)

    async def start(self) -> None:
        """Takes the part of the work that falls to this process. What comes round every hour is looked after by each, one at a
        time."""
        await self._shares.start()
        self._retention.rounds.start()
        self._archiver.rounds.start()
        at_scrape(self._read)

    async def stop(self) -> None:
        """Ends what is under way; the rest stays in the log and the queues."""
        no_longer_at_scrape(self._read)
        await self._shares.stop()
        await self._commands.stop()
        await self._archiver.rounds.stop()
        await self._retention.rounds.stop()

    def health(self) -> dict[str, str | None]:
        return {
            "broker": self._bus.trouble,
            "read models": self._projector.trouble if self._shares.has(READ_MODELS) else None,
            "output": self._retention.rounds.trouble,
            "archive": self._archiver.rounds.trouble,
            "shares": self._shares.trouble,
        }

    def standing(self) -> dict[str, str]:
        """Who does each part of the work: "here", or which other process."""
        return self._shares.standing()

    async def _begin_to_apply(self) -> None:
        """Hears the feed from now on, and catches up with the log in the background."""
        self._feed = await self._bus.listen(FEED, FeedBatch, self._projector.hear)
        self._projector.start()

    async def _end_to_apply(self) -> None:
        if self._feed is not None:
            await self._feed.cancel()
            self._feed = None
        await self._projector.stop()

    async def check_health(self) -> dict[str, str | None]:
        """As `health`, after asking the database."""
        return {**self.health(), "log": await self._log.check()}

    async def _read(self) -> Iterable[Sample]:
        return await metrics.read(self._pool)
