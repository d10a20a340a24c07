"""Reports to the orchestrator. Starts are waited for, because nothing runs before its start is safe; ends gather for each
inbox while a send is under way, and are repeated until they are safe."""

import asyncio
from collections.abc import Sequence

import structlog
from runyard_shared.contracts.reports import JobFinished, JobStarted
from runyard_shared.errors import Unavailable
from runyard_shared.messaging.topology import orchestrator_inbox

from runyard_agent.leases import Leases
from runyard_agent.sending import send_until_safe
from runyard_agent.transport.base import Transport

log = structlog.get_logger(__name__)


class Reports:
    def __init__(self, transport: Transport, leases: Leases) -> None:
        self._transport = transport
        self._leases = leases
        self._ends: dict[str, list[JobFinished]] = {}
        self._senders: dict[str, asyncio.Task[None]] = {}

    @property
    def trouble(self) -> str | None:
        waiting = sum(map(len, self._ends.values()))
        return f"{waiting} job results wait for the broker" if waiting and self._transport.trouble else None

    async def starts(self, inbox: str, starts: Sequence[JobStarted]) -> bool:
        """Whether the starts are safe. If not, some may be in the inbox all the same."""
        try:
            await self._transport.send(inbox, starts)
        except Unavailable as trouble:
            log.warning("jobs not started: the broker is away", jobs=len(starts), trouble=str(trouble))
            return False
        return True

    def end(self, report: JobFinished) -> None:
        """Delivers the report, however long it takes; then the lease has ended."""
        inbox = orchestrator_inbox(report.execution_id)
        waiting = self._ends.setdefault(inbox, [])
        waiting.append(report)
        if inbox not in self._senders:
            self._senders[inbox] = asyncio.create_task(self._send_ends(inbox), name=f"reports to {inbox}")

    async def delivered(self) -> None:
        """Until every end is safe."""
        while self._senders:
            await asyncio.gather(*self._senders.values())

    async def stop(self) -> None:
        """Give up what still waits."""
        senders = list(self._senders.values())
        if senders:
            log.warning("job results given up", jobs=[end.job_id for ends in self._ends.values() for end in ends])
        for sender in senders:
            sender.cancel()
        await asyncio.gather(*senders, return_exceptions=True)

    async def _send_ends(self, inbox: str) -> None:
        try:
            while ends := self._ends[inbox]:
                batch = ends.copy()
                await send_until_safe(self._transport, inbox, batch)
                del ends[: len(batch)]
                for end in batch:
                    self._leases.end((end.job_id, end.dispatch))
        finally:
            del self._senders[inbox]
