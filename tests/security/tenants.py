"""Two tenants of one installation, each with one of everything, and what each can see."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from tests.gateway import NO_TLS, House, Json

WORKFLOW: Json = {
    "name": "Asks and acts",
    "inputs": {"type": "object", "properties": {"host": {"type": "string", "default": "h"}}},
    "triggers": [
        {"type": "manual"},
        {"type": "webhook", "id": "hook"},
        {"type": "schedule", "cron": "0 6 * * 1"},
        {"type": "incident", "events": ["incident.created"]},
    ],
    "nodes": [
        {"id": "act", "type": "action", "action": "script.bash", "params": {"script": "true"}},
        {"id": "ask", "type": "approval", "message": "Go on?"},
    ],
    "edges": [{"from": "trigger", "to": "act"}, {"from": "trigger", "to": "ask"}],
}


class Tenant:
    """An administrator of a tenant: `ids` of the things there, by the name that they have in paths."""

    def __init__(self, name: str, http: httpx.AsyncClient) -> None:
        self.name = name
        self.http = http
        self.ids: dict[str, str] = {}
        self.secrets: dict[str, str] = {}
        """What was shown once."""

    async def call(self, method: str, path: str, *, status: int = 200, **options: Any) -> Any:
        answer = await self.http.request(method, f"/api/v1{path}", **options)
        assert answer.status_code == status, (method, path, answer.status_code, answer.text)
        return answer.json() if answer.content else None

    async def settle(self) -> None:
        """Makes one of everything."""
        made = await self.call("POST", "/workflows", status=201, json=WORKFLOW)
        workflow_id = made["workflowId"]
        await self.call("POST", f"/workflows/{workflow_id}/publish")
        await self.call("POST", f"/workflows/{workflow_id}/activate")
        started = await self.call("POST", f"/workflows/{workflow_id}/run", status=202, json={})
        path = f"/executions/{started['executionId']}"
        detail = await self.call("GET", path, params={"minPosition": started["position"]})
        while not (detail["jobs"] and detail["approvals"]):
            detail = await self.call("GET", path)
        agent = await self.call("POST", "/agents", status=201, json={"name": "remote"})
        channel = await self.call(
            "POST", "/notification-channels", status=201, json={"name": "ops", "url": f"json://u:{self.name}-pass@127.0.0.1:1/"}
        )
        connection = await self.call(
            "POST",
            "/connections",
            status=201,
            json={"name": "bag", "kind": "secrets", "secrets": {"token": f"{self.name}-bag"}},
        )
        await self.call("POST", "/pools", status=201, json={"name": "dmz"})
        await self.call("POST", "/users", status=201, json={"name": "alice", "roles": ["operator"]})
        key = await self.call("POST", "/api-keys", status=201, json={"user": "alice"})
        await self.call("PUT", "/roles/night-shift", json={"permissions": ["automation:view"]})
        hook = await self.call(
            "POST", f"/workflows/{workflow_id}/webhooks", status=201, json={"webhookId": "hook", "auth": "bearer"}
        )
        sent = {"event": "incident.created", "incident": {"id": f"of-{self.name}", "title": "Down", "severity": "critical"}}
        received = await self.call("POST", "/incidents", status=202, json=sent)
        assert [each["workflowId"] for each in received["executions"]] == [workflow_id]
        self.secrets = {
            "agent key": agent["key"],
            "API key": key["key"],
            "webhook key": hook["key"],
            "webhook secret": hook["secret"],
            "channel password": f"{self.name}-pass",
            "connection secret": f"{self.name}-bag",
        }
        self.ids = {
            "workflowId": workflow_id,
            "executionId": started["executionId"],
            "jobId": detail["jobs"][0]["jobId"],
            "approvalId": detail["approvals"][0]["approvalId"],
            "channelId": channel["channelId"],
            "agentId": agent["agentId"],
            "connectionId": connection["connectionId"],
            "keyId": key["keyId"],
            "hookId": hook["hookId"],
            "roleName": "night-shift",
            "poolName": "dmz",
            "userName": "alice",
            "tenantId": self.name,
            "version": "1",
            "messageId": 64 * "0",
        }


@asynccontextmanager
async def two_tenants(home: House) -> AsyncIterator[tuple[Tenant, Tenant]]:
    """Made by the administrator of the installation."""
    tenants = []
    for name in ("acme", "globex"):
        made = await home.call("POST", "/tenants", status=201, json={"tenantId": name, "name": name.title(), "user": "owner"})
        headers = {"Authorization": f"Bearer {made['key']}"}
        http = httpx.AsyncClient(base_url=home.gateway.address, headers=headers, timeout=20, trust_env=False, verify=NO_TLS)
        tenants.append(Tenant(name, http))
        await tenants[-1].settle()
        tenants[-1].secrets["owner's API key"] = made["key"]
    try:
        yield tenants[0], tenants[1]
    finally:
        for tenant in tenants:
            await tenant.http.aclose()
