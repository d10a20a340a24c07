"""Who leads: of all dispatcher processes, the one whose database connection holds the lock.

What one dispatcher knows is in its memory, so there must be one. All it writes goes through the connection that holds the lock:
who loses the lock can write nothing more.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import asyncpg
from runyard_shared.eventstore.outage import outages_as_unavailable
from runyard_shared.shares import NOTICE_LOST_PEER

if TYPE_CHECKING:
    from runyard_dispatcher.tables import Database

_LEAD_LOCK: Final = 7_235_419_101
_ASK_EVERY_SECONDS: Final = 0.25
_CONNECT_TIMEOUT_SECONDS: Final = 5


@asynccontextmanager
async def lead(pool: "asyncpg.Pool[asyncpg.Record]", standing_by: Callable[[str], None]) -> AsyncIterator["Database"]:
    """Waits for the lead, calling `standing_by` with the name of the process that has it. Raises `Unavailable` if the database
    is away."""
    with outages_as_unavailable():
        connection = await pool.acquire(timeout=_CONNECT_TIMEOUT_SECONDS)
    try:
        with outages_as_unavailable():
            await connection.execute(NOTICE_LOST_PEER)
            name = f"dispatcher@{socket.gethostname()}:{os.getpid()}"
            await connection.execute("select set_config('application_name', $1, false)", name)
            while not await connection.fetchval("select pg_try_advisory_lock($1)", _LEAD_LOCK):
                standing_by(await connection.fetchval(_LEADER, _LEAD_LOCK) or "another dispatcher")
                await asyncio.sleep(_ASK_EVERY_SECONDS)
            # Rows are looked up by their keys; statistics of tables that fill and empty quickly would mislead the planner.
            await connection.execute("set enable_seqscan = off")
        yield connection
    finally:
        if not connection.is_closed():
            await connection.close(timeout=_CONNECT_TIMEOUT_SECONDS)  # and with it the lock, whatever state it is in
        await pool.release(connection)


_LEADER: Final = """
    select application_name from pg_locks join pg_stat_activity using (pid)
    where locktype = 'advisory' and granted and objsubid = 1 and (classid::bigint << 32) | objid::bigint = $1
        and database = (select oid from pg_database where datname = current_database())
"""
