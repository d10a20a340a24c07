"""Composition root of the approvals service: the only place that builds its adapters and connects them."""

from collections.abc import Sequence

import asyncpg
from runyard_shared.clock import Clock
from runyard_shared.contracts.feed import Recorded
from runyard_shared.eventstore.checkpoint import Checkpoint
from runyard_shared.eventstore.figures import LogFigures
from runyard_shared.eventstore.migrate import migrate
from runyard_shared.eventstore.postgres import PostgresEventStore
from runyard_shared.eventstore.relay import Relay
from runyard_shared.eventstore.traces import Traces
from runyard_shared.messaging.answers import Answer
from runyard_shared.messaging.bus import Bus
from runyard_shared.messaging.inboxes import Inboxes
from runyard_shared.messaging.requests import post_replies
from runyard_shared.messaging.topology import APPROVALS_PARTITIONS, approvals_inbox, approvals_inbox_partition
from runyard_shared.metrics import at_scrape, no_longer_at_scrape
from runyard_shared.shares import Share, Shares
from runyard_shared.timers import Timers, to_inbox
from runyard_shared.tracing import tracing

from runyard_approvals.approval.decide import Retries
from runyard_approvals.approval_handler import ApprovalHandler
from runyard_approvals.approval_spans import ApprovalSpans
from runyard_approvals.channel_handler import ChannelHandler
from runyard_approvals.handlers import Handlers, InboxItem
from runyard_approvals.links import Links
from runyard_approvals.notifications.channels import Channels
from runyard_approvals.notifications.notifier import Notifier
from runyard_approvals.notifications.sender import Sender
from runyard_approvals.reports import MAPPER, reports_of
from runyard_approvals.repository import Approvals
from runyard_approvals.secret import Secret, load_secret
from runyard_approvals.settings import Settings

SCHEMA = "approvals"
RELAY = "relay"
"""The share of handing on what all processes of the service commit."""
TRACES = "traces"
"""The share of telling what happened as spans, if that is on."""


class Service:
    """The running approvals service: inbox partitions, relay, timers and notifier around one event store. Partitions and relay
    are shared out among all processes of the service."""

    def __init__(self, settings: Settings, *, bus: Bus, pool: "asyncpg.Pool[asyncpg.Record]", clock: Clock) -> None:
        self._settings = settings
        self._bus = bus
        self._pool = pool
        self._clock = clock
        self._store = PostgresEventStore(pool, SCHEMA, MAPPER)
        self._relay = Relay(SCHEMA, self._store, bus, reports_of, Checkpoint(pool, SCHEMA), shared=not bus.in_process)
        self._timers = Timers(pool, SCHEMA, clock, to_inbox(bus, approvals_inbox), is_mine=self._is_mine)
        self._traces = Traces(self._store, Checkpoint(pool, SCHEMA, TRACES), ApprovalSpans())
        self._store.on_commit = self._committed
        self._store.on_timer = self._timers.hint
        self._inboxes = Inboxes(
            bus,
            [approvals_inbox_partition(partition) for partition in range(APPROVALS_PARTITIONS)],
            InboxItem,
            self._handle,
            settled=self._timers.look_again,
            weight=2,
        )
        relay = Share(RELAY, self._relay.start, self._relay.stop)
        traces = [Share(TRACES, self._traces.start, self._traces.stop)] if tracing() else []
        self._shares = Shares(
            pool, SCHEMA, [relay, *self._inboxes.shares(), *traces], able=lambda: bus.trouble is None, alone=bus.in_process
        )
        self._handlers: Handlers | None = None
        self._figures = LogFigures(pool, SCHEMA)
        self._notifier: Notifier | None = None
        self._channel_handler: ChannelHandler | None = None

    async def start(self) -> None:
        """Migrate, then take the part of the work that falls to this process."""
        await migrate(self._pool, SCHEMA, "runyard_approvals", with_log=True)
        given = self._settings.approvals_secret
        self._handlers = self._build(await load_secret(self._pool, given.get_secret_value() if given else None))
        await self._store.open()
        await self._shares.start()
        await self._timers.start()
        at_scrape(self._figures.read)

    async def stop(self) -> None:
        """Finish what is under way; the rest stays in the queues, and in the timers."""
        no_longer_at_scrape(self._figures.read)
        await self._timers.stop()
        await self._shares.stop()
        if self._notifier is not None and self._channel_handler is not None:
            await self._channel_handler.stop()
            await self._notifier.stop()
        await self._store.close()

    def health(self) -> dict[str, str | None]:
        return {
            "event store": self._store.trouble,
            "relay": self._relay.trouble if self._shares.has(RELAY) else None,
            "timers": self._timers.trouble,
            "bus": self._bus.trouble,
            "shares": self._shares.trouble,
        }

    def standing(self) -> dict[str, str]:
        """Who does each part of the work: "here", or which other process."""
        return self._shares.standing()

    def _committed(self, rows: list[Recorded]) -> None:
        self._relay.committed(rows)
        self._traces.committed(rows)

    def _is_mine(self, stream_id: str) -> bool:
        return self._inboxes.has(approvals_inbox(stream_id))

    async def _handle(self, items: Sequence[InboxItem]) -> None:
        if self._handlers is None:
            raise TypeError("items came before the service was started")
        await self._post(await self._handlers.handle(items))

    async def check_health(self) -> dict[str, str | None]:
        """As `health`, after asking the database."""
        return {**self.health(), "log": await self._store.check()}

    def _build(self, secret: Secret) -> Handlers:
        settings, clock = self._settings, self._clock
        approvals = Approvals(self._store, MAPPER)
        channels = Channels(self._pool, secret)
        links = Links(secret, settings.public_url)
        sender = Sender(allow_private=settings.allow_private_notifications)
        retries = Retries(settings.notification_attempts, settings.notification_retry_seconds)
        notifier = Notifier(approvals, channels, sender, links, clock, settings.public_url)
        handler = ApprovalHandler(self._store, approvals, channels, links, clock, notifier.offer, retries)
        notifier.record = handler.attempted
        self._notifier = notifier
        self._channel_handler = ChannelHandler(channels, sender, clock, self._post)
        return Handlers(handler, self._channel_handler)

    async def _post(self, answers: Sequence[Answer]) -> None:
        await post_replies(self._bus, answers)


async def create(settings: Settings, *, bus: Bus, pool: "asyncpg.Pool[asyncpg.Record]", clock: Clock) -> Service:
    return Service(settings, bus=bus, pool=pool, clock=clock)
