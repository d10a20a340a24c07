"""Carries the output of all jobs to whoever watches and to where it is kept: one send at a time, with all that gathered
meanwhile. Keeps trying while the broker is away; the jobs' windows bound what waits."""

import asyncio
from collections import deque
from typing import Final, Protocol

import structlog
from runyard_shared.contracts.jobs import OutputMessage
from runyard_shared.messaging.topology import JOB_OUTPUT

from runyard_agent.sending import send_until_safe
from runyard_agent.transport.base import Transport

log = structlog.get_logger(__name__)
_BATCH_BYTES: Final = 1024 * 1024


class Owner(Protocol):
    def safe(self, size: int) -> None: ...


class Delivery:
    """Messages leave in the order of `put`; `Owner.safe` is called for each once it is confirmed."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._waiting: deque[tuple[OutputMessage, int, Owner]] = deque()
        self._task: asyncio.Task[None] | None = None

    def put(self, message: OutputMessage, size: int, owner: Owner) -> None:
        self._waiting.append((message, size, owner))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._send_all(), name="output delivery")

    async def stop(self) -> None:
        """Give up what still waits."""
        if self._task is not None and not self._task.done():
            log.warning("output given up", messages=len(self._waiting))
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _send_all(self) -> None:
        while self._waiting:
            batch = self._take()
            messages = [message for message, _, _ in batch]
            await send_until_safe(self._transport, JOB_OUTPUT, messages)
            for _, size, owner in batch:
                owner.safe(size)

    def _take(self) -> list[tuple[OutputMessage, int, Owner]]:
        batch: list[tuple[OutputMessage, int, Owner]] = []
        size = 0
        while self._waiting and (size < _BATCH_BYTES or not batch):
            batch.append(self._waiting.popleft())
            size += batch[-1][1]
        return batch
