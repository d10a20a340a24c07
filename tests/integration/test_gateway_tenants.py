"""Tenants share an installation and nothing else; roles that a tenant makes; keys that may do less than their user."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest
from runyard_shared.messaging.memory import MemoryBus

from tests.gateway import House, Json, gateway_alone


@pytest.fixture
async def home(pool: asyncpg.Pool) -> AsyncIterator[House]:
    async with gateway_alone(MemoryBus(), pool) as made:
        yield made


async def asked(home: House, key: str, method: str, path: str, status: int = 200, **options: Any) -> Json:
    answer = await home.http.request(method, f"/api/v1{path}", headers={"Authorization": f"Bearer {key}"}, **options)
    assert answer.status_code == status, (answer.status_code, answer.text)
    return dict(answer.json()) if answer.content else {}


async def test_a_tenant_is_made_with_an_administrator_of_its_own_and_sees_only_itself(home: House, pool: asyncpg.Pool) -> None:
    assert [each["tenantId"] for each in (await home.call("GET", "/tenants"))["items"]] == ["default"]
    body = {"tenantId": "acme", "name": "Acme", "timeZone": "Europe/Berlin", "user": "eve"}
    made = await home.call("POST", "/tenants", status=201, json=body)
    assert {**body, "disabled": False}.items() <= made.items()
    assert (await home.call("POST", "/tenants", status=409, json=body))["code"] == "tenant_exists"
    for wrong in ({"tenantId": "A.b"}, {"timeZone": "Mars/Base"}, {"timeZone": "../x"}, {"user": "admin"}):
        field = next(iter(wrong))
        refused = await home.call("POST", "/tenants", status=422, json={**body, "tenantId": "other", **wrong})
        assert [each["path"] for each in refused["errors"]] == [field]
    me = await asked(home, made["key"], "GET", "/me")
    assert (me["name"], me["tenantId"], me["roles"]) == ("eve", "acme", ["admin"])
    assert "automation:installation" not in me["permissions"]
    for method, path in (("GET", "/tenants"), ("GET", "/tenants/acme"), ("PATCH", "/tenants/default")):
        refused = await asked(home, made["key"], method, path, 403, json={"disabled": True} if method == "PATCH" else None)
        assert "admin token" in refused["detail"]
    # an administrator of a tenant cannot give what it does not have
    await asked(home, made["key"], "PUT", "/roles/all", 422, json={"permissions": ["automation:installation"]})
    row = await pool.fetchrow("select name, time_zone from read.tenant where tenant_id = 'acme'")
    assert row is not None and tuple(row) == ("Acme", "Europe/Berlin")


async def test_a_disabled_tenant_is_out_at_once_and_in_again_as_it_was(home: House) -> None:
    made = await home.call("POST", "/tenants", status=201, json={"tenantId": "acme", "name": "Acme"})
    key, own = made["key"], f"/tenants/{made['tenantId']}"
    assert (await asked(home, key, "GET", "/users"))["items"]
    async with httpx.AsyncClient(base_url=home.gateway.address, trust_env=False) as browser:
        assert (await browser.post("/api/v1/session", json={"key": key})).status_code == 201
        assert (await home.call("PATCH", own, json={"disabled": True}))["disabled"]
        assert (await browser.get("/api/v1/me")).status_code == 401
        await asked(home, key, "GET", "/users", 401)
        assert (await home.call("PATCH", own, json={"name": "Acme Inc", "disabled": False}))["name"] == "Acme Inc"
        assert (await browser.get("/api/v1/me")).json()["tenantId"] == "acme"
    await asked(home, key, "GET", "/users")
    # whoever holds the admin token cannot shut himself out
    assert (await home.call("PATCH", "/tenants/default", status=409, json={"disabled": True}))["code"] == "own_tenant"
    assert (await home.call("PATCH", "/tenants/nobody", status=404, json={}))["code"] == "tenant_not_found"


async def test_roles_of_a_tenant_give_what_it_says_as_long_as_it_says_so(home: House) -> None:
    await home.call("POST", "/users", status=201, json={"name": "bob", "roles": ["auditor", "oncall"]})
    key = (await home.call("POST", "/api-keys", status=201, json={"user": "bob"}))["key"]
    await asked(home, key, "GET", "/audit", 403)
    role = await home.call("PUT", "/roles/auditor", json={"permissions": ["automation:admin", "automation:view"]})
    assert (role["permissions"], role["users"]) == (["automation:admin", "automation:view"], 1)
    await asked(home, key, "GET", "/audit")
    assert (await home.call("GET", "/users/bob"))["permissions"] == ["automation:admin", "automation:view"]
    listed = {each["name"]: each for each in (await home.call("GET", "/roles"))["items"]}
    assert list(listed) == ["viewer", "operator", "manager", "admin", "auditor", "oncall"]
    assert (listed["admin"]["builtIn"], listed["oncall"]["isLabel"], listed["oncall"]["permissions"]) == (True, True, [])
    for method in ("PUT", "DELETE"):
        refused = await home.call(method, "/roles/viewer", status=409, json={"permissions": ["automation:admin"]})
        assert refused["code"] == "built_in_role"
    assert (await home.http.delete("/api/v1/roles/auditor")).status_code == 204
    await asked(home, key, "GET", "/audit", 403)
    await home.call("DELETE", "/roles/auditor", status=404)
    # a role of one tenant is nothing in another
    other = await home.call("POST", "/tenants", status=201, json={"tenantId": "acme", "name": "Acme"})
    await home.call("PUT", "/roles/auditor", json={"permissions": ["automation:admin"]})
    await asked(home, other["key"], "POST", "/users", 201, json={"name": "carl", "roles": ["auditor"]})
    assert (await asked(home, other["key"], "GET", "/users/carl"))["permissions"] == []


async def test_a_scoped_key_can_do_no_more_than_both_its_user_and_its_scopes(home: House) -> None:
    await home.call("POST", "/users", status=201, json={"name": "ci", "roles": ["operator"]})
    body = {"user": "ci", "name": "dashboards", "scopes": ["automation:view", "automation:admin"]}
    made = await home.call("POST", "/api-keys", status=201, json=body)
    assert (made["name"], made["scopes"]) == ("dashboards", ["automation:admin", "automation:view"])
    assert (await asked(home, made["key"], "GET", "/me"))["permissions"] == ["automation:view"]
    await home.call("PATCH", "/users/ci", json={"roles": ["admin"], "displayName": "The pipeline"})
    assert (await asked(home, made["key"], "GET", "/me"))["permissions"] == ["automation:admin", "automation:view"]
    await asked(home, made["key"], "POST", "/pools", 403, json={"name": "dmz"})
    for scopes in ([], ["automation:installation"], ["everything"]):
        await home.call("POST", "/api-keys", status=422, json={"user": "ci", "scopes": scopes})
    changed = await home.call("PATCH", "/users/ci", json={"email": "ci@example.com"})
    assert (changed["displayName"], changed["email"], changed["roles"]) == ("The pipeline", "ci@example.com", ["admin"])


async def test_a_guesser_is_stopped_and_locks_nobody_else_out(home: House) -> None:
    await home.call("POST", "/users", status=201, json={"name": "bob", "roles": ["viewer"]})
    key = (await home.call("POST", "/api-keys", status=201, json={"user": "bob"}))["key"]

    async def guess(number: int) -> int:
        return (await home.http.get("/api/v1/me", headers={"Authorization": f"Bearer rk_{number:043}"})).status_code

    answers = await asyncio.gather(*(guess(number) for number in range(60)))
    assert answers.count(401) <= 32 and answers.count(429) >= 28
    refused = await asked(home, "rk_once-more", "GET", "/me", 429)
    assert refused["code"] == "too_many_attempts" and refused["retryAfterSeconds"] > 0
    signed_in = await home.http.post("/api/v1/session", json={"key": "rk_once-more"})
    assert signed_in.status_code == 429 and signed_in.headers["retry-after"]
    # the same address, another client: its key was never used before
    assert (await asked(home, key, "GET", "/me"))["name"] == "bob"
    assert (await home.call("GET", "/me"))["name"] == "admin"
    failures = (await home.call("GET", "/audit", params={"operation": "signIn"}))["items"]
    assert failures == []  # nobody fills the log by guessing
