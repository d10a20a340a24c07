"""Which of the processes of a service does which part of its work: each part in one process, evenly spread.

A process is present, and has a share, as long as its database connection holds an advisory lock that says so. All look every
quarter of a second: who has the least takes what is free, who has so much more than another that both would be more alike
gives a share up. So a process that dies is replaced within a moment, and one that comes gets its part.

The locks spread the work and guard nothing: single active consumers, versions and stored positions do. So while the database is
away everybody goes on with what it has, and two that believe for a moment to have the same share do no harm.
"""

import asyncio
import os
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Final
from zlib import crc32

import asyncpg
import structlog

from runyard_shared.eventstore.outage import is_outage
from runyard_shared.loops import forever

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

_log = structlog.get_logger(__name__)

LOOK_EVERY_SECONDS: Final = 0.25
UNABLE_SECONDS: Final = 5.0
"""After so long without the broker a process leaves its shares to others, if there are any."""
_PATIENCE_SECONDS: Final = 5
_PRESENT: Final = 0
NOTICE_LOST_PEER: Final = "set tcp_keepalives_idle = 5; set tcp_keepalives_interval = 2; set tcp_keepalives_count = 3"
"""The server ends a session, and with it its locks, a few seconds after the machine of its process has gone."""


@dataclass(frozen=True, slots=True)
class Share:
    """A part of the work. `begin` may raise, and is then tried again, here or elsewhere; after it, `end` is called once.
    `weight`: how much work it is, beside the others."""

    name: str
    begin: Callable[[], Awaitable[None]]
    end: Callable[[], Awaitable[None]]
    weight: int = 1


@dataclass(frozen=True, slots=True)
class _Seen:
    """Who is there, and who has what, by backend."""

    present: frozenset[int]
    holders: Mapping[str, int]

    def least(self, among: frozenset[int], weights: Mapping[str, int]) -> int:
        """The weight of the shares of whoever has least of them."""
        loads: Counter[int] = Counter()
        for name, pid in self.holders.items():
            loads[pid] += weights[name]
        return min((loads[pid] for pid in among), default=0)


class Shares:
    """`service` names the work that is shared. `able`: whether this process can work at all. `alone`: there can be no other
    process, so it does everything; else one connection of the pool is held."""

    def __init__(
        self,
        pool: "asyncpg.Pool[asyncpg.Record]",
        service: str,
        shares: Sequence[Share],
        *,
        able: Callable[[], bool],
        alone: bool = False,
    ) -> None:
        self._pool = pool
        self._service = service
        self._shares = {share.name: share for share in shares}
        self._numbers = {name: number for number, name in enumerate(self._shares, _PRESENT + 1)}
        self._weights = {share.name: share.weight for share in shares}
        self._able = able
        self._alone = alone
        self._key = crc32(service.encode()) & 0x7FFFFFFF
        self._mine: list[str] = []
        self._connection: PoolConnectionProxy[asyncpg.Record] | None = None
        self._me = 0
        self._present = False
        self._able_at = monotonic()
        self._free_before: frozenset[str] = frozenset()
        self._holders: Mapping[str, int] = {}
        self._names: dict[int, str] = {}
        self._task: asyncio.Task[None] | None = None
        self._trouble: str | None = "not started"

    @property
    def trouble(self) -> str | None:
        """Why the work is not shared as it should be, in words; None when it is."""
        return self._trouble

    def has(self, name: str) -> bool:
        """Whether this process does that part now."""
        return name in self._mine

    def standing(self) -> dict[str, str]:
        """Who does each part: "here", "orchestrator@host:4711", or "nobody yet"."""
        return {name: "here" if name in self._mine else self._holder(name) for name in self._shares}

    async def start(self) -> None:
        """Returns when this process has taken what was free. From then on it takes and gives by itself."""
        if self._alone:
            for share in self._shares.values():
                await share.begin()
                self._mine.append(share.name)
            self._trouble = None
            return
        await self._look()
        self._task = forever(self._look_forever(), f"{self._service}-shares")
        if not self._mine:
            _log.info("stands by: other processes do all there is to do", service=self._service, standing=self.standing())

    async def stop(self) -> None:
        """Ends what this process does, then lets others have it."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        for name in reversed(self._mine.copy()):
            await self._end(name)
        await self._disconnect()
        self._trouble = "stopped"

    async def _look_forever(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_SECONDS)
            await self._look()

    async def _look(self) -> None:
        try:
            connection = await self._connected()
            await self._take_and_give(connection)
        except Exception as error:  # noqa: BLE001 - whatever it is: everybody keeps what it has, and the next look tells
            trouble = f"the work cannot be shared out: {error or type(error).__name__}"
            if trouble != self._trouble:
                _log.warning("shares stay as they are", service=self._service, reason=trouble)
            self._trouble = trouble
            if is_outage(error):
                await self._disconnect()
        else:
            self._trouble = None

    async def _take_and_give(self, connection: "PoolConnectionProxy[asyncpg.Record]") -> None:
        await self._show_presence(connection)
        seen = await self._see(connection)
        others = seen.present - {self._me}
        if not self._present:
            for name in self._mine.copy() if others else ():
                await self._give(connection, name, "the broker cannot be reached from here")
            return
        free = [name for name in self._shares if name not in seen.holders]
        left_lying = self._free_before.intersection(free)
        for name in free:
            # What nobody takes although somebody has less is taken by anyone: that process may be stuck.
            if not others or self._load <= seen.least(others, self._weights) or name in left_lying:
                await self._take(connection, name)
                seen = await self._see(connection)
        self._free_before = frozenset(free) - frozenset(self._mine)
        if not free and others:
            excess = self._load - seen.least(others, self._weights)
            for name in reversed(self._mine):
                if excess >= 2 * self._weights[name]:
                    await self._give(connection, name, "another process has less to do")
                    break

    @property
    def _load(self) -> int:
        return sum(self._weights[name] for name in self._mine)

    async def _show_presence(self, connection: "PoolConnectionProxy[asyncpg.Record]") -> None:
        now = monotonic()
        if self._able():
            self._able_at = now
        present = now - self._able_at < UNABLE_SECONDS
        if present != self._present:
            change = "pg_advisory_lock_shared" if present else "pg_advisory_unlock_shared"
            await connection.execute(f"select {change}($1, $2)", self._key, _PRESENT, timeout=_PATIENCE_SECONDS)
            self._present = present

    async def _see(self, connection: "PoolConnectionProxy[asyncpg.Record]") -> _Seen:
        names = {number: name for name, number in self._numbers.items()}
        rows = await connection.fetch(_HELD, self._key, timeout=_PATIENCE_SECONDS)
        present = frozenset(pid for number, pid in rows if number == _PRESENT)
        holders = {names[number]: pid for number, pid in rows if number in names}
        if holders != self._holders:
            self._holders = holders
            named = await connection.fetch(_NAMES, list(holders.values()), timeout=_PATIENCE_SECONDS)
            self._names = {row["pid"]: row["application_name"] for row in named}
        return _Seen(present, holders)

    async def _take(self, connection: "PoolConnectionProxy[asyncpg.Record]", name: str) -> None:
        if name in self._mine or not await self._lock(connection, name):
            return
        try:
            await self._shares[name].begin()
        except BaseException:
            await self._unlock(connection, name)
            raise
        self._mine.append(name)
        _log.info("takes over", service=self._service, share=name)

    async def _give(self, connection: "PoolConnectionProxy[asyncpg.Record]", name: str, reason: str) -> None:
        _log.info("hands over", service=self._service, share=name, reason=reason)
        await self._end(name)
        await self._unlock(connection, name)

    async def _end(self, name: str) -> None:
        self._mine.remove(name)
        try:
            await self._shares[name].end()
        except Exception:  # noqa: BLE001 - others must not wait for it
            _log.exception("a share did not end in good order", service=self._service, share=name)

    async def _lock(self, connection: "PoolConnectionProxy[asyncpg.Record]", name: str) -> bool:
        sql = "select pg_try_advisory_lock($1, $2)"
        taken: bool = await connection.fetchval(sql, self._key, self._numbers[name], timeout=_PATIENCE_SECONDS)
        return taken

    async def _unlock(self, connection: "PoolConnectionProxy[asyncpg.Record]", name: str) -> None:
        sql = "select pg_advisory_unlock($1, $2)"
        await connection.execute(sql, self._key, self._numbers[name], timeout=_PATIENCE_SECONDS)

    async def _connected(self) -> "PoolConnectionProxy[asyncpg.Record]":
        """The connection that holds our locks. On a new one, what somebody else has taken meanwhile is ended."""
        if self._connection is not None and not self._connection.is_closed():
            return self._connection
        await self._disconnect()
        connection = self._connection = await self._pool.acquire(timeout=_PATIENCE_SECONDS)
        self._present = False
        await connection.execute(NOTICE_LOST_PEER, timeout=_PATIENCE_SECONDS)
        name = f"{self._service}@{socket.gethostname()}:{os.getpid()}"
        await connection.execute("select set_config('application_name', $1, false)", name, timeout=_PATIENCE_SECONDS)
        self._me = connection.get_server_pid()
        for share in self._mine.copy():
            if not await self._lock(connection, share):
                _log.info("hands over", service=self._service, share=share, reason="another process has taken it")
                await self._end(share)
        return connection

    async def _disconnect(self) -> None:
        """Closed, and with it the locks, whatever state it is in."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                if not connection.is_closed():
                    await connection.close(timeout=_PATIENCE_SECONDS)
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await self._pool.release(connection)

    def _holder(self, name: str) -> str:
        pid = self._holders.get(name)
        return "nobody yet" if pid is None else self._names.get(pid) or f"the process of database session {pid}"


_HELD: Final = """
    select objid::bigint::integer, pid from pg_locks
    where locktype = 'advisory' and classid = $1::bigint::oid and objsubid = 2 and granted
        and database = (select oid from pg_database where datname = current_database())
"""
_NAMES: Final = "select pid, application_name from pg_stat_activity where pid = any($1::integer[])"
