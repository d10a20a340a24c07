"""What the agent has to say and the server has not confirmed, on disk (R57): neither an outage nor `kill -9` nor a restart
loses a finished result.

One journal for each queue at the server: results are in theirs before they are sent; output goes to its own only when the
server does not take it. What has waited for a moment is brought to the disk itself, so that a power cut costs no more than the
last two seconds.
"""

import asyncio
import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog
from runyard_shared.errors import Conflict
from runyard_shared.messaging.topology import JOB_OUTPUT

from runyard_agent.journal import Journal

log = structlog.get_logger(__name__)
_SYNC_SECONDS: Final = 1.0


class Spool:
    """One directory, of one process. `limit_bytes` bounds the output in it; results are small, and always taken."""

    def __init__(self, directory: Path, *, limit_bytes: int, lock: int) -> None:
        self.limit_bytes = limit_bytes
        self.directory = directory
        self._lock: int | None = lock
        self._refused: dict[str, str] = {}
        """By journal that the disk takes nothing for (perhaps only because it is more than for others): why."""
        names = {path.name.rpartition("-")[0] for path in directory.glob(f"*-{'[0-9]' * 20}")}
        self._journals = {name: Journal(directory, name) for name in sorted(names | {JOB_OUTPUT})}
        self._seen = dict.fromkeys(self._journals, 0)
        self._syncing: asyncio.Task[None] | None = None

    @classmethod
    def open(cls, directory: Path, *, limit_bytes: int) -> "Spool":
        """Raises `Conflict` (code `spool_taken`) while another process has it, `OSError` if the directory cannot be written.
        Damaged files do not matter: they are set aside."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return cls(directory, limit_bytes=limit_bytes, lock=lock)
        except BlockingIOError:
            os.close(lock)
            raise Conflict("spool_taken", f"another process of this agent uses {directory}: stop it first") from None
        except BaseException:
            os.close(lock)
            raise

    def close(self) -> None:
        """What waits in it is for the next process."""
        if self._syncing is not None:
            self._syncing.cancel()
        for journal in self._journals.values():
            journal.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def output(self) -> Journal:
        return self._journals[JOB_OUTPUT]

    @property
    def results(self) -> list[Journal]:
        return [journal for name, journal in self._journals.items() if name != JOB_OUTPUT]

    def results_for(self, inbox: str) -> Journal:
        journal = self._journals.get(inbox)
        if journal is None:
            journal = self._journals[inbox] = Journal(self.directory, inbox)
            self._seen[inbox] = journal.end
        return journal

    @property
    def disk_trouble(self) -> str | None:
        """Why something cannot be written, in words; None when all can."""
        return next((f"the spool cannot be written: {why}" for why in self._refused.values()), None)

    def keep(self, journal: Journal, records: Sequence[bytes]) -> int | None:
        """The place behind the records, which are safe now; None if the disk does not take them."""
        try:
            place = journal.append(records)
        except OSError as error:
            if not self._refused:
                log.error("spool: the disk takes nothing, what waits is kept in memory", reason=str(error))
            self._refused[journal.name] = error.strerror or str(error)
            return None
        if self._refused.pop(journal.name, None) is not None and not self._refused:
            log.info("spool: the disk takes what waits again")
        if self._syncing is None or self._syncing.done():
            self._syncing = asyncio.create_task(self._sync_what_waits(), name="spool sync")
        return place

    async def _sync_what_waits(self) -> None:
        """As long as anything waits, and only for what has waited since the last look: most is confirmed at once."""
        while True:
            await asyncio.sleep(_SYNC_SECONDS)
            for name, journal in self._journals.items():
                if journal.confirmed < self._seen[name] and journal.synced < journal.end:
                    try:
                        await journal.sync()
                    except OSError as error:
                        log.warning("spool: not brought to the disk", journal=name, reason=str(error))
                self._seen[name] = journal.end
            if not any(journal.waiting for journal in self._journals.values()):
                return
