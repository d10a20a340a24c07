"""What stands in the way of a job is said where people look: why it waits, why it was refused, and before that on publish."""

import json
from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.engine import action, chain, edge
from tests.gateway import House, Json, house


@pytest.fixture
async def home(pool: asyncpg.Pool) -> AsyncIterator[House]:
    async with house(pool) as made:
        yield made


async def connection(home: House, name: str = "web-hosts") -> str:
    body = {"name": name, "kind": "ssh", "config": {"username": "deploy"}, "secrets": {"password": "correct horse"}}
    created = await home.call("POST", "/connections", status=201, content=json.dumps(body))
    return str(created["connectionId"])


async def test_the_banner_says_that_the_pool_is_paused_and_why(home: House) -> None:
    await home.call("POST", "/pools", status=201, json={"name": "dmz"})
    await home.call("POST", "/pools/dmz/pause", json={"reason": "the firewall is changed"})
    execution_id = await home.run(await home.publish(chain(action("a", pool="dmz"))))
    detail = await home.detail_when(execution_id, lambda each: "is paused by" in each["banner"])
    assert detail["banner"].startswith("Pool dmz is paused by ")
    assert detail["banner"].endswith(": the firewall is changed")
    await home.call("POST", "/pools/dmz/resume")
    await home.detail_when(execution_id, lambda each: "paused" not in each["banner"])


async def test_the_banner_says_that_the_only_agent_is_draining(home: House) -> None:
    agent = await home.agent("remote")
    try:
        await agent.register()
        listed = await home.call("GET", "/agents")
        await home.call("POST", f"/agents/{listed['items'][0]['agentId']}/drain")
        execution_id = await home.run(await home.publish(chain(action("a"))))
        await home.detail_when(execution_id, lambda each: "draining" in each["banner"])
    finally:
        await agent.close()


async def test_a_job_whose_connection_is_disabled_fails_at_once_and_its_error_edge_is_followed(home: House) -> None:
    connection_id = await connection(home)
    document: Json = {
        "name": "Disabled",
        "nodes": [
            action(
                "a", action="ssh.executeCommand", params={"host": "h", "command": "true"}, connection="web-hosts", maxRetries=5
            ),
            {"id": "handler", "type": "errorHandler"},
            {"id": "told", "type": "setVariables", "values": {"why": "{{ error.reason }}"}},
        ],
        "edges": [edge("trigger", "a"), edge("a", "handler", "error"), edge("handler", "told")],
    }
    workflow_id = await home.publish(document)
    await home.call("POST", f"/connections/{connection_id}/disable")
    detail = await home.until(await home.run(workflow_id), "completed")
    assert detail["variables"] == {"why": "connection_disabled"}
    (job,) = detail["jobs"]
    assert (job["status"], job["attempt"], job["agent"]) == ("failed", 1, None)
    assert "web-hosts" in job["error"]["message"]


async def test_a_job_that_waits_is_refused_as_soon_as_its_connection_is_deleted(home: House) -> None:
    connection_id = await connection(home)
    params = {"host": "h", "command": "true"}
    document = chain(action("a", action="ssh.executeCommand", params=params, connection="web-hosts"))
    execution_id = await home.run(await home.publish(document))
    await home.waiting_job(execution_id)
    assert (await home.http.delete(f"/api/v1/connections/{connection_id}")).status_code == 204
    detail = await home.until(execution_id, "failed")
    assert detail["error"]["reason"] == "connection_unknown"


async def test_a_publish_names_all_that_is_not_there(home: House) -> None:
    await connection(home)
    document = chain(
        action("a", pool="dmz", agent="nobody", connection="web-hosts"),
        action("b", action="slack.sendMessage", params={"txt": "hello"}),
        {
            "id": "each",
            "type": "forEach",
            "items": "[1]",
            "body": {"nodes": [action("c", action="acme.restart")], "edges": [edge("item", "c")]},
        },
    )
    workflow_id = (await home.call("POST", "/workflows", status=201, json=document))["workflowId"]
    refused = await home.call("POST", f"/workflows/{workflow_id}/publish", status=422)
    assert {error["path"] for error in refused["errors"]} == {
        *("nodes[0].pool", "nodes[0].agent", "nodes[0].connection"),
        *("nodes[1].params.txt", "nodes[1].connection"),  # not also that there is no text
        "nodes[2].body.nodes[0].action",
    }
    found = await home.call("POST", f"/workflows/{workflow_id}/validate")
    assert found["errors"] == refused["errors"]
