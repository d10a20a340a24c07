"""Answers the dispatcher's orders to try a connection out (R59)."""

import asyncio
import time
from typing import Final

import structlog
from runyard_shared.contracts.jobs import ConnectionProbed, ProbeConnection
from runyard_shared.contracts.link import Enrolment
from runyard_shared.errors import Revoked, Unavailable
from runyard_shared.messaging.topology import AGENT_STATUS
from runyard_shared.sealing import CannotOpen, OpeningKey

from runyard_agent.connection import open_connection
from runyard_agent.probe import ProbeFailed, probe
from runyard_agent.redacted_log import kept_from_log
from runyard_agent.redaction import Redactor
from runyard_agent.session import Session
from runyard_agent.settings import Settings
from runyard_agent.transport.base import Transport

log = structlog.get_logger(__name__)
_WITHIN_SECONDS: Final = 30


class Probing:
    """A task for each probe. One that comes again while it is under way is answered once."""

    def __init__(
        self, settings: Settings, enrolment: Enrolment, key: OpeningKey, session: Session, transport: Transport
    ) -> None:
        self._settings = settings
        self._enrolment = enrolment
        self._key = key
        self._session = session
        self._transport = transport
        self._under_way: dict[str, asyncio.Task[None]] = {}

    def take(self, order: ProbeConnection) -> None:
        probe_id = order.probe_id
        if probe_id not in self._under_way:
            self._under_way[probe_id] = asyncio.create_task(self._answer(order), name=f"probe {probe_id}")
            self._under_way[probe_id].add_done_callback(lambda _: self._under_way.pop(probe_id, None))

    async def stop(self) -> None:
        """Give up what is under way."""
        probes = list(self._under_way.values())
        for task in probes:
            task.cancel()
        await asyncio.gather(*probes, return_exceptions=True)

    async def _answer(self, order: ProbeConnection) -> None:
        began_at = time.monotonic()
        ok, message = await self._try_out(order.sealed_connection)
        duration_ms = round((time.monotonic() - began_at) * 1000)
        log.info("connection tried out", probe_id=order.probe_id, ok=ok, duration_ms=duration_ms)
        answer = ConnectionProbed(
            tenant_id=self._enrolment.tenant_id,
            name=self._enrolment.name,
            session_id=self._session.id,
            probe_id=order.probe_id,
            ok=ok,
            message=message,
            duration_ms=duration_ms,
        )
        try:
            await self._transport.send(AGENT_STATUS, [answer])
        except (Unavailable, Revoked) as trouble:
            log.warning("what came of a probe was not delivered", probe_id=order.probe_id, reason=str(trouble))

    async def _try_out(self, sealed: bytes) -> tuple[bool, str]:
        """Whether it works, and words for people, without secrets."""
        try:
            connection = open_connection(self._key, sealed)
        except CannotOpen as problem:
            return False, str(problem)
        redactor = Redactor(connection.secrets.values())
        with kept_from_log(redactor):
            try:
                async with asyncio.timeout(_WITHIN_SECONDS):
                    ok, words = True, await probe(connection, self._settings)
            except TimeoutError:
                ok, words = False, f"no answer within {_WITHIN_SECONDS} s"
            except ProbeFailed as failed:
                ok, words = False, str(failed)
            except Exception as error:  # noqa: BLE001 - whatever a driver raises, whoever asked gets an answer
                ok, words = False, f"{type(error).__name__}: {error}"
        return ok, redactor.text(words)
