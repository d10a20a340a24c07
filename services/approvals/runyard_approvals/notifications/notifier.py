"""Makes sure that channels are told, without anybody waiting for it.

What is to be delivered is in the approval's state, with a durable timer for each message; a due timer is an offer, which comes
again every few seconds until the outcome is recorded. So a crash loses nothing; and a message goes out twice only if the
process dies between the channel's thanks and the record of it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final
from weakref import WeakValueDictionary

import structlog
from runyard_shared.clock import Clock
from runyard_shared.errors import Refusal, RunyardError, Unavailable

from runyard_approvals.approval.decide import Attempt
from runyard_approvals.approval.state import ApprovalState, Delivery
from runyard_approvals.links import Links
from runyard_approvals.metrics import NOTIFICATIONS
from runyard_approvals.notifications.channels import Channels
from runyard_approvals.notifications.message import message_of
from runyard_approvals.notifications.sender import SEND_SECONDS, Sender, Sent
from runyard_approvals.notifications.spans import tell_notification
from runyard_approvals.repository import Approvals

_log = structlog.get_logger(__name__)

SENDS_AT_ONCE: Final = 4
SENDS_AT_ONCE_TO_ONE_CHANNEL: Final = 2
"""One channel that does not answer does not keep the others waiting."""
MOST_WAITING: Final = 2000
"""More offers are let go: they come again."""
STOP_SECONDS: Final = SEND_SECONDS + 2
_RECORD_AGAIN_SECONDS: Final = 0.5

Record = Callable[[str, Attempt], Awaitable[None]]
"""Writes down how an attempt for the approval went. Raises `Unavailable`."""


class Notifier:
    """`record` must be set before the first offer."""

    def __init__(
        self, approvals: Approvals, channels: Channels, sender: Sender, links: Links, clock: Clock, public_url: str
    ) -> None:
        self.record: Record | None = None
        self._approvals = approvals
        self._channels = channels
        self._sender = sender
        self._links = links
        self._clock = clock
        self._public_url = public_url.rstrip("/")
        self._all = asyncio.Semaphore(SENDS_AT_ONCE)
        self._of_channel: WeakValueDictionary[tuple[str, str], asyncio.Semaphore] = WeakValueDictionary()
        self._tasks: dict[tuple[str, Delivery], asyncio.Task[None]] = {}
        self._sending: set[tuple[str, Delivery]] = set()

    def offer(self, tenant_id: str, approval_id: str, delivery: Delivery) -> None:
        """Deliver it some time soon, unless that is under way."""
        key = (approval_id, delivery)
        if key in self._tasks or len(self._tasks) >= MOST_WAITING:
            return
        task = asyncio.create_task(self._deliver(tenant_id, approval_id, delivery), name=f"notify {approval_id}")
        self._tasks[key] = task
        task.add_done_callback(lambda _: self._tasks.pop(key, None))

    async def stop(self) -> None:
        """Waits for what is being sent, so that its outcome is known; the rest is offered again after the next start."""
        tasks = dict(self._tasks)
        for key, task in tasks.items():
            if key not in self._sending:
                task.cancel()
        if tasks:
            await asyncio.wait(tasks.values(), timeout=STOP_SECONDS)
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)

    async def _deliver(self, tenant_id: str, approval_id: str, delivery: Delivery) -> None:
        turns = self._of_channel.setdefault((tenant_id, delivery.channel), asyncio.Semaphore(SENDS_AT_ONCE_TO_ONE_CHANNEL))
        key = (approval_id, delivery)
        try:
            async with turns, self._all:
                state = await self._approvals.load(approval_id)
                if state is None or state.resolved is not None or delivery not in state.outstanding:
                    return
                self._sending.add(key)
                began_at = time.time_ns()
                sent = await self._send(state, delivery)
                NOTIFICATIONS.labels("sent" if sent.error is None else "refused" if sent.hopeless else "failed").inc()
                tell_notification(state, delivery, began_at, sent)
            await self._write_down(approval_id, Attempt(delivery, sent.error, sent.hopeless))
        except Unavailable as error:
            _log.info("a notification waits", approval_id=approval_id, channel=delivery.channel, reason=str(error))
        except Exception:  # noqa: BLE001 - it is offered again
            _log.exception("a notification could not be made", approval_id=approval_id, channel=delivery.channel)
        finally:
            self._sending.discard(key)

    async def _send(self, state: ApprovalState, delivery: Delivery) -> Sent:
        try:
            url = await self._channels.url_by_name(state.tenant_id, delivery.channel)
        except Refusal as refusal:
            return Sent(refusal.detail, hopeless=True)
        link = self._links.url_for(state, delivery.channel, self._clock.now())
        return await self._sender.send(url, message_of(state, delivery.purpose, self._public_url, link))

    async def _write_down(self, approval_id: str, attempt: Attempt) -> None:
        """The message is out, or was refused: nothing but the end of the process may keep that from being known."""
        if self.record is None:
            raise RunyardError("nobody records what the notifier does")
        while True:
            try:
                await self.record(approval_id, attempt)
            except Unavailable:
                await asyncio.sleep(_RECORD_AGAIN_SECONDS)
            else:
                return
