"""B2 and B3: one execution at a time in an idle system, from its start request until a watcher of events sees it complete.

The watcher is the tenant's event stream, opened before, as a program would use it. A browser opens the stream of the one
execution once it knows its id; that is measured too. Where the time goes is read from the times at which events
were recorded.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from runyard_bench.client import Client
from runyard_bench.connection import Frame
from runyard_bench.figures.plan import Plan, Wrong
from runyard_bench.quantities import Row, duration, median, p50_p99
from runyard_bench.system import System
from runyard_bench.workflows import FAN_WIDTH, chain, fan, publish

WARM_UP = 10
PATIENCE_SECONDS = 30.0
ENDS = frozenset({"execution.completed", "execution.failed", "execution.cancelled"})


class _Started(msgspec.Struct, rename="camel"):
    execution_id: str
    position: int


class _Event(msgspec.Struct):
    subject: str
    time: datetime


_decode_started = msgspec.json.Decoder(_Started).decode
_decode_event = msgspec.json.Decoder(_Event).decode


@dataclass
class _Seen:
    """Of one execution: topics with the time recorded, and when its end came in."""

    events: list[tuple[str, float]] = field(default_factory=list)
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
        seen.events.append((frame.event, event.time.timestamp() + 0.0005))
        if frame.event in ENDS:
            seen.end, seen.ended_at = frame.event, frame.received_at
            seen.over.set()

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
        runs = await _one_after_another(client, workflow_id, WARM_UP, plan.alone)
        watched = [await _watched_by_itself(client, workflow_id) for _ in range(WARM_UP + plan.alone)][WARM_UP:]
    finally:
        client.close()
    rows = [
        Row("B2", "one chain of 3, p50 / p99", p50_p99([run.seconds for run in runs]), f"{len(runs)} times; seen on /events"),
        Row("B2", "  seen on its own stream", p50_p99(watched), "opened after the start was acknowledged"),
        Row("B2", "  start acknowledged", p50_p99([run.answered_at - run.asked_at for run in runs])),
    ]
    return rows + [Row("B2", f"  {step}", duration(median(times)), "median") for step, times in _steps(runs).items()]


async def fan_alone(system: System, plan: Plan) -> list[Row]:
    """B3."""
    client = Client(system.address, system.token)
    try:
        workflow_id = await publish(client, fan("Bench fan"))
        runs = await _one_after_another(client, workflow_id, 1, plan.fans)
    finally:
        client.close()
    times = [run.seconds for run in runs]
    detail = f"median of {len(times)}; {duration(min(times))} to {duration(max(times))}"
    return [Row("B3", f"{FAN_WIDTH} parallel jobs, joined", duration(median(times)), detail)]


async def _one_after_another(client: Client, workflow_id: str, warm_up: int, count: int) -> list[_Alone]:
    request = client.prepare("POST", f"/workflows/{workflow_id}/run", b"{}")
    watcher = _Watcher()
    started = _decode_started((await client.send(request)).body)

    async def one() -> _Alone:
        asked_at = time.time()
        answer = await client.send(request)
        answered_at = time.time()
        if answer.status != 202:
            raise Wrong(f"a start was answered with {answer.status}: {answer.body.decode(errors='replace')}")
        return _Alone(asked_at, answered_at, await watcher.end_of(_decode_started(answer.body).execution_id))

    async with client.stream("/events", watcher.hear, {"after": started.position - 1}):
        await watcher.end_of(started.execution_id)
        return [await one() for _ in range(warm_up + count)][warm_up:]


async def _watched_by_itself(client: Client, workflow_id: str) -> float:
    asked_at = time.time()
    started: _Started = _decode_started(
        (await client.send(client.prepare("POST", f"/workflows/{workflow_id}/run", b"{}"))).body
    )
    ended: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def hear(frame: Frame) -> None:
        if frame.event == "end" and not ended.done():
            ended.set_result(frame.received_at)

    async with asyncio.timeout(PATIENCE_SECONDS), client.stream(f"/executions/{started.execution_id}/events", hear):
        return await ended - asked_at


def _steps(runs: Iterable[_Alone]) -> dict[str, list[float]]:
    """Seconds between neighbouring stations, by name, of every run and job."""
    steps: dict[str, list[float]] = {}

    def add(name: str, seconds: float) -> None:
        steps.setdefault(name, []).append(seconds)

    for run in runs:
        events = run.seen.events
        add("request to execution.started", _times(events, "execution.started")[0] - run.asked_at)
        for earlier, later in (
            ("job.scheduled", "job.dispatched"),
            ("job.dispatched", "job.started"),
            ("job.started", "job.completed"),
        ):
            for before, after in zip(_times(events, earlier), _times(events, later), strict=True):
                add(f"{earlier} to {later}", after - before)
        add("execution.completed to seen", run.seen.ended_at - _times(events, "execution.completed")[0])
    return steps


def _times(events: Sequence[tuple[str, float]], topic: str) -> list[float]:
    return [at for name, at in events if name == topic]
