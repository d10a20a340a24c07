"""The composition root: builds an agent from its settings, its enrolment and a way to its server."""

import asyncio
from typing import Any, Final

import structlog
from runyard_shared.contracts.link import Enrolment
from runyard_shared.errors import Conflict, Unavailable
from runyard_shared.messaging.bus import Subscription
from runyard_shared.metrics import at_scrape, no_longer_at_scrape
from runyard_shared.sealing import OpeningKey

from runyard_agent.actions.base import Action
from runyard_agent.actions.registry import load_actions
from runyard_agent.announcement import action_types
from runyard_agent.delivery import Delivery
from runyard_agent.identity import StateUnusable
from runyard_agent.leases import Leases
from runyard_agent.metrics import AgentFigures
from runyard_agent.probing import Probing
from runyard_agent.reports import Reports
from runyard_agent.runner import Runner
from runyard_agent.session import Session
from runyard_agent.settings import Settings
from runyard_agent.spool import Spool
from runyard_agent.transport.base import Transport
from runyard_agent.version import VERSION

log = structlog.get_logger(__name__)
_MAILBOX_RETRY_SECONDS: Final = 1.0


class Agent:
    """Runs jobs between `start` and `stop`, which closes the `spool`. `revoked` is set when the server has cut it off and its
    jobs are stopped: only `stop` is left to do."""

    def __init__(
        self,
        settings: Settings,
        enrolment: Enrolment,
        key: OpeningKey,
        transport: Transport,
        actions: dict[str, Action[Any]],
        spool: Spool,
    ) -> None:
        self.revoked = asyncio.Event()
        self._enrolment = enrolment
        self._transport = transport
        self._actions = actions
        leases = Leases(enrolment.offline_after_seconds * 2)
        self._session = Session(
            settings,
            enrolment,
            transport,
            leases,
            actions=list(actions),
            action_types=action_types(actions),
            version=VERSION,
        )
        self._spool = spool
        self._figures = AgentFigures(settings.agent_capacity, leases, self._session, spool)
        self._reports = Reports(transport, leases, spool)
        self._delivery = Delivery(transport, spool)
        self._runner = Runner(
            settings,
            enrolment,
            key,
            self._session,
            leases,
            self._reports,
            self._delivery,
            actions,
            Probing(settings, enrolment, key, self._session, transport),
        )
        self._session.on_void = self._runner.give_up_waiting
        self._session.on_revoked = self._revoke
        transport.on_revoked(self._revoke)
        self._mailbox: Subscription | None = None
        self._mailbox_trouble: str | None = "not open yet"
        self._revoked_because: str | None = None
        self._cutting_off: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Deliver what an earlier process has left, open the mailbox and register. Waits while the server is away, and while
        another process holds the mailbox: the server may not have noticed yet that an earlier process of this agent is gone.
        Raises `Revoked`."""
        # first of all: with the new session, the leases of the earlier process count as lost
        await self._reports.deliver_spooled()
        self._delivery.resume()
        self._mailbox = await self._open_mailbox()
        self._mailbox_trouble = None
        self._transport.on_reconnect(self._session.reconnected)
        self._session.start()
        at_scrape(self._figures.read)

    async def stop(self) -> None:
        """End in good order: running jobs get their grace, reports are delivered, the dispatcher is told."""
        no_longer_at_scrape(self._figures.read)
        if self._cutting_off is not None:
            await self._cutting_off
        else:
            await self._runner.stop()
            await self._session.stop()
        if self._mailbox is not None:
            await self._mailbox.cancel()
            self._mailbox = None
        for action in self._actions.values():
            await action.close()
        self._spool.close()

    def health(self) -> dict[str, str | None]:
        return {
            "enrolment": self._revoked_because,
            "connection": self._transport.trouble,
            "mailbox": self._mailbox_trouble,
            "session": self._session.trouble,
            "reports": self._reports.trouble,
            "output": self._delivery.trouble,
        }

    def _revoke(self, reason: str) -> None:
        if self._cutting_off is None:
            log.error("this agent is not let in any more: its jobs are stopped", agent=self._enrolment.name, reason=reason)
            self._revoked_because = f"revoked: {reason}"
            self._cutting_off = asyncio.create_task(self._cut_off(), name="cut off")

    async def _cut_off(self) -> None:
        await self._session.end()
        await self._runner.abandon()
        self.revoked.set()

    async def _open_mailbox(self) -> Subscription:
        while True:
            try:
                return await self._transport.receive(self._runner.handle)
            except Conflict:
                self._mailbox_trouble = f"another process is connected as agent {self._enrolment.name!r}"
                log.warning("waiting for the mailbox", reason=self._mailbox_trouble)
            except Unavailable as trouble:
                self._mailbox_trouble = str(trouble)
                log.warning("waiting for the server", reason=str(trouble))
            await asyncio.sleep(_MAILBOX_RETRY_SECONDS)


async def create(settings: Settings, *, enrolment: Enrolment, key: OpeningKey, transport: Transport) -> Agent:
    """An agent with every installed action. `transport` is open already. Raises `Conflict` (code `spool_taken`) if another
    process uses the state directory, `StateUnusable`."""
    directory = settings.agent_state_dir / "spool" / enrolment.agent_id
    try:
        spool = Spool.open(directory, limit_bytes=settings.spool_limit_bytes)
    except OSError as problem:
        raise StateUnusable(f"unsent results cannot be kept in {directory}: {problem.strerror or problem}") from None
    return Agent(settings, enrolment, key, transport, load_actions(settings), spool)
