"""`python -m runyard_bench.committer`: one writer of a log, with the real event store, as many appends under way as it is told.

Prints `ready`, begins when it reads a line, and ends after some seconds with one line of JSON.
"""

import asyncio
import json
import sys
import time

import asyncpg
import uvloop
from runyard_shared.clock import SystemClock
from runyard_shared.contracts.events import EVENT_TYPES, NodeSkipped
from runyard_shared.contracts.feed import Recorded
from runyard_shared.eventstore.mapper import EventMapper
from runyard_shared.eventstore.postgres import PostgresEventStore
from runyard_shared.ids import new_id
from runyard_shared.process import calm_garbage_collector, keep_as_it_is

SCHEMA = "bench"
EVENTS = [NodeSkipped(node_id="one"), NodeSkipped(node_id="two")]
"""Of one append: as many as an execution of three jobs has on average."""


async def write(database_url: str, waiters: int, seconds: float) -> dict[str, float]:
    commits: list[int] = []

    def committed(rows: list[Recorded]) -> None:
        commits.append(len(rows))

    async with asyncpg.create_pool(database_url, min_size=2, max_size=2, reset=keep_as_it_is) as pool:
        store = PostgresEventStore(pool, SCHEMA, EventMapper(EVENT_TYPES), on_commit=committed)
        await store.open()
        calm_garbage_collector()
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        ends_at = time.monotonic() + seconds
        clock, waited = SystemClock(), 0.0

        async def append_again_and_again() -> None:
            nonlocal waited
            while time.monotonic() < ends_at:
                began = time.monotonic()
                await store.append(new_id(), 0, EVENTS, tenant_id="bench", at=clock.now())
                waited += time.monotonic() - began

        began, cpu = time.monotonic(), time.process_time()
        await asyncio.gather(*(append_again_and_again() for _ in range(waiters)))
        took, cpu = time.monotonic() - began, time.process_time() - cpu
        await store.close()
    appends = sum(commits) / len(EVENTS)
    return {"commits": len(commits), "appends": appends, "seconds": took, "cpu_seconds": cpu, "waited_seconds": waited}


def main() -> None:
    database_url, waiters, seconds = sys.argv[1:]
    print(json.dumps(uvloop.run(write(database_url, int(waiters), float(seconds)))), flush=True)


if __name__ == "__main__":
    main()
