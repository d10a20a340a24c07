"""B5, from the commit of an event until a client of a stream has it, with a thousand clients connected while B1 runs.

Most of them watch executions that take their time (delays, ten people at each), some the list by a filter, some the approvals
that wait for them, and two programs read everything of the tenant. The clients are a process of their own.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import msgspec

from runyard_bench.client import Client
from runyard_bench.figures.plan import Plan
from runyard_bench.figures.throughput import Run, flood
from runyard_bench.meter import Meter, until_quiet
from runyard_bench.profile import profiled
from runyard_bench.quantities import Row, duration, mebibytes, rate
from runyard_bench.stream_clients import Figures, Group, Order, Reply
from runyard_bench.system import System
from runyard_bench.workflows import Wrong, publish, start_request, started

WATCHERS_OF_ONE = 10
PROGRAMS = 2
STEPS = 60
STEP_SECONDS = 2
IDLE_SECONDS = 5.0
LISTS = ("", "status=running", "status=completed", "q=Bench")


class Clients:
    """The process of the clients."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def order(self, order: Order) -> Reply:
        """Raises `Wrong` if the process has ended, which says why on our standard error."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(order) + b"\n")
        line = await self._process.stdout.readline()
        if not line:
            raise Wrong("the readers of streams have ended")
        return msgspec.json.decode(line, type=Reply)


@asynccontextmanager
async def _clients() -> AsyncIterator[Clients]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "runyard_bench.stream_clients", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield Clients(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def watchers(system: System, plan: Plan) -> list[Row]:
    client = Client(system.address, system.token)
    try:
        async with _clients() as clients:
            return await _measure(system, plan, client, clients)
    finally:
        client.close()


async def _measure(system: System, plan: Plan, client: Client, clients: Clients) -> list[Row]:
    lists = max(4, plan.watchers // 10)
    groups = [
        Group("tenant streams", ["/events?after={head}"], PROGRAMS),
        Group(
            "lists",
            [f"/executions/stream?{each}" for each in ("", "status=running", "status=completed", "q=Bench")],
            lists,
            "row",
        ),
        Group("approvals", ["/approvals/stream?mine=true"], lists // 10),
    ]
    count = plan.watchers - sum(group.clients for group in groups)
    executions, head = await _long_executions(client, -(-count // WATCHERS_OF_ONE))
    groups[0].paths = [f"/events?after={head}"]
    groups.append(Group("execution streams", [f"/executions/{each}/events" for each in executions], count))

    await until_quiet(system.parts)
    before = Meter(system.parts).memory_bytes().get("gateway", 0)
    opened = await clients.order(Order("open", system.address, system.token, groups))
    await clients.order(Order("measure"))
    with Meter(system.parts) as idle:
        await asyncio.sleep(IDLE_SECONDS)
    at_rest = await clients.order(Order("report"))

    await clients.order(Order("measure"))
    with profiled(system, plan.profile, plan.profile_dir):
        run = await flood(system, [client], plan.executions or int(plan.flood_seconds * 300), plan.connections)
    busy = await clients.order(Order("report"))
    storm = await clients.order(Order("return"))
    after = Meter(system.parts).memory_bytes().get("gateway", 0)
    memory = {"before": before, "idle": idle.usage.memory_bytes.get("gateway", 0), "after": after}
    cpu = idle.usage.cpu_seconds.get("gateway", 0.0) / IDLE_SECONDS
    return _rows(plan, at_rest, busy, run, memory, cpu, opened, storm)


async def _long_executions(client: Client, count: int) -> tuple[list[str], int]:
    """Ids, and a position from which on everything comes."""
    steps = [{"id": f"wait{number}", "type": "delay", "seconds": STEP_SECONDS} for number in range(STEPS)]
    sources = ["trigger", *(step["id"] for step in steps)]
    edges = [{"from": source, "to": step["id"]} for source, step in zip(sources, steps, strict=False)]
    workflow_id = await publish(client, {"name": "Long", "nodes": steps, "edges": edges})
    request = start_request(client, workflow_id)
    begun = []
    for _ in range(count):
        begun.append(started(await client.send(request)))
        await asyncio.sleep(STEP_SECONDS / count)  # so that they do not all take their steps together
    return [each.execution_id for each in begun], begun[-1].position


def _rows(
    plan: Plan, at_rest: Reply, busy: Reply, run: Run, memory: Mapping[str, int], idle_cpu: float, opened: Reply, storm: Reply
) -> list[Row]:
    if busy.lost:
        raise Wrong(f"{busy.lost} streams were closed while they were measured")
    events = [busy.figures[name] for name in ("execution streams", "tenant streams")]
    gateway = run.usage.cpu_seconds.get("gateway", 0.0)
    return [
        Row("B5", "event to SSE client p50 / p99, B1 running", _both(max(events, key=lambda each: each.p99)),
            f"{plan.watchers} clients; {rate(run.rate)} executions; {run.usage.noise}"),
        *(Row("B5", f"  {name}", _both(seen), f"{seen.received:,} received; without load {_both(at_rest.figures[name])}")
          for name, seen in busy.figures.items() if seen.received),
        Row("B5", "gateway, memory", mebibytes(memory["after"]),
            f"{mebibytes(memory['before'])} without clients, {mebibytes(memory['idle'])} when they are idle"),
        Row("B5", "gateway, CPU", f"{100 * gateway / run.seconds:.0f} % of a core",
            f"{100 * idle_cpu:.0f} % without load; the clients {100 * busy.cpu_seconds / run.seconds:.0f} %"),
        Row("B5", "all come back at once", duration(storm.seconds),
            f"until each of them is answered; the first time, {duration(opened.seconds)}"),
    ]  # fmt: skip


def _both(seen: Figures) -> str:
    return f"{duration(seen.p50)} / {duration(seen.p99)}"
