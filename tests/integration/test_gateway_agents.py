"""Agents and pools over HTTP, what publish knows of them, and what there is to choose from."""

from collections.abc import AsyncIterator
from hashlib import sha256

import asyncpg
import pytest
from runyard_shared.contracts.actions import ACTIONS, ActionType
from runyard_shared.contracts.connections import CONNECTION_KINDS
from runyard_shared.contracts.jobs import AgentStopping
from runyard_shared.ids import new_id

from tests.gateway import CHAIN, House, Json, LinkedAgent, house


@pytest.fixture
async def home(pool: asyncpg.Pool) -> AsyncIterator[House]:
    async with house(pool) as made:
        yield made


async def test_an_agents_key_is_shown_once_and_kept_as_a_hash(home: House, pool: asyncpg.Pool) -> None:
    made = await home.call("POST", "/agents", status=201, json={"name": "dc-1", "tags": ["eu", "linux", "eu"]})
    assert made["key"].startswith("rya_") and len(made["key"]) == 47
    assert made["command"] == f"runyard-agent --url {home.gateway.address} --key {made['key']}"
    assert (made["name"], made["pool"], made["tags"]) == ("dc-1", "default", ["eu", "linux"])
    row = await home.call("GET", f"/agents/{made['agentId']}")
    assert (row["status"], row["drained"], row["capacity"], row["transport"], row["registeredAt"]) == (
        "new",
        False,
        0,
        None,
        None,
    )
    assert row["createdAt"] and "key" not in row
    assert await pool.fetchval("select key_hash from dispatcher.agent") == sha256(made["key"].encode()).hexdigest()
    for (table,) in await pool.fetch(
        "select format('%I.%I', schemaname, tablename) from pg_tables where schemaname = 'dispatcher'"
    ):
        assert not [row for (row,) in await pool.fetch(f"select t::text from {table} t") if made["key"] in row], table
    again = await home.call("POST", "/agents", status=409, json={"name": "dc-1"})
    assert (again["code"], again["agentId"]) == ("agent_exists", made["agentId"])
    wrong = await home.call("POST", "/agents", status=422, json={"name": "a b", "pool": "-", "tags": ["ok", ""]})
    assert [each["path"] for each in wrong["errors"]] == ["name", "pool", "tags[1]"]
    nowhere = await home.call("POST", "/agents", status=422, json={"name": "b", "pool": "nowhere"})
    assert (nowhere["code"], [each["path"] for each in nowhere["errors"]]) == ("unknown_pool", ["pool"])


async def test_the_command_line_names_the_address_that_agents_reach(pool: asyncpg.Pool) -> None:
    async with house(pool, public_url="https://runyard.example.com/") as home:
        made = await home.call("POST", "/agents", status=201, json={"name": "dc-1"})
        assert made["command"].startswith("runyard-agent --url https://runyard.example.com --key rya_")


async def test_agents_are_found_by_pool_and_status(home: House) -> None:
    await home.call("POST", "/pools", status=201, json={"name": "dmz"})
    for name, pool_name in (("a", "dmz"), ("b", "default"), ("c", "dmz")):
        await home.call("POST", "/agents", status=201, json={"name": name, "pool": pool_name})
    agents = {each["name"]: each for each in (await home.call("GET", "/agents"))["items"]}
    await home.call("POST", f"/agents/{agents['c']['agentId']}/revoke")

    async def found(**query: object) -> list[str]:
        return [each["name"] for each in (await home.call("GET", "/agents", params=query))["items"]]

    assert await found(pool="dmz") == ["a", "c"]
    assert await found(pool="dmz", status="new") == ["a"]
    assert await found(status=["new", "revoked"]) == ["a", "b", "c"]
    first = await home.call("GET", "/agents", params={"pool": "dmz", "limit": 1})
    assert await found(pool="dmz", limit=1, cursor=first["nextCursor"]) == ["c"]
    assert (await home.call("GET", "/agents", status=400, params={"status": "asleep"}))["code"] == "invalid_query"


async def test_an_agent_is_moved_drained_resumed_and_revoked_for_good(home: House) -> None:
    await home.call("POST", "/pools", status=201, json={"name": "dmz"})
    agent = await home.agent(tags=["eu"])
    await agent.register(tags=["linux"])
    path = f"/agents/{agent.agent_id}"
    row = await home.call("GET", path)
    assert (row["status"], row["tags"], row["actions"], row["capacity"]) == ("online", ["eu", "linux"], ["script.bash"], 4)
    moved = await home.call("PATCH", path, json={"pool": "dmz"})
    assert (moved["pool"], moved["tags"]) == ("dmz", ["eu", "linux"])
    assert (await home.call("PATCH", path, json={"tags": []}))["tags"] == ["linux"]
    drained = await home.call("POST", f"{path}/drain")
    assert (drained["status"], drained["drained"]) == ("draining", True)
    await agent.say(AgentStopping(tenant_id="default", name=agent.name, session_id=agent.session_id))
    gone = await home.call("GET", path)
    assert (gone["status"], gone["drained"]) == ("offline", True) and gone["reason"]
    assert (await home.call("POST", f"{path}/resume"))["drained"] is False
    assert (await home.call("POST", f"{path}/revoke"))["status"] == "revoked"
    for action in ("drain", "resume", "rotate-key"):
        assert (await home.call("POST", f"{path}/{action}", status=409))["code"] == "agent_revoked"
    again = await home.agent()
    assert (again.agent_id, again.key != agent.key) == (agent.agent_id, True)
    await again.register()


async def test_agents_that_are_not_there_are_not_found(home: House, pool: asyncpg.Pool) -> None:
    agent = await home.agent()
    await pool.execute("update dispatcher.agent set tenant_id = 'other'")
    assert (await home.call("GET", "/agents"))["items"] == []
    await home.call("GET", f"/agents/{agent.agent_id}", status=404)
    for method, path in (
        ("GET", ""), ("GET", "/jobs"), ("PATCH", ""),
        ("POST", "/drain"), ("POST", "/resume"), ("POST", "/revoke"), ("POST", "/rotate-key"),
    ):  # fmt: skip
        body: Json = {"json": {}} if method == "PATCH" else {}
        for agent_id in (new_id(), "x"):
            refused = await home.call(method, f"/agents/{agent_id}{path}", status=404, **body)
            assert refused["code"] == "agent_not_found", (method, path)


async def test_pools_are_made_paused_with_a_reason_and_deleted_when_nothing_needs_them(home: House, pool: asyncpg.Pool) -> None:
    made = await home.call("POST", "/pools", status=201, json={"name": "dmz", "description": "behind the wall"})
    assert (made["name"], made["description"], made["paused"], made["agents"]) == ("dmz", "behind the wall", False, 0)
    assert (await home.call("POST", "/pools", status=409, json={"name": "dmz"}))["code"] == "pool_exists"
    agent = await home.agent(pool="dmz")
    await agent.register()
    paused = await home.call("POST", "/pools/dmz/pause", json={"reason": "the wall is painted"})
    assert (paused["paused"], paused["pausedBy"], paused["pauseReason"]) == (True, "admin", "the wall is painted")
    assert (paused["online"], paused["capacity"]) == (1, 4)
    node = {**CHAIN["nodes"][0], "pool": "dmz"}
    document = {**CHAIN, "nodes": [node], "edges": [{"from": "trigger", "to": "first"}]}
    execution_id = await home.run(await home.publish(document))
    detail = await home.detail_when(execution_id, lambda each: "the wall is painted" in each["banner"])
    assert detail["waiting"][0]["reason"] == "agent"
    asked = await home.call("GET", "/pools/dmz/jobs")
    (waits,) = asked["waiting"]["items"]
    assert (waits["executionId"], waits["nodeName"], waits["agent"]) == (execution_id, "First step", None)
    assert waits["reason"] == "pool dmz is paused by admin: the wall is painted"
    assert asked["waiting"]["reasons"] == [{"reason": waits["reason"], "jobs": 1, "since": waits["waitingSince"]}]
    assert (asked["waiting"]["total"], asked["held"]) == (1, {"items": [], "total": 0})
    in_use = await home.call("DELETE", "/pools/dmz", status=409)
    assert (in_use["code"], in_use["agents"]) == ("pool_in_use", ["remote"])
    orders = await agent.orders()
    assert (await home.call("POST", "/pools/dmz/resume"))["paused"] is False
    await orders.next()
    asked = await home.call("GET", "/pools/dmz/jobs")
    assert [(each["jobId"], each["agent"]) for each in asked["held"]["items"]] == [(waits["jobId"], "remote")]
    assert (asked["held"]["total"], asked["waiting"]) == (1, {"items": [], "total": 0, "reasons": []})
    elsewhere = await home.call("GET", "/pools/default/jobs")
    assert (elsewhere["held"]["total"], elsewhere["waiting"]["total"]) == (0, 0)
    assert [each["name"] for each in (await home.call("GET", "/pools"))["items"]] == ["default", "dmz"]
    assert (await home.call("DELETE", "/pools/default", status=409))["code"] == "pool_is_default"
    for method, path in (("DELETE", ""), ("GET", "/jobs"), ("POST", "/pause"), ("POST", "/resume")):
        assert (await home.call(method, f"/pools/nowhere{path}", status=404))["code"] == "pool_not_found"
        assert (await home.call(method, f"/pools/a%20b{path}", status=404))["code"] == "pool_not_found"
    await home.call("POST", "/pools", status=201, json={"name": "empty"})
    assert (await home.http.delete("/api/v1/pools/empty")).status_code == 204
    for table in ("job", "agent"):
        await pool.execute(f"update dispatcher.{table} set tenant_id = 'other'")
    assert (await home.call("GET", "/pools/dmz/jobs"))["held"] == {"items": [], "total": 0}
    await pool.execute("update dispatcher.pool set tenant_id = 'other'")
    assert (await home.call("GET", "/pools/dmz/jobs", status=404))["code"] == "pool_not_found"


# --- what a workflow may refer to


async def test_publish_knows_what_there_is_and_tells_everything_that_there_is_not(home: House) -> None:
    def document(**fields: object) -> Json:
        nodes = [{**node, **fields} for node in CHAIN["nodes"]]
        return {**CHAIN, "name": f"Refers {new_id()}", "nodes": nodes}

    wrong = document(pool="dmz", connection="web", agent="remote")
    workflow_id = (await home.call("POST", "/workflows", status=201, json=wrong))["workflowId"]
    told = await home.call("POST", f"/workflows/{workflow_id}/validate")
    assert told["valid"] is False
    places = {each["path"] for each in told["errors"]}
    assert {f"nodes[{n}].{field}" for n in (0, 1) for field in ("pool", "connection", "agent")} <= places
    refused = await home.call("POST", f"/workflows/{workflow_id}/publish", status=422)
    assert refused["code"] == "invalid_workflow" and {each["path"] for each in refused["errors"]} == places
    await home.call("POST", "/pools", status=201, json={"name": "dmz"})
    await home.agent(pool="dmz")
    body = {"name": "web", "kind": "http", "config": {"baseUrl": "https://example.com"}}
    await home.call("POST", "/connections", status=201, json=body)
    told = await home.call("POST", f"/workflows/{workflow_id}/validate")
    assert {each["path"] for each in told["errors"]} == {"nodes[0].connection", "nodes[1].connection"}  # the wrong kind
    await home.call("POST", "/connections", status=201, json={"name": "bag", "kind": "secrets", "secrets": {"A": "12345"}})
    await home.publish(document(pool="dmz", connection="bag", agent="remote"))


async def test_what_agents_announce_can_be_chosen_and_is_checked(home: House) -> None:
    before = (await home.call("GET", "/action-types"))["items"]
    assert [each["type"] for each in before] == sorted(ACTIONS) and all(each["builtIn"] for each in before)
    bash = next(each for each in before if each["type"] == "script.bash")
    assert bash["description"] and bash["params"]["required"] == ["script"] and "exitCode" in bash["output"]["properties"]
    agent = await home.agent()
    schema = {"type": "object", "properties": {"colour": {"enum": ["red", "blue"]}}, "required": ["colour"]}
    announced = ActionType(type="wall.paint", params=schema, connections=["ssh"], description="Paints a wall.")
    await agent.register(actions=["script.bash", "wall.paint"], action_types=[announced])
    (paint,) = [each for each in (await home.call("GET", "/action-types"))["items"] if not each["builtIn"]]
    assert (paint["type"], paint["params"], paint["connections"], paint["needsConnection"]) == (
        "wall.paint", schema, ["ssh"], False,
    )  # fmt: skip
    for colour, valid in (("red", True), ("green", False)):
        node = {"id": "first", "type": "action", "action": "wall.paint", "params": {"colour": colour}}
        document = {**CHAIN, "name": f"Paint {colour}", "nodes": [node], "edges": [{"from": "trigger", "to": "first"}]}
        workflow_id = (await home.call("POST", "/workflows", status=201, json=document))["workflowId"]
        assert (await home.call("POST", f"/workflows/{workflow_id}/validate"))["valid"] is valid, colour


async def test_the_kinds_of_connections_come_with_their_schemas(home: House) -> None:
    kinds = {each["kind"]: each for each in (await home.call("GET", "/connection-types"))["items"]}
    assert kinds.keys() == CONNECTION_KINDS.keys()
    assert kinds["ssh"]["config"]["properties"]["port"]["default"] == 22
    key = kinds["kubernetes"]["secrets"]["properties"]["token"]
    assert (key["writeOnly"], key["format"]) == (True, "password")


async def test_what_happens_to_agents_and_connections_is_not_in_the_tenants_event_stream(home: House) -> None:
    agent: LinkedAgent = await home.agent()
    await agent.register()
    await home.call("POST", "/connections", status=201, json={"name": "bag", "kind": "secrets", "secrets": {"A": "12345"}})
    await home.publish()
    topics = {each["type"] for each in (await home.call("GET", "/events.json", params={"limit": 200}))["items"]}
    assert topics and all(each.startswith("runyard.workflow.") for each in topics), topics
