"""The agent's session with the dispatcher: one for each process, registered, then kept alive by heartbeats with its leases.

A session is also a promise: a job starts only while a heartbeat (or the registration) was safe with the server less than two
thirds of the offline time ago. Then the dispatcher cannot have declared this session lost before the job's start was reported.
After a longer silence it may have, and orders of before may still be on their way here: the session is registered with the next
`contact`, and only orders that carry it count. The dispatcher sends again what is still good.
The time is that since the host started, asleep or awake; what its clock shows does not matter.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import structlog
from runyard_shared.contracts.actions import ActionType
from runyard_shared.contracts.jobs import AgentHeartbeat, AgentStatus, AgentStopping, RegisterAgent
from runyard_shared.contracts.link import Enrolment
from runyard_shared.errors import Revoked, Unavailable
from runyard_shared.ids import new_id
from runyard_shared.loops import forever
from runyard_shared.messaging.topology import AGENT_STATUS

from runyard_agent.leases import Leases
from runyard_agent.settings import Settings
from runyard_agent.transport.base import Transport

log = structlog.get_logger(__name__)
_RETRY_SECONDS: Final = 0.5
_FAREWELL_SECONDS: Final = 2
"""A server that hears nothing finds out by itself."""
_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""A host that slept for an hour was silent for an hour: the monotonic clock of Linux does not count that."""


def _now() -> float:
    return time.clock_gettime(_CLOCK)


class Session:
    """`on_void(reason)` is called when jobs that have not begun must not begin: the contact or the session was lost.
    `on_revoked(reason)`: the agent is not let in any more."""

    def __init__(
        self,
        settings: Settings,
        enrolment: Enrolment,
        transport: Transport,
        leases: Leases,
        *,
        actions: Sequence[str],
        action_types: Sequence[ActionType],
        version: str,
    ) -> None:
        self.id = new_id()
        self.contact = 0
        self.on_void: Callable[[str], None] = lambda reason: None
        self.on_revoked: Callable[[str], None] = lambda reason: None
        self._settings = settings
        self._enrolment = enrolment
        self._transport = transport
        self._leases = leases
        self._actions = list(actions)
        self._action_types = list(action_types)
        self._version = version
        self._contact_at = _now()
        self._registration_due = True
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def in_contact(self) -> bool:
        return _now() - self._contact_at < self._enrolment.offline_after_seconds * 2 / 3

    @property
    def silent_seconds(self) -> float:
        """Since a sign of life was safe with the server."""
        return max(0.0, _now() - self._contact_at)

    @property
    def trouble(self) -> str | None:
        if self.in_contact:
            return None
        return f"no contact to the server for {_now() - self._contact_at:.0f} s: no job is started"

    def start(self) -> None:
        """Register, and go on with heartbeats."""
        self._contact_at = _now()
        self._task = forever(self._keep(), "session")

    async def stop(self) -> None:
        """Tell the dispatcher that this session ends in good order."""
        if self._task is None:
            return
        await self.end()
        farewell = AgentStopping(tenant_id=self._enrolment.tenant_id, name=self._enrolment.name, session_id=self.id)
        try:
            async with asyncio.timeout(_FAREWELL_SECONDS):
                await self._transport.send(AGENT_STATUS, [farewell])
        except (Unavailable, Revoked, TimeoutError) as trouble:
            log.warning("the dispatcher was not told that the agent stops", reason=str(trouble) or "it does not answer")

    async def end(self) -> None:
        """No further heartbeat."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def reconnected(self) -> None:
        """Orders may have been lost: register again, with the leases that are held, in the same session."""
        self._register()

    def refused(self, session_id: str, reason: str, *, revoked: bool) -> None:
        """The dispatcher gave this session up. Jobs that run go on and report, late; nothing else of it is begun."""
        if session_id != self.id:
            return
        if revoked:
            self.on_revoked(reason)
            return
        self.id = new_id()
        self._contact_at = _now()
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
                async with asyncio.timeout(self._enrolment.heartbeat_seconds if reported else _RETRY_SECONDS):
                    await self._wake.wait()

    async def _report(self) -> bool:
        lapsed = not self.in_contact
        if lapsed:
            self._lapse()
        session_id, sent_at, registration = self.id, _now(), self._registration_due
        self._registration_due = False
        try:
            await self._transport.send(AGENT_STATUS, [self._status(registration)])
        except (Unavailable, Revoked) as trouble:
            self._registration_due |= registration
            log.warning("the dispatcher does not hear this agent", reason=str(trouble), in_contact=self.in_contact)
            return False
        except Exception:
            self._registration_due |= registration
            log.exception("a heartbeat failed, it is repeated")
            return False
        if not lapsed and not self.in_contact:  # it took so long that the session may have been lost before it was heard
            self._lapse()
            self._wake.set()
        if session_id == self.id:
            self._contact_at = sent_at
        if registration:
            log.info(
                "registered",
                session_id=session_id,
                agent=self._enrolment.name,
                pool=self._enrolment.pool,
                capacity=self._settings.agent_capacity,
                actions=self._actions,
            )
        return True

    def _lapse(self) -> None:
        """What was sent to this agent up to now counts no more."""
        self.on_void("the server was out of reach for too long")
        self.contact += 1
        self._registration_due = True

    def _status(self, registration: bool) -> AgentStatus:
        settings, enrolment, leases = self._settings, self._enrolment, self._leases.keys_of(self.id)
        if not registration:
            return AgentHeartbeat(tenant_id=enrolment.tenant_id, name=enrolment.name, session_id=self.id, leases=leases)
        return RegisterAgent(
            tenant_id=enrolment.tenant_id,
            name=enrolment.name,
            session_id=self.id,
            tags=settings.agent_tags,
            capacity=settings.agent_capacity,
            version=self._version,
            actions=self._actions,
            action_types=self._action_types,
            leases=leases,
            contact=self.contact,
        )
