"""The dispatcher on a real database: what is written, what is sent, and what a restart finds and heals."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from runyard_dispatcher.journal import MAPPER
from runyard_dispatcher.settings import Settings
from runyard_shared.clock import SystemClock
from runyard_shared.contracts.commands import CreatePool
from runyard_shared.contracts.events import AgentCreated, AgentEnrolled, AgentOffline, AgentRegistered
from runyard_shared.contracts.jobs import (
    AgentStopping,
    CancelJob,
    Parked,
    RunJob,
    SessionRefused,
    WithdrawJob,
)
from runyard_shared.contracts.reports import JobDispatched, JobLost, JobWithdrawn
from runyard_shared.errors import Unavailable
from runyard_shared.eventstore.postgres import PostgresEventStore
from runyard_shared.ids import new_id
from runyard_shared.messaging.memory import MemoryBus
from runyard_shared.messaging.topology import AGENT_STATUS, DISPATCHER_INBOX, PARKED

from tests.dispatcher import (
    House,
    Pool,
    a_house,
    leases,
    log_of,
    place,
    positions,
    release,
    requeue,
    until,
    until_found,
)

IMPATIENT = Settings(heartbeat_seconds=0.1, offline_after_seconds=0.3, resend_after_seconds=0, rescue_every_seconds=0.02)
ADMITTED = [AgentCreated.topic, AgentEnrolled.topic]


class DyingBus(MemoryBus):
    """As if the process had died after its commits: nothing leaves it any more."""

    dead = False

    async def post(self, mailbox: str, items: Sequence[Any]) -> None:
        if not self.dead:
            await super().post(mailbox, items)

    async def send(self, queue: str, items: Sequence[Any]) -> None:
        if self.dead and queue != DISPATCHER_INBOX:
            raise Unavailable("dead")
        await super().send(queue, items)


@pytest.fixture
async def house(pool: Pool) -> AsyncIterator[House]:
    async with a_house(pool) as house:
        yield house


async def test_a_job_is_leased_sent_and_reported_and_its_release_leaves_nothing(house: House, pool: Pool) -> None:
    job = new_id()
    await house.register()
    await house.order(place(job))
    await until(lambda: bool(house.runs() and house.reports))
    assert house.runs() == [(job, 1, "s1")]
    assert house.told(JobDispatched) == [(job, 1)]
    assert await leases(pool) == [(job, "leased", 1, "a")]
    await house.order(release(job))
    assert await leases(pool) == []


async def test_orders_that_come_again_are_ignored_also_after_a_restart(pool: Pool) -> None:
    job, other = new_id(), new_id()
    first = [place(job), release(job), place(other)]
    async with a_house(pool) as house:
        await house.register()
        await house.order(*first)
        await house.order(*first)
        await until(lambda: len(house.runs()) == 1)
        assert await leases(pool) == [(other, "leased", 1, "a")]
    async with a_house(pool) as house:
        await house.order(*first)
        assert await leases(pool) == [(other, "leased", 1, "a")]


async def test_a_dispatcher_that_dies_after_its_commit_is_healed_by_the_next_with_the_same_lease(pool: Pool) -> None:
    bus = DyingBus()
    leased, withdrawn, lost = new_id(), new_id(), new_id()
    async with a_house(pool, bus=bus) as house:
        await house.register("a", capacity=1)
        await house.register("b", "s2", pool="b")
        bus.dead = True
        await house.order(place(leased), place(lost, pool="b"), place(withdrawn))
        await house.order(WithdrawJob(position=next(positions), job_id=withdrawn))
        bus.dead = False
        await house.bus.send(AGENT_STATUS, [AgentStopping(tenant_id="default", name="b", session_id="s2")])
        bus.dead = True
        assert house.runs() == []
    async with a_house(pool) as house:
        await until(lambda: len(house.reports) == 3)
        assert house.runs() == [(leased, 1, "s1")]
        assert house.told(JobDispatched) == [(leased, 1)]
        assert house.told(JobLost) == [(lost, 1)]
        assert house.told(JobWithdrawn) == [(withdrawn, 0)]


async def test_a_dispatcher_that_dies_between_log_and_table_registers_the_agent_once(house: House, pool: Pool) -> None:
    agent_id = await house.admit()
    store = PostgresEventStore(pool, "dispatcher", MAPPER)
    await store.open()
    event = AgentRegistered(
        name="a", session_id="s1", pool="default", tags=["linux"], capacity=2, version="1", actions=["script.bash"]
    )
    await store.append(agent_id, 2, [event], tenant_id="default", at=SystemClock().now())
    await store.close()

    await house.register("a", "s1")
    assert await log_of(pool) == [*ADMITTED, AgentRegistered.topic]
    assert await pool.fetchval("select status from read.agent") == "online"
    await house.register("a", "s2")
    assert await log_of(pool) == [*ADMITTED, AgentRegistered.topic, AgentRegistered.topic]


async def test_a_silent_agent_is_offline_its_jobs_are_lost_and_its_session_is_refused(pool: Pool) -> None:
    async with a_house(pool, IMPATIENT) as house:
        job = new_id()
        await house.register("a", "s1")
        await house.order(place(job))
        await until(lambda: house.told(JobLost) == [(job, 1)])
        assert await log_of(pool) == [*ADMITTED, AgentRegistered.topic, AgentOffline.topic]
        await house.beat("a", "s1")
        await until(lambda: any(isinstance(order, SessionRefused) for order in house.orders["a"]))

        await house.register("b", "s2")
        await house.order(requeue(job, 1))
        await until(lambda: house.runs("b") == [(job, 2, "s2")])


async def test_an_agent_is_not_silent_for_the_time_the_dispatcher_was_away(pool: Pool) -> None:
    job = new_id()
    async with a_house(pool) as house:
        await house.register()
        await house.order(place(job))
    await pool.execute("update dispatcher.agent set last_heartbeat_at = last_heartbeat_at - interval '1 hour'")
    settings = Settings(offline_after_seconds=30, rescue_every_seconds=0.02)
    async with a_house(pool, settings) as house:
        await house.beat()
        await asyncio.sleep(0.2)
        assert house.told(JobLost) == []
        assert await leases(pool) == [(job, "leased", 1, "a")]


async def test_a_lease_that_the_agent_does_not_list_is_sent_again(house: House) -> None:
    one, two = new_id(), new_id()
    await house.register()
    await house.order(place(one), place(two))
    await house.beat(leases=[(one, 1)])
    await until(lambda: len(house.runs()) == 3)
    assert house.runs()[2] == (two, 1, "s1")


async def test_a_leased_job_is_cancelled_at_its_agent_also_after_a_restart(pool: Pool) -> None:
    job = new_id()
    async with a_house(pool) as house:
        await house.register()
        await house.order(place(job))
        await house.order(WithdrawJob(position=next(positions), job_id=job, force=True))
        await until(lambda: CancelJob(job_id=job, dispatch=1, force=True) in house.orders["a"])
    async with a_house(pool) as house:
        await until(lambda: len(house.orders["a"]) == 2)
        assert [type(order) for order in house.orders["a"]] == [RunJob, CancelJob]


async def test_people_can_read_why_a_job_waits_and_how_the_agents_are(house: House, pool: Pool) -> None:
    async def waiting() -> list[tuple[str, str, str]]:
        rows = await pool.fetch("select job_id::text, pool, reason from read.waiting_job order by job_id")
        return [tuple(row) for row in rows]

    one, two, three = sorted(new_id() for _ in range(3))
    await house.done(CreatePool(pool="db"))
    await house.order(place(one, pool="db"), place(two, pool="db"))
    assert await waiting() == [(job, "db", "there is no agent in pool db") for job in (one, two)]
    await house.register("a", capacity=1, pool="db")
    await house.order(place(three, pool="db"))
    reason = "the only agent of pool db is busy (1 of 1 slots)"
    assert await waiting() == [(two, "db", reason), (three, "db", reason)]
    row = await pool.fetchrow("select name, pool, tags, capacity, running, status, health from read.agent")
    assert row is not None
    assert tuple(row) == ("a", "db", ["linux"], 1, 1, "online", 100)
    await house.bus.send(AGENT_STATUS, [AgentStopping(tenant_id="default", name="a", session_id="s1")])
    reason = "waiting for an agent in pool db: 0 of 1 online"
    await until_found(waiting, [(two, "db", reason), (three, "db", reason)])
    assert await pool.fetchval("select running from read.agent") == 0


async def test_an_order_that_cannot_be_written_is_parked_alone(house: House, pool: Pool) -> None:
    parked: list[Parked] = []

    async def hear(items: Sequence[Parked]) -> None:
        parked.extend(items)

    await house.bus.consume(PARKED, Parked, hear)
    one, two = new_id(), new_id()
    await house.register()
    await house.order(place(one), place("not an id"), place(two))
    await until(lambda: len(parked) == 1)
    assert b"not an id" in parked[0].body
    assert {row[0] for row in await leases(pool)} == {one, two}


async def test_a_dispatcher_that_loses_its_connection_goes_on_with_a_new_one(house: House, pool: Pool) -> None:
    one, two = new_id(), new_id()
    await house.register()
    await house.order(place(one))
    await pool.execute(
        "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and database ="
        " (select oid from pg_database where datname = current_database())"
    )
    order = place(two)
    async with asyncio.timeout(20):
        while True:
            try:
                await house.order(order)
                break
            except Unavailable:  # while nobody consumes
                await asyncio.sleep(0.01)
    assert sorted(row[0] for row in await leases(pool)) == sorted([one, two])
    await until_found(lambda: {(job, dispatch) for job, dispatch, _ in house.runs()}, {(one, 1), (two, 1)})
    await until(lambda: not any(house.service.health().values()))


async def test_a_second_dispatcher_stands_by_until_the_first_ends(house: House, pool: Pool) -> None:
    job, later = new_id(), new_id()
    await house.register()
    await house.order(place(job))
    async with a_house(pool) as second:
        assert second.service.health() == {"broker": None, "placement": None, "log": None, "relay": None, "accounts": None}
        waiting = asyncio.create_task(second.order(place(later)))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        await house.service.stop()
        async with asyncio.timeout(20):
            await waiting
        await until(lambda: {run[0] for run in second.runs()} == {job, later})
        assert [row[1:3] for row in await leases(pool)] == [("leased", 1), ("leased", 1)]
