"""Keeps the read models up to date: follows the log and applies whatever has gathered, one transaction after the other.

The feed tells what was committed, mostly before anyone could have asked. What it does not tell (a start, a lost broadcast, a
lost broker) is read from the log; the positions show what is missing, and a look at the log's head every second shows the end.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from time import monotonic, time
from typing import Final

import asyncpg
import structlog
from runyard_shared.contracts.feed import FeedBatch
from runyard_shared.errors import Unavailable
from runyard_shared.eventstore.follower import Follower
from runyard_shared.eventstore.outage import is_outage
from runyard_shared.eventstore.store import EventStore
from runyard_shared.loops import forever
from runyard_shared.metrics import RECONNECTS

from runyard_projections.applier import Applier, PositionMoved
from runyard_projections.metrics import APPLIED_EVENTS, APPLIED_SECONDS, PROJECT, STOPS
from runyard_projections.pace import Pace
from runyard_projections.projection import LIVE, LOG, Connection, Projection, ProjectionBroken
from runyard_projections.rebuild import rebuild
from runyard_projections.text import storable

_log = structlog.get_logger(__name__)

BATCH_EVENTS: Final = 5000
"""At most so many events in a transaction: enough that its own cost vanishes, few enough that others get their turn."""
BEAT_SECONDS: Final = 5.0
RETRY_SECONDS: Final = 0.5
RETRY_BROKEN_SECONDS: Final = 5.0
RETRY_NEWCOMERS_SECONDS: Final = 30.0
LAG_WORTH_MENTIONING: Final = 20_000
NEWCOMER_EVENTS: Final = 50_000
"""A projection that is so far behind the first one is brought up by itself."""


class Projector:
    """Give `hear` to the bus as the handler of the feed."""

    def __init__(self, store: EventStore, pool: "asyncpg.Pool[asyncpg.Record]", projections: Sequence[Projection]) -> None:
        self._store = store
        self._pool = pool
        self._projections = projections
        self._applier = Applier(projections, LIVE)
        self._newcomers: asyncio.Task[int] | None = None
        self._newcomers_again_at: float | None = None
        self._names = [projection.name for projection in projections]
        self._follower: Follower | None = None
        self._task: asyncio.Task[None] | None = None
        self._trouble: str | None = "not started"
        self._lost = False
        """The connection, since it was last there."""
        self._beaten_at = 0.0

    @property
    def trouble(self) -> str | None:
        """Why the read models do not keep up, in words; None when they do."""
        if self._trouble is None and self.lag > LAG_WORTH_MENTIONING:
            return f"the read models are {self.lag:,} events behind and catching up"
        return self._trouble

    @property
    def lag(self) -> int:
        """How many events of the log are not in the rows yet, as far as is known."""
        return max(0, self._follower.lag) if self._follower is not None else 0

    async def hear(self, batches: Sequence[FeedBatch]) -> None:
        """Batches from the feed: duplicates, gaps and other logs' are all right."""
        if self._follower is not None:
            for batch in batches:
                if batch.log == LOG and batch.events:
                    self._follower.committed(batch.events)

    def start(self) -> None:
        self._task = forever(self._run(), "projector")

    async def stop(self) -> None:
        """Ends after the transaction under way was given up; what it held is applied after the next start."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        if self._newcomers is not None:
            self._newcomers.cancel()
            await asyncio.gather(self._newcomers, return_exceptions=True)
        self._trouble = "stopped"

    async def _run(self) -> None:
        while True:
            try:
                async with self._pool.acquire() as connection:
                    try:
                        await self._follow(connection)
                    finally:
                        await self._applier.close(connection)
            except PositionMoved as moved:
                _log.info("starting over from the stored position", reason=str(moved))
                await asyncio.sleep(RETRY_SECONDS)
            except Exception as error:  # noqa: BLE001 - whatever it is, nothing is skipped and the health says it
                await self._wait_after(error)

    async def _those_that_keep_up(self, connection: Connection) -> Sequence[Projection]:
        """A projection that came with an upgrade begins at position 0: it is brought up by itself, as in a rebuild, and the
        others do not wait for it."""
        sql = f"select name, position from {LIVE}.position where name = any($1)"  # noqa: S608 - a schema of our own
        positions = {row["name"]: row["position"] for row in await connection.fetch(sql, self._names)}
        ahead = max(positions.values(), default=0)
        newcomers = [each for each in self._projections if ahead - positions.get(each.name, 0) > NEWCOMER_EVENTS]
        if newcomers and (self._newcomers is None or self._newcomers.done()):
            _log.info("read models are brought up by themselves", names=[each.name for each in newcomers])
            bringing_up = rebuild(self._pool, self._store, newcomers)
            self._newcomers = asyncio.create_task(bringing_up, name="bringing up read models")
        return [each for each in self._projections if each not in newcomers]

    def _look_after_newcomers(self) -> None:
        """Raises `PositionMoved` when they have come up, and when it is time to try that again."""
        if self._newcomers is not None and self._newcomers.done():
            done, self._newcomers = self._newcomers, None
            error = done.exception()
            if error is None:
                raise PositionMoved(f"read models have come up to {done.result()}")
            _log.warning("read models are brought up later", reason=repr(error))
            self._newcomers_again_at = monotonic() + RETRY_NEWCOMERS_SECONDS
        elif self._newcomers is None and self._newcomers_again_at is not None and monotonic() >= self._newcomers_again_at:
            self._newcomers_again_at = None
            raise PositionMoved("read models are still to be brought up")

    async def _wait_after(self, error: Exception) -> None:
        """What may pass is tried again soon. Anything else stands still until a rebuild or a newer program helps."""
        reason = str(error) or type(error).__name__
        passing = _may_pass(error)
        self._lost = self._lost or is_outage(error)
        trouble = f"waiting: {reason}" if passing else f"standing still, because it must not guess: {reason}"
        if trouble != self._trouble:
            _log.warning("the read models do not go on", reason=trouble, exc_info=None if passing else error)
            STOPS.inc(not passing)
        self._trouble = trouble
        if not passing:
            await self._tell_readers(reason)
        await asyncio.sleep(RETRY_SECONDS if passing else RETRY_BROKEN_SECONDS)

    async def _tell_readers(self, reason: str) -> None:
        """So that whoever looks at the positions sees why they do not grow; the next event applied takes it back."""
        guilty = self._applier.at_work
        try:
            await self._pool.execute(_TELL, self._names, guilty, storable(reason))
        except Exception as error:  # noqa: BLE001 - what ails the read models matters more, and is in the log and the health
            _log.warning("readers are not told what ails the read models", reason=repr(error))

    async def _follow(self, connection: Connection) -> None:
        self._applier = Applier(await self._those_that_keep_up(connection), LIVE)
        position = await self._applier.open(connection)
        head = await self._store.head()
        if head < position:
            raise ProjectionBroken(
                f"the read models are at position {position}, but the log ends at {head}: they were made of another one;"
                " rebuild them"
            )
        follower = self._follower = Follower(self._store, position, max_events=BATCH_EVENTS)
        await follower.look()
        pace = Pace()
        self._trouble = None
        if self._lost:
            RECONNECTS.labels("PostgreSQL").inc()
            self._lost = False
        while True:
            self._look_after_newcomers()
            events = await follower.next()
            if events:
                began_at = monotonic()
                await self._applier.apply(connection, events, max(events[-1].position, follower.position + follower.lag))
                follower.advance(events[-1].position)
                self._beaten_at = monotonic()
                APPLIED_EVENTS.observe(len(events))
                APPLIED_SECONDS.observe(self._beaten_at - began_at)
                PROJECT.observe(max(0.0, time() - events[0].recorded_at.timestamp()))
                if len(events) < BATCH_EVENTS:
                    await asyncio.sleep(pace.rest_seconds(len(events), began_at, self._beaten_at))
            elif follower.position > self._applier.position:
                await self._applier.skip(connection, follower.position)
            elif monotonic() - self._beaten_at >= BEAT_SECONDS:
                await self._applier.beat(connection, follower.position + follower.lag)
                self._beaten_at = monotonic()


_TELL: Final = f"""
    update {LIVE}.position set updated_at = now(),
        trouble = case when $2::text is null or name = $2 then $3 else 'it waits for ' || $2 || ', which stands still' end
    where name = any($1)
"""  # noqa: S608 - the schema is a name of our own


def _may_pass(error: Exception) -> bool:
    """An outage, or the orchestrator has not made its log yet."""
    return isinstance(error, Unavailable | asyncpg.UndefinedTableError) or is_outage(error)
