"""B6 and B7, in a system with many executions stored: how long a page of the list takes, and how fast read models are rebuilt.

The log is filled through the event store while the projections are stopped; then their own rebuild command makes the read
models of it, which is B7. So that sizes can be compared, each is a fresh system.
"""

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import asyncpg
import msgspec
from runyard_shared.clock import rfc3339

from runyard_bench.client import Client, Query
from runyard_bench.figures.plan import Plan
from runyard_bench.meter import until_quiet
from runyard_bench.quantities import Row, duration, median, percentile, rate
from runyard_bench.seed import Seeded, seed
from runyard_bench.system import System
from runyard_bench.workflows import Wrong

REBUILD_SECONDS = 180.0
WARM_UP = 10
_REBUILT = re.compile(r"rebuilt up to position ([\d,]+) in ([\d.]+) s")


class _Page(msgspec.Struct):
    items: list[msgspec.Raw]


_decode_page = msgspec.json.Decoder(_Page).decode


@dataclass(frozen=True)
class Stored:
    """`pages`: by filter, seconds p50 and p99 of the newest page."""

    executions: int
    events: int
    seed_seconds: float
    rebuild_seconds: float
    pages: Mapping[str, tuple[float, float]]


async def stored(system: System, executions: int, plan: Plan, *, with_pages: bool) -> Stored:
    """Fill the system, rebuild, measure. Raises `Wrong`."""
    with system.stopped("projections"):
        began = time.perf_counter()
        async with asyncpg.create_pool(system.database_url, min_size=1, max_size=4) as pool:
            seeded = await seed(pool, executions)
        seed_seconds = time.perf_counter() - began
        events, rebuild_seconds = await _rebuild(system)
    pages = {}
    if with_pages:
        await until_quiet(system.parts)
        pages = await _pages(system, seeded, plan)
    return Stored(executions, events, seed_seconds, rebuild_seconds, pages)


def page_rows(sizes: Sequence[Stored]) -> list[Row]:
    """B6, of the largest size beside the others."""
    largest, *others = sorted(sizes, key=lambda each: -each.executions)
    rows = []
    for name, (p50, p99) in largest.pages.items():
        detail = "; ".join(
            f"{duration(other.pages[name][0])} / {duration(other.pages[name][1])} at {other.executions:,},"
            f" ratio {p50 / other.pages[name][0]:.2f} / {p99 / other.pages[name][1]:.2f}"
            for other in others
        )
        rows.append(
            Row("B6", f"list, {name}, p50 / p99", f"{duration(p50)} / {duration(p99)}", f"at {largest.executions:,}; {detail}")
        )
    return rows


def rebuild_row(size: Stored) -> Row:
    detail = f"{size.events:,} events in {size.rebuild_seconds:.1f} s; written in {size.seed_seconds:.1f} s"
    return Row("B7", "rebuild of all read models", f"{rate(size.events / size.rebuild_seconds)}", detail)


async def _rebuild(system: System) -> tuple[int, float]:
    """Events and seconds, as the command tells them."""
    command = await asyncio.create_subprocess_exec(
        *system.command("runyard_projections", "rebuild"),
        env=system.environment(),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(REBUILD_SECONDS):
            output = (await command.communicate())[0].decode(errors="replace")
    finally:
        if command.returncode is None:
            command.kill()
            await command.wait()
    told = _REBUILT.search(output)
    if command.returncode or told is None:
        raise Wrong(f"the rebuild ended with {command.returncode}:\n{output[-2000:]}")
    return int(told[1].replace(",", "")), float(told[2])


async def _pages(system: System, seeded: Seeded, plan: Plan) -> dict[str, tuple[float, float]]:
    third = timedelta(seconds=(seeded.last_at - seeded.first_at).total_seconds() / 3)
    filters: dict[str, Query] = {
        "no filter": {},
        "workflowId": {"workflowId": seeded.workflow_ids[len(seeded.workflow_ids) // 2]},
        "status": {"status": "failed"},
        "trigger": {"trigger": "incident"},
        "from/to": {"from": rfc3339(seeded.first_at + third), "to": rfc3339(seeded.last_at - third)},
        "q": {"q": f"Workflow {len(seeded.workflow_ids) // 2:03d}"},
    }
    client = Client(system.address, system.token)
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in filters}
    try:
        for _ in range(plan.repetitions):
            for name, query in filters.items():
                request = client.prepare("GET", "/executions", query=query)
                times = [await _page(client, request, name) for _ in range(WARM_UP + plan.pages)][WARM_UP:]
                measured[name].append((percentile(times, 50), percentile(times, 99)))
    finally:
        client.close()
    return {name: (median([p50 for p50, _ in runs]), median([p99 for _, p99 in runs])) for name, runs in measured.items()}


async def _page(client: Client, request: bytes, name: str) -> float:
    began = time.perf_counter()
    answer = await client.send(request)
    seconds = time.perf_counter() - began
    if answer.status != 200:
        raise Wrong(f"the list ({name}) was answered with {answer.status}: {answer.body.decode(errors='replace')}")
    if not _decode_page(answer.body).items:
        raise Wrong(f"the list ({name}) is empty")
    return seconds
