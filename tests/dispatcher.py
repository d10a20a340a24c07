"""One dispatcher on a bus, with somebody who asks it, and who hears what the executions and the agents are told."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any, TypeVar

import asyncpg
import msgspec
import pytest
from runyard_dispatcher.app import Service, create
from runyard_dispatcher.enrolment import Accounts
from runyard_dispatcher.settings import Settings
from runyard_shared.agent_keys import hash_of
from runyard_shared.clock import SystemClock
from runyard_shared.contracts.actions import ActionType
from runyard_shared.contracts.commands import Command, CreateAgent, CreatePool, EnrolAgent, Reply
from runyard_shared.contracts.jobs import (
    AgentHeartbeat,
    AgentOrder,
    PlaceJob,
    RegisterAgent,
    ReleaseJob,
    RequeueJob,
    RunJob,
)
from runyard_shared.contracts.link import Enrolment
from runyard_shared.contracts.reports import Report
from runyard_shared.ids import new_id
from runyard_shared.messaging.memory import MemoryBus
from runyard_shared.messaging.requests import Requests
from runyard_shared.messaging.topology import (
    AGENT_STATUS,
    DISPATCHER_COMMANDS,
    DISPATCHER_INBOX,
    ORCHESTRATOR_PARTITIONS,
    agent_mailbox,
    orchestrator_inbox_partition,
)
from runyard_shared.sealing import OpeningKey

Pool = asyncpg.Pool
TENANT = "default"
PATIENT = Settings(offline_after_seconds=3600, resend_after_seconds=0, rescue_every_seconds=0.05)
ReportT = TypeVar("ReportT", bound=Report)


class House:
    """`keys`: the key pair of each agent that was admitted."""

    def __init__(self, bus: MemoryBus, service: Service) -> None:
        self.bus = bus
        self.service = service
        self.reports: list[Report] = []
        self.orders: dict[str, list[AgentOrder]] = {}
        self.keys: dict[str, OpeningKey] = {}
        self._requests = Requests(bus, new_id())

    async def hear(self, *agents: str) -> None:
        await self._requests.open()
        for partition in range(ORCHESTRATOR_PARTITIONS):
            await self.bus.consume(orchestrator_inbox_partition(partition), Report, self._hear_report)
        for name in agents:
            heard = self.orders[name] = []
            await self.bus.open_mailbox(agent_mailbox(TENANT, name), AgentOrder, _into(heard))

    async def _hear_report(self, items: Sequence[Report]) -> None:
        self.reports.extend(items)

    # --- people

    async def ask(self, command: Command, *, actor: str = "alice", tenant_id: str = TENANT) -> Reply:
        return await self._requests.ask(DISPATCHER_COMMANDS, command, tenant_id=tenant_id, actor=actor)

    async def done(self, command: Command) -> dict[str, Any]:
        """The result of a command that is not refused."""
        reply = await self.ask(command)
        assert reply.problem is None, reply.problem
        assert reply.result is not None
        return reply.result

    async def refusal(self, command: Command) -> tuple[str, int]:
        """Code and status of a command that is refused."""
        reply = await self.ask(command)
        assert reply.problem is not None, reply.result
        return reply.problem.code, reply.problem.status

    async def create(self, name: str = "a", *, pool: str = "default", tags: Sequence[str] = (), key: str | None = None) -> str:
        """The id of a new agent, with the key `key of <name>` if none is given."""
        command = CreateAgent(
            agent_id=new_id(), name=name, pool=pool, tags=list(tags), key_hash=hash_of(key or f"key of {name}")
        )
        return str((await self.done(command))["agentId"])

    async def enrol(self, agent_id: str, name: str = "a", *, transport: str = "auto", key: str | None = None) -> Enrolment:
        """With the key pair that the agent has had from the beginning."""
        pair = self.keys.setdefault(name, OpeningKey.generate())
        return msgspec.convert(await self.done(enrolment(agent_id, name, pair, transport=transport, key=key)), Enrolment)

    async def admit(self, name: str = "a", *, pool: str = "default", tags: Sequence[str] = ()) -> str:
        """An agent that may register."""
        if pool != "default":
            await self.ask(CreatePool(pool=pool))
        agent_id = await self.create(name, pool=pool, tags=tags)
        await self.enrol(agent_id, name)
        return agent_id

    # --- the orchestrator and the agents

    async def order(self, *orders: Any) -> None:
        await self.bus.send(DISPATCHER_INBOX, orders)

    async def register(
        self,
        name: str = "a",
        session_id: str = "s1",
        *,
        capacity: int = 2,
        pool: str = "default",
        action_types: Sequence[ActionType] = (),
    ) -> None:
        """Of an agent that was admitted here, or is so first."""
        if name not in self.keys:
            await self.admit(name, pool=pool)
        await self.bus.send(AGENT_STATUS, [registration(name, session_id, capacity=capacity, action_types=action_types)])

    async def beat(self, name: str = "a", session_id: str = "s1", leases: Sequence[tuple[str, int]] = ()) -> None:
        heartbeat = AgentHeartbeat(tenant_id=TENANT, name=name, session_id=session_id, leases=list(leases))
        await self.bus.send(AGENT_STATUS, [heartbeat])

    def runs(self, name: str = "a") -> list[tuple[str, int, str]]:
        return [(o.job_id, o.dispatch, o.session_id) for o in self.orders[name] if isinstance(o, RunJob)]

    def told(self, kind: type[ReportT]) -> list[tuple[str, int]]:
        return [(report.job_id, report.dispatch) for report in self.reports if type(report) is kind]

    def reports_of(self, kind: type[ReportT]) -> list[ReportT]:
        return [report for report in self.reports if isinstance(report, kind)]


def _into(heard: list[AgentOrder]) -> Callable[[Sequence[AgentOrder]], Awaitable[None]]:
    async def hear(orders: Sequence[AgentOrder]) -> None:
        heard.extend(orders)

    return hear


@asynccontextmanager
async def a_house(
    pool: Pool, settings: Settings = PATIENT, *, bus: MemoryBus | None = None, accounts: Accounts | None = None
) -> AsyncIterator[House]:
    bus = bus or MemoryBus()
    service = await create(settings, bus=bus, pool=pool, clock=SystemClock(), accounts=accounts)
    house = House(bus, service)
    await house.hear("a", "b")
    await service.start()
    try:
        yield house
    finally:
        await service.stop()
        await bus.close()


positions = count(1)


def enrolment(agent_id: str, name: str, pair: OpeningKey, *, transport: str = "auto", key: str | None = None) -> EnrolAgent:
    return EnrolAgent(
        agent_id=agent_id,
        key_hash=hash_of(key or f"key of {name}"),
        public_key=pair.public,
        version="1",
        transport=transport,
    )


def place(job_id: str, *, pool: str = "default", execution_id: str | None = None, **more: Any) -> PlaceJob:
    given: dict[str, Any] = {"action": "script.bash", "params": {"script": "echo '\x00'"}, "tenant_id": TENANT}
    return PlaceJob(
        position=next(positions),
        execution_id=execution_id or new_id(),
        job_id=job_id,
        node_id="n",
        attempt=1,
        pool=pool,
        **(given | more),
    )


def release(job_id: str, *, faulty: bool = False) -> ReleaseJob:
    return ReleaseJob(position=next(positions), job_id=job_id, faulty=faulty)


def requeue(job_id: str, dispatch: int) -> RequeueJob:
    return RequeueJob(position=next(positions), job_id=job_id, dispatch=dispatch)


def registration(name: str, session_id: str, *, capacity: int = 2, action_types: Sequence[ActionType] = ()) -> RegisterAgent:
    return RegisterAgent(
        tenant_id=TENANT,
        name=name,
        session_id=session_id,
        tags=["linux"],
        capacity=capacity,
        version="1",
        actions=["script.bash"],
        action_types=list(action_types),
    )


async def until(what: Callable[[], bool]) -> None:
    await until_found(what, True)


async def until_found(look: Callable[[], object], expected: object) -> None:
    """Waits until `look()`, awaited if it must be, gives `expected`."""
    for _ in range(2000):
        found = look()
        if inspect.isawaitable(found):
            found = await found
        if found == expected:
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"not {expected!r} within 20 s, but {found!r}")


async def leases(pool: Pool) -> list[tuple[str, str, int, str | None]]:
    rows = await pool.fetch("select job_id::text, state, dispatch, agent from dispatcher.job order by job_id")
    return [tuple(row) for row in rows]


async def log_of(pool: Pool) -> list[str]:
    """The topics of the dispatcher's log."""
    return [row["topic"] for row in await pool.fetch("select topic from dispatcher.event order by position")]
