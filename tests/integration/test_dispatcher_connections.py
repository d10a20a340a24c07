"""Connections on a real database: kept in boxes, sealed for the chosen agent, tested, rotated; and the words when a job cannot
have one."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from runyard_dispatcher.settings import Settings
from runyard_shared.contracts import commands
from runyard_shared.contracts.actions import ActionType
from runyard_shared.contracts.commands import (
    CreatePool,
    DeleteConnection,
    DisableConnection,
    DrainAgent,
    EnableConnection,
    SaveConnection,
)
from runyard_shared.contracts.connections import OpenedConnection
from runyard_shared.contracts.events import ConnectionChanged, ConnectionCreated, ConnectionTested
from runyard_shared.contracts.jobs import ConnectionProbed, ProbeConnection, RunJob
from runyard_shared.contracts.reports import JobRefused
from runyard_shared.ids import new_id
from runyard_shared.messaging.topology import AGENT_STATUS
from runyard_shared.sealing import OpeningKey, seal

from tests.dispatcher import PATIENT, House, Pool, a_house, leases, log_of, place, release, requeue, until

OLD, NEW = "old master key with 128 bits of chance", "new master key with 128 bits of chance"
CANARY = "canary-secret-of-the-database"


def keyed(*keys: str, **more: Any) -> Settings:
    return Settings(**(PATIENT.model_dump(exclude={"master_keys"}) | {"master_keys": ",".join(keys)} | more))


@pytest.fixture
async def house(pool: Pool) -> AsyncIterator[House]:
    async with a_house(pool, keyed(OLD)) as house:
        yield house


def save(
    name: str = "db",
    kind: str = "postgresql",
    *,
    secrets: Mapping[str, str | None] | None = None,
    master: str = OLD,
    connection_id: str | None = None,
    **more: Any,
) -> SaveConnection:
    public = OpeningKey.derived(master).public
    boxes = {name: None if text is None else seal(public, text.encode()) for name, text in (secrets or {}).items()}
    given: dict[str, Any] = {"config": {"host": "db.inside", "database": "d", "username": "u"}, "pools": []}
    return SaveConnection(
        connection_id=connection_id or new_id(),
        new=connection_id is None,
        name=name,
        kind=kind,
        sealed_secrets=boxes,
        **(given | more),
    )


async def saved(house: House, *args: Any, **more: Any) -> str:
    return str((await house.done(save(*args, **more)))["connectionId"])


def query(job_id: str, connection: str = "db", **more: Any) -> Any:
    return place(job_id, connection=connection, action="database.query", params={"sql": "select 1"}, **more)


def opened(house: House, box: bytes | None, name: str = "a") -> OpenedConnection:
    assert box is not None
    return msgspec.json.decode(house.keys[name].open(box), type=OpenedConnection)


def boxes_sent(house: House) -> list[bytes | None]:
    return [order.sealed_connection for order in house.orders["a"] if isinstance(order, RunJob)]


async def boxes_kept(pool: Pool) -> list[bytes]:
    return [row["box"] for row in await pool.fetch("select box from dispatcher.connection_secret order by name")]


async def refused(house: House, *orders: Any) -> list[tuple[str, str]]:
    """Reasons and messages of jobs that are refused."""
    before = len(house.reports_of(JobRefused))
    await house.order(*orders)
    await until(lambda: len(house.reports_of(JobRefused)) == before + len(orders))
    return [(report.reason, report.message) for report in house.reports_of(JobRefused)[before:]]


# --- from the gateway's box to the agent's


async def test_a_secret_rests_in_its_box_and_goes_to_the_chosen_agent_in_another(house: House, pool: Pool) -> None:
    await house.register("a")
    await saved(house, secrets={"password": CANARY})
    job, plain = new_id(), new_id()
    await house.order(query(job), place(plain))
    await until(lambda: len(house.runs()) == 2)
    box, none = boxes_sent(house)
    assert none is None
    connection = opened(house, box)
    assert (connection.name, connection.kind, connection.secrets) == ("db", "postgresql", {"password": CANARY})
    assert connection.config["host"] == "db.inside"
    await house.beat(leases=[])  # it does not list the job: the order was lost, and comes again with its connection
    await until(lambda: len(boxes_sent(house)) == 4)
    assert opened(house, boxes_sent(house)[2]).secrets == {"password": CANARY}
    tables = ["agent", "event", "answer", "job", "connection", "connection_secret", "demand", "claim", "sealing_key"]
    for table in tables:
        text = str(await pool.fetchval(f"select string_agg(t::text, ' ') from dispatcher.{table} t"))
        assert CANARY not in text
        assert CANARY.encode().hex() not in text


async def test_an_order_is_sent_again_with_its_connection_after_a_restart(pool: Pool) -> None:
    async with a_house(pool, keyed(OLD)) as house:
        await house.register("a")
        await saved(house, secrets={"password": CANARY})
        await house.order(query(new_id()))
        keys = house.keys
    async with a_house(pool, keyed(OLD)) as house:
        house.keys = keys
        await until(lambda: len(boxes_sent(house)) == 1)
        assert opened(house, boxes_sent(house)[0]).secrets == {"password": CANARY}


async def test_secrets_that_are_absent_stay_those_that_are_none_go_and_none_is_ever_shown(house: House, pool: Pool) -> None:
    secrets = {"password": CANARY, "private_key": "key", "passphrase": "word"}
    given = {name.replace("_k", "K"): text for name, text in secrets.items()}
    connection_id = await saved(house, "ssh", "ssh", secrets=given, config={"username": "u"})
    change = save(
        "ssh-2",
        "ssh",
        secrets={"privateKey": None, "passphrase": "another"},
        connection_id=connection_id,
        config={"username": "v"},
    )
    assert (await house.done(change))["secrets"] == ["passphrase", "password"]
    row = await pool.fetchrow("select name, config, secrets, enabled, tested from read.connection")
    assert row is not None
    assert tuple(row) == ("ssh-2", '{"username":"v"}', ["passphrase", "password"], True, None)
    data = await pool.fetch("select topic, data from dispatcher.event order by position")
    assert [row["topic"] for row in data] == [ConnectionCreated.topic, ConnectionChanged.topic]
    changed = msgspec.json.decode(data[1]["data"])
    assert (changed["secrets"], changed["changed"]) == (["passphrase", "password"], ["passphrase"])
    key = OpeningKey.derived(OLD)
    assert [key.open(box).decode() for box in await boxes_kept(pool)] == ["another", CANARY]


async def test_what_is_wrong_with_a_connection_is_said_at_once(house: House) -> None:
    connection_id = await saved(house, secrets={"password": "word"})
    assert await house.refusal(save()) == ("connection_exists", 409)
    reply = await house.ask(save("x y", "kubernetes", secrets={"password": "word"}, pools=["default", "nowhere"]))
    assert reply.problem is not None
    assert reply.problem.code == "unknown_pool"
    assert {error["path"] for error in reply.problem.errors} == {"name", "pools[1]", "secrets.token", "secrets.password"}
    assert await house.refusal(save("db", "ssh", connection_id=connection_id)) == ("invalid_connection", 422)
    assert await house.refusal(save("other", connection_id=new_id())) == ("connection_not_found", 404)
    assert await house.refusal(DeleteConnection(connection_id=new_id())) == ("connection_not_found", 404)


async def test_a_secret_must_be_sealed_for_the_first_key_that_everybody_can_see(pool: Pool) -> None:
    async with a_house(pool, keyed(NEW, OLD)) as house:
        assert await pool.fetchval("select public_key from read.sealing_key") == OpeningKey.derived(NEW).public
        assert await house.refusal(save(secrets={"password": "word"}, master=OLD)) == ("stale_sealing_key", 409)
        no_text = seal(OpeningKey.derived(NEW).public, b"\xff\xff")
        assert await house.refusal(replace(save(), sealed_secrets={"password": no_text})) == ("stale_sealing_key", 409)
        await saved(house, secrets={"password": "word"}, master=NEW)
    async with a_house(pool) as house:
        assert await pool.fetch("select from read.sealing_key") == []
        assert await house.refusal(save("b", secrets={"password": "word"})) == ("no_master_key", 503)
        await saved(house, "without secrets".replace(" ", "-"))


# --- refused jobs (R52)


async def test_a_job_that_can_not_have_its_connection_is_refused_at_once_and_says_why(house: House) -> None:
    await house.done(CreatePool(pool="other"))
    await house.register("a")
    connection_id = await saved(house, pools=["other"])
    ((reason, message),) = await refused(house, query(new_id(), "nope"))
    assert (reason, message) == (
        "connection_unknown",
        "there is no connection nope: create it, or name another one in the node",
    )
    ((reason, message),) = await refused(house, query(new_id()))
    assert reason == "connection_not_allowed"
    assert "may not be used in pool default, only in other" in message
    await house.done(DisableConnection(connection_id=connection_id))
    ((reason, message),) = await refused(house, place(new_id(), pool="nowhere", connection="db", action="http.request"))
    assert reason == "pool_unknown"
    for words in ("no pool nowhere", "db is disabled", "may not be used", "http.request takes one of kind http"):
        assert words in message
    assert house.runs() == []


async def test_the_kinds_that_an_installed_action_takes_are_known_from_its_agent(house: House) -> None:
    await saved(house)
    (job,) = [place(new_id(), connection="db", action="acme.deploy", agent="a")]
    await house.admit("a")
    await house.order(job)  # nobody has told yet what acme.deploy is: it waits
    await house.register("a", action_types=[ActionType(type="acme.deploy", connections=["secrets"])])
    await until(lambda: len(house.reports_of(JobRefused)) == 1)
    assert (
        house.reports_of(JobRefused)[0].message
        == "connection db is of kind postgresql, and acme.deploy takes one of kind secrets"
    )
    assert house.runs() == []


@pytest.mark.parametrize("how", ["disabled", "deleted", "forbidden"])
async def test_jobs_that_wait_for_a_connection_are_refused_when_they_can_not_have_it_any_more(house: House, how: str) -> None:
    connection_id = await saved(house)
    await house.done(CreatePool(pool="other"))
    waiting, other = new_id(), new_id()
    await house.order(query(waiting), place(other))
    match how:
        case "disabled":
            await house.done(DisableConnection(connection_id=connection_id))
        case "deleted":
            await house.done(DeleteConnection(connection_id=connection_id))
        case _:
            await house.done(save(connection_id=connection_id, pools=["other"]))
    await until(lambda: house.told(JobRefused) == [(waiting, 0)])
    await house.order(release(waiting))
    await house.register("a")
    await until(lambda: [run[0] for run in house.runs()] == [other])
    if how == "disabled":
        await house.done(EnableConnection(connection_id=connection_id))
        again = new_id()
        await house.order(query(again))
        await until(lambda: [run[0] for run in house.runs()] == [other, again])


async def test_a_lost_job_whose_connection_was_disabled_meanwhile_is_refused_instead_of_placed_again(house: House) -> None:
    await house.register("a")
    connection_id = await saved(house)
    job = new_id()
    await house.order(query(job))
    await house.done(DisableConnection(connection_id=connection_id))
    assert house.told(JobRefused) == []  # it runs: nobody takes back what was sent
    await house.register("a", "s2")
    await house.order(requeue(job, 1))
    await until(lambda: house.told(JobRefused) == [(job, 1)])


async def test_secrets_sealed_with_a_key_that_is_gone_refuse_their_jobs_and_say_so(pool: Pool) -> None:
    job = new_id()
    async with a_house(pool, keyed(OLD)) as house:
        await saved(house, secrets={"password": "word"})
        await house.order(query(job))
    async with a_house(pool, keyed(NEW)) as house:
        await until(lambda: house.told(JobRefused) == [(job, 0)])
        (report,) = house.reports_of(JobRefused)
        assert report.reason == "connection_unreadable"
        assert "RUNYARD_MASTER_KEYS" in report.message
        assert [row[1] for row in await leases(pool)] == ["refused"]


# --- tests by an agent


def probed(name: str, order: ProbeConnection, *, ok: bool = True, session_id: str = "s1") -> ConnectionProbed:
    return ConnectionProbed(
        tenant_id="default",
        name=name,
        session_id=session_id,
        probe_id=order.probe_id,
        ok=ok,
        message="it answered" if ok else "password authentication failed",
        duration_ms=12,
    )


async def probe_of(house: House, name: str = "a") -> ProbeConnection:
    await until(lambda: any(isinstance(order, ProbeConnection) for order in house.orders[name]))
    return next(order for order in reversed(house.orders[name]) if isinstance(order, ProbeConnection))


@pytest.mark.parametrize("ok", [True, False])
async def test_a_connection_is_tried_out_by_an_agent_and_the_result_is_kept(house: House, pool: Pool, ok: bool) -> None:
    agent_id = await house.admit("a")
    await house.register("a")
    await house.done(DrainAgent(agent_id=agent_id))  # a test is no job
    connection_id = await saved(house, secrets={"password": CANARY})
    asking = asyncio.create_task(house.done(commands.TestConnection(connection_id=connection_id)))
    order = await probe_of(house)
    assert opened(house, order.sealed_connection).secrets == {"password": CANARY}
    await house.bus.send(AGENT_STATUS, [probed("a", order, session_id="s0"), probed("b", order), probed("a", order, ok=ok)])
    result = await asking
    message = "it answered" if ok else "password authentication failed"
    assert result == {"ok": ok, "message": message, "agent": "a", "durationMs": 12}
    tested = msgspec.json.decode(await pool.fetchval("select tested from read.connection"))
    assert (tested["ok"], tested["message"], tested["agent"], "at" in tested) == (ok, message, "a", True)
    assert (await log_of(pool))[-1] == ConnectionTested.topic
    await house.bus.send(AGENT_STATUS, [probed("a", order, ok=ok)])  # comes again: nobody waits any more
    assert (await log_of(pool)).count(ConnectionTested.topic) == 1


async def test_a_test_that_nobody_can_make_is_refused_with_what_to_do(house: House) -> None:
    await house.done(CreatePool(pool="other"))
    connection_id = await saved(house, pools=["other"])
    await house.register("a")
    assert await house.refusal(commands.TestConnection(connection_id=connection_id)) == ("no_agent_online", 409)
    assert await house.refusal(commands.TestConnection(connection_id=connection_id, agent="a")) == (
        "connection_not_allowed",
        409,
    )
    assert await house.refusal(commands.TestConnection(connection_id=connection_id, agent="b")) == ("no_agent_online", 409)
    await house.done(DisableConnection(connection_id=connection_id))
    assert await house.refusal(commands.TestConnection(connection_id=connection_id)) == ("connection_disabled", 409)
    assert await house.refusal(commands.TestConnection(connection_id=new_id())) == ("connection_not_found", 404)


async def test_an_agent_that_does_not_answer_a_test_is_named_in_the_refusal(pool: Pool) -> None:
    async with a_house(pool, keyed(OLD, probe_timeout_seconds=0.2)) as house:
        await house.register("a")
        connection_id = await saved(house)
        reply = await house.ask(commands.TestConnection(connection_id=connection_id))
        assert reply.problem is not None
        assert (reply.problem.code, reply.problem.status) == ("test_timed_out", 504)
        assert "agent a did not say within 0.2 s" in reply.problem.detail


# --- rotation


async def rotate(postgres_url: str, *keys: str) -> tuple[int, str]:
    """Exit code and output of the command."""
    environment = os.environ | {"RUNYARD_DATABASE_URL": postgres_url, "RUNYARD_MASTER_KEYS": ",".join(keys)}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "runyard_dispatcher", "rotate-master-key"),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


async def test_the_master_key_is_rotated_while_the_dispatcher_leads(pool: Pool, postgres_url: str) -> None:
    async with a_house(pool, keyed(OLD)) as house:
        await saved(house, secrets={"password": CANARY})
        code, output = await rotate(postgres_url, NEW, OLD)
        assert code == 1
        assert "restart every dispatcher" in output
    async with a_house(pool, keyed(NEW, OLD)) as house:
        await house.register("a")
        code, output = await rotate(postgres_url, NEW, OLD)
        assert (code, "1 secrets were re-sealed" in output) == (0, True)
        assert CANARY not in output
        (box,) = await boxes_kept(pool)
        assert OpeningKey.derived(NEW).open(box).decode() == CANARY
        await house.order(query(new_id()))  # with what the dispatcher still has in memory
        await until(lambda: len(boxes_sent(house)) == 1)
        assert opened(house, boxes_sent(house)[0]).secrets == {"password": CANARY}
        code, output = await rotate(postgres_url, NEW, OLD)
        assert (code, "0 secrets were re-sealed for the first key, 1 were already" in output) == (0, True)
        keys = house.keys
    async with a_house(pool, keyed(NEW)) as house:
        house.keys = keys
        await until(lambda: len(boxes_sent(house)) == 1)
        assert opened(house, boxes_sent(house)[0]).secrets == {"password": CANARY}


async def test_a_rotation_leaves_what_it_cannot_open_and_names_it(pool: Pool, postgres_url: str) -> None:
    async with a_house(pool, keyed(OLD)) as house:
        await saved(house, secrets={"password": CANARY})
        before = await boxes_kept(pool)
    async with a_house(pool, keyed(NEW)):
        code, output = await rotate(postgres_url, NEW)
    assert (code, "default/db: password" in output) == (1, True)
    assert await boxes_kept(pool) == before
    code, output = await rotate(postgres_url)
    assert (code, "set RUNYARD_MASTER_KEYS" in output) == (1, True)
