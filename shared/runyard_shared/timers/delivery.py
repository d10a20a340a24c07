"""Where due timers go: to the inbox partition of their stream, as any other message to it."""

from collections.abc import Awaitable, Callable

from runyard_shared.contracts.commands import TimerDue
from runyard_shared.messaging.bus import Bus
from runyard_shared.timers.timers import DueTimer


def to_inbox(bus: Bus, inbox: Callable[[str], str]) -> Callable[[list[DueTimer]], Awaitable[None]]:
    """The `deliver` of `Timers` for a service whose queues `inbox` names by stream."""

    async def deliver(due: list[DueTimer]) -> None:
        by_queue: dict[str, list[TimerDue]] = {}
        for timer in due:
            item = TimerDue(stream_id=timer.stream_id, timer_id=timer.timer_id, payload=timer.payload)
            by_queue.setdefault(inbox(timer.stream_id), []).append(item)
        for queue, items in by_queue.items():
            await bus.send(queue, items)

    return deliver
