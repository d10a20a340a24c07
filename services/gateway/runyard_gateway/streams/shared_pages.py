"""First pages of lists as they change, shared by all who watch the same one: read once for all of them, sent as differences.

A page is read when something of its tenant happened, after the read model has got there, and not more often than a few times
a second; so a row is never older than the one before it, and a burst of events is one change. Pages that many people look at
cost what one costs, and many different pages take turns: the more there are, the more seldom each is read.

    page              all rows in order, at the beginning and after a lost connection
    <row>, gone       a row that is new or has changed; a row that is no longer on the page
    count             beside them, where the page has one

What is counted may also be a page of its own, without rows, that is watched beside another: its event is the figure, at the
beginning and when it changes.

The last frame of a change has its position as `id`; whoever comes back with it is shown nothing older than that.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog
from runyard_shared.errors import Unavailable

from runyard_gateway.read_position import EXECUTIONS, ReadPosition
from runyard_gateway.streams.bell import Bell, Concerns
from runyard_gateway.streams.event_stream import Connection, Source
from runyard_gateway.streams.log_tail import LogTail
from runyard_gateway.streams.subscription import Backlog, LiveFrame, Subscription

_log = structlog.get_logger(__name__)

INTERVAL_SECONDS = 0.25
"""Between two readings of one page."""
READERS = 2
"""So many pages are read at the same time."""
REST = 1.0
"""After each reading its reader rests for this many times as long as it took."""
RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class PageRow:
    """`version` differs when the row does. `content` is its JSON."""

    version: Hashable
    content: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """Rows by id, in order. `count`: JSON of what is counted beside them, if anything is."""

    rows: Mapping[str, PageRow] = field(default_factory=dict)
    count: bytes | None = None


@dataclass(frozen=True)
class Kind:
    """What a list is: the events of its rows, the name of their ids, and the topics after which it may be different. Or a
    figure, which is all of its page: `row_event` is the event of it, and `id_name` None."""

    row_event: str
    id_name: str | None
    concerns: Concerns
    interval_seconds: float = INTERVAL_SECONDS


Load = Callable[[], Awaitable[Page]]


@dataclass(frozen=True, slots=True)
class Watched:
    """The page of a kind that `key` names in a tenant, and how it is read."""

    kind: Kind
    key: Hashable
    load: Load


class SharedPage:
    """One page, and whoever watches it. `read_at`: it shows everything up to this position, and perhaps more."""

    def __init__(
        self, kind: Kind, load: Load, bell: Bell, position: int, read_position: ReadPosition, readers: asyncio.Semaphore
    ) -> None:
        self._kind = kind
        self._load = load
        self._bell = bell
        self._position = position
        self._page = Page()
        self._opening: bytes | None = None
        self._read = asyncio.Event()
        self.read_at: int | None = None
        self.subscriptions: set[Subscription] = set()
        self.watchers = 0
        self._following = asyncio.create_task(self._follow(read_position, readers), name="gateway shared page")

    def cancel(self) -> None:
        self._following.cancel()

    async def stop(self) -> None:
        self.cancel()
        await asyncio.gather(self._following, return_exceptions=True)

    async def ready(self, position: int) -> None:
        """Returns when it shows everything up to `position`. Raises what its first reading raised."""
        while self.read_at is None or self.read_at < position:
            if self.read_at is not None and self._bell.position < position:
                self._bell.ring(position)
            reading = asyncio.create_task(self._read.wait())
            await asyncio.wait((reading, self._following), return_when=asyncio.FIRST_COMPLETED)
            reading.cancel()
            if self._following.done():
                self._following.result()
                raise Unavailable("the page is no longer read")

    def opening(self) -> bytes:
        """The whole page, for a reader that begins."""
        if self._opening is None and self._kind.id_name is None:
            self._opening = b"".join(self._frames(Page(), self._page)) + b"\n"
        elif self._opening is None:
            items = b",".join([row.content for row in self._page.rows.values()])
            count = b"" if self._page.count is None else b',"count":' + self._page.count
            at = self.read_at or 0
            self._opening = b'id: %d\nevent: page\ndata: {"items":[%b]%b,"asOf":%d}\n\n' % (at, items, count, at)
        return self._opening

    async def _follow(self, read_position: ReadPosition, readers: asyncio.Semaphore) -> None:
        """Nobody goes on watching a page that is no longer read."""
        try:
            await self._show_anew(self._position, read_position, readers)
            await self._keep_up(read_position, readers)
        except Exception:
            if self.subscriptions:
                _log.exception("a page that is watched is no longer read")
            raise
        finally:
            for subscription in tuple(self.subscriptions):
                subscription.close()

    async def _keep_up(self, read_position: ReadPosition, readers: asyncio.Semaphore) -> None:
        while True:
            await asyncio.sleep(self._kind.interval_seconds)
            position = await self._bell.after(self.read_at or 0)
            try:
                await self._show_anew(position, read_position, readers)
            except Unavailable as trouble:
                _log.debug("a page that is watched cannot be read now", reason=str(trouble))
                await asyncio.sleep(RETRY_SECONDS)

    async def _show_anew(self, position: int, read_position: ReadPosition, readers: asyncio.Semaphore) -> None:
        try:
            await read_position.reach(EXECUTIONS, position)
        except Unavailable:
            # the read model is far behind: what it has is better than nothing, and it is read again
            position = self.read_at or 0
        async with readers:
            began_at = time.monotonic()
            page = await self._load()
            self._show(page, position)
            await asyncio.sleep((time.monotonic() - began_at) * REST)

    def _show(self, page: Page, position: int) -> None:
        before, self._page = self._page, page
        self._opening = None
        self.read_at = position
        self._read.set()
        self._read = asyncio.Event()
        if not self.subscriptions:
            return
        frames = self._frames(before, page)
        if frames:
            # a figure may be older than the rows that its reader has: to come back with its position would be to go back
            place = b"\n" if self._kind.id_name is None else b"id: %d\n\n" % position
            change = LiveFrame(b"\n".join(frames) + place)
            for subscription in tuple(self.subscriptions):
                subscription.add(change)
                subscription.flush()

    def _frames(self, before: Page, page: Page) -> list[bytes]:
        """Without the empty lines that end them."""
        kind = self._kind
        if kind.id_name is None:
            if page.count is None or page.count == before.count:
                return []
            return [b"event: %b\ndata: %b\n" % (kind.row_event.encode(), page.count)]
        frames = [
            b"event: %b\ndata: %b\n" % (kind.row_event.encode(), row.content)
            for row_id, row in page.rows.items()
            if (known := before.rows.get(row_id)) is None or known.version != row.version
        ]
        frames += [
            b'event: gone\ndata: {"%b":"%b"}\n' % (kind.id_name.encode(), row_id.encode())
            for row_id in before.rows
            if row_id not in page.rows
        ]
        if page.count is not None and page.count != before.count:
            frames.append(b"event: count\ndata: %b\n" % page.count)
        return frames


class SharedPages:
    """All pages that are watched, by what they show."""

    def __init__(
        self, tail: LogTail, read_position: ReadPosition, buffer_bytes: int, backlog: Backlog, keep_alive_seconds: float
    ) -> None:
        self._tail = tail
        self._read_position = read_position
        self._buffer_bytes = buffer_bytes
        self._backlog = backlog
        self._keep_alive_seconds = keep_alive_seconds
        self._pages: dict[Hashable, SharedPage] = {}
        self._bells: dict[tuple[str, Kind], tuple[Bell, list[SharedPage]]] = {}
        self._readers = asyncio.Semaphore(READERS)

    async def watch(self, tenant_id: str, position: int | None, *watched: Watched) -> Source:
        """Pages of the tenant in one stream, not older than a reader has them who comes back with `position`. Raises what their
        reading does."""
        end = await self._tail.position()
        pages = [self._page(tenant_id, each, end) for each in watched]
        for page in pages:
            page.watchers += 1
        try:
            for page in pages:
                await page.ready(min(position or 0, end))
        except BaseException:
            self._leave(tenant_id, watched, pages)
            raise
        return lambda connection: self._frames(tenant_id, watched, pages, connection)

    async def stop(self) -> None:
        for page in tuple(self._pages.values()):
            await page.stop()

    async def _frames(
        self, tenant_id: str, watched: Sequence[Watched], pages: Sequence[SharedPage], connection: Connection
    ) -> AsyncGenerator[bytes, None]:
        def leave(reader: Subscription) -> None:
            for page in pages:
                page.subscriptions.discard(reader)

        subscription = Subscription(self._buffer_bytes, leave, self._backlog)
        try:
            for page in pages:
                page.subscriptions.add(subscription)
            connection.attach(subscription)
            yield b"".join([page.opening() for page in pages])
            subscription.sink = lambda frames: connection.push(b"".join([each.content for each in frames]))
            while True:
                frames = await subscription.take(self._keep_alive_seconds)
                if subscription.closed:
                    return
                yield b"".join([each.content for each in frames])
        finally:
            subscription.close()
            self._leave(tenant_id, watched, pages)

    def _page(self, tenant_id: str, watched: Watched, position: int) -> SharedPage:
        """Without an await, so that nothing after `position` is missed."""
        whole_key = (tenant_id, watched.kind, watched.key)
        page = self._pages.get(whole_key)
        if page is None:
            place = (tenant_id, watched.kind)
            if place not in self._bells:
                self._bells[place] = (self._tail.bells.hang(tenant_id, watched.kind.concerns), [])
            bell, pages = self._bells[place]
            page = SharedPage(watched.kind, watched.load, bell, position, self._read_position, self._readers)
            pages.append(page)
            self._pages[whole_key] = page
        return page

    def _leave(self, tenant_id: str, watched: Sequence[Watched], pages: Sequence[SharedPage]) -> None:
        for each, page in zip(watched, pages, strict=True):
            page.watchers -= 1
            whole_key = (tenant_id, each.kind, each.key)
            if page.watchers or self._pages.get(whole_key) is not page:
                continue
            del self._pages[whole_key]
            place = (tenant_id, each.kind)
            bell, others = self._bells[place]
            others.remove(page)
            if not others:
                del self._bells[place]
                self._tail.bells.take_down(tenant_id, bell)
            page.cancel()
