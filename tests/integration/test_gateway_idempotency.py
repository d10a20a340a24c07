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
from runyard_shared.contracts import commands
from runyard_shared.errors import Conflict, Refusal, Unavailable
from runyard_shared.eventstore.migrate import migrate
from runyard_shared.ids import new_id
from runyard_shared.messaging.requests import Requests
from runyard_shared.messaging.topology import DISPATCHER_COMMANDS, approvals_inbox, orchestrator_inbox

from tests.engine import CATALOG
from tests.gateway import CHAIN, TOKEN, House, Json, house
from tests.integration.test_gateway_approvals import asked, gate

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


NEW_EACH_TIME = ("key", "secret", "url", "command", "position")
"""What nobody has seen; and a position may be one that also shows what the command did."""


async def test_what_a_dead_gateway_has_done_is_known_by_its_key_and_answered_as_if_it_lived(
    pool: asyncpg.Pool,
) -> None:
    async with house(pool) as home:

        async def twice(method: str, path: str, status: int, **options: Any) -> Json:
            """Once by a gateway that dies before it keeps the answer, once by the next one."""
            key = {"Idempotency-Key": new_id()}
            first = await home.http.request(method, f"/api/v1{path}", headers=key, **options)
            assert first.status_code == status, first.text
            await pool.execute(
                "update gateway.kept_answer set status = null, headers = null, body = null, held_until = now() where key = $1",
                key["Idempotency-Key"],
            )
            again = await home.http.request(method, f"/api/v1{path}", headers=key, **options)
            assert "idempotency-replayed" not in again.headers
            assert (again.status_code, again.headers.get("location")) == (status, first.headers.get("location")), again.text
            if status == 204:
                return {}
            public = [
                {name: value for name, value in each.json().items() if name not in NEW_EACH_TIME} for each in (first, again)
            ]
            assert public[0] == public[1]
            return dict(again.json())

        async def opens(key: str, path: str, who: str) -> None:
            answer = await home.http.get(f"/api/v1{path}", headers={"Authorization": f"Bearer {key}"})
            assert answer.status_code == 200 and who in answer.text

        workflow = f"/workflows/{(await twice('POST', '/workflows', 201, json=CHAIN))['workflowId']}"
        assert (await twice("POST", f"{workflow}/publish", 200))["version"] == 1
        created = await twice("POST", "/workflows/import", 200, json=CHAIN | {"name": "Imported"})
        updated = await twice("POST", "/workflows/import", 200, json=CHAIN | {"name": "Imported", "description": "new"})
        assert [each["items"][0]["outcome"] for each in (created, updated)] == ["created", "updated"]
        await home.call("POST", f"{workflow}/activate")
        run = await twice("POST", f"{workflow}/run", 202, json={})
        await twice("POST", f"/executions/{run['executionId']}/cancel", 202, json={})
        await twice("POST", f"/executions/{run['executionId']}/rerun", 202, json={})
        await twice("POST", "/executions/bulk-rerun", 202, json={"all": True})
        await twice("POST", "/executions/bulk-cancel", 202, json={"all": True})
        _, approval_id = await asked(home, gate())
        await twice("POST", f"/approvals/{approval_id}/approve", 200, json={"note": "yes"})
        pool_made = await twice("POST", "/pools", 201, json={"name": "dmz"})
        assert pool_made["name"] == "dmz"
        await twice("DELETE", "/pools/dmz", 204)
        ssh = {"name": "web", "kind": "ssh", "config": {"host": "h", "username": "u"}, "secrets": {"password": "correct horse"}}
        connection = await twice("POST", "/connections", 201, json=ssh)
        await twice("DELETE", f"/connections/{connection['connectionId']}", 204)
        agent = await twice("POST", "/agents", 201, json={"name": "a"})
        await opens(agent["key"], "/agent", agent["agentId"])
        rotated = await twice("POST", f"/agents/{agent['agentId']}/rotate-key", 200)
        await opens(rotated["key"], "/agent", agent["agentId"])
        url = "json://127.0.0.1:1/hook"
        channel = await twice("POST", "/notification-channels", 201, json={"name": "ops", "url": url})
        await twice("DELETE", f"/notification-channels/{channel['channelId']}", 204)
        await twice("POST", "/users", 201, json={"name": "eve", "roles": ["viewer"]})
        assert (await home.call("POST", "/users", status=409, json={"name": "eve", "roles": []}))["code"] == "user_exists"
        key = await twice("POST", "/api-keys", 201, json={"user": "eve"})
        await opens(key["key"], "/executions", "items")
        assert len((await home.call("GET", "/api-keys", params={"user": "eve"}))["items"]) == 1
        tenant = await twice("POST", "/tenants", 201, json={"tenantId": "acme", "name": "Acme", "user": "root"})
        await opens(tenant["key"], "/users", "root")


async def test_a_request_that_is_delivered_again_gets_the_answer_of_the_first(pool: asyncpg.Pool) -> None:
    async with house(pool) as home:
        asker = Requests(home.bus, "tester")
        await asker.open()

        async def ask(queue: str, command: commands.Command, request_id: str) -> Any:
            return await asker.ask(queue, command, tenant_id="default", actor="ada", request_id=request_id)

        workflow_id, channel_id = new_id(), new_id()
        texts: Any = {"source": "", "format": "json"}

        def saved(**fields: Any) -> commands.SaveDraft:
            return commands.SaveDraft(workflow_id=workflow_id, document=CHAIN | fields, **texts)

        inbox = orchestrator_inbox(workflow_id)
        sent: list[tuple[str, commands.Command]] = [
            (inbox, commands.CreateWorkflow(workflow_id=workflow_id, document=CHAIN, **texts)),
            (inbox, commands.SaveDraft(workflow_id=workflow_id, document=CHAIN | {"description": "1"}, if_revision=1, **texts)),
            (inbox, saved(description="2")),
            (inbox, commands.PublishWorkflow(workflow_id=workflow_id, catalog=CATALOG)),
            (inbox, saved(description="3")),
            (
                inbox,
                commands.ImportWorkflow(
                    workflow_id=workflow_id, document=CHAIN, publish=True, activate=False, catalog=CATALOG, **texts
                ),
            ),
            (DISPATCHER_COMMANDS, commands.CreatePool(pool="dmz", description="")),
            (DISPATCHER_COMMANDS, commands.CreatePool(pool="dmz", description="")),
            (DISPATCHER_COMMANDS, commands.DeletePool(pool="dmz")),
            (approvals_inbox(channel_id), commands.SaveChannel(channel_id=channel_id, name="o", url="json://127.0.0.1:1/")),
            (approvals_inbox(channel_id), commands.DeleteChannel(channel_id=channel_id)),
        ]
        ids = [new_id() for _ in sent]
        first = [await ask(queue, command, each) for each, (queue, command) in zip(ids, sent, strict=True)]
        assert [each.problem.code for each in first if each.problem] == ["pool_exists"]
        log = await pool.fetchval("select max(position) from read.event")
        for number in (1, 2, 3, 4, 5, 6, 7, 8, 10):
            again = await ask(*sent[number], ids[number])
            assert again == first[number], sent[number]
        assert await pool.fetchval("select max(position) from read.event") == log, "nothing happened twice"
        await asker.close()


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
    calls, begun = SimpleNamespace(total=0), asyncio.Event()

    async def slow(_: Call) -> Answer:
        calls.total += 1
        begun.set()
        await asyncio.sleep(0.5)
        raise Unavailable("the orchestrator is away")

    async def refuse(_: Call) -> Answer:
        calls.total += 1
        raise Refusal("not_now", "Not now.", 409)

    front = fronts(held_seconds=0.3, wait_seconds=5)
    failing = asyncio.create_task(front.answer(things(slow), call(), "k"))
    await begun.wait()
    with pytest.raises(Refusal):
        await front.answer(things(refuse), call(), "k")
    with pytest.raises(Unavailable):
        await failing
    again = await front.answer(things(slow), call(), "k")
    assert isinstance(again, Answer) and again.status == 409 and b"not_now" in again.body
    assert calls.total == 2, "the second waited for the first, which had failed; the third was told what the second was"
