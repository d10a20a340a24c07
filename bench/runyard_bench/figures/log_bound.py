"""B12, the bound of one log: all its writers take turns at one row, so what matters is how much each turn carries.

One, two and four processes write with the real event store as fast as they can, with few and with many appends waiting.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
from runyard_shared.eventstore.migrate import log_sql
from runyard_standalone.postgres import EmbeddedPostgres

from runyard_bench.committer import SCHEMA
from runyard_bench.figures.plan import Plan
from runyard_bench.meter import Meter
from runyard_bench.quantities import Row, duration, rate

WRITERS = (1, 2, 4)
WAITING = (16, 256)
"""Appends under way at a time, in all processes together."""


async def log_bound(plan: Plan) -> list[Row]:
    with _postgres() as postgres:
        rows = []
        for waiting in WAITING:
            for writers in WRITERS:
                await _new_log(postgres.dsn)
                rows.append(_measured(postgres, writers, waiting, plan.commit_seconds))
    return rows


@contextmanager
def _postgres() -> Iterator[EmbeddedPostgres]:
    with tempfile.TemporaryDirectory(prefix="runyard-bench-") as directory:
        postgres = EmbeddedPostgres(Path(directory) / "postgres")
        postgres.start()
        try:
            yield postgres
        finally:
            postgres.kill()


async def _new_log(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(f"drop schema if exists {SCHEMA} cascade; create schema {SCHEMA}; {log_sql(SCHEMA)}")
    finally:
        await connection.close()


def _measured(postgres: EmbeddedPostgres, writers: int, waiting: int, seconds: float) -> Row:
    command = [sys.executable, "-m", "runyard_bench.committer", postgres.dsn, str(waiting // writers), str(seconds)]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(writers)]
    for process in processes:
        assert process.stdout
        process.stdout.readline()
    assert postgres.pid
    with Meter({"postgresql": postgres.pid}) as meter:
        results: list[dict[str, Any]] = []
        for process in processes:
            assert process.stdin
            process.stdin.write("\n")
            process.stdin.flush()
        for process in processes:
            out, _ = process.communicate(timeout=seconds + 60)
            results.append(json.loads(out))
    appends = sum(each["appends"] for each in results)
    commits = sum(each["commits"] for each in results)
    longest = max(each["seconds"] for each in results)
    waited = sum(each["waited_seconds"] for each in results) / appends
    of_writers = 1000 * sum(each["cpu_seconds"] for each in results) / appends
    of_postgres = 1000 * meter.usage.cpu_seconds["postgresql"] / appends
    return Row(
        "B12",
        f"appends/s, {writers} writer{'s' if writers > 1 else ''}, {waiting} waiting",
        rate(appends / longest),
        f"{rate(commits / longest)} commits of {appends / commits:.1f}; each waits {duration(waited)}; CPU for an append:"
        f" writer {of_writers:.3f} ms, PostgreSQL {of_postgres:.3f} ms",
    )
