"""Idempotency-Key: a command is carried out once, whoever asks again, at which gateway, and whoever died meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest
import runyard_gateway.app
import runyard_gateway.settings
from pydantic import SecretStr
from runyard_gateway.database import Database
from runyard_gateway.expiry import Expiry
from runyard_gateway.http.answer import Answer, json_answer
from runyard_gateway.http.identity import Identity
from runyard_gateway.http.operation import Call, Operation
from runyard_gateway.idempotency import REPLAYED, Idempotency
from runyard_gateway.queries.kept_answers import KeptAnswerQueries
from runyard_gateway.secret import Secret
from runyard_shared.clock import SystemClock
from runyard_shared.errors import Conflict, Refusal, Unavailable
from runyard_shared.eventstore.migrate import migrate

from tests.gateway import CHAIN, TOKEN, House, house

KEY = {"Idempotency-Key": "order 66"}
Handler = Callable[[Call], Awaitable[Any]]


def call(**path: str) -> Call:
    return Call(Identity("default", "alice"), path, {}, None, None)


def things(handle: Handler) -> Operation:
    return Operation(method="POST", path="/things", handle=handle, name="make", summary="", tag="", permission=None)


@pytest.fixture
async def fronts(pool: asyncpg.Pool) -> Callable[..., Idempotency]:
    """Those of as many gateways as one likes, on one database."""
    await migrate(pool, "gateway", "runyard_gateway")
    database = Database(pool)
    return lambda **seconds: Idempotency(KeptAnswerQueries(database), Secret(database, None), **seconds)


async def test_a_command_runs_once_and_gives_one_answer_at_two_gateways(pool: asyncpg.Pool) -> None:
    async with house(pool) as home:
        settings = runyard_gateway.settings.Settings(port=0, admin_token=SecretStr(TOKEN))
        other = await runyard_gateway.app.create(settings, bus=home.bus, pool=pool, clock=SystemClock())
        await other.start()
        second = House(home.bus, pool, other)
        try:
            asked = [each.http.post("/api/v1/workflows", json=CHAIN, headers=KEY) for each in (home, second) for _ in range(5)]
            answers = await asyncio.gather(*asked)
            assert {(each.status_code, each.content, each.headers["etag"]) for each in answers} == {
                (201, answers[0].content, '"1"')
            }
            assert sum("idempotency-replayed" in each.headers for each in answers) == len(answers) - 1
            path = f"/workflows/{answers[0].json()['workflowId']}"
            for method, where, options in (
                ("POST", "/workflows", {"json": CHAIN | {"name": "Other"}}),
                ("POST", f"{path}/publish", {}),
            ):
                reused = await second.call(method, where, status=422, headers=KEY, **options)
                assert reused["code"] == "idempotency_key_reused"
            refused = [
                await each.http.post(f"/api/v1{path}/activate", headers={"Idempotency-Key": "a"}) for each in (home, second)
            ]
            assert [each.status_code for each in refused] == [409, 409] and refused[0].content == refused[1].content

            agent = [
                await home.http.post("/api/v1/agents", json={"name": "a"}, headers=KEY | {"Idempotency-Key": "b"}) for _ in "12"
            ]
            assert [each.status_code for each in agent] == [201, 409] and agent[1].json()["code"] == "answer_not_kept"
            kept = await pool.fetch("select k::text as row from gateway.kept_answer k")
            assert not any(agent[0].json()["key"] in each["row"] for each in kept)
        finally:
            await second.close()
            await other.stop()


async def test_who_dies_half_way_leaves_the_command_to_the_next_who_makes_the_same_things(
    fronts: Callable[..., Idempotency],
) -> None:
    made: list[str] = []
    half_way = asyncio.Event()

    async def die(each: Call) -> Answer:
        made.append(each.new_id())
        half_way.set()
        return await asyncio.Future()

    async def carry_out(each: Call) -> Answer:
        made.append(each.new_id())
        return json_answer({"id": made[-1]}, 201)

    dying = asyncio.create_task(fronts(held_seconds=0.4).answer(things(die), call(), "k"))
    await half_way.wait()
    dying.cancel()
    with pytest.raises(Conflict) as busy:
        await fronts(wait_seconds=0).answer(things(carry_out), call(), "k")
    assert busy.value.code == "request_under_way" and busy.value.extra == {"retryAfterSeconds": 1}
    answer = await fronts().answer(things(carry_out), call(), "k")
    again = await fronts().answer(things(die), call(), "k")
    assert isinstance(answer, Answer) and isinstance(again, Answer)
    assert (again.status, again.body, again.headers) == (201, answer.body, [*answer.headers, REPLAYED])
    assert len(made) == 2 and made[0] == made[1]


async def test_answers_are_forgotten_after_a_day(pool: asyncpg.Pool, fronts: Callable[..., Idempotency]) -> None:
    async def make(each: Call) -> Answer:
        return json_answer({"id": each.new_id()}, 201)

    first = await fronts().answer(things(make), call(), "k")
    await pool.execute("update gateway.kept_answer set created_at = created_at - interval '25 hours'")
    second = await fronts().answer(things(make), call(name="other"), "k")
    assert isinstance(first, Answer) and isinstance(second, Answer) and first.body != second.body
    await Expiry(Database(pool)).forget()
    assert await pool.fetchval("select count(*) from gateway.kept_answer") == 1
    await pool.execute("update gateway.kept_answer set created_at = created_at - interval '25 hours'")
    await Expiry(Database(pool)).forget()
    assert await pool.fetchval("select count(*) from gateway.kept_answer") == 0


async def test_who_takes_long_keeps_the_key_and_what_failed_may_be_asked_again(fronts: Callable[..., Idempotency]) -> None:
    calls = SimpleNamespace(total=0)

    async def slow(_: Call) -> Answer:
        calls.total += 1
        await asyncio.sleep(0.5)
        raise Unavailable("the orchestrator is away")

    async def refuse(_: Call) -> Answer:
        calls.total += 1
        raise Refusal("not_now", "Not now.", 409)

    front = fronts(held_seconds=0.15, wait_seconds=5)
    failing = asyncio.create_task(front.answer(things(slow), call(), "k"))
    await asyncio.sleep(0.05)
    with pytest.raises(Refusal):
        await front.answer(things(refuse), call(), "k")
    with pytest.raises(Unavailable):
        await failing
    again = await front.answer(things(slow), call(), "k")
    assert isinstance(again, Answer) and again.status == 409 and b"not_now" in again.body
    assert calls.total == 2, "the second waited for the first, which had failed; the third was told what the second was"
