"""Agents on a real database: created, let in, cut off, drained; what people read of them; and death at the worst moments."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace
from runyard_dispatcher.settings import Settings
from runyard_shared.agent_keys import hash_of
from runyard_shared.contracts.actions import ActionType
from runyard_shared.contracts.commands import (
    ChangeAgent,
    CreateAgent,
    CreatePool,
    DeletePool,
    DrainAgent,
    PausePool,
    Request,
    ResumeAgent,
    ResumePool,
    RevokeAgent,
    RotateAgentKey,
)
from runyard_shared.contracts.events import AgentCreated, AgentEnrolled, AgentRevoked, PoolPaused
from runyard_shared.contracts.jobs import SessionRefused
from runyard_shared.contracts.reports import JobLost, JobRefused
from runyard_shared.errors import Unavailable
from runyard_shared.ids import new_id
from runyard_shared.messaging.topology import DISPATCHER_COMMANDS
from runyard_shared.sealing import OpeningKey

from tests.dispatcher import PATIENT, House, Pool, a_house, enrolment, log_of, place, requeue, until, until_found

BY_AMQP = Settings(
    **PATIENT.model_dump(exclude={"amqp_url", "agent_amqp_url", "amqp_namespace"}),
    amqp_url="amqp://user:secret@inside:5672/vhost",
    agent_amqp_url="amqps://broker.example.com/vhost",
    amqp_namespace="ours",
)


class Ledger:
    """Accounts at a broker that may be `away`; with `gate` cleared, its answer to `grant` is on its way for ever."""

    def __init__(self) -> None:
        self.passwords: dict[str, str] = {}
        self.closed: list[str] = []
        self.away = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.revokes: list[str] = []
        self.revoke_gate = asyncio.Event()
        self.revoke_gate.set()

    async def grant(self, agent_id: str, tenant_id: str, agent_name: str, password: str) -> str:
        self._check()
        self.passwords[agent_id] = password
        await self.gate.wait()
        return f"agent.{agent_id}"

    async def revoke(self, agent_id: str) -> None:
        self._check()
        self.revokes.append(agent_id)
        await self.revoke_gate.wait()
        if self.passwords.pop(agent_id, None) is not None:
            self.closed.append(agent_id)

    def _check(self) -> None:
        if self.away:
            raise Unavailable("the management API is away")


@pytest.fixture
async def house(pool: Pool) -> AsyncIterator[House]:
    async with a_house(pool) as house:
        yield house


async def status_of(pool: Pool, name: str = "a") -> str:
    return str(await pool.fetchval("select status from read.agent where name = $1", name))


async def by_key(pool: Pool, key: str) -> list[tuple[str, str, str, str]]:
    rows = await pool.fetch("select tenant_id, name, pool, status from read.agent_by_key($1)", hash_of(key))
    return [tuple(row) for row in rows]


async def account_of(pool: Pool) -> str:
    return str(await pool.fetchval("select account from dispatcher.agent"))


# --- who may come


async def test_an_agent_is_created_enrols_registers_and_gets_a_job(house: House, pool: Pool) -> None:
    await house.done(CreatePool(pool="db"))
    agent_id = await house.create("a", pool="db", tags=["given"])
    assert await status_of(pool) == "new"
    assert await by_key(pool, "key of a") == [("default", "a", "db", "new")]
    enrolled = await house.enrol(agent_id, "a")
    assert (enrolled.name, enrolled.pool, enrolled.transport, enrolled.amqp) == ("a", "db", "https", None)
    assert (enrolled.heartbeat_seconds, enrolled.offline_after_seconds) == (10, 3600)
    assert await status_of(pool) == "offline"
    await house.register("a", capacity=3)
    job = new_id()
    await house.order(place(job, pool="db", tags=["given", "linux"]))
    await until(lambda: house.runs() == [(job, 1, "s1")])
    row = await pool.fetchrow("select tags, capacity, status, transport, key_fingerprint, running, reason from read.agent")
    assert row is not None
    assert tuple(row)[:4] == (["given", "linux"], 3, "online", "https")
    assert tuple(row)[5:] == (1, "")
    assert len(row["key_fingerprint"]) == 16


@pytest.mark.parametrize("created", [False, True])
async def test_nobody_registers_as_an_agent_that_was_not_created_or_has_not_enrolled(
    house: House, pool: Pool, created: bool
) -> None:
    if created:
        await house.create("a")
    house.keys["a"] = OpeningKey.generate()
    await house.register("a")
    await until(lambda: bool(house.orders["a"]))
    (refused,) = house.orders["a"]
    assert isinstance(refused, SessionRefused)
    assert refused.revoked
    assert ("it has not enrolled yet" if created else "there is no agent a") in refused.reason
    assert await pool.fetch("select from read.agent where status = 'online'") == []


async def test_a_key_that_is_not_the_agents_lets_nobody_in(house: House) -> None:
    agent_id = await house.create("a")
    pair = OpeningKey.generate()
    assert await house.refusal(enrolment(agent_id, "a", pair, key="guessed")) == ("agent_unknown", 401)
    assert await house.refusal(enrolment(new_id(), "a", pair)) == ("agent_unknown", 401)
    other = await house.ask(enrolment(agent_id, "a", pair), tenant_id="other")
    assert other.problem is not None
    assert other.problem.code == "agent_unknown"


async def test_a_second_process_with_another_key_pair_is_refused_while_the_first_is_online(house: House) -> None:
    agent_id = await house.admit("a")
    await house.register("a")
    assert await house.refusal(enrolment(agent_id, "a", OpeningKey.generate())) == ("agent_connected", 409)
    await house.enrol(agent_id, "a")  # the same pair: the same process, or its successor


async def test_a_name_is_taken_until_its_agent_is_revoked(house: House, pool: Pool) -> None:
    agent_id = await house.admit("a")
    again = CreateAgent(agent_id=new_id(), name="a", pool="default", tags=[], key_hash=hash_of("new key"))
    reply = await house.ask(again)
    assert reply.problem is not None
    assert (reply.problem.code, reply.problem.extra) == ("agent_exists", {"agentId": agent_id})
    await house.register("a")
    await house.done(DrainAgent(agent_id=agent_id))
    await house.done(RevokeAgent(agent_id=agent_id))
    assert await house.refusal(DrainAgent(agent_id=agent_id)) == ("agent_revoked", 409)
    assert (await house.done(again))["agentId"] == agent_id  # it has one history
    row = await pool.fetchrow("select status, drained, capacity, key_fingerprint from read.agent")
    assert row is not None
    assert tuple(row) == ("new", False, 0, None)
    assert await by_key(pool, "key of a") == []
    assert len(await by_key(pool, "new key")) == 1


async def test_all_that_is_wrong_with_a_new_agent_is_said_at_once(house: House) -> None:
    reply = await house.ask(CreateAgent(agent_id=new_id(), name="a b", pool="db", tags=["fine", "n/a"], key_hash="x"))
    assert reply.problem is not None
    assert (reply.problem.code, reply.problem.status) == ("unknown_pool", 422)
    assert [error["path"] for error in reply.problem.errors] == ["name", "pool", "tags[1]"]


async def test_a_request_that_comes_again_is_answered_the_same_and_done_once(house: House, pool: Pool) -> None:
    create = CreateAgent(agent_id=new_id(), name="a", pool="default", tags=[], key_hash=hash_of("key of a"))
    request = Request(request_id=new_id(), tenant_id="default", actor="alice", command=create)
    await house.bus.send(DISPATCHER_COMMANDS, [request, request])
    await house.done(RevokeAgent(agent_id=create.agent_id))
    await house.bus.send(DISPATCHER_COMMANDS, [request])  # a late one does not bring the revoked key back
    assert await by_key(pool, "key of a") == []
    assert await log_of(pool) == [AgentCreated.topic, AgentRevoked.topic]


# --- cutting off


@pytest.mark.parametrize("rotated", [False, True])
async def test_an_agent_that_is_cut_off_loses_its_jobs_its_session_and_its_key_at_once(
    house: House, pool: Pool, rotated: bool
) -> None:
    agent_id = await house.admit("a")
    await house.register("a")
    job = new_id()
    await house.order(place(job))
    await until(lambda: len(house.runs()) == 1)
    if rotated:
        await house.done(RotateAgentKey(agent_id=agent_id, key_hash=hash_of("new key")))
    else:
        await house.done(RevokeAgent(agent_id=agent_id))
    await until(lambda: house.told(JobLost) == [(job, 1)])
    await until(lambda: isinstance(house.orders["a"][-1], SessionRefused))
    refused = house.orders["a"][-1]
    assert isinstance(refused, SessionRefused)
    assert (refused.session_id, refused.revoked) == ("s1", True)
    assert await by_key(pool, "key of a") == []
    assert await house.refusal(enrolment(agent_id, "a", house.keys["a"])) == ("agent_unknown", 401)
    await house.order(requeue(job, 1))
    for session in ("s1", "s2"):
        await house.register("a", session)
    assert await status_of(pool) == ("offline" if rotated else "revoked")
    assert len(house.runs()) == 1
    if rotated:
        await house.enrol(agent_id, "a", key="new key")
        await house.register("a", "s3")
        await until(lambda: house.runs()[1:] == [(job, 2, "s3")])


async def test_jobs_that_name_an_agent_are_refused_when_it_is_revoked(house: House) -> None:
    agent_id = await house.admit("a")
    waiting, late, unknown = new_id(), new_id(), new_id()
    await house.order(place(waiting, agent="a"))
    await house.done(RevokeAgent(agent_id=agent_id))
    await house.order(place(late, agent="a"), place(unknown, agent="nobody"))
    await until(lambda: len(house.reports) == 3)
    assert house.told(JobRefused) == [(waiting, 0), (late, 0), (unknown, 0)]
    assert [report.reason for report in house.reports_of(JobRefused)] == ["agent_revoked", "agent_revoked", "agent_unknown"]


async def test_a_refused_job_is_told_again_after_a_restart_until_it_is_released(pool: Pool) -> None:
    job = new_id()
    async with a_house(pool) as house:
        await house.order(place(job, pool="nowhere"))
        await until(lambda: house.told(JobRefused) == [(job, 0)])
    async with a_house(pool) as house:
        await until(lambda: house.told(JobRefused) == [(job, 0)])
        (refused,) = house.reports_of(JobRefused)
        assert (refused.reason, "create it" in refused.message) == ("pool_unknown", True)


# --- drain, pools


async def test_a_drained_agent_keeps_what_it_has_and_gets_nothing_new_until_it_is_resumed(house: House, pool: Pool) -> None:
    agent_id = await house.admit("a")
    await house.register("a")
    first, second = new_id(), new_id()
    await house.order(place(first))
    await house.done(DrainAgent(agent_id=agent_id))
    await house.order(place(second, agent="a"))
    assert await status_of(pool) == "draining"
    assert await pool.fetchval("select reason from read.waiting_job") == "agent a is draining"
    await house.beat(leases=[(first, 1)])
    assert [run[0] for run in house.runs()] == [first]
    await house.done(ResumeAgent(agent_id=agent_id))
    await until(lambda: [run[0] for run in house.runs()] == [first, second])


async def test_a_paused_pool_gets_nothing_and_says_who_paused_it_and_why(pool: Pool) -> None:
    job = new_id()
    async with a_house(pool) as house:
        await house.register("a")
        await house.done(PausePool(pool="default", reason="disk is full"))
        await house.order(place(job))
        reason = "pool default is paused by alice: disk is full"
        assert await pool.fetchval("select reason from read.waiting_job") == reason
        await house.done(PausePool(pool="default", reason="disk is full"))
        assert (await log_of(pool)).count(PoolPaused.topic) == 1
    async with a_house(pool) as house:
        row = await pool.fetchrow("select paused, paused_by, agents, online, capacity, running, waiting from read.pool")
        assert row is not None
        assert tuple(row) == (True, "alice", 1, 1, 2, 0, 1)
        assert house.runs() == []
        await house.done(ResumePool(pool="default"))
        await until(lambda: house.runs() == [(job, 1, "s1")])


async def test_a_pool_in_use_is_not_deleted_and_says_by_what(house: House, pool: Pool) -> None:
    agent_id = await house.admit("a", pool="db")
    assert await house.refusal(CreatePool(pool="db")) == ("pool_exists", 409)
    await house.order(place(new_id(), pool="db"), place(new_id(), pool="db"))
    reply = await house.ask(DeletePool(pool="db"))
    assert reply.problem is not None
    assert reply.problem.code == "pool_in_use"
    assert reply.problem.extra == {"agents": ["a"], "waiting": 2}
    await house.register("a")
    await house.done(ChangeAgent(agent_id=agent_id, pool="default"))
    await house.done(DeletePool(pool="db"))
    assert await house.refusal(DeletePool(pool="default")) == ("pool_is_default", 409)
    assert await house.refusal(ChangeAgent(agent_id=agent_id, pool="db")) == ("unknown_pool", 422)
    assert [row["name"] for row in await pool.fetch("select name from read.pool")] == ["default"]


async def test_an_agent_that_moves_takes_the_jobs_of_its_new_pool(house: House) -> None:
    agent_id = await house.admit("a")
    await house.register("a")
    await house.done(CreatePool(pool="db"))
    job = new_id()
    await house.order(place(job, pool="db", tags=["new"]))
    await house.done(ChangeAgent(agent_id=agent_id, pool="db", tags=["new"]))
    await until(lambda: house.runs() == [(job, 1, "s1")])


async def test_what_agents_offer_beyond_the_built_in_types_can_be_read(house: House, pool: Pool) -> None:
    own = ActionType(type="acme.deploy", params={"type": "object"}, connections=["secrets"], description="Deploys")
    await house.register("a", action_types=[own, ActionType(type="script.bash", description="not its own")])
    row = await pool.fetchrow(
        "select tenant_id, type, params, connections, needs_connection, description from read.action_type"
    )
    assert row is not None
    assert tuple(row) == ("default", "acme.deploy", '{"type":"object"}', ["secrets"], False, "Deploys")


# --- accounts at the broker


async def test_an_agent_by_amqp_gets_an_account_whose_password_only_it_can_read(pool: Pool) -> None:
    ledger = Ledger()
    async with a_house(pool, BY_AMQP, accounts=ledger) as house:
        agent_id = await house.create("a")
        enrolled = await house.enrol(agent_id, "a")
        assert enrolled.transport == "amqp"
        assert enrolled.amqp is not None
        assert (enrolled.amqp.url, enrolled.amqp.namespace) == ("amqps://broker.example.com/vhost", "ours")
        assert enrolled.amqp.username == f"agent.{agent_id}"
        assert house.keys["a"].open(enrolled.amqp.sealed_password).decode() == ledger.passwords[agent_id]
        tables = ["agent", "event", "answer"]
        kept = [str(await pool.fetchval(f"select string_agg(t::text, ' ') from dispatcher.{table} t")) for table in tables]
        assert not [text for text in kept if ledger.passwords[agent_id] in text]
        await house.enrol(agent_id, "a", transport="https")
        await until(lambda: ledger.closed == [agent_id])


async def test_without_accounts_amqp_is_refused_and_auto_is_https(house: House) -> None:
    agent_id = await house.create("a")
    pair = OpeningKey.generate()
    assert await house.refusal(enrolment(agent_id, "a", pair, transport="amqp")) == ("no_broker_accounts", 422)
    assert await house.refusal(enrolment(agent_id, "a", pair, transport="pigeon")) == ("invalid_enrolment", 422)
    for no_key in (bytes(32), b"short"):
        assert await house.refusal(replace(enrolment(agent_id, "a", pair), public_key=no_key)) == ("invalid_enrolment", 422)
    assert (await house.enrol(agent_id, "a", transport="local")).transport == "local"


async def test_another_key_pair_cuts_the_old_process_off_the_broker_first(pool: Pool) -> None:
    ledger = Ledger()
    async with a_house(pool, BY_AMQP, accounts=ledger) as house:
        agent_id = await house.admit("a")
        house.keys["a"] = OpeningKey.generate()
        await house.enrol(agent_id, "a")
        assert ledger.closed == [agent_id]
        assert agent_id in ledger.passwords
        await house.enrol(agent_id, "a")  # the same pair again: only a new password
        assert ledger.closed == [agent_id]
        await until(lambda: bool(house.orders["a"]))  # one that is connected by the gateway is told
        (refused,) = house.orders["a"]
        assert isinstance(refused, SessionRefused)
        assert refused.revoked


async def test_a_broker_that_is_away_delays_what_must_be_deleted_and_lets_nobody_in(pool: Pool) -> None:
    ledger = Ledger()
    async with a_house(pool, BY_AMQP, accounts=ledger) as house:
        agent_id = await house.admit("a")
        ledger.away = True
        assert await house.refusal(enrolment(agent_id, "a", house.keys["a"])) == ("unavailable", 503)
        await house.done(RevokeAgent(agent_id=agent_id))
        await until(lambda: "away" in str(house.service.health()["accounts"]))
        ledger.away = False
        await until(lambda: ledger.closed == [agent_id])
        await until_found(lambda: account_of(pool), "none")
        await until(lambda: house.service.health()["accounts"] is None)


@pytest.mark.parametrize("then", ["enrols again", "is revoked"])
async def test_a_dispatcher_that_dies_between_the_account_and_its_commit_leaves_none_that_anybody_can_use(
    pool: Pool, then: str
) -> None:
    ledger = Ledger()
    async with a_house(pool, BY_AMQP, accounts=ledger) as house:
        agent_id = await house.create("a")
        ledger.gate.clear()
        dying = asyncio.create_task(house.ask(enrolment(agent_id, "a", OpeningKey.generate())))
        await until(lambda: agent_id in ledger.passwords)
        dying.cancel()
    lost_password = ledger.passwords[agent_id]
    assert await account_of(pool) == "granted"
    ledger.gate.set()
    async with a_house(pool, BY_AMQP, accounts=ledger) as house:
        if then == "enrols again":
            enrolled = await house.enrol(agent_id, "a")
            assert enrolled.amqp is not None
            assert ledger.passwords[agent_id] == house.keys["a"].open(enrolled.amqp.sealed_password).decode() != lost_password
            assert await log_of(pool) == [AgentCreated.topic, AgentEnrolled.topic]
        else:
            await house.done(RevokeAgent(agent_id=agent_id))
            await until_found(lambda: account_of(pool), "none")
            assert ledger.passwords == {}


async def test_an_agent_that_is_revoked_while_its_account_is_made_has_none_in_the_end(pool: Pool) -> None:
    ledger = Ledger()
    async with a_house(pool, BY_AMQP, accounts=ledger) as house:
        agent_id = await house.create("a")
        ledger.gate.clear()
        enrolling = asyncio.create_task(house.ask(enrolment(agent_id, "a", OpeningKey.generate())))
        await until(lambda: agent_id in ledger.passwords)
        await house.done(RevokeAgent(agent_id=agent_id))
        ledger.gate.set()
        reply = await enrolling
        assert reply.problem is not None
        assert reply.problem.code == "agent_unknown"
        await until_found(lambda: account_of(pool), "none")
        assert ledger.passwords == {}


async def test_the_account_of_an_agent_that_came_back_is_not_deleted_in_place_of_the_one_it_had(pool: Pool) -> None:
    ledger = Ledger()
    async with a_house(pool, BY_AMQP, accounts=ledger) as house:
        agent_id = await house.admit("a")
        ledger.away = True
        await house.done(RotateAgentKey(agent_id=agent_id, key_hash=hash_of("new key")))
        await until(lambda: house.service.health()["accounts"] is not None)
        ledger.away = False
        ledger.revoke_gate.clear()
        enrolling = asyncio.create_task(house.enrol(agent_id, "a", key="new key"))
        await until(lambda: bool(ledger.revokes))
        await asyncio.sleep(0.7)  # by now it is tried again to delete the account, which the enrolment is doing
        ledger.revoke_gate.set()
        enrolled = await enrolling
        await until(lambda: house.service.health()["accounts"] is None)
        assert enrolled.amqp is not None
        assert agent_id in ledger.passwords
        assert ledger.revokes == [agent_id]


async def test_a_dispatcher_that_dies_before_an_account_is_deleted_has_it_deleted_by_the_next(pool: Pool) -> None:
    ledger = Ledger()
    async with a_house(pool, BY_AMQP, accounts=ledger) as house:
        agent_id = await house.admit("a")
        ledger.away = True
        await house.done(RevokeAgent(agent_id=agent_id))
    ledger.away = False
    async with a_house(pool, BY_AMQP, accounts=ledger):
        await until_found(lambda: account_of(pool), "none")
    assert ledger.closed == [agent_id]
