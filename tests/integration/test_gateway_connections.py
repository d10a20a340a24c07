"""Connections over HTTP: checked against their kind, their secrets kept where nobody sees them, tried out by an agent."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from io import StringIO
from typing import Any

import asyncpg
import msgspec
import pytest
import structlog
from runyard_gateway.connection_bodies import KEPT
from runyard_gateway.queries.connections import ConnectionQueries
from runyard_shared.contracts.connections import CONNECTION_KINDS, OpenedConnection
from runyard_shared.contracts.jobs import ConnectionProbed, ProbeConnection
from runyard_shared.errors import Unavailable
from runyard_shared.ids import new_id
from runyard_shared.logs import configure_logs
from runyard_shared.messaging.memory import MemoryBus
from runyard_shared.sealing import OpeningKey

from tests.gateway import MASTER_KEY, House, Json, gateway_alone, house

CANARY = "canary-0b7d41e5"
SSH: Json = {
    "name": "web",
    "kind": "ssh",
    "config": {"host": "10.0.0.1", "username": "deploy"},
    "secrets": {"password": "correct horse"},
    "pools": ["default"],
    "description": "the web servers",
}


@pytest.fixture
async def home(pool: asyncpg.Pool) -> AsyncIterator[House]:
    async with house(pool, command_timeout_seconds=5) as made:
        yield made


async def secrets_of(pool: asyncpg.Pool, connection_id: str) -> dict[str, str]:
    """What the dispatcher would open."""
    key = OpeningKey.derived(MASTER_KEY)
    rows = await pool.fetch("select name, box from dispatcher.connection_secret where connection_id = $1::uuid", connection_id)
    return {row["name"]: key.open(bytes(row["box"])).decode() for row in rows}


async def test_a_connection_is_made_shown_replaced_disabled_and_deleted(home: House, pool: asyncpg.Pool) -> None:
    made = await home.call("POST", "/connections", status=201, json=SSH)
    assert made == {
        "connectionId": made["connectionId"], "name": "web", "kind": "ssh", "secrets": ["password"], "pools": ["default"],
        "config": {"host": "10.0.0.1", "port": 22, "username": "deploy"}, "enabled": True,
    }  # fmt: skip
    path = f"/connections/{made['connectionId']}"
    row = await home.call("GET", path)
    assert {**row, **made} == row and row["description"] == "the web servers" and row["tested"] is None
    assert (await home.call("GET", "/connections"))["items"] == [row]
    assert (await home.call("GET", "/connections", params={"kind": "http"}))["items"] == []
    assert await secrets_of(pool, made["connectionId"]) == {"password": "correct horse"}
    changed = await home.call(
        "PUT", path, json={"name": "web2", "config": {"host": "10.0.0.2"}, "secrets": {"private_key": "a private key"}}
    )
    assert (changed["name"], changed["secrets"], changed["pools"]) == ("web2", ["password", "privateKey"], [])
    assert await secrets_of(pool, made["connectionId"]) == {"password": "correct horse", "privateKey": "a private key"}
    changed = await home.call("PUT", path, json={"name": "web2", "secrets": {"password": None}})
    assert changed["secrets"] == ["privateKey"]
    for action, enabled in (("disable", False), ("disable", False), ("enable", True)):
        assert (await home.call("POST", f"{path}/{action}"))["enabled"] is enabled
    assert (await home.http.delete(f"/api/v1{path}")).status_code == 204
    for method in ("GET", "PUT", "DELETE"):
        gone = await home.call(method, path, status=404, **({"json": {"name": "x"}} if method == "PUT" else {}))
        assert gone["code"] == "connection_not_found"


async def test_the_list_goes_by_name_page_by_page(home: House) -> None:
    for name in ("c", "a", "b"):
        body = {"name": name, "kind": "secrets", "config": {"values": {"A": "1"}}, "secrets": {"TOKEN": "a-token"}}
        await home.call("POST", "/connections", status=201, json=body)
    first = await home.call("GET", "/connections", params={"limit": 2})
    rest = await home.call("GET", "/connections", params={"limit": 2, "cursor": first["nextCursor"]})
    assert [each["name"] for each in first["items"] + rest["items"]] == ["a", "b", "c"] and rest["nextCursor"] is None


async def test_all_problems_of_a_connection_are_told_at_once_with_their_paths(home: House) -> None:
    async def paths(body: Any, path: str = "/connections", method: str = "POST") -> list[str]:
        answer = await home.call(method, path, status=422, json=body)
        assert answer["code"] == "invalid_connection" and answer["errors"]
        return sorted(each["path"] for each in answer["errors"])

    wrong = {
        "name": "no spaces", "kind": "ssh", "config": {"port": 0, "hots": "x"}, "secrets": {"password": "abc", "pin": "12345"},
        "pools": ["a", "b c"], "colour": "red",
    }  # fmt: skip
    assert await paths(wrong) == [
        "colour", "config.hots", "config.port", "name", "pools[1]", "secrets.password", "secrets.pin",
    ]  # fmt: skip
    assert await paths({"name": "x", "kind": "telnet"}) == ["kind"]
    assert await paths({"name": "x", "kind": "slack"}) == ["secrets.webhookUrl"]
    assert await paths({"name": "x", "kind": "smtp", "secrets": {"password": 5}}) == [
        "config.host", "config.sender", "secrets.password",
    ]  # fmt: skip
    assert await paths({"name": "x", "kind": "secrets", "config": [], "secrets": ["a"]}) == ["config", "secrets"]
    assert await paths([]) == [""]
    made = await home.call("POST", "/connections", status=201, json=SSH)
    put = f"/connections/{made['connectionId']}"
    assert await paths({"name": "web", "kind": "http", "secrets": {"pin": None}}, put, "PUT") == ["kind", "secrets.pin"]
    unknown = await home.call(
        "POST", "/connections", status=422, json={**SSH, "name": "other", "pools": ["default", "nowhere"]}
    )
    assert (unknown["code"], [each["path"] for each in unknown["errors"]]) == ("unknown_pool", ["pools[1]"])
    taken = await home.call("POST", "/connections", status=409, json=SSH)
    assert (taken["code"], taken["connectionId"]) == ("connection_exists", made["connectionId"])


async def test_a_needed_secret_may_be_left_out_when_it_is_there_and_not_removed(home: House) -> None:
    body = {"name": "chat", "kind": "slack", "secrets": {"webhookUrl": "https://hooks.example.com/x"}}
    made = await home.call("POST", "/connections", status=201, json=body)
    path = f"/connections/{made['connectionId']}"
    assert (await home.call("PUT", path, json={"name": "chat2"}))["secrets"] == ["webhookUrl"]
    refused = await home.call("PUT", path, status=422, json={"name": "chat2", "secrets": {"webhookUrl": None}})
    assert [each["path"] for each in refused["errors"]] == ["secrets.webhookUrl"]


@pytest.mark.parametrize("kind", sorted(CONNECTION_KINDS))
def test_every_kind_takes_the_stand_in_for_each_of_its_secrets(kind: str) -> None:
    model = CONNECTION_KINDS[kind].secrets
    for name in [*model.model_fields] or ["ANY"]:
        needed = {each: KEPT for each, field in model.model_fields.items() if field.is_required()}
        model.model_validate({**needed, name: KEPT})


async def test_without_a_master_key_no_secret_is_taken_and_what_to_do_is_said(home: House, pool: asyncpg.Pool) -> None:
    await pool.execute("delete from dispatcher.sealing_key")
    refused = await home.call("POST", "/connections", status=503, json=SSH)
    assert refused["code"] == "no_master_key" and "RUNYARD_MASTER_KEYS" in refused["detail"]
    assert (await home.call("GET", "/connections"))["items"] == []
    await home.call("POST", "/connections", status=201, json={**SSH, "secrets": {}})


async def test_a_master_key_that_changed_meanwhile_is_read_again_once(
    home: House, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, old, asked = ConnectionQueries.sealing_key, OpeningKey.generate().public, [0]

    async def first_the_old_one(queries: ConnectionQueries) -> bytes | None:
        asked[0] += 1
        return old if asked[0] == 1 else await real(queries)

    monkeypatch.setattr(ConnectionQueries, "sealing_key", first_the_old_one)
    made = await home.call("POST", "/connections", status=201, json=SSH)
    assert asked == [2] and await secrets_of(pool, made["connectionId"]) == {"password": "correct horse"}

    async def always_the_old_one(_: ConnectionQueries) -> bytes:
        return old

    monkeypatch.setattr(ConnectionQueries, "sealing_key", always_the_old_one)
    refused = await home.call("POST", "/connections", status=409, json={**SSH, "name": "other"})
    assert refused["code"] == "stale_sealing_key"


# --- a secret is nowhere


def hostile_bodies() -> list[tuple[int, bytes]]:
    """Bodies with the canary as a secret, or where one was put by mistake, and the status each is answered with."""

    def body(**changes: Any) -> bytes:
        return json.dumps({**SSH, "secrets": {"password": CANARY}, **changes}).encode()

    return [
        (201, body(name="fine")),
        (409, body(name="fine")),
        (400, body()[:-1]),
        (400, b"\xff" + body()),
        (422, body(name="")),
        (422, body(name=CANARY * 20)),
        (422, body(kind=None)),
        (422, body(kind=CANARY)),
        (422, body(kind="http")),
        (422, body(kind="slack", secrets={"webhookUrl": CANARY})),
        (422, body(kind="kubernetes", secrets={"token": [CANARY]})),
        (422, body(secrets=CANARY)),
        (422, body(secrets=[CANARY])),
        (422, body(secrets={"password": {"value": CANARY}})),
        (422, body(secrets={"password": CANARY, "pin": CANARY})),
        (422, body(secrets={"password": "\0" + CANARY})),
        (422, body(secrets={"password": CANARY * 10_000})),
        (422, body(config={"port": CANARY, "host": [CANARY]})),
        (422, body(config={"password": CANARY})),
        (422, body(pools=[CANARY + " "])),
        (422, body(pools=["nowhere"])),
        (422, json.dumps([{"password": CANARY}]).encode()),
        (422, json.dumps(CANARY).encode()),
        (413, body(description=CANARY + "x" * 2_000_000)),
    ]


@pytest.fixture(params=["human", "json"])
def log(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[StringIO]:
    """What a process would log, set up as it does that."""
    configure = structlog.configure

    def uncached(**options: Any) -> None:
        configure(**{**options, "cache_logger_on_first_use": False})

    written = StringIO()
    with monkeypatch.context() as patched:
        patched.setattr(structlog, "configure", uncached)
        configure_logs("gateway", request.param, stream=written)
    yield written
    structlog.reset_defaults()


async def test_no_answer_and_no_log_line_repeats_a_secret(
    log: StringIO, home: House, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = []
    for status, body in hostile_bodies():
        answer = await home.http.post("/api/v1/connections", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == status, (answer.status_code, body[:200], answer.text)
        said.append(answer.text)
    (fine,) = (await home.call("GET", "/connections"))["items"]
    path = f"/api/v1/connections/{fine['connectionId']}"
    for status, body in hostile_bodies():
        answer = await home.http.put(path, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in (status, 200, 409), (answer.status_code, body[:200], answer.text)
        said.append(answer.text)
    put = {"name": "fine", "secrets": {"password": CANARY}}
    for trouble in (Unavailable("PostgreSQL is away"), ZeroDivisionError("unexpected")):

        async def breaks(*_: Any, trouble: Exception = trouble) -> bytes:
            raise trouble

        with monkeypatch.context() as broken:
            broken.setattr(ConnectionQueries, "sealing_key", breaks)
            answer = await home.http.put(path, json=put)
            assert answer.status_code in (500, 503)
            said.append(answer.text)
    for method, each in (("POST", "/enable"), ("POST", "/disable"), ("POST", "/test"), ("DELETE", "")):
        said.append((await home.http.request(method, path + each, json=put)).text)
    said += [(await home.http.get(f"/api/v1{each}")).text for each in ("/connections", "/events.json", "/readyz")]
    assert not [each for each in said if CANARY in each]
    tables = await pool.fetch(
        "select format('%I.%I', schemaname, tablename) from pg_tables"
        " where schemaname not in ('pg_catalog', 'information_schema')"
    )
    for (table,) in tables:
        for (row,) in await pool.fetch(f"select t::text from {table} t"):
            assert CANARY not in row and CANARY.encode().hex() not in row, table
    assert "unexpected error" in log.getvalue() and "ZeroDivisionError" in log.getvalue()
    assert CANARY not in log.getvalue()


async def test_a_dispatcher_that_does_not_answer_is_a_503_without_the_secret(pool: asyncpg.Pool, home: House) -> None:
    async with gateway_alone(MemoryBus(), pool, command_timeout_seconds=0.2) as lonely:
        answer = await lonely.http.post("/api/v1/connections", json={**SSH, "secrets": {"password": CANARY}})
        assert answer.status_code == 503 and CANARY not in answer.text


# --- tried out by an agent


async def test_an_agent_tries_a_connection_out_and_the_last_test_is_shown(home: House) -> None:
    made = await home.call("POST", "/connections", status=201, json=SSH)
    path = f"/connections/{made['connectionId']}"
    assert (await home.call("POST", f"{path}/test", status=409))["code"] == "no_agent_online"
    agent = await home.agent()
    await agent.register()
    orders = await agent.orders()
    for ok, message in ((True, "logged in as deploy"), (False, "permission denied")):
        asking = asyncio.create_task(home.call("POST", f"{path}/test", json={"agent": agent.name} if ok else {}))
        order = await orders.next()
        assert isinstance(order, ProbeConnection)
        opened = msgspec.json.decode(agent.opening_key.open(order.sealed_connection), type=OpenedConnection)
        assert (opened.kind, opened.secrets) == ("ssh", {"password": "correct horse"})
        probed = ConnectionProbed(
            tenant_id="default", name=agent.name, session_id=agent.session_id, probe_id=order.probe_id, ok=ok, message=message,
            duration_ms=7,
        )  # fmt: skip
        assert (await agent.say(probed, probed)).status_code == 204
        assert await asking == {"ok": ok, "message": message, "agent": "remote", "durationMs": 7}
        tested = (await home.call("GET", path))["tested"]
        assert (tested["ok"], tested["message"], tested["agent"]) == (ok, message, "remote") and tested["at"]
    assert (await home.call("POST", f"{path}/test", status=409, json={"agent": "nobody"}))["code"] == "no_agent_online"
    await home.call("POST", f"{path}/disable")
    assert (await home.call("POST", f"{path}/test", status=409))["code"] == "connection_disabled"


async def test_connections_of_another_tenant_are_not_seen(home: House, pool: asyncpg.Pool) -> None:
    made = await home.call("POST", "/connections", status=201, json=SSH)
    await pool.execute("update dispatcher.connection set tenant_id = 'other'")
    assert (await home.call("GET", "/connections"))["items"] == []
    await home.call("GET", f"/connections/{made['connectionId']}", status=404)
    await home.call("PUT", f"/connections/{made['connectionId']}", status=404, json=SSH)
    await home.call("POST", f"/connections/{new_id()}/test", status=404)


async def test_workflows_are_found_by_the_connection_that_their_running_version_uses(home: House) -> None:
    await home.call("POST", "/connections", status=201, json=SSH)
    step = {"id": "a", "type": "action", "action": "ssh.executeCommand", "connection": "web", "params": {"command": "true"}}
    edges = [{"from": "trigger", "to": "a"}]
    inner = {"nodes": [step | {"id": "b"}], "edges": [{"from": "item", "to": "b"}]}
    words = {"id": "a", "type": "setVariables", "values": {"connection": "web"}}
    documents = {
        "Uses it": {"nodes": [step], "edges": edges},
        "Uses it for each": {"nodes": [{"id": "a", "type": "forEach", "items": [1], "body": inner}], "edges": edges},
        "Only says so": {"nodes": [words], "edges": edges},
    }
    made = {name: await home.publish({"name": name, **document}) for name, document in documents.items()}

    async def using(name: str, **query: Any) -> list[str]:
        answer = await home.call("GET", "/workflows", params={"connection": name, **query})
        return [each["name"] for each in answer["items"]]

    assert await using("web") == ["Uses it", "Uses it for each"] and await using("elsewhere") == []
    await home.call("PUT", f"/workflows/{made['Uses it']}/draft", json={"name": "Uses it", "nodes": [words], "edges": edges})
    assert await using("web") == ["Uses it", "Uses it for each"]  # a draft runs nothing
    published = await home.call("POST", f"/workflows/{made['Uses it']}/publish")
    assert await using("web", minPosition=published["position"]) == ["Uses it for each"]
