"""The composition root: builds an agent from its settings and a way to its server."""

import asyncio
from importlib.metadata import version
from typing import Any, Final

import structlog
from runyard_shared.errors import Conflict
from runyard_shared.messaging.bus import Subscription

from runyard_agent.actions.base import Action
from runyard_agent.actions.registry import load_actions
from runyard_agent.delivery import Delivery
from runyard_agent.leases import Leases
from runyard_agent.reports import Reports
from runyard_agent.runner import Runner
from runyard_agent.session import Session
from runyard_agent.settings import Settings
from runyard_agent.transport.base import Transport

log = structlog.get_logger(__name__)
_MAILBOX_RETRY_SECONDS: Final = 1.0


class Agent:
    """Runs jobs between `start` and `stop`."""

    def __init__(self, settings: Settings, transport: Transport, actions: dict[str, Action[Any]]) -> None:
        self._settings = settings
        self._transport = transport
        self._actions = actions
        leases = Leases(settings.offline_after_seconds * 2)
        self._session = Session(settings, transport, leases, actions=list(actions), version=version("runyard-agent"))
        self._reports = Reports(transport, leases)
        self._runner = Runner(settings, self._session, leases, self._reports, Delivery(transport), actions)
        self._session.on_void = self._runner.give_up_waiting
        self._mailbox: Subscription | None = None
        self._mailbox_trouble: str | None = "not open yet"

    async def start(self) -> None:
        """Open the mailbox and register. Waits while another process holds the mailbox: the broker may not have noticed yet
        that an earlier process of this agent is gone."""
        self._mailbox = await self._open_mailbox()
        self._mailbox_trouble = None
        self._transport.on_reconnect(self._session.reconnected)
        self._session.start()

    async def stop(self) -> None:
        """End in good order: running jobs get their grace, reports are delivered, the dispatcher is told."""
        await self._runner.stop()
        await self._session.stop()
        if self._mailbox is not None:
            await self._mailbox.cancel()
            self._mailbox = None
        for action in self._actions.values():
            await action.close()

    def health(self) -> dict[str, str | None]:
        return {
            "connection": self._transport.trouble,
            "mailbox": self._mailbox_trouble,
            "session": self._session.trouble,
            "reports": self._reports.trouble,
        }

    async def _open_mailbox(self) -> Subscription:
        while True:
            try:
                return await self._transport.receive(self._runner.handle)
            except Conflict:
                self._mailbox_trouble = f"another process is connected as agent {self._settings.agent_name!r}"
                log.warning("waiting for the mailbox", trouble=self._mailbox_trouble)
                await asyncio.sleep(_MAILBOX_RETRY_SECONDS)


async def create(settings: Settings, *, transport: Transport) -> Agent:
    """An agent with every installed action."""
    return Agent(settings, transport, load_actions(settings))
