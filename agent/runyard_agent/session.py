"""The agent's session with the dispatcher: one for each process, registered, then kept alive by heartbeats with its leases.

A session is also a promise: a job starts only while a heartbeat (or the registration) was safe with the broker less than two
thirds of the offline time ago. Then the dispatcher cannot have declared this session lost before the job's start was reported.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import structlog
from runyard_shared.contracts.jobs import AgentHeartbeat, AgentStatus, AgentStopping, RegisterAgent
from runyard_shared.errors import Unavailable
from runyard_shared.ids import new_id
from runyard_shared.messaging.topology import AGENT_STATUS

from runyard_agent.leases import Leases
from runyard_agent.settings import Settings
from runyard_agent.transport.base import Transport

log = structlog.get_logger(__name__)
_RETRY_SECONDS: Final = 0.5


class Session:
    """`on_void(reason)` is called when jobs that have not begun must not begin: the contact or the session was lost."""

    def __init__(
        self, settings: Settings, transport: Transport, leases: Leases, *, actions: Sequence[str], version: str
    ) -> None:
        self.id = new_id()
        self.on_void: Callable[[str], None] = lambda reason: None
        self._settings = settings
        self._transport = transport
        self._leases = leases
        self._actions = list(actions)
        self._version = version
        self._contact_at = time.monotonic()
        self._registration_due = True
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def in_contact(self) -> bool:
        return time.monotonic() - self._contact_at < self._settings.contact_seconds

    @property
    def trouble(self) -> str | None:
        if self.in_contact:
            return None
        return f"no contact to the broker for {time.monotonic() - self._contact_at:.0f} s: no job is started"

    def start(self) -> None:
        """Register, and go on with heartbeats."""
        self._contact_at = time.monotonic()
        self._task = asyncio.create_task(self._keep(), name="session")

    async def stop(self) -> None:
        """Tell the dispatcher that this session ends in good order."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        settings = self._settings
        farewell = AgentStopping(tenant_id=settings.tenant_id, name=settings.agent_name, session_id=self.id)
        try:
            await self._transport.send(AGENT_STATUS, [farewell])
        except Unavailable as trouble:
            log.warning("the dispatcher was not told that the agent stops", trouble=str(trouble))

    async def reconnected(self) -> None:
        """Orders may have been lost: register again, with the leases that are held, in the same session."""
        self._register()

    def refused(self, session_id: str, reason: str) -> None:
        """The dispatcher gave this session up. Jobs that run go on and report, late; nothing else of it is begun."""
        if session_id != self.id:
            return
        self.id = new_id()
        self._contact_at = time.monotonic()
        log.warning("session refused, a new one begins", refused=session_id, session_id=self.id, reason=reason)
        self.on_void("the dispatcher gave the session up")
        self._register()

    def _register(self) -> None:
        self._registration_due = True
        self._wake.set()

    async def _keep(self) -> None:
        while True:
            self._wake.clear()
            reported = await self._report()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._settings.heartbeat_seconds if reported else _RETRY_SECONDS):
                    await self._wake.wait()

    async def _report(self) -> bool:
        if not self.in_contact:
            self.on_void("the broker was out of reach for too long")
        session_id, sent_at, registration = self.id, time.monotonic(), self._registration_due
        self._registration_due = False
        try:
            await self._transport.send(AGENT_STATUS, [self._status(registration)])
        except Unavailable as trouble:
            self._registration_due |= registration
            log.warning("the dispatcher does not hear this agent", trouble=str(trouble), in_contact=self.in_contact)
            return False
        except Exception:
            self._registration_due |= registration
            log.exception("a heartbeat failed, it is repeated")
            return False
        if session_id == self.id:
            self._contact_at = sent_at
        if registration:
            log.info("registered", session_id=session_id, name=self._settings.agent_name, actions=self._actions)
        return True

    def _status(self, registration: bool) -> AgentStatus:
        settings, leases = self._settings, self._leases.keys_of(self.id)
        if not registration:
            return AgentHeartbeat(tenant_id=settings.tenant_id, name=settings.agent_name, session_id=self.id, leases=leases)
        return RegisterAgent(
            tenant_id=settings.tenant_id,
            name=settings.agent_name,
            session_id=self.id,
            tags=settings.agent_tags,
            capacity=settings.agent_capacity,
            version=self._version,
            actions=self._actions,
            leases=leases,
        )
