"""B1, executions a second, and B10, what each costs in every process.

A run: `count` starts of a chain of three no-op jobs, as fast as the gateway acknowledges them over a few connections; it ends
when the read model has all of them completed. Every row is read afterwards: a run in which one is missing or failed gives no
figure.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from runyard_standalone.distributed import service_of

from runyard_bench.client import Client, Query
from runyard_bench.figures.plan import Plan
from runyard_bench.meter import Meter, Usage, until_quiet
from runyard_bench.profile import profiled
from runyard_bench.quantities import Row, duration, mebibytes, median, p50_p99, percentile, rate
from runyard_bench.system import System
from runyard_bench.workflows import Wrong, chain, publish, start_request, started

JOBS = 3
PILOT = 300
LONGEST_RUN_SECONDS = 90.0
LOOK_EVERY_SECONDS = 0.03
PAGE = 200


class _Jobs(msgspec.Struct):
    completed: int
    total: int


class _Row(msgspec.Struct, rename="camel"):
    execution_id: str
    status: str
    started_at: datetime
    jobs: _Jobs
    finished_at: datetime | None = None


class _Page(msgspec.Struct, rename="camel"):
    items: list[_Row]
    next_cursor: str | None = None


_decode_page = msgspec.json.Decoder(_Page).decode


@dataclass(frozen=True)
class Run:
    """`latencies`: seconds from each start request to the time of completion that the read model shows."""

    count: int
    seconds: float
    accepting_seconds: float
    latencies: list[float]
    usage: Usage

    @property
    def rate(self) -> float:
        return self.count / self.seconds


async def throughput(system: System, plan: Plan) -> list[Row]:
    clients = [Client(address, system.token) for address in system.addresses]
    try:
        count = plan.executions or await _count_for(system, clients, plan)
        runs = []
        for number in range(plan.repetitions):
            profile = plan.profile if number == plan.repetitions - 1 else ()
            await until_quiet(system.parts)
            with profiled(system, profile, plan.profile_dir):
                runs.append(await flood(system, clients, count, plan.connections))
        return [*_rate_rows(runs, plan), *_cost_rows(_middle(runs))]
    finally:
        for client in clients:
            client.close()


async def flood(system: System, clients: Sequence[Client], count: int, connections: int) -> Run:
    """One run on a workflow of its own, its connections spread over the gateways. Raises `Wrong` if an execution is missing,
    failed, or not done in time."""
    client = clients[0]
    workflow_id = await publish(client, chain(f"Bench chain {time.time_ns()}"))
    request = start_request(client, workflow_id)
    asked_at: dict[str, float] = {}
    last_position = 0
    waiting = iter(range(count))

    async def start_some(number: int) -> None:
        nonlocal last_position
        connection = await clients[number % len(clients)].connect()
        try:
            for _ in waiting:
                now = time.time()
                acknowledged = started(await connection.send(request))
                asked_at[acknowledged.execution_id] = now
                last_position = max(last_position, acknowledged.position)
        finally:
            connection.close()

    with Meter(system.parts) as meter:
        began = time.perf_counter()
        async with asyncio.timeout(LONGEST_RUN_SECONDS), asyncio.TaskGroup() as starting:
            for number in range(connections):
                starting.create_task(start_some(number))
        accepting_seconds = time.perf_counter() - began
        await _until_none_is_left(client, workflow_id, last_position)
        seconds = time.perf_counter() - began
    latencies = _checked(asked_at, await _rows(client, workflow_id))
    return Run(count, seconds, accepting_seconds, latencies, meter.usage)


async def _until_none_is_left(client: Client, workflow_id: str, position: int) -> None:
    """The read model is at `position` or later, and shows no execution of the workflow that is not finished."""
    left: Query = {"workflowId": workflow_id, "status": ["pending", "running"], "limit": 1, "minPosition": position}
    request = client.prepare("GET", "/executions", query=left)
    deadline = time.monotonic() + LONGEST_RUN_SECONDS
    while True:
        answer = await client.send(request)
        # 503: the read model has not yet reached the position
        if answer.status == 200 and not _decode_page(answer.body).items:
            return
        if answer.status not in {200, 503}:
            raise Wrong(f"the list was answered with {answer.status}: {answer.body.decode(errors='replace')}")
        if time.monotonic() > deadline:
            raise Wrong(f"executions were still running {LONGEST_RUN_SECONDS:g} s after the last start")
        await asyncio.sleep(LOOK_EVERY_SECONDS)


async def _rows(client: Client, workflow_id: str) -> list[_Row]:
    rows: list[_Row] = []
    query: dict[str, str | int | list[str]] = {"workflowId": workflow_id, "limit": PAGE}
    while True:
        answer = await client.send(client.prepare("GET", "/executions", query=query))
        if answer.status != 200:
            raise Wrong(f"the list was answered with {answer.status}: {answer.body.decode(errors='replace')}")
        page = _decode_page(answer.body)
        rows += page.items
        if page.next_cursor is None:
            return rows
        query["cursor"] = page.next_cursor


def _checked(asked_at: dict[str, float], rows: Sequence[_Row]) -> list[float]:
    """Seconds from request to completion of each. Raises `Wrong`."""
    by_id = {row.execution_id: row for row in rows}
    if missing := asked_at.keys() - by_id.keys():
        raise Wrong(f"{len(missing)} acknowledged executions are not in the list, such as {min(missing)}")
    if len(by_id) != len(asked_at):
        raise Wrong(f"{len(by_id)} executions are in the list, {len(asked_at)} were started")
    latencies = []
    for row in by_id.values():
        if row.status != "completed" or row.finished_at is None or (row.jobs.completed, row.jobs.total) != (JOBS, JOBS):
            raise Wrong(f"execution {row.execution_id} is {row.status} with {row.jobs.completed} of {row.jobs.total} jobs")
        latencies.append(row.finished_at.timestamp() - asked_at[row.execution_id])
    return latencies


async def _count_for(system: System, clients: Sequence[Client], plan: Plan) -> int:
    """Warms up, and finds how many executions take about `flood_seconds`."""
    run = await flood(system, clients, PILOT, plan.connections)
    for _ in range(3):
        run = await flood(system, clients, max(PILOT, int(run.rate * plan.flood_seconds / 4)), plan.connections)
        if run.seconds > plan.flood_seconds / 6:
            break
    return max(PILOT, int(run.rate * plan.flood_seconds))


def _middle(runs: Sequence[Run]) -> Run:
    return sorted(runs, key=lambda run: run.rate)[len(runs) // 2]


def _rate_rows(runs: Sequence[Run], plan: Plan) -> list[Row]:
    middle = _middle(runs)
    each = ", ".join(rate(run.rate) for run in runs)
    return [
        Row("B1", "executions/s, chain of 3", rate(median([run.rate for run in runs])), f"N={middle.count}; runs {each}"),
        Row(
            "B1",
            "start to done p50 / p99",
            p50_p99(middle.latencies),
            f"p95 {duration(percentile(middle.latencies, 95))}, queueing included",
        ),
        Row(
            "B1",
            "starts acknowledged/s",
            rate(middle.count / middle.accepting_seconds),
            f"{plan.connections} connections, one request outstanding on each; {middle.usage.noise}",
        ),
    ]


def _cost_rows(run: Run) -> list[Row]:
    """Of the middle run, dearest first."""
    jobs = run.count * JOBS
    total = sum(run.usage.cpu_seconds.values())
    rows = [
        Row(
            "B10",
            "CPU for a job, all processes",
            f"{1000 * total / jobs:.3f} ms",
            f"{1000 * total / run.count:.2f} ms an execution",
        )
    ]
    kinds: dict[str, list[str]] = {}
    for part in run.usage.cpu_seconds:
        kinds.setdefault(service_of(part), []).append(part)
    cost = {kind: sum(run.usage.cpu_seconds[part] for part in parts) for kind, parts in kinds.items()}
    for kind, seconds in sorted(cost.items(), key=lambda item: -item[1]):
        shares = [run.usage.cpu_seconds[part] / max(seconds, 1e-9) for part in kinds[kind]]
        several = f" ({' + '.join(f'{100 * share:.0f}' for share in shares)} %)" if len(shares) > 1 else ""
        memory = sum(run.usage.memory_bytes[part] for part in kinds[kind])
        detail = (
            f"{1000 * seconds / run.count:.3f} ms an execution{several}; {100 * seconds / total:.0f} % of all; "
            f"{100 * seconds / run.seconds:.0f} % of a core; {mebibytes(memory)}"
        )
        name = kind if len(shares) == 1 else f"{kind} ×{len(shares)}"
        rows.append(Row("B10", f"  {name}", f"{1000 * seconds / jobs:.3f} ms", detail))
    return rows
