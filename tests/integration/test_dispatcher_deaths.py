"""A dispatcher that dies at each of its awaits, and a burst: nothing goes out twice, nobody is overfilled, nobody starves."""

import asyncio
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Sequence
from contextlib import suppress
from itertools import count
from typing import Any

import asyncpg
import msgspec
import pytest
from msgspec.structs import replace
from runyard_dispatcher.answering import Answering
from runyard_dispatcher.commands import Commands
from runyard_dispatcher.enrolment import Enrolments
from runyard_dispatcher.handlers import Handlers
from runyard_dispatcher.journal import MAPPER, Journal
from runyard_dispatcher.probes import Probes
from runyard_dispatcher.rotation import Rotation
from runyard_dispatcher.settings import Patience
from runyard_dispatcher.turns import Turns
from runyard_dispatcher.vault import Vault
from runyard_shared.agent_keys import hash_of
from runyard_shared.clock import SystemClock
from runyard_shared.contracts.commands import (
    Command,
    CreateAgent,
    DrainAgent,
    PausePool,
    Request,
    ResumePool,
    RevokeAgent,
    SaveConnection,
)
from runyard_shared.contracts.jobs import AgentOrder, RunJob, WithdrawJob
from runyard_shared.contracts.reports import Report
from runyard_shared.errors import Unavailable
from runyard_shared.eventstore.migrate import migrate
from runyard_shared.eventstore.postgres import PostgresEventStore
from runyard_shared.ids import new_id
from runyard_shared.messaging.memory import MemoryBus
from runyard_shared.messaging.topology import AGENT_STATUS, ORCHESTRATOR_PARTITIONS, agent_mailbox, orchestrator_inbox_partition
from runyard_shared.sealing import OpeningKey, seal

from tests.dispatcher import (
    Pool,
    a_house,
    enrolment,
    log_of,
    place,
    positions,
    registration,
    release,
    requeue,
    until,
    until_found,
)

MASTER = "a master key with 128 bits of chance"


class Died(Exception):
    """As if the process had been killed."""


class Life:
    """One process of the dispatcher: everything but its bus and its log is its own."""

    def __init__(self, connection: "asyncpg.Connection[Any]", pool: Pool, bus: MemoryBus, store: PostgresEventStore) -> None:
        clock, vault, patience = SystemClock(), Vault(MASTER), Patience(3600, 7200, 3600)
        self.connection = connection
        self.turns = Turns(bus, clock, vault)
        journal, answering = Journal(store), Answering(bus)
        self.enrolments = Enrolments(
            self.turns, journal, answering, None, clock, patience, broker_url="amqp://broker", namespace=""
        )
        probes = Probes(self.turns, journal, answering, vault, clock, 10)
        self.handlers = Handlers(
            self.turns, journal, Commands(vault), self.enrolments, probes, answering, Rotation(pool, vault), patience
        )

    async def begin_and(self, step: "Step") -> None:
        await self.turns.begin(self.connection)
        await step(self.handlers)


Step = Callable[[Handlers], Awaitable[None]]


@types.coroutine
def killed_at(life: Life, awaits: int, coroutine: Coroutine[Any, Any, None]) -> Generator[Any, Any, None]:
    """Runs it up to that many suspensions; then its connection is gone and it goes no further."""
    failed: BaseException | None = None
    for suspension in count():
        try:
            waits_for = coroutine.send(None) if failed is None else coroutine.throw(failed)
        except StopIteration:
            return
        if suspension == awaits:
            life.connection.terminate()
            if isinstance(waits_for, asyncio.Future) and waits_for.done():
                waits_for.exception()
            with suppress(asyncio.CancelledError, Unavailable):
                coroutine.throw(asyncio.CancelledError())
            coroutine.close()
            raise Died
        try:
            yield waits_for
        except BaseException as error:  # noqa: BLE001 - what it waited for failed: it is told
            failed = error
        else:
            failed = None


def orders(*given: Any) -> Step:
    return lambda handlers: handlers.handle_orders(given)


def statuses(*given: Any) -> Step:
    return lambda handlers: handlers.handle_statuses(given)


def asks(*commands: Command) -> Step:
    requests = [Request(request_id=new_id(), tenant_id="default", actor="alice", command=command) for command in commands]
    return lambda handlers: handlers.handle_requests(requests)


async def a_story(ids: dict[str, str]) -> Sequence[Step]:
    """What is done to agents `a` and `b`, whose ids are given."""
    jobs = [new_id() for _ in range(4)]
    secret = seal(OpeningKey.derived(MASTER).public, b"a secret")
    save = SaveConnection(
        connection_id=new_id(),
        new=True,
        name="bag",
        kind="secrets",
        config={},
        sealed_secrets={"TOKEN": secret},
        pools=[],
    )
    return [
        asks(save, PausePool(pool="default", reason="not yet")),
        orders(place(jobs[0]), place(jobs[1], connection="bag"), place(jobs[2]), place(jobs[3], agent="b")),
        statuses(registration("a", "s1", capacity=1), registration("b", "s2", capacity=1)),
        asks(ResumePool(pool="default")),
        statuses(registration("a", "s3", capacity=1)),
        orders(requeue(jobs[0], 1), requeue(jobs[1], 1)),
        asks(DrainAgent(agent_id=ids["a"]), RevokeAgent(agent_id=ids["b"])),
        orders(*[requeue(job, 1) for job in jobs[1:3]], WithdrawJob(position=next(positions), job_id=jobs[2])),
        orders(release(jobs[0]), place(new_id(), pool="nowhere")),
    ]


async def jobs_left(pool: Pool) -> list[tuple[str, int, str | None, str | None]]:
    """In the order they came: state, lease, agent, and why it was refused."""
    rows = await pool.fetch("select place_job, state, dispatch, agent, refusal from dispatcher.job")
    rows.sort(key=lambda row: msgspec.json.decode(row["place_job"])["position"])
    reasons = [row["refusal"] and msgspec.json.decode(row["refusal"])["reason"] for row in rows]
    return [(row["state"], row["dispatch"], row["agent"], reason) for row, reason in zip(rows, reasons, strict=True)]


async def told_to(bus: MemoryBus) -> list[AgentOrder]:
    told: list[AgentOrder] = []

    async def hear(items: Sequence[AgentOrder]) -> None:
        told.extend(items)

    for name in ("a", "b"):
        await bus.open_mailbox(agent_mailbox("default", name), AgentOrder, hear)
    for partition in range(ORCHESTRATOR_PARTITIONS):
        await bus.consume(orchestrator_inbox_partition(partition), Report, _take)
    return told


class Heard:
    """Keeps the jobs of the orders that come to a mailbox."""

    def __init__(self, jobs: list[str]) -> None:
        self._jobs = jobs

    async def __call__(self, items: Sequence[AgentOrder]) -> None:
        self._jobs.extend(order.job_id for order in items if isinstance(order, RunJob))


async def _take(reports: Sequence[Report]) -> None:
    """The executions hear what they are told; that it may be told again is for them to know."""


@pytest.fixture
async def store(pool: Pool) -> AsyncIterator[PostgresEventStore]:
    await migrate(pool, "dispatcher", "runyard_dispatcher", with_log=True)
    store = PostgresEventStore(pool, "dispatcher", MAPPER)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def bus() -> AsyncIterator[MemoryBus]:
    bus = MemoryBus()
    yield bus
    await bus.close()


@pytest.mark.parametrize("dying", [False, True])
async def test_a_dispatcher_killed_at_any_await_and_started_again_does_all_of_it_once(
    store: PostgresEventStore, bus: MemoryBus, pool: Pool, postgres_url: str, dying: bool
) -> None:
    async with a_house(pool) as house:
        ids = {name: await house.admit(name) for name in ("a", "b")}
    told = await told_to(bus)
    deaths = 0
    for step in await a_story(ids):
        for awaits in count() if dying else (10**9,):
            life = Life(await asyncpg.connect(postgres_url), pool, bus, store)
            try:
                await killed_at(life, awaits, life.begin_and(step))
            except Died:
                deaths += 1
            else:
                await life.turns.end()
                await life.connection.close()
                break
    assert (deaths > 100) is dying

    leases_told = {(order.job_id, order.dispatch, order.session_id) for order in told if isinstance(order, RunJob)}
    assert len({(job_id, dispatch) for job_id, dispatch, _ in leases_told}) == len(leases_told)
    assert await jobs_left(pool) == [
        ("leased", 2, "a", None),
        ("withdrawn", 0, None, None),
        ("lost", 1, "b", None),
        ("refused", 0, None, "pool_unknown"),
    ]
    rows = await pool.fetch("select name, status, drained, log_version from dispatcher.agent order by name")
    assert [tuple(row) for row in rows] == [("a", "online", True, 5), ("b", "revoked", False, 4)]
    admitted = ["agent.created", "agent.enrolled"] * 2
    happened = ["agent.registered", "agent.registered", "pool.resumed", "agent.registered", "agent.drained", "agent.revoked"]
    assert await log_of(pool) == [*admitted, "connection.created", "pool.paused", *happened]


async def test_a_burst_of_ten_thousand_jobs_starves_neither_another_tenant_nor_another_execution(pool: Pool) -> None:
    many, few = new_id(), new_id()
    capacity, tenants = 5, ("default", "other")
    async with a_house(pool) as house:
        for tenant_id in tenants:
            agent_id, pair = new_id(), OpeningKey.generate()
            create = CreateAgent(agent_id=agent_id, name="a", pool="default", tags=[], key_hash=hash_of("key of a"))
            if tenant_id == "other":
                create = replace(create, key_hash=hash_of("other key"))
            assert (await house.ask(create, tenant_id=tenant_id)).problem is None
            enrol = replace(enrolment(agent_id, "a", pair), key_hash=create.key_hash)
            assert (await house.ask(enrol, tenant_id=tenant_id)).problem is None
            arrival = replace(registration("a", f"s of {tenant_id}", capacity=capacity), tenant_id=tenant_id)
            await house.bus.send(AGENT_STATUS, [arrival])
        theirs: list[str] = []
        await house.bus.open_mailbox(agent_mailbox("other", "a"), AgentOrder, Heard(theirs))

        await house.order(*(place(new_id(), execution_id=many) for _ in range(10_000)))
        quick = [new_id() for _ in range(10)]
        await house.order(*(place(job, execution_id=few) for job in quick))
        others = [new_id() for _ in range(10)]
        await house.order(*(place(job, tenant_id="other") for job in others))
        await until_found(lambda: theirs, others[:capacity])

        ended = 0
        while not {job for job, _, _ in house.runs()}.issuperset(quick):
            held = await pool.fetchval("select count(*) from dispatcher.job where state = 'leased' and tenant_id = 'default'")
            assert held == capacity
            await house.order(*(release(job) for job, _, _ in house.runs()[ended : ended + capacity]))
            ended += capacity
            await until_found(lambda: len(house.runs()), ended + capacity)
        assert ended <= 4 * capacity  # the two executions took turns
        await house.order(*(release(job) for job in others[:capacity]))
        await until(lambda: theirs == others)
        row = await pool.fetchrow("select running, waiting from read.pool where tenant_id = 'default'")
        assert row is not None
        assert tuple(row) == (capacity, 10_010 - ended - capacity)
