"""The other end of an agent, for its tests: the desk that sends orders and keeps what the agent says, and actions whose runs
can be watched and held."""

import asyncio
import hashlib
import itertools
import shutil
import tempfile
import time
import weakref
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from pydantic import BaseModel, ConfigDict
from runyard_agent.actions.base import Action, Context, Outcome
from runyard_agent.app import Agent
from runyard_agent.settings import Settings
from runyard_agent.spool import Spool
from runyard_agent.transport.bus import BusTransport
from runyard_shared.contracts.jobs import (
    AgentHeartbeat,
    AgentOrder,
    AgentStatus,
    AgentStopping,
    CancelJob,
    ConnectionProbed,
    OutputChunk,
    OutputMessage,
    OutputSealed,
    RegisterAgent,
    RunJob,
)
from runyard_shared.contracts.link import Enrolment
from runyard_shared.contracts.reports import JobFinished, JobStarted, Report
from runyard_shared.errors import Unavailable
from runyard_shared.ids import new_id
from runyard_shared.messaging.bus import Bus
from runyard_shared.messaging.memory import MemoryBus
from runyard_shared.messaging.topology import (
    AGENT_STATUS,
    JOB_OUTPUT,
    ORCHESTRATOR_PARTITIONS,
    agent_mailbox,
    orchestrator_inbox_partition,
)
from runyard_shared.sealing import OpeningKey

TENANT = "default"
NAME = "agent-1"


class BreakableBus(MemoryBus):
    """A bus whose broker can be `away`: sends fail, nothing else changes."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self._reconnected: list[Callable[[], Awaitable[None]]] = []

    async def send(self, queue: str, items: Sequence[Any]) -> None:
        if self.away:
            raise Unavailable("the broker is away")
        await super().send(queue, items)

    def on_reconnect(self, callback: Callable[[], Awaitable[None]]) -> None:
        self._reconnected.append(callback)

    async def come_back(self) -> None:
        self.away = False
        for callback in self._reconnected:
            await callback()


class Desk:
    """Plays the dispatcher, the orchestrator and the keeper of outputs. `starts_open`: cleared, a `JobStarted` is not accepted
    (its send does not return)."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.statuses: list[AgentStatus] = []
        self.reports: list[Report] = []
        self.output: list[OutputMessage] = []
        self.batches: list[int] = []
        self.starts_open = asyncio.Event()
        self.starts_open.set()

    async def open(self) -> "Desk":
        for partition in range(ORCHESTRATOR_PARTITIONS):
            await self.bus.consume(orchestrator_inbox_partition(partition), Report, self._report)
        await self.bus.consume(AGENT_STATUS, AgentStatus, self._status)
        await self.bus.consume(JOB_OUTPUT, OutputMessage, self._output)
        return self

    async def _report(self, items: Sequence[Report]) -> None:
        self.batches.append(len(items))
        if any(isinstance(item, JobStarted) for item in items):
            await self.starts_open.wait()
        self.reports += items

    async def _status(self, items: Sequence[AgentStatus]) -> None:
        self.statuses += items

    async def _output(self, items: Sequence[OutputMessage]) -> None:
        self.output += items

    # --- orders

    @property
    def session_id(self) -> str:
        return self.registrations[-1].session_id

    def job(self, action: str, params: Mapping[str, Any] | None = None, **more: Any) -> RunJob:
        """An order for the session that registered last."""
        given: dict[str, Any] = {"execution_id": new_id(), "job_id": new_id(), "dispatch": 1, "session_id": self.session_id}
        given["contact"] = self.registrations[-1].contact
        return RunJob(tenant_id=TENANT, node_id="node", attempt=1, action=action, params=dict(params or {}), **(given | more))

    def again(self, job: RunJob) -> RunJob:
        """As the dispatcher sends it after the last registration."""
        return msgspec.structs.replace(job, contact=self.registrations[-1].contact)

    async def order(self, *orders: AgentOrder) -> None:
        await self.bus.post(agent_mailbox(TENANT, NAME), orders)

    async def cancel(self, job: RunJob, *, force: bool = False) -> None:
        await self.order(CancelJob(job_id=job.job_id, dispatch=job.dispatch, force=force))

    async def run(self, action: str, params: Mapping[str, Any] | None = None, **more: Any) -> JobFinished:
        """Send one job and wait for its end."""
        job = self.job(action, params, **more)
        await self.order(job)
        return await self.end_of(job)

    # --- what the agent said

    @property
    def registrations(self) -> list[RegisterAgent]:
        return [status for status in self.statuses if isinstance(status, RegisterAgent)]

    @property
    def heartbeats(self) -> list[AgentHeartbeat]:
        return [status for status in self.statuses if isinstance(status, AgentHeartbeat)]

    @property
    def farewells(self) -> list[AgentStopping]:
        return [status for status in self.statuses if isinstance(status, AgentStopping)]

    @property
    def probed(self) -> list[ConnectionProbed]:
        return [status for status in self.statuses if isinstance(status, ConnectionProbed)]

    def starts_of(self, job: RunJob) -> list[JobStarted]:
        return [report for report in self.reports if isinstance(report, JobStarted) and report.job_id == job.job_id]

    def ends_of(self, job: RunJob) -> list[JobFinished]:
        return [report for report in self.reports if isinstance(report, JobFinished) and report.job_id == job.job_id]

    async def end_of(self, job: RunJob) -> JobFinished:
        await until(lambda: bool(self.ends_of(job)), within_seconds=30)
        return self.ends_of(job)[0]

    def chunks(self, job_id: str, stream: str) -> list[OutputChunk]:
        return [m for m in self.output if isinstance(m, OutputChunk) and m.job_id == job_id and m.stream == stream]

    def sealed(self, job_id: str) -> list[OutputSealed]:
        return [m for m in self.output if isinstance(m, OutputSealed) and m.job_id == job_id]

    def whole(self, finished: JobFinished, stream: str) -> bytes:
        """The stream put together from its chunks, after checking numbers, offsets and the seals."""
        chunks = self.chunks(finished.job_id, stream)
        data = b"".join(chunk.data for chunk in chunks)
        assert [chunk.number for chunk in chunks] == list(range(len(chunks)))
        assert [chunk.offset for chunk in chunks] == [0, *itertools.accumulate(len(chunk.data) for chunk in chunks)][:-1]
        (sealed,) = self.sealed(finished.job_id)
        assert sealed.seals == finished.seals
        (seal,) = [seal for seal in finished.seals if seal.stream == stream]
        assert (seal.chunks, seal.size, seal.sha256) == (len(chunks), len(data), hashlib.sha256(data).hexdigest())
        return data


class Params(BaseModel):
    model_config = ConfigDict(extra="allow")


class Watched(Action[Params]):
    """Counts its runs by job; while `open` is cleared, they do not end."""

    params = Params

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.ran: list[str] = []
        self.running: set[str] = set()
        self.most_at_once = 0
        self.open = asyncio.Event()
        self.open.set()

    async def run(self, params: Params, context: Context) -> Outcome:
        job_id = context.job.job_id
        self.ran.append(job_id)
        self.running.add(job_id)
        self.most_at_once = max(self.most_at_once, len(self.running))
        try:
            await self.open.wait()
        finally:
            self.running.discard(job_id)
        return Outcome.completed({"ran": True})


def settings(**changes: Any) -> Settings:
    given: dict[str, Any] = {"agent_capacity": 10, "kill_grace_seconds": 0.5, "stop_grace_seconds": 5}
    return Settings(**(given | changes))


def enrolment(**changes: Any) -> Enrolment:
    given: dict[str, Any] = {
        "agent_id": "019ab2c4-0000-7000-8000-000000000001",
        "tenant_id": TENANT,
        "name": NAME,
        "pool": "default",
        "transport": "local",
        "heartbeat_seconds": 0.05,
        "offline_after_seconds": 30,
        "server_time": "2026-11-22T12:00:00.000Z",
    }
    return Enrolment(**(given | changes))


async def agent_at(
    desk: Desk,
    actions: Callable[[Settings], dict[str, Action[Any]]],
    *,
    enrolled: Enrolment | None = None,
    key: OpeningKey | None = None,
    **changes: Any,
) -> Agent:
    """A started and registered agent; `changes` are of its settings. Its state directory is of its own if none is given."""
    if "agent_state_dir" not in changes:
        changes["agent_state_dir"] = Path(tempfile.mkdtemp(prefix="runyard-agent-"))
        weakref.finalize(desk, shutil.rmtree, changes["agent_state_dir"], ignore_errors=True)
    chosen = settings(**changes)
    agent = agent_of(desk.bus, chosen, actions(chosen), enrolled, key)
    await agent.start()
    await until(lambda: bool(desk.registrations))
    return agent


def agent_of(
    bus: Bus,
    settings: Settings,
    actions: dict[str, Action[Any]],
    enrolled: Enrolment | None = None,
    key: OpeningKey | None = None,
) -> Agent:
    """An agent that is not started."""
    spool = Spool.open(settings.agent_state_dir / "spool", limit_bytes=settings.spool_limit_bytes)
    transport = BusTransport(bus, TENANT, NAME)
    return Agent(settings, enrolled or enrolment(), key or OpeningKey.generate(), transport, actions, spool)


async def until(condition: Callable[[], bool], within_seconds: float = 30) -> None:
    deadline = time.monotonic() + within_seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.005)


async def beats(desk: Desk, count: int = 3) -> None:
    """Until the agent has sent so many heartbeats more: what it would do by now, it has done."""
    seen = len(desk.heartbeats)
    await until(lambda: len(desk.heartbeats) >= seen + count)
