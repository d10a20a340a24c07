"""Reports to the executions. Each follows from a committed lease, so a report is tried until it is delivered, and one that dies
with this process is made again from the tables at the next start."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import structlog
from runyard_shared.contracts.reports import Report
from runyard_shared.errors import Unavailable
from runyard_shared.messaging.bus import Bus
from runyard_shared.messaging.topology import orchestrator_inbox

_log = structlog.get_logger(__name__)
_RETRY_SECONDS: Final = 0.5


class Reporter:
    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, reports: Sequence[Report]) -> None:
        """Begins to deliver them, one list for each inbox partition; nothing here depends on the answer."""
        by_inbox: defaultdict[str, list[Report]] = defaultdict(list)
        for report in reports:
            by_inbox[orchestrator_inbox(report.execution_id)].append(report)
        for inbox, items in by_inbox.items():
            task = asyncio.create_task(self._deliver(inbox, items), name=f"reports to {inbox}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def drop(self) -> None:
        """Give up what is not delivered yet: it is in the tables."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _deliver(self, inbox: str, reports: Sequence[Report]) -> None:
        while True:
            try:
                await self._bus.send(inbox, reports)
            except Unavailable as trouble:
                _log.warning("reports are not delivered yet", queue=inbox, reports=len(reports), reason=str(trouble))
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                return
