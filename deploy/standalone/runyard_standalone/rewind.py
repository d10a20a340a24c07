"""`python -m runyard_standalone.rewind`: after a restore, before the services start: what a lost broker held is sent again.

The log is the outbox: a relay sends what was committed, and notes how far it has come. A restored database says that messages
were sent which were still in the queues of a broker that is gone. So the relays' notes are put back: to the last order that the
dispatcher has handled, and by some hours besides. Whatever was handled already is known to its handler, and ignored.
"""

import argparse
import asyncio
import os
import sys
from datetime import timedelta
from typing import Any

import asyncpg
from runyard_approvals.app import SCHEMA as APPROVALS
from runyard_dispatcher.app import SCHEMA as DISPATCHER
from runyard_orchestrator.app import SCHEMA as ORCHESTRATOR

LOGS = (ORCHESTRATOR, DISPATCHER, APPROVALS)
_BUSY = """
    select count(distinct pid) from pg_locks
    where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())
"""


class StillRunning(Exception):
    """A relay that runs would overwrite what is put back."""


async def rewind(database_url: str, hours: float) -> dict[str, tuple[int, int]]:
    """How far each log's relays had come, and where they go on. Raises `StillRunning`, `OSError`, `asyncpg.PostgresError`."""
    connection = await asyncpg.connect(database_url)
    try:
        async with connection.transaction():
            if busy := await connection.fetchval(_BUSY):
                raise StillRunning(f"{busy} processes of Runyard work on this database: stop them first")
            return {log: await _put_back(connection, log, timedelta(hours=hours)) for log in LOGS}
    finally:
        await connection.close()


async def _put_back(connection: Any, log: str, by: timedelta) -> tuple[int, int]:
    was = await connection.fetchval(f"select coalesce(max(position), 0) from {log}.relay_checkpoint")
    position = await _position_before(connection, log, by)
    if log == ORCHESTRATOR:
        position = min(position, await connection.fetchval(f"select coalesce(max(position), 0) from {DISPATCHER}.inbox"))
    await connection.execute(f"update {log}.relay_checkpoint set position = least(position, $1)", position)
    return was, min(was, position)


async def _position_before(connection: Any, log: str, by: timedelta) -> int:
    """Where the log stood so long before its last event; positions go with time."""
    low, high = 0, await connection.fetchval(f"select coalesce(max(position), 0) from {log}.event")
    end = await connection.fetchval(f"select recorded_at from {log}.event where position = $1", high)
    while end is not None and low < high:
        middle = (low + high) // 2
        row = await connection.fetchrow(
            f"select position, recorded_at from {log}.event where position > $1 order by position limit 1", middle
        )
        if row is None or row["recorded_at"] > end - by:
            high = middle
        else:
            low = row["position"]
    return int(low)


def main() -> int:
    """Environment: RUNYARD_DATABASE_URL."""
    parser = argparse.ArgumentParser(prog="python -m runyard_standalone.rewind", description=main.__doc__)
    parser.add_argument("--hours", type=float, default=24, help="how long messages may have waited in the lost broker (24)")
    arguments = parser.parse_args()
    database_url = os.environ.get("RUNYARD_DATABASE_URL", "")
    if not database_url:
        print("RUNYARD_DATABASE_URL is not set: postgresql://user:password@host/database", file=sys.stderr)
        return 2
    try:
        done = asyncio.run(rewind(database_url, arguments.hours))
    except (StillRunning, OSError, asyncpg.PostgresError) as error:
        print(f"nothing was put back: {error}", file=sys.stderr)
        return 1
    for log, (was, now) in done.items():
        print(f"{log}: the relays go on after position {now:,}; they had come to {was:,}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
