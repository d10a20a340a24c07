"""B2, B3 and B4: one execution at a time in an idle system, from its start request until a watcher of events sees it complete;
and from the answer to its approval until the watcher sees the next job finished.

The watcher is the tenant's event stream, opened before, as a program would use it. A browser opens the stream of the one
execution once it knows its id; that is measured too. Where the time goes is read from the times at which events
were recorded.
"""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

import msgspec

from runyard_bench.client import Client
from runyard_bench.connection import Frame
from runyard_bench.figures.plan import Plan
from runyard_bench.meter import Meter, until_quiet
from runyard_bench.quantities import Row, duration, median, p50_p99
from runyard_bench.system import System
from runyard_bench.workflows import FAN_WIDTH, Wrong, chain, fan, gate, publish, start_request, started

WARM_UP = 10
PATIENCE_SECONDS = 30.0
JOB_STATIONS = ("job.scheduled", "job.dispatched", "job.started", "job.completed")
"""A job that starts before its dispatch is reported has no `job.dispatched`."""
ENDS = frozenset({"execution.completed", "execution.failed", "execution.cancelled"})


class _Data(msgspec.Struct, rename="camel"):
    job_id: str = ""
    approval_id: str = ""


class _Event(msgspec.Struct):
    subject: str
    time: datetime
    data: _Data


_decode_event = msgspec.json.Decoder(_Event).decode


@dataclass
class _Seen:
    """Of one execution: when each event was recorded, by topic and job (empty for the execution), its approval, and when the
    last job's and its own end came in."""

    recorded: dict[tuple[str, str], float] = field(default_factory=dict)
    approval_id: str = ""
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    job_ended_at: float = 0.0
    end: str = ""
    ended_at: float = 0.0
    over: asyncio.Event = field(default_factory=asyncio.Event)


class _Watcher:
    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def hear(self, frame: Frame) -> None:
        event = _decode_event(frame.data)
        seen = self._seen.setdefault(event.subject, _Seen())
        # recorded times are cut to milliseconds; the middle of that millisecond is nearest
        seen.recorded[frame.event, event.data.job_id] = event.time.timestamp() + 0.0005
        if frame.event == "approval.requested":
            seen.approval_id = event.data.approval_id
            seen.asked.set()
        elif frame.event == "job.completed":
            seen.job_ended_at = frame.received_at
        elif frame.event in ENDS:
            seen.end, seen.ended_at = frame.event, frame.received_at
            seen.over.set()

    async def approval_of(self, execution_id: str) -> str:
        seen = self._seen.setdefault(execution_id, _Seen())
        async with asyncio.timeout(PATIENCE_SECONDS):
            await seen.asked.wait()
        return seen.approval_id

    async def end_of(self, execution_id: str) -> _Seen:
        seen = self._seen.setdefault(execution_id, _Seen())
        async with asyncio.timeout(PATIENCE_SECONDS):
            await seen.over.wait()
        if seen.end != "execution.completed":
            raise Wrong(f"execution {execution_id} ended with {seen.end}")
        return self._seen.pop(execution_id)


@dataclass(frozen=True)
class _Alone:
    asked_at: float
    answered_at: float
    seen: _Seen

    @property
    def seconds(self) -> float:
        return self.seen.ended_at - self.asked_at


async def chain_alone(system: System, plan: Plan) -> list[Row]:
    """B2."""
    client = Client(system.address, system.token)
    try:
        workflow_id = await publish(client, chain("Bench chain alone"))
        await until_quiet(system.parts)
        with Meter(system.parts) as meter:
            runs = await _one_after_another(client, workflow_id, WARM_UP, plan.alone)
        watched = [await _watched_by_itself(client, workflow_id) for _ in range(WARM_UP + plan.alone)][WARM_UP:]
    finally:
        client.close()
    rows = [
        Row(
            "B2",
            "one chain of 3, p50 / p99",
            p50_p99([run.seconds for run in runs]),
            f"{len(runs)} times; seen on /events; {meter.usage.noise}",
        ),
        Row("B2", "  seen on its own stream", p50_p99(watched), "opened after the start was acknowledged"),
        Row("B2", "  start acknowledged", p50_p99([run.answered_at - run.asked_at for run in runs])),
    ]
    return rows + [
        Row("B2", f"  {step}", duration(median(times)), f"median of {len(times)}") for step, times in _steps(runs).items()
    ]


async def fan_alone(system: System, plan: Plan) -> list[Row]:
    """B3."""
    client = Client(system.address, system.token)
    try:
        workflow_id = await publish(client, fan("Bench fan"))
        await until_quiet(system.parts)
        with Meter(system.parts) as meter:
            runs = await _one_after_another(client, workflow_id, 1, plan.fans)
    finally:
        client.close()
    times = [run.seconds for run in runs]
    detail = f"median of {len(times)}; {duration(min(times))} to {duration(max(times))}; {meter.usage.noise}"
    return [Row("B3", f"{FAN_WIDTH} parallel jobs, joined", duration(median(times)), detail)]


async def answer_alone(system: System, plan: Plan) -> list[Row]:
    """B4."""
    client = Client(system.address, system.token)
    try:
        request = start_request(client, await publish(client, gate("Bench gate")))
        await until_quiet(system.parts)
        watcher = _Watcher()
        first = started(await client.send(request))

        async def one(execution_id: str) -> float:
            approval_id = await watcher.approval_of(execution_id)
            answer = client.prepare("POST", f"/approvals/{approval_id}/approve", b"{}")
            answered_at = time.time()
            if (status := (await client.send(answer)).status) != 200:
                raise Wrong(f"an approval was answered with {status}")
            return (await watcher.end_of(execution_id)).job_ended_at - answered_at

        with Meter(system.parts) as meter:
            async with client.stream("/events", watcher.hear, {"after": first.position - 1}):
                await one(first.execution_id)
                times = [await one(started(await client.send(request)).execution_id) for _ in range(WARM_UP + plan.alone)]
    finally:
        client.close()
    times = times[WARM_UP:]
    detail = f"{len(times)} times; seen on /events; {meter.usage.noise}"
    return [Row("B4", "answer to an approval to next job finished, p50 / p99", p50_p99(times), detail)]


async def _one_after_another(client: Client, workflow_id: str, warm_up: int, count: int) -> list[_Alone]:
    request = start_request(client, workflow_id)
    watcher = _Watcher()
    first = started(await client.send(request))

    async def one() -> _Alone:
        asked_at = time.time()
        answer = await client.send(request)
        answered_at = time.time()
        return _Alone(asked_at, answered_at, await watcher.end_of(started(answer).execution_id))

    async with client.stream("/events", watcher.hear, {"after": first.position - 1}):
        await watcher.end_of(first.execution_id)
        return [await one() for _ in range(warm_up + count)][warm_up:]


async def _watched_by_itself(client: Client, workflow_id: str) -> float:
    asked_at = time.time()
    execution_id = started(await client.send(start_request(client, workflow_id))).execution_id
    ended: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def hear(frame: Frame) -> None:
        if frame.event == "end" and not ended.done():
            ended.set_result(frame.received_at)

    async with asyncio.timeout(PATIENCE_SECONDS), client.stream(f"/executions/{execution_id}/events", hear):
        return await ended - asked_at


def _steps(runs: Iterable[_Alone]) -> dict[str, list[float]]:
    """Seconds between neighbouring stations, by name, of every run and job."""
    steps: dict[str, list[float]] = {}

    def add(name: str, seconds: float) -> None:
        steps.setdefault(name, []).append(seconds)

    for run in runs:
        recorded = run.seen.recorded
        add("request to execution.started", recorded["execution.started", ""] - run.asked_at)
        for job in {job for _, job in recorded if job}:
            stations = [topic for topic in JOB_STATIONS if (topic, job) in recorded]
            for earlier, later in pairwise(stations):
                add(f"{earlier} to {later}", recorded[later, job] - recorded[earlier, job])
        add("execution.completed to seen", run.seen.ended_at - recorded["execution.completed", ""])
    return steps
