"""Two tenants attack each other with every identifier, cursor and key of the other's that they could have come by: nothing is
seen, nothing is changed, and every refusal looks as if the thing were not there."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from runyard_gateway.permissions import Permission

from tests.gateway import House, Json, frames, house
from tests.security.tenants import WORKFLOW, Tenant, two_tenants

BODIES: dict[str, Any] = {
    "saveDraft": WORKFLOW | {"name": "Taken over"},
    "rollBackWorkflow": {"version": 1},
    "replaceChannel": {"name": "ops", "url": "json://127.0.0.1:1/"},
    "changeAgent": {"tags": ["taken"]},
    "replaceConnection": {"name": "taken"},
    "replaceUser": {"roles": []},
    "changeUser": {"roles": ["admin"]},
    "createWebhook": {"webhookId": "hook", "auth": "bearer"},
    "changeTenant": {"name": "Taken"},
}
"""For operations that are refused without one before anything is looked for."""
OWN_NAMES = {"putRole"}
"""Whoever says such a name means the own thing, and makes it."""


@pytest.fixture
async def home(pool: asyncpg.Pool) -> AsyncIterator[House]:
    async with house(pool) as made:
        yield made


async def state_of(home: House, tenant: Tenant) -> dict[str, Any]:
    """All that the tenant can read, but for what changes by itself."""
    found: dict[str, Any] = {}
    for operation in home.gateway.operations:
        if operation.method != "GET" or operation.stream or operation.public or operation.for_agents:
            continue
        path = operation.path.format_map(tenant.ids)
        answer = await tenant.http.get(path)
        if operation.tag in ("audit", "system", "projections") or answer.status_code != 200:
            continue
        found[operation.name] = re.sub(r'"(durationMs|lastUsedAt|asOf|position|head|nextAt)":[^,}]*', "", answer.text)
    return found


async def test_nothing_of_the_other_tenant_is_found_or_changed_by_its_ids(home: House) -> None:
    async with two_tenants(home) as (acme, globex):
        before = await state_of(home, acme)
        assert len(before) > 30
        # names are each tenant's own: the attacker must not have such things itself
        names = {"roleName": "of-acme", "poolName": "of-acme", "userName": "of-acme"}
        ids = acme.ids | names
        for operation in home.gateway.operations:
            if operation.public or operation.for_agents or operation.stream or "{" not in operation.path:
                continue
            if operation.name in OWN_NAMES:
                continue
            answer = await globex.http.request(
                operation.method, operation.path.format_map(ids), json=BODIES.get(operation.name)
            )
            refused = 403 if operation.permission == Permission.INSTALLATION else 404
            assert answer.status_code == refused, (operation.name, answer.status_code, answer.text)
            for name, value in acme.ids.items():
                if name not in ("version", "tenantId", "messageId") and value not in str(answer.request.url):
                    assert value not in answer.text, (operation.name, name)
        assert await state_of(home, acme) == before


async def test_lists_streams_and_figures_of_one_tenant_have_nothing_of_the_other(home: House) -> None:
    async with two_tenants(home) as (acme, globex):
        for name, text in (await state_of(home, globex)).items():
            for what, value in acme.ids.items():
                if value not in globex.ids.values():
                    assert value not in text, (name, what)
        for operation in home.gateway.operations:
            if operation.stream and not operation.for_agents and "{" not in operation.path:
                await hears_only_its_own(operation.path, acme, globex)


async def hears_only_its_own(path: str, acme: Tenant, globex: Tenant) -> None:
    """Both listen from the beginning while both work; neither hears of the other's."""
    heard: dict[str, str] = {acme.name: "", globex.name: ""}

    async def listen(tenant: Tenant, params: dict[str, Any]) -> None:
        async with tenant.http.stream("GET", path, params=params, timeout=30) as answer:
            assert answer.status_code == 200, (path, await answer.aread())
            async for frame in frames(answer):
                heard[tenant.name] += f"{frame.event} {frame.data}\n"

    params: dict[str, Any] = {"after": 0} if path == "/api/v1/events" else {}
    listeners = [asyncio.create_task(listen(tenant, params)) for tenant in (acme, globex)]
    try:
        started: dict[str, str] = {}
        for tenant in (acme, globex):
            answer = await tenant.call("POST", f"/workflows/{tenant.ids['workflowId']}/run", status=202, json={})
            started[tenant.name] = answer["executionId"]
        async with asyncio.timeout(15):
            while not all(tenant.ids["workflowId"] in heard[tenant.name] or started[tenant.name] in heard[tenant.name]
                          for tenant in (acme, globex)):  # fmt: skip
                for listener in listeners:
                    if listener.done():
                        await listener
                await asyncio.sleep(0.02)
    finally:
        for listener in listeners:
            listener.cancel()
        await asyncio.gather(*listeners, return_exceptions=True)
    for one, other in ((acme, globex), (globex, acme)):
        assert other.ids["workflowId"] not in heard[one.name], path
        assert started[other.name] not in heard[one.name], path
        assert other.ids["approvalId"] not in heard[one.name], path


async def test_filters_cursors_and_idempotency_keys_of_another_tenant_open_nothing(home: House) -> None:
    async with two_tenants(home) as (acme, globex):
        theirs = acme.ids["workflowId"]
        assert (await globex.call("GET", "/executions", params={"workflowId": theirs}))["items"] == []
        cancelled = await globex.call("POST", "/executions/bulk-cancel", status=202, json={"filter": {"workflowId": theirs}})
        assert cancelled["matched"] == 0
        for path in ("/executions", "/workflows", "/approvals", "/events.json", "/agents", "/audit"):
            page = await acme.call("GET", path, params={"limit": 1})
            if page["nextCursor"] is None:
                continue
            answer = await globex.http.get(f"/api/v1{path}", params={"cursor": page["nextCursor"]})
            assert not any(value in answer.text for name, value in acme.ids.items() if value not in globex.ids.values()), path
        same = {"Idempotency-Key": "the same for both"}
        runs = [
            await tenant.call("POST", f"/workflows/{tenant.ids['workflowId']}/run", status=202, json={}, headers=same)
            for tenant in (acme, globex)
        ]
        assert runs[0]["executionId"] != runs[1]["executionId"]
        made = [
            await tenant.call("POST", "/pools", status=201, json={"name": "made-once"}, headers={"Idempotency-Key": "another"})
            for tenant in (acme, globex)
        ]
        assert [each["name"] for each in made] == ["made-once", "made-once"]


async def test_a_workflow_reaches_no_workflow_connection_or_agent_of_another_tenant(home: House) -> None:
    async with two_tenants(home) as (acme, globex):
        await acme.call("POST", "/agents", status=201, json={"name": "only-acme"})
        await acme.call("POST", "/pools", status=201, json={"name": "only-acme"})
        await acme.call("POST", "/connections", status=201, json={"name": "only-acme", "kind": "secrets"})
        action: Json = {"id": "a", "type": "action", "action": "script.bash", "params": {"script": "true"}}
        for more in ({"agent": "only-acme"}, {"pool": "only-acme"}, {"connection": "only-acme"}):
            document = {"name": f"Uses {next(iter(more))}", "nodes": [action | more], "edges": [{"from": "trigger", "to": "a"}]}
            made = await globex.call("POST", "/workflows", status=201, json=document)
            problem = await globex.call("POST", f"/workflows/{made['workflowId']}/publish", status=422)
            assert [each["path"] for each in problem["errors"]] == [f"nodes[0].{next(iter(more))}"]
        document = {
            "name": "Runs another's",
            "nodes": [{"id": "child", "type": "subworkflow", "workflow": acme.ids["workflowId"]}],
            "edges": [{"from": "trigger", "to": "child"}],
        }
        made = await globex.call("POST", "/workflows", status=201, json=document)
        path = f"/workflows/{made['workflowId']}"
        if (await globex.http.post(f"/api/v1{path}/publish")).status_code == 200:
            await globex.call("POST", f"{path}/activate")
            started = await globex.call("POST", f"{path}/run", status=202, json={})
            detail: Json = {}
            async with asyncio.timeout(15):
                while detail.get("status") not in ("failed", "completed"):
                    detail = await globex.call(
                        "GET", f"/executions/{started['executionId']}", params={"minPosition": started["position"]}
                    )
            assert detail["status"] == "failed" and "there is no workflow" in str(detail["error"]), detail
        assert len((await acme.call("GET", "/executions"))["items"]) == 2  # by hand and by the incident


async def test_an_incident_or_webhook_starts_only_what_is_of_its_tenant(home: House) -> None:
    async with two_tenants(home) as (acme, globex):
        before = len((await acme.call("GET", "/executions"))["items"])
        event = {"event": "incident.created", "incident": {"id": "of-acme", "title": "Down", "severity": "critical"}}
        received = await globex.call("POST", "/incidents", status=202, json=event)
        assert [each["workflowId"] for each in received["executions"]] == [globex.ids["workflowId"]]
        secret = {"Authorization": f"Bearer {acme.secrets['webhook secret']}"}
        wrong = await home.http.post(f"/api/v1/webhooks/{globex.secrets['webhook key']}", json={}, headers=secret)
        assert wrong.status_code == 401
        records = await acme.call("GET", "/trigger-records")
        assert globex.ids["workflowId"] not in str(records)
        assert len((await acme.call("GET", "/executions"))["items"]) == before


async def test_somebody_of_the_same_name_in_another_tenant_decides_nothing_here(home: House) -> None:
    async with two_tenants(home) as (acme, globex):
        asked = {"Authorization": f"Bearer {globex.secrets['API key']}"}  # of alice, as there is one at acme
        path = f"/api/v1/approvals/{acme.ids['approvalId']}"
        for answer in (
            await home.http.post(f"{path}/approve", json={}, headers=asked),
            await home.http.post(f"{path}/reject", json={}, headers=asked),
            await home.http.get(path, headers=asked),
        ):
            assert answer.status_code == 404, answer.text
        assert (await acme.call("GET", f"/approvals/{acme.ids['approvalId']}"))["status"] == "pending"


async def test_an_agent_of_one_tenant_speaks_for_no_agent_of_another(home: House) -> None:
    async with two_tenants(home) as (acme, globex):
        key = {"Authorization": f"Bearer {globex.secrets['agent key']}"}
        assert (await home.http.get("/api/v1/agent", headers=key)).json()["tenantId"] == "globex"
        for tenant in ("acme", "default"):
            forged: list[Json] = [
                {"type": "AgentHeartbeat", "tenantId": tenant, "name": "remote", "sessionId": "x", "leases": []}
            ]
            answer = await home.http.post("/api/v1/agent/messages", json=forged, headers=key)
            assert answer.status_code == 403, answer.text
        assert (await home.http.get("/api/v1/executions", headers=key)).status_code == 401
        assert (await acme.call("GET", f"/agents/{acme.ids['agentId']}"))["status"] == "new"


async def test_whoever_is_no_administrator_of_the_installation_cannot_touch_it(home: House) -> None:
    async with two_tenants(home) as (acme, globex):
        for operation in home.gateway.operations:
            if operation.permission != "automation:installation":
                continue
            answer = await globex.http.request(operation.method, operation.path.format_map(acme.ids), json={})
            assert answer.status_code == 403, (operation.name, answer.status_code, answer.text)
