"""Reports to the orchestrator. Starts are waited for, because nothing runs before its start is safe; ends are in the spool
before they are sent, gather for each inbox while a send is under way, and are repeated until they are safe."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final

import msgspec
import structlog
from runyard_shared.contracts.reports import JobFinished, JobStarted
from runyard_shared.errors import Revoked, Unavailable
from runyard_shared.messaging.topology import orchestrator_inbox

from runyard_agent.journal import Journal
from runyard_agent.leases import Leases
from runyard_agent.sending import send_until_safe
from runyard_agent.spool import Spool
from runyard_agent.transport.base import Transport

log = structlog.get_logger(__name__)
_BATCH_BYTES: Final = 1024 * 1024
_SPOOL_RETRY_SECONDS: Final = 1.0
_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(JobFinished)


class Reports:
    def __init__(self, transport: Transport, leases: Leases, spool: Spool) -> None:
        self._transport = transport
        self._leases = leases
        self._spool = spool
        self._ends: dict[str, _Ends] = {}
        self._senders: dict[str, asyncio.Task[None]] = {}

    @property
    def trouble(self) -> str | None:
        waiting = sum(len(ends.reports) for ends in self._ends.values())
        if not waiting or not self._transport.trouble:
            return None
        unkept = sum(ends.unkept for ends in self._ends.values())
        return f"{waiting} job results wait for the server" + (f", {unkept} of them in memory alone" if unkept else "")

    async def deliver_spooled(self) -> None:
        """Send the results of an earlier process, however long the server is away. Before this process registers: the
        dispatcher then takes jobs that are not among its leases for lost. Raises `Revoked`."""
        for journal in self._spool.results:
            while journal.waiting:
                records, place = journal.read(_BATCH_BYTES)
                by_inbox: dict[str, list[JobFinished]] = {}
                for record in records:
                    report = _decoded(record)
                    if report is not None:
                        by_inbox.setdefault(orchestrator_inbox(report.execution_id), []).append(report)
                for inbox, reports in by_inbox.items():
                    log.info("results of an earlier process are sent", jobs=len(reports))
                    await send_until_safe(self._transport, inbox, reports)
                journal.confirm(place)

    async def starts(self, inbox: str, starts: Sequence[JobStarted]) -> bool:
        """Whether the starts are safe. If not, some may be in the inbox all the same."""
        try:
            await self._transport.send(inbox, starts)
        except Unavailable as trouble:
            log.warning("jobs not started: the server is away", jobs=len(starts), reason=str(trouble))
            return False
        return True

    def end(self, report: JobFinished) -> None:
        """Delivers the report, however long it takes; then the lease has ended. It is in the spool before anything else
        happens, unless the disk does not take it: then as soon as it does."""
        inbox = orchestrator_inbox(report.execution_id)
        ends = self._ends.get(inbox)
        if ends is None:
            ends = self._ends[inbox] = _Ends(self._spool, self._spool.results_for(inbox))
        ends.add(report)
        if inbox not in self._senders:
            self._senders[inbox] = asyncio.create_task(self._send_ends(inbox, ends), name=f"reports to {inbox}")

    async def delivered(self) -> None:
        """Until every end is safe, or none can be sent any more."""
        while self._senders:
            await asyncio.gather(*self._senders.values())

    async def stop(self) -> None:
        """Leave what still waits in the spool, for the next start."""
        senders = list(self._senders.values())
        for sender in senders:
            sender.cancel()
        await asyncio.gather(*senders, return_exceptions=True)
        for ends in self._ends.values():
            ends.keep()
            kept = len(ends.reports) - ends.unkept
            if kept:
                log.warning("job results are left in the spool for the next start", jobs=kept)
            if ends.unkept:
                log.error("job results given up", jobs=[report.job_id for report in ends.reports[kept:]])
            ends.close()

    async def _send_ends(self, inbox: str, ends: "_Ends") -> None:
        try:
            while ends.reports:
                ends.keep()
                batch = ends.reports.copy()
                await send_until_safe(self._transport, inbox, batch)
                ends.confirm(len(batch))
                for end in batch:
                    self._leases.end((end.job_id, end.dispatch))
        except Revoked as revoked:
            log.warning("job results stay in the spool: the server does not let this agent in", reason=str(revoked))
        finally:
            del self._senders[inbox]


class _Ends:
    """The ends on their way to one inbox, in order; the first of them are in the journal, usually all."""

    def __init__(self, spool: Spool, journal: Journal) -> None:
        self.reports: list[JobFinished] = []
        self._spool = spool
        self._journal = journal
        self._kept = 0
        self._places: deque[tuple[int, int]] = deque()
        """For each append to the journal: how many ends it was, and the place behind them."""
        self._keep_at: asyncio.Handle | None = None

    @property
    def unkept(self) -> int:
        """How many are in memory alone."""
        return len(self.reports) - self._kept

    def add(self, report: JobFinished) -> None:
        """It is kept with all that come in this turn of the event loop: that is one write."""
        self.reports.append(report)
        if self._keep_at is None:
            self._keep_at = asyncio.get_running_loop().call_soon(self.keep)

    def keep(self) -> None:
        """Put into the journal what is not in it."""
        self.close()
        if not self.unkept:
            return
        place = self._spool.keep(self._journal, [_ENCODER.encode(report) for report in self.reports[self._kept :]])
        if place is None:
            self._keep_at = asyncio.get_running_loop().call_later(_SPOOL_RETRY_SECONDS, self.keep)
        else:
            self._places.append((self.unkept, place))
            self._kept = len(self.reports)

    def confirm(self, count: int) -> None:
        """The first `count` are safe at the server."""
        del self.reports[:count]
        while self._places and count:
            size, place = self._places.popleft()
            if size > count:
                self._places.appendleft((size - count, place))
            else:
                self._journal.confirm(place)
            self._kept -= min(size, count)
            count -= min(size, count)

    def close(self) -> None:
        if self._keep_at is not None:
            self._keep_at.cancel()
            self._keep_at = None


def _decoded(record: bytes) -> JobFinished | None:
    try:
        return _DECODER.decode(record)
    except msgspec.DecodeError as error:
        log.error("spool: a result of another version of the agent is left out", reason=str(error), record=record[:500])
        return None
