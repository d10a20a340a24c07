"""Carries the output of all jobs to whoever watches and to where it is kept: one send at a time, with all that gathered
meanwhile.

While the server takes it, output goes straight through memory. What it does not take within a moment goes to the spool and is
safe there, so that jobs go on writing, and end, while the server is away. Then the spool is sent first: what comes meanwhile
goes behind it, and no chunk overtakes another. If the spool takes nothing (any more), the windows of the jobs bound what waits
in memory, and who writes has to wait.
"""

import asyncio
from collections import deque
from typing import Final, Protocol

import msgspec
import structlog
from runyard_shared.contracts.jobs import OutputMessage
from runyard_shared.errors import Revoked
from runyard_shared.messaging.topology import JOB_OUTPUT

from runyard_agent.sending import send_until_safe
from runyard_agent.spool import Spool
from runyard_agent.transport.base import Transport

log = structlog.get_logger(__name__)
_BATCH_BYTES: Final = 1024 * 1024
_PATIENCE_SECONDS: Final = 1.0
_SPOOL_RETRY_SECONDS: Final = 1.0
_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(OutputMessage)
_MIB: Final = 1024 * 1024


class Owner(Protocol):
    def safe(self, size: int) -> None: ...


_Waiting = tuple[OutputMessage, int, Owner]


class Delivery:
    """Messages leave in the order of `put`; `Owner.safe` is called for each once it is confirmed or in the spool."""

    def __init__(self, transport: Transport, spool: Spool) -> None:
        self._transport = transport
        self._spool = spool
        self._waiting: deque[_Waiting] = deque()
        """In memory, newer than all that is in the spool."""
        self._leaving: list[_Waiting] = []
        """On its way from memory, older than what waits."""
        self._leaving_until: int | None = None
        """Its place in the spool, if it went there too meanwhile."""
        self._spill_at: asyncio.TimerHandle | None = None
        self._refused: str | None = None
        """Why the spool did not take the last that it was given."""
        self._task: asyncio.Task[None] | None = None

    @property
    def trouble(self) -> str | None:
        if self._refused is not None:
            return f"{self._refused}: jobs that write wait for the server"
        waiting = self._spool.output.waiting
        return f"{waiting / _MIB:.1f} MiB of output wait in the spool" if waiting else None

    def put(self, message: OutputMessage, size: int, owner: Owner) -> None:
        self._waiting.append((message, size, owner))
        if self._spool.output.waiting:
            self._spill_in(0)
        self.resume()

    def resume(self) -> None:
        """Send what waits, also from an earlier process."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._send_all(), name="output delivery")

    async def stop(self) -> None:
        """Leave what still waits in the spool, for the next start. What that does not take is given up, and its jobs go on to
        their end: their seals tell that it is missing, and their results are not lost with it."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._spill()
        self._cancel_spill()
        if self._spool.output.waiting:
            log.info("output is left in the spool for the next start", bytes=self._spool.output.waiting)
        given_up = [*(self._leaving if self._leaving_until is None else ()), *self._waiting]
        if given_up:
            log.error("output given up", messages=len(given_up), reason=self.trouble)
            self._leaving = []
            self._waiting.clear()
            _safe(given_up)
            await asyncio.sleep(0)

    async def _send_all(self) -> None:
        try:
            while True:
                if self._spool.output.waiting:
                    await self._send_from_spool()
                elif self._waiting:
                    await self._send_from_memory()
                else:
                    return
        except Revoked as revoked:
            log.warning("output stays in the spool: the server does not let this agent in", reason=str(revoked))
            self._spill()

    async def _send_from_spool(self) -> None:
        journal = self._spool.output
        records, place = journal.read(_BATCH_BYTES)
        messages = [message for record in records if (message := _decoded(record)) is not None]
        if messages:
            await send_until_safe(self._transport, JOB_OUTPUT, messages, on_trouble=self._spill)
        journal.confirm(place)
        if not journal.waiting:
            self._refused = None

    async def _send_from_memory(self) -> None:
        """The journal is empty. If this takes long, the batch becomes what is first in it."""
        self._leaving = _first_of(self._waiting)
        for _ in self._leaving:
            self._waiting.popleft()
        self._spill_in(_PATIENCE_SECONDS)
        messages = [message for message, _, _ in self._leaving]
        await send_until_safe(self._transport, JOB_OUTPUT, messages, on_trouble=self._spill)
        leaving, until = self._leaving, self._leaving_until
        self._leaving, self._leaving_until = [], None
        if until is not None:
            self._spool.output.confirm(until)
        else:
            self._cancel_spill()
            _safe(leaving)
        if not self._spool.output.waiting:
            self._refused = None

    # --- to the spool

    def _spill_in(self, seconds: float) -> None:
        if self._spill_at is None:
            self._spill_at = asyncio.get_running_loop().call_later(seconds, self._spill)

    def _cancel_spill(self) -> None:
        if self._spill_at is not None:
            self._spill_at.cancel()
            self._spill_at = None

    def _spill(self) -> None:
        """All that waits in memory goes to the spool, as far as it takes it."""
        self._cancel_spill()
        if self._leaving and self._leaving_until is None:
            self._leaving_until = self._kept(self._leaving)
            if self._leaving_until is None:
                self._spill_in(_SPOOL_RETRY_SECONDS)
                return
        while self._waiting:
            batch = _first_of(self._waiting)
            if self._kept(batch) is None:
                self._spill_in(_SPOOL_RETRY_SECONDS)
                return
            for _ in batch:
                self._waiting.popleft()

    def _kept(self, batch: list[_Waiting]) -> int | None:
        """Their place in the spool, where they are safe; None if it does not take them."""
        spool = self._spool
        records = [_ENCODER.encode(message) for message, _, _ in batch]
        if spool.output.waiting + sum(map(len, records)) > spool.limit_bytes:
            refused = f"the spool holds as much output as it may ({spool.limit_bytes / _MIB:.0f} MiB)"
            if self._refused is None:
                log.error("spool: it is full, jobs that write wait for the server", limit_bytes=spool.limit_bytes)
            self._refused = refused
            return None
        place = spool.keep(spool.output, records)
        if place is None:
            self._refused = spool.disk_trouble
        else:
            self._refused = None
            _safe(batch)
        return place


def _first_of(waiting: deque[_Waiting]) -> list[_Waiting]:
    batch: list[_Waiting] = []
    size = 0
    for each in waiting:
        batch.append(each)
        size += each[1]
        if size >= _BATCH_BYTES:
            break
    return batch


def _safe(batch: list[_Waiting]) -> None:
    for _, size, owner in batch:
        owner.safe(size)


def _decoded(record: bytes) -> OutputMessage | None:
    try:
        message: OutputMessage = _DECODER.decode(record)
    except msgspec.DecodeError as error:
        log.error("spool: output of another version of the agent is left out", reason=str(error), bytes=len(record))
        return None
    return message
