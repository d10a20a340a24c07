"""Who may do what: users, their roles and API keys, and every operation's permission."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest
from runyard_gateway.permissions import ROLES, Permission
from runyard_shared.ids import new_id
from runyard_shared.messaging.memory import MemoryBus

from tests.gateway import House, Json, gateway_alone, house

NO_SUCH = {"userName": "nobody", "version": "1", "token": "t", "poolName": "nowhere"}


@pytest.fixture
async def home(pool: asyncpg.Pool) -> AsyncIterator[House]:
    async with house(pool) as made:
        yield made


async def key_of(home: House, name: str, *roles: str) -> str:
    await home.call("POST", "/users", status=201, json={"name": name, "roles": list(roles)})
    return str((await home.call("POST", "/api-keys", status=201, json={"user": name}))["key"])


async def asked(home: House, key: str, method: str, path: str, **options: Any) -> httpx.Response:
    return await home.http.request(method, f"/api/v1{path}", headers={"Authorization": f"Bearer {key}"}, **options)


async def test_every_operation_is_open_to_whom_its_permission_says_and_to_nobody_else(home: House) -> None:
    keys = {role: await key_of(home, f"a-{role}", role) for role in ROLES}
    keys["oncall"] = await key_of(home, "a-label", "oncall")
    for operation in home.gateway.operations:
        if operation.public or operation.stream:
            continue
        ids = {name: NO_SUCH.get(name, new_id()) for name in _names(operation.path)}
        for role, key in keys.items():
            answer = await home.http.request(
                operation.method, operation.path.format_map(ids), headers={"Authorization": f"Bearer {key}"}
            )
            if operation.for_agents:
                assert answer.status_code == 401, (operation.name, role, answer.text)
                continue
            needed = operation.permission
            forbidden = answer.status_code == 403 and answer.json()["code"] == "forbidden"
            assert forbidden == (needed is not None and needed not in ROLES.get(role, ())), (operation.name, role, answer.text)
            if forbidden:
                assert answer.json()["permission"] == needed and str(needed) in answer.json()["detail"]


async def test_only_reading_is_open_to_viewers_and_only_administrators_make_users(home: House) -> None:
    for operation in home.gateway.operations:
        if operation.permission == Permission.VIEW:
            assert operation.method == "GET" or operation.name == "previewSchedule", operation.name  # which only computes
        if operation.tag == "users" and "/me/" not in operation.path:  # one's own are open to all
            assert operation.permission == Permission.ADMIN, operation.name


def _names(path: str) -> list[str]:
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]


async def test_a_key_is_shown_once_and_says_who_one_is(home: House, pool: asyncpg.Pool) -> None:
    key = await key_of(home, "alice", "operator", "oncall", "oncall")
    me = (await asked(home, key, "GET", "/me")).json()
    assert me == {
        "name": "alice", "tenantId": "default", "roles": ["operator", "oncall"],
        "permissions": ["automation:execute", "automation:view"],
    }  # fmt: skip
    (listed,) = (await home.call("GET", "/api-keys"))["items"]
    assert listed["user"] == "alice" and listed["lastUsedAt"] and "key" not in listed
    dump = str(await pool.fetch("select * from gateway.api_key"))
    assert key not in dump and key.removeprefix("rk_") not in dump
    workflow_id = await home.publish()
    started = (await asked(home, key, "POST", f"/workflows/{workflow_id}/run", json={})).json()
    detail = await home.call("GET", f"/executions/{started['executionId']}")
    assert (detail["startedBy"], detail["trigger"]["user"]) == ("alice", "alice")


async def refused_soon(home: House, key: str) -> None:
    """As soon as a key is remembered no longer, which is after a second."""
    async with asyncio.timeout(30):
        while (await asked(home, key, "GET", "/me")).status_code != 401:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_a_revoked_key_is_refused_at_once_here_and_soon_by_other_gateways(home: House, pool: asyncpg.Pool) -> None:
    key = await key_of(home, "alice", "viewer")
    (row,) = (await home.call("GET", "/api-keys", params={"user": "alice"}))["items"]
    assert (await asked(home, key, "GET", "/executions")).status_code == 200
    revoked = await home.call("DELETE", f"/api-keys/{row['keyId']}")
    assert (await asked(home, key, "GET", "/executions")).status_code == 401
    assert (await home.call("DELETE", f"/api-keys/{row['keyId']}")) == revoked
    second = (await home.call("POST", "/api-keys", status=201, json={"user": "alice"}))["key"]
    assert (await asked(home, second, "GET", "/me")).status_code == 200
    await pool.execute("update gateway.api_key set revoked_at = now()")  # as another gateway does
    await refused_soon(home, second)


async def test_whoever_has_keys_sees_and_revokes_them_and_nobody_elses(home: House) -> None:
    for name in ("alice", "bob"):
        await home.call("POST", "/users", status=201, json={"name": name, "roles": []})
    keys = {
        each: await home.call("POST", "/api-keys", status=201, json={"user": each[:-1]})
        for each in ("alice1", "alice2", "bob1")
    }
    as_alice = {"Authorization": f"Bearer {keys['alice1']['key']}"}
    seen = await home.call("GET", "/me/api-keys", headers=as_alice)
    assert [each["keyId"] for each in seen["items"]] == [keys["alice2"]["keyId"], keys["alice1"]["keyId"]]
    assert "key" not in seen["items"][0] and seen["items"][1]["lastUsedAt"]
    theirs = await home.call("DELETE", f"/me/api-keys/{keys['bob1']['keyId']}", status=404, headers=as_alice)
    assert theirs["code"] == "api_key_not_found"
    assert (await home.call("DELETE", f"/me/api-keys/{keys['alice2']['keyId']}", headers=as_alice))["revokedAt"]
    for name, status in (("alice1", 200), ("alice2", 401), ("bob1", 200)):
        await home.call("GET", "/me", status=status, headers={"Authorization": f"Bearer {keys[name]['key']}"})
    entries = await home.audited(2, operation="revokeOwnApiKey")
    assert [each["actor"] for each in entries] == ["alice", "alice"]
    await home.call("DELETE", f"/me/api-keys/{keys['alice1']['keyId']}", headers=as_alice)
    await home.call("GET", "/me/api-keys", status=401, headers=as_alice)


async def test_an_expired_key_and_a_disabled_or_deleted_users_key_open_nothing(home: House, pool: asyncpg.Pool) -> None:
    key = await key_of(home, "alice", "viewer")
    past = {"user": "alice", "expiresAt": "2020-01-01T00:00:00Z"}
    assert [each["path"] for each in (await home.call("POST", "/api-keys", status=422, json=past))["errors"]] == ["expiresAt"]
    await pool.execute("update gateway.api_key set expires_at = now() + interval '200 milliseconds'")
    await refused_soon(home, key)
    key = (await home.call("POST", "/api-keys", status=201, json={"user": "alice"}))["key"]
    assert (await asked(home, key, "GET", "/me")).json()["roles"] == ["viewer"]
    changed = await home.call("PUT", "/users/alice", json={"roles": ["manager"], "disabled": True})
    assert changed["disabled"] and (await asked(home, key, "GET", "/me")).status_code == 401
    await home.call("PUT", "/users/alice", json={"roles": ["manager"]})
    assert (await asked(home, key, "GET", "/me")).json()["roles"] == ["manager"]
    assert (await home.http.delete("/api/v1/users/alice")).status_code == 204
    assert (await asked(home, key, "GET", "/me")).status_code == 401
    assert (await home.call("GET", "/api-keys"))["items"] == []
    await home.call("DELETE", "/users/alice", status=404)


async def test_users_are_made_once_listed_by_name_and_admin_is_nobody_elses_name(home: House) -> None:
    for name in ("zoë@example.com", "bob"):
        await home.call("POST", "/users", status=201, json={"name": name, "roles": ["viewer"]})
    for name in ("bob", "admin"):
        assert (await home.call("POST", "/users", status=409, json={"name": name}))["code"] == "user_exists"
    first: Json = await home.call("GET", "/users", params={"limit": 1})
    rest: Json = await home.call("GET", "/users", params={"cursor": first["nextCursor"]})
    assert [each["name"] for each in (*first["items"], *rest["items"])] == ["bob", "zoë@example.com"]
    assert (await home.call("GET", "/users/bob"))["permissions"] == ["automation:view"]
    wrong = await home.call("POST", "/users", status=422, json={"name": "role:x", "roles": ["a b", "c"]})
    assert [each["path"] for each in wrong["errors"]] == ["name", "roles[0]"]
    assert (await home.call("POST", "/api-keys", status=404, json={"user": "carol"}))["code"] == "user_not_found"


async def test_users_and_keys_outlive_the_gateway(pool: asyncpg.Pool) -> None:
    async with house(pool) as home:
        key = await key_of(home, "alice", "viewer")
    async with house(pool) as again:
        assert (await asked(again, key, "GET", "/me")).json()["name"] == "alice"


async def test_users_of_another_tenant_are_not_seen_and_their_keys_are_theirs(home: House) -> None:
    other = await home.call("POST", "/tenants", status=201, json={"tenantId": "other", "name": "Other", "user": "alice"})
    key = other["key"]
    assert (await home.call("GET", "/users"))["items"] == (await home.call("GET", "/api-keys"))["items"] == []
    await home.call("GET", "/users/alice", status=404)
    await home.call("DELETE", f"/api-keys/{other['keyId']}", status=404)
    await home.publish()
    assert (await asked(home, key, "GET", "/me")).json()["tenantId"] == "other"
    assert (await asked(home, key, "GET", "/workflows")).json()["items"] == []


@pytest.mark.empty_database
async def test_a_gateway_that_starts_before_its_database_makes_its_tables_as_soon_as_that_is_there(postgres_url: str) -> None:
    address = urlsplit(postgres_url)
    closed = socket.socket()
    closed.bind(("127.0.0.1", 0))
    port = closed.getsockname()[1]
    url = address._replace(netloc=address.netloc.replace(f":{address.port}", f":{port}")).geturl()
    async with asyncpg.create_pool(url, min_size=0, max_size=4) as pool, gateway_alone(MemoryBus(), pool) as home:
        body = {"name": "alice", "roles": ["viewer"]}
        assert (await home.call("POST", "/users", status=503, json=body))["code"] == "unavailable"
        closed.close()
        async with await asyncio.start_server(lambda reader, writer: forward(reader, writer, postgres_url), "127.0.0.1", port):
            async with asyncio.timeout(20):
                while (await home.http.post("/api/v1/users", json=body)).status_code == 503:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            assert (await home.call("GET", "/users/alice"))["roles"] == ["viewer"]
            await pool.expire_connections()
            await pool.close()


async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, postgres_url: str) -> None:
    """Both directions of a connection to the real server."""
    address = urlsplit(postgres_url)
    there, back = await asyncio.open_connection(address.hostname, address.port)

    async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            target.write(data)
        target.close()

    await asyncio.gather(copy(reader, back), copy(there, writer))
