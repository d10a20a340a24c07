"""The `eventsourcing` library's own recorder tests, run on our event store.

The library's recorders are synchronous, ours is not: `Recorder` carries each call to an event loop in a thread. It goes through
the port that services use, nothing below it. The library's streams may begin at any version, here they begin at 0, which is our
version 1. Its state is bytes, here they are the field of an event.
"""

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AsyncExitStack
from threading import Thread
from typing import Any, ClassVar
from uuid import UUID

import msgspec
import pytest
from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    IntegrityError,
    Notification,
    StoredEvent,
    Subscription,
)
from eventsourcing.tests.persistence import AggregateRecorderTestCase, ApplicationRecorderTestCase
from runyard_shared.contracts.base import Event
from runyard_shared.contracts.feed import Recorded
from runyard_shared.errors import VersionConflict
from runyard_shared.eventstore.mapper import EventMapper

from tests.eventstores import AT, Log, make_log, open_log


class Opaque(Event, frozen=True, kw_only=True):
    """An event of which only its bytes are known."""

    state: bytes


def _opaque(name: str) -> type[Opaque]:
    namespace = {"topic": name, "__annotations__": {"topic": ClassVar[str]}}
    opaque = msgspec.defstruct(f"Opaque_{name}", [], bases=(Opaque,), namespace=namespace, frozen=True)
    assert issubclass(opaque, Opaque)
    return opaque


OPAQUE = {topic: _opaque(topic) for topic in ("topic", "topic1", "topic2", "topic3", "topic4")}
MAPPER = EventMapper(OPAQUE)


class Recorder(AggregateRecorder):
    """One store on an event loop of its own, for threads."""

    def __init__(self, url: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever)
        self._thread.start()
        self._stack = AsyncExitStack()
        self.log: Log = self.run(self._stack.enter_async_context(open_log(url, MAPPER)))

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        future: Future[Any] = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        return future.result(60)

    def close(self) -> None:
        self.run(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int] | None:
        self._insert(stored_events)
        return None

    def _insert(self, stored_events: Sequence[StoredEvent]) -> list[int]:
        if not stored_events:
            return []
        first = stored_events[0]
        assert {stored.originator_id for stored in stored_events} == {first.originator_id}
        versions = [stored.originator_version for stored in stored_events]
        if versions != list(range(versions[0], versions[0] + len(versions))):
            raise IntegrityError("an append is one run of versions")
        events = [OPAQUE[stored.topic](state=stored.state) for stored in stored_events]
        appending = self.log.store.append(
            str(first.originator_id), first.originator_version, events, tenant_id="default", at=AT
        )
        try:
            last = self.run(appending).position
        except VersionConflict as conflict:
            raise IntegrityError(conflict) from conflict
        return list(range(last - len(events) + 1, last + 1))

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        rows: list[Recorded] = self.run(self.log.store.load(str(originator_id), 0 if gt is None else gt + 1))
        selected = [row for row in rows if lte is None or row.version - 1 <= lte]
        return [
            StoredEvent(originator_id=originator_id, originator_version=row.version - 1, topic=row.topic, state=_state(row))
            for row in (reversed(selected) if desc else selected)
        ][:limit]


class NotifyingRecorder(Recorder, ApplicationRecorder):
    """The same, read as one sequence."""

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int] | None:
        return self._insert(stored_events)

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        after = 0 if start is None else start - 1 if inclusive_of_start else start
        found: list[Recorded] = []
        while len(found) < limit and (rows := self.run(self.log.store.read(after, limit))):
            after = rows[-1].position
            found += [row for row in rows if (stop is None or row.position <= stop) and (not topics or row.topic in topics)]
        return [
            Notification(
                id=row.position,
                originator_id=UUID(row.stream_id),
                originator_version=row.version - 1,
                topic=row.topic,
                state=_state(row),
            )
            for row in found[:limit]
        ]

    def max_notification_id(self) -> int | None:
        return self.run(self.log.store.head()) or None

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> Subscription[ApplicationRecorder]:
        raise NotImplementedError("the feed and the relay take this place; they have tests of their own")


def _state(row: Recorded) -> bytes:
    event = MAPPER.decode(row)
    assert isinstance(event, Opaque)
    return event.state


class TestAsAggregateRecorder(AggregateRecorderTestCase):
    INITIAL_VERSION = 0

    @pytest.fixture(autouse=True)
    def _recorder(self, log_url: str) -> Iterator[None]:
        self.recorder = Recorder(log_url)
        yield
        self.recorder.close()

    def create_recorder(self) -> AggregateRecorder:
        return self.recorder


class TestAsApplicationRecorder(ApplicationRecorderTestCase[ApplicationRecorder]):
    INITIAL_VERSION = 0

    @pytest.fixture(autouse=True)
    def _recorder(self, log_url: str) -> Iterator[None]:
        self.recorder = NotifyingRecorder(log_url)
        yield
        self.recorder.close()

    def create_recorder(self) -> ApplicationRecorder:
        return self.recorder


@pytest.fixture
async def log_url(postgres_url: str) -> str:
    await make_log(postgres_url)
    return postgres_url
