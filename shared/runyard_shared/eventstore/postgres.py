"""The event store on PostgreSQL, with group commit.

While one commit is under way, the appends that come gather; the next commit takes them all, as one transaction and one round
trip on one connection. So a lone append waits for nothing, and under load the price of a durable commit is shared. The log's
`append` function (log.sql) refuses a batch by naming the appends that conflict; those fail, the others go again.
"""

# ruff: noqa: S608 - the schema is a name of our own; every value is a parameter

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import cache
from itertools import chain
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import msgspec
import structlog

from runyard_shared.contracts.base import Event
from runyard_shared.contracts.feed import Recorded
from runyard_shared.errors import Unavailable
from runyard_shared.eventstore.batch import Append, Batch
from runyard_shared.eventstore.mapper import EventMapper
from runyard_shared.eventstore.outage import is_outage, outages_as_unavailable
from runyard_shared.eventstore.store import NOTHING, Claim, Commit, Snapshot, TimerChange
from runyard_shared.loops import forever
from runyard_shared.metrics import COMMIT_EVENTS, COMMIT_REFUSED, COMMIT_SECONDS, EVENTS, RECONNECTS

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

_log = structlog.get_logger(__name__)

_PARTITIONS_AHEAD: Final = 3
_PARTITIONS_EVERY_SECONDS: Final = 6 * 3600.0
_PARTITIONS_PATIENCE_SECONDS: Final = 5
_ACQUIRE_TIMEOUT_SECONDS: Final = 5
_COMMIT_TIMEOUT_SECONDS: Final = 30
_CHECK_SECONDS: Final = 3
_RECONNECT_DELAY_SECONDS: Final = 0.25

_written: Final = cache(EVENTS.labels)

_COLUMNS: Final = "position, stream_id::text, version, tenant_id, topic, recorded_at, data::text, correlation_id, causation_id"


class PostgresEventStore:
    """One log, in `schema` of the pool's database; the schema must have been migrated with the log.

    `on_commit` gets the rows of every commit of this process, in order of position, right after it. `on_timer` gets the
    earliest due time that a commit set. Both are called in the event loop, must not wait and must not fail; both may also be
    set before `open`. One connection of the pool is held for the commits.
    """

    def __init__(
        self,
        pool: "asyncpg.Pool[asyncpg.Record]",
        schema: str,
        mapper: EventMapper,
        *,
        on_commit: Callable[[list[Recorded]], None] | None = None,
        on_timer: Callable[[datetime], None] | None = None,
    ) -> None:
        self.on_commit = on_commit
        self.on_timer = on_timer
        self._pool = pool
        self._schema = schema
        self._mapper = mapper
        self._connection: PoolConnectionProxy[asyncpg.Record] | None = None
        self._waiting: deque[Append] = deque()
        self._wake = asyncio.Event()
        self._committer: asyncio.Task[None] | None = None
        self._months: asyncio.Task[None] | None = None
        self._batch_events = COMMIT_EVENTS.labels(schema)
        self._batch_seconds = COMMIT_SECONDS.labels(schema)
        self._reconnects = RECONNECTS.labels("PostgreSQL")
        self._closing = False
        self._connected = False
        """Once already."""
        self._trouble: str | None = None
        self._append = f"select base, refused::text from {schema}.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
        self._load = f"select {_COLUMNS} from {schema}.event where stream_id = $1 and version > $2 order by version"
        self._read = f"select {_COLUMNS} from {schema}.event where position > $1 order by position limit $2"
        self._head = f"select position from {schema}.log_head"
        self._load_snapshot = f"select version, state_schema, state from {schema}.snapshot where stream_id = $1"
        self._claimed = f"select value::text from {schema}.claim where tenant_id = $1 and scope = $2 and key = $3"
        self._claims = f"select key, value::text from {schema}.claim where tenant_id = $1 and scope = $2 order by key desc"

    @property
    def trouble(self) -> str | None:
        """Why nothing can be appended right now, in words; None when it can."""
        if self._committer is None:
            return "the event store is not open"
        return self._trouble

    async def check(self) -> str | None:
        """Why the log cannot be read right now, in words, after trying it; None when it can."""
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                await self._pool.fetchval(self._head)
        except asyncpg.UndefinedTableError:
            return f"PostgreSQL has no log of the {self._schema} yet: its tables are missing"
        except TimeoutError:
            return f"PostgreSQL does not answer within {_CHECK_SECONDS:g} s"
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            return f"PostgreSQL is away: {error or type(error).__name__}"
        return None

    async def open(self) -> None:
        """Raises `Unavailable` if the database is away; from then on the store reconnects by itself."""
        with outages_as_unavailable():
            await self._make_partitions()
            await self._connect()
        self._closing = False
        self._months = forever(self._make_partitions_forever(), f"{self._schema}-partitions")
        self._committer = forever(self._commit_forever(), f"{self._schema}-committer")

    async def close(self) -> None:
        """Commits what waits, takes nothing more."""
        committer, self._committer = self._committer, None
        if committer is None:
            return
        if self._months is not None:
            self._months.cancel()
            await asyncio.gather(self._months, return_exceptions=True)
        self._closing = True
        self._wake.set()
        await committer
        await self._disconnect()

    async def append(
        self,
        stream_id: str,
        expected_version: int,
        events: Sequence[Event],
        *,
        tenant_id: str,
        at: datetime,
        correlation_id: str | None = None,
        causation_id: str | None = None,
        timers: Sequence[TimerChange] = (),
        claims: Sequence[Claim] = (),
        snapshot: Snapshot | None = None,
        decided_on: Mapping[str, int] = NOTHING,
    ) -> Commit:
        return await self.submit(
            stream_id,
            expected_version,
            events,
            tenant_id=tenant_id,
            at=at,
            correlation_id=correlation_id,
            causation_id=causation_id,
            timers=timers,
            claims=claims,
            snapshot=snapshot,
            decided_on=decided_on,
        )

    def submit(
        self,
        stream_id: str,
        expected_version: int,
        events: Sequence[Event],
        *,
        tenant_id: str,
        at: datetime,
        correlation_id: str | None = None,
        causation_id: str | None = None,
        timers: Sequence[TimerChange] = (),
        claims: Sequence[Claim] = (),
        snapshot: Snapshot | None = None,
        decided_on: Mapping[str, int] = NOTHING,
    ) -> "asyncio.Future[Commit]":
        if self._committer is None:
            raise Unavailable("the event store is not open")
        encode = self._mapper.encode
        append = Append(
            stream_id,
            expected_version,
            tenant_id,
            at,
            correlation_id,
            causation_id,
            [event.topic for event in events],
            [encode(event) for event in events],
            timers,
            claims,
            snapshot,
            decided_on,
            asyncio.get_running_loop().create_future(),
        )
        self._waiting.append(append)
        self._wake.set()
        return append.done

    async def load(self, stream_id: str, after_version: int = 0) -> list[Recorded]:
        with outages_as_unavailable():
            try:
                return _recorded(await self._pool.fetch(self._load, stream_id, after_version))
            except asyncpg.DataError:
                return []  # not a UUID: there is no such stream

    async def load_snapshot(self, stream_id: str) -> Snapshot | None:
        with outages_as_unavailable():
            row = await self._pool.fetchrow(self._load_snapshot, stream_id)
        return None if row is None else Snapshot(row["version"], row["state_schema"], row["state"])

    async def read(self, after: int, limit: int = 1000) -> list[Recorded]:
        with outages_as_unavailable():
            return _recorded(await self._pool.fetch(self._read, after, limit))

    async def head(self) -> int:
        with outages_as_unavailable():
            position: int = await self._pool.fetchval(self._head)
        return position

    async def claimed(self, tenant_id: str, scope: str, key: str) -> dict[str, Any] | None:
        with outages_as_unavailable():
            value = await self._pool.fetchval(self._claimed, tenant_id, scope, key)
        return None if value is None else msgspec.json.decode(value, type=dict[str, Any])

    async def last_claimed(self, tenant_id: str, scope: str) -> tuple[str, dict[str, Any]] | None:
        with outages_as_unavailable():
            row = await self._pool.fetchrow(f"{self._claims} limit 1", tenant_id, scope)
        return None if row is None else (row["key"], msgspec.json.decode(row["value"], type=dict[str, Any]))

    async def claims_of(self, tenant_id: str, scope: str) -> dict[str, dict[str, Any]]:
        with outages_as_unavailable():
            rows = await self._pool.fetch(self._claims, tenant_id, scope)
        return {key: msgspec.json.decode(value, type=dict[str, Any]) for key, value in rows}

    async def _make_partitions(self) -> None:
        """For the running month and some to come. Waits a moment only for whoever reads the default partition."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(f"set local lock_timeout = '{_PARTITIONS_PATIENCE_SECONDS} s'")
            await connection.execute(f"select {self._schema}.create_event_partitions({_PARTITIONS_AHEAD})")

    async def _make_partitions_forever(self) -> None:
        """A process may run for longer than there are months made ahead."""
        while True:
            await asyncio.sleep(_PARTITIONS_EVERY_SECONDS)
            try:
                await self._make_partitions()
            except Exception as error:  # noqa: BLE001 - there are months left, and streams of others go to the default one
                _log.warning("partitions of the log are made later", schema=self._schema, reason=repr(error))

    async def _commit_forever(self) -> None:
        while self._waiting or not self._closing:
            if not self._waiting:
                await self._wake.wait()
                self._wake.clear()
            try:
                connection = await self._connect()
            except Exception as error:  # noqa: BLE001 - whatever it is, the appends must hear of it and the next try may do
                self._away(error, self._waiting)
                self._waiting.clear()
                await asyncio.sleep(0 if self._closing else _RECONNECT_DELAY_SECONDS)
                self._wake.set()
                continue
            if self._waiting:
                batch = Batch.gather(self._waiting)
                if batch.appends:
                    await self._commit(connection, batch)

    async def _commit(self, connection: "PoolConnectionProxy[asyncpg.Record]", batch: Batch) -> None:
        began_at = perf_counter()
        try:
            ((base, refused),) = await connection.fetch(self._append, *batch.arguments(), timeout=_COMMIT_TIMEOUT_SECONDS)
        except Exception as error:  # noqa: BLE001 - every append must get its answer, and the committer must go on
            if is_outage(error) or self._connection is not connection:
                self._away(error, batch.appends)
                self._abandon(connection)
            elif len(batch.appends) == 1:
                batch.appends[0].fail(error)
            else:
                self._put_back(batch.appends, alone=True)
            return
        if refused is not None:
            others = batch.refuse(refused)
            COMMIT_REFUSED.labels(self._schema).inc(len(batch.appends) - len(others))
            self._put_back(others)
            return
        self._count(batch, perf_counter() - began_at)
        self._tell(batch, base)
        batch.succeed(base)

    def _count(self, batch: Batch, seconds: float) -> None:
        topics = Counter(chain.from_iterable(append.topics for append in batch.appends))
        for topic, number in topics.items():
            _written(self._schema, topic).inc(number)
        self._batch_events.observe(topics.total())
        self._batch_seconds.observe(seconds)

    def _put_back(self, appends: list[Append], *, alone: bool = False) -> None:
        for append in appends:
            append.alone = append.alone or alone
        self._waiting.extendleft(reversed(appends))

    def _tell(self, batch: Batch, base: int) -> None:
        try:
            if self.on_commit is not None and (rows := batch.recorded(base)):
                self.on_commit(rows)
            if self.on_timer is not None and (due_at := batch.earliest_timer()) is not None:
                self.on_timer(due_at)
        except Exception:  # noqa: BLE001 - the commit stands, whatever a listener makes of it
            _log.exception("a listener of the event store failed; it will find the commit in the log", schema=self._schema)

    def _away(self, error: Exception, appends: Iterable[Append]) -> None:
        if self._trouble is None:
            _log.warning("the event store lost its database", schema=self._schema, reason=repr(error))
        self._trouble = f"PostgreSQL is away: {error or type(error).__name__}"
        for append in appends:
            append.fail(Unavailable(self._trouble))

    async def _connect(self) -> "PoolConnectionProxy[asyncpg.Record]":
        """A live connection to commit on: the one we have, else a new one."""
        if self._connection is None:
            connection = await self._pool.acquire(timeout=_ACQUIRE_TIMEOUT_SECONDS)
            connection.add_termination_listener(lambda _: self._lost(connection))
            self._connection = connection
            if self._trouble is not None:
                _log.info("the event store is back", schema=self._schema)
            self._trouble = None
            if self._connected:
                self._reconnects.inc()
            self._connected = True
        return self._connection

    def _lost(self, connection: "PoolConnectionProxy[asyncpg.Record]") -> None:
        """The pool has taken the dead connection back already; the committer gets another, even if nothing waits."""
        if self._connection is connection:
            self._connection = None
            self._wake.set()

    def _abandon(self, connection: "PoolConnectionProxy[asyncpg.Record]") -> None:
        """Without a word to the server: it may be the kind of outage in which nobody answers."""
        self._connection = None
        with suppress(asyncpg.InterfaceError):  # the pool has it already
            connection.terminate()

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                await self._pool.release(connection)
            except Exception as error:
                if not is_outage(error):
                    raise
                _log.warning("the connection of the event store was dead already", schema=self._schema, reason=repr(error))


def _recorded(rows: Iterable[asyncpg.Record]) -> list[Recorded]:
    return [
        Recorded(
            position=position,
            stream_id=stream_id,
            version=version,
            tenant_id=tenant_id,
            topic=topic,
            recorded_at=recorded_at,
            data=msgspec.Raw(data),
            correlation_id=correlation_id,
            causation_id=causation_id,
        )
        for position, stream_id, version, tenant_id, topic, recorded_at, data, correlation_id, causation_id in rows
    ]
