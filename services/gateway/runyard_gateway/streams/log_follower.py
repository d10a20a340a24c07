"""Events after a position, for ever: from the store until its end is near, then live. No gap, no duplicate."""

from collections.abc import AsyncGenerator, Awaitable, Callable

from runyard_shared.contracts.feed import Recorded

from runyard_gateway.public_event import event_frame
from runyard_gateway.streams.event_stream import Connection
from runyard_gateway.streams.subscription import LiveFrame, Subscription

PAGE = 500

ReadPage = Callable[[int, int], Awaitable[list[Recorded]]]
"""(after, limit) -> events from the store"""


async def follow(
    read_page: ReadPage,
    subscribe: Callable[[], Awaitable[Subscription]],
    connection: Connection,
    after: int,
    keep_alive_seconds: float,
) -> AsyncGenerator[list[LiveFrame], None]:
    """Lists of frames in order; an empty list once the store is read to its end, and after each silence from then on. Ends
    when the subscription does.

    A reader far behind first reads on from the store alone, so that nothing piles up for it meanwhile. What is committed
    after the subscription was made arrives through it, what was committed before is in the store: one more pass over
    the store closes the gap, and positions tell what comes twice.
    """
    last = after
    subscription: Subscription | None = None
    try:
        while True:
            page = await read_page(last, PAGE)
            if page:
                last = page[-1].position
                yield [LiveFrame(event_frame(event), event) for event in page]
            if len(page) < PAGE:
                if subscription is not None:
                    break
                subscription = await subscribe()
                connection.attach(subscription)
        yield []
        while True:
            frames = await subscription.take(keep_alive_seconds)
            if subscription.closed:
                return
            fresh = [frame for frame in frames if frame.recorded is None or frame.recorded.position > last]
            for frame in fresh:
                if frame.recorded is not None:
                    last = frame.recorded.position
            if fresh or not frames:
                yield fresh
    finally:
        if subscription is not None:
            subscription.close()
