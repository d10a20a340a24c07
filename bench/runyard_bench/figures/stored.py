"""B6, B7, B8 and B11, in a system with many executions stored: how long a page of the list takes, by every filter alone and by
several together, how fast read models are rebuilt, what memory the services need, and when a browser shows the list.

The log is filled (`seed.py`) while nobody reads it; then the projections' own rebuild command makes the read models of it,
which is B7. So that sizes can be compared, each is a fresh system at rest: nothing of the filling is left to be relayed or
vacuumed, as in a system that ran those executions over a year.
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
from runyard_bench.figures.browser import list_in_browser
from runyard_bench.figures.plan import Plan
from runyard_bench.meter import Meter, until_quiet
from runyard_bench.quantities import Row, duration, mebibytes, median, percentile, rate
from runyard_bench.seed import Seeded, seed
from runyard_bench.system import System
from runyard_bench.workflows import Wrong

REBUILD_SECONDS = 1800.0
VACUUM_SECONDS = 600.0
WARM_UP = 10
_REBUILT = re.compile(r"rebuilt up to position ([\d,]+) in ([\d.]+) s")


class _Page(msgspec.Struct, rename="camel"):
    items: list[msgspec.Raw]
    next_cursor: str | None = None


_decode_page = msgspec.json.Decoder(_Page).decode


@dataclass(frozen=True)
class Stored:
    """`pages`: by filter, seconds p50 and p99 of the newest page. `idle`, `used`: resident bytes by process, when all was
    stored and after the pages. `browser`: seconds from the navigation until rows can be clicked, cold and warm."""

    executions: int
    events: int
    seed_seconds: float
    rebuild_seconds: float
    pages: Mapping[str, tuple[float, float]]
    idle: Mapping[str, int]
    used: Mapping[str, int]
    browser: Mapping[str, Sequence[float]]


async def stored(system: System, executions: int, plan: Plan, *, with_pages: bool, with_browser: bool) -> Stored:
    """Fill the system, rebuild, measure. Raises `Wrong`."""
    async with asyncpg.create_pool(system.database_url, min_size=1, max_size=4) as pool:
        with system.stopped("orchestrator", "projections", "gateway"):
            began = time.perf_counter()
            seeded = await seed(pool, executions)
            seed_seconds = time.perf_counter() - began
            events, rebuild_seconds = await _rebuild(system)
            await pool.execute("vacuum (analyze)", timeout=VACUUM_SECONDS)
    await until_quiet(system.parts)
    idle = Meter(system.parts).memory_bytes()
    pages = await _pages(system, seeded, plan) if with_pages else {}
    used = Meter(system.parts).memory_bytes()
    browser = await list_in_browser(system) if with_browser else {}
    return Stored(executions, events, seed_seconds, rebuild_seconds, pages, idle, used, browser)


def memory_rows(sizes: Sequence[Stored]) -> list[Row]:
    """B8, of each process at the largest size beside the others."""
    largest, *others = sorted(sizes, key=lambda each: -each.executions)
    rows = []
    for part, idle in largest.idle.items():
        detail = "; ".join(
            f"{mebibytes(other.idle[part])} / {mebibytes(other.used[part])} at {other.executions:,}"
            for other in others
            if part in other.idle and part in other.used
        )
        value = f"{mebibytes(idle)} / {mebibytes(largest.used.get(part, idle))}"
        rows.append(Row("B8", f"memory of {part}, idle / after B6", value, f"at {largest.executions:,}; {detail}"))
    return rows


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


def browser_rows(sizes: Sequence[Stored]) -> list[Row]:
    """B11, of each size."""
    return [
        Row(
            "B11",
            f"list in a browser, {visit}",
            duration(median(times)),
            f"median of {len(times)}, at {size.executions:,} executions",
        )
        for size in sizes
        for visit, times in size.browser.items()
    ]


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
    busy, usual = seeded.workflow_ids[0], seeded.workflow_ids[len(seeded.workflow_ids) // 10]
    middle: Query = {"from": rfc3339(seeded.first_at + third), "to": rfc3339(seeded.last_at - third)}
    client = Client(system.address, system.token)
    first = _decode_page((await client.send(client.prepare("GET", "/executions", query=middle))).body)
    filters: dict[str, Query] = {
        "no filter": {},
        "workflowId": {"workflowId": usual},
        "status": {"status": "failed"},
        "trigger": {"trigger": "incident"},
        "from/to": middle,
        "q, a name": {"q": f"Workflow {len(seeded.workflow_ids) // 10:03d}"},
        "q, many names": {"q": "workflow"},
        "q, an id": {"q": msgspec.json.decode(first.items[0])["executionId"]},
        "workflowId of a busy one + rare status": {"workflowId": busy, "status": "paused"},
        "workflowId + status + trigger": {"workflowId": busy, "status": "cancelled", "trigger": "incident"},
        "status + trigger + from/to": {"status": "cancelled", "trigger": "incident", **middle},
        "q, many names + rare status": {"q": "workflow", "status": "paused"},
        "from/to of years ago": {"from": "2001-01-01T00:00:00Z", "to": "2002-01-01T00:00:00Z"},
        "a deep page": {"cursor": first.next_cursor or ""},
    }
    empty_ones = {"from/to of years ago", *(name for name in filters if "+" in name)}
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in filters}
    try:
        for _ in range(plan.repetitions):
            for name, query in filters.items():
                request = client.prepare("GET", "/executions", query=query)
                times = [
                    await _page(client, request, name, may_be_empty=name in empty_ones) for _ in range(WARM_UP + plan.pages)
                ][WARM_UP:]
                measured[name].append((percentile(times, 50), percentile(times, 99)))
    finally:
        client.close()
    return {name: (median([p50 for p50, _ in runs]), median([p99 for _, p99 in runs])) for name, runs in measured.items()}


async def _page(client: Client, request: bytes, name: str, *, may_be_empty: bool) -> float:
    began = time.perf_counter()
    answer = await client.send(request)
    seconds = time.perf_counter() - began
    if answer.status != 200:
        raise Wrong(f"the list ({name}) was answered with {answer.status}: {answer.body.decode(errors='replace')}")
    if not _decode_page(answer.body).items and not may_be_empty:
        raise Wrong(f"the list ({name}) is empty")
    return seconds
