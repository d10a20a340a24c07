"""The gateway's manners over HTTP: who may ask, what is accepted, and how every error is told."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import asyncpg
import httpx
import pytest
from pydantic import SecretStr
from runyard_gateway.app import create
from runyard_gateway.http.endpoint import Endpoint
from runyard_gateway.http.server import CannotListen
from runyard_gateway.settings import Settings
from runyard_shared.clock import SystemClock
from runyard_shared.ids import new_id
from runyard_shared.messaging.memory import MemoryBus
from starlette.routing import Route

from tests.gateway import CHAIN, TOKEN, House, gateway_alone, house


@pytest.fixture
async def home(pool: asyncpg.Pool) -> AsyncIterator[House]:
    async with house(pool) as made:
        yield made


PATH_IDS = (
    "workflowId",
    "executionId",
    "jobId",
    "approvalId",
    "channelId",
    "keyId",
    "agentId",
    "connectionId",
    "hookId",
    "messageId",
)
PATH_NAMES = {
    "version": "1", "userName": "alice", "token": "a-token",
    "key": "whk_a", "poolName": "default", "roleName": "oncall", "tenantId": "other",
}  # fmt: skip


def assert_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The answer is an RFC 9457 document with this status and code."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail", "code"} <= problem.keys()
    assert (problem["status"], problem["code"]) == (status, code)
    return problem


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x"])
async def test_without_the_right_key_nothing_is_answered(home: House, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    async with httpx.AsyncClient(base_url=home.gateway.address, headers=headers, trust_env=False) as stranger:
        for operation in home.gateway.operations:
            path = operation.path.format_map({**dict.fromkeys(PATH_IDS, new_id()), **PATH_NAMES})
            answer = await stranger.request(operation.method, path)
            if operation.public:
                assert answer.status_code != 401 and answer.status_code < 500
            elif answer.status_code == 429:
                assert_problem(answer, 429, "too_many_attempts")
                assert header is not None and answer.headers["retry-after"]
            else:
                assert_problem(answer, 401, "unauthorized")
                assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_the_key_says_who_one_is(home: House) -> None:
    assert await home.call("GET", "/me") == {
        "name": "admin", "tenantId": "default", "roles": ["admin"],
        "permissions": [
            "automation:admin", "automation:execute", "automation:installation", "automation:manage", "automation:view",
        ],
    }  # fmt: skip
    answer = await home.http.get("/api/v1/me", headers={"Authorization": f"bearer {TOKEN}"})
    assert answer.status_code == 200


async def test_errors_of_every_kind_are_problem_documents(home: House) -> None:
    http = home.http
    run = f"/api/v1/workflows/{new_id()}/run"
    assert_problem(await http.get("/api/v1/nothing"), 404, "route_not_found")
    assert_problem(await http.get("/api/v1/workflows/"), 404, "route_not_found")
    assert_problem(await http.get("/api/v1/executions/not-an-id"), 404, "execution_not_found")
    assert_problem(await http.get(f"/api/v1/executions/{new_id()}"), 404, "execution_not_found")
    assert_problem(await http.get("/api/v1/executions/%00"), 404, "execution_not_found")
    assert_problem(await http.get(f"/api/v1/workflows/{new_id()}/versions/0"), 404, "version_not_found")
    assert_problem(await http.post(run, json={}), 404, "workflow_not_found")
    assert_problem(await http.post(run, content=b"{"), 400, "malformed_json")
    assert_problem(await http.post(run, content=b"[" * 100_000), 400, "malformed_json")
    assert_problem(await http.post(run, content=b"{}", headers={"Content-Type": "text/html"}), 415, "unsupported_media_type")
    assert_problem(await http.post(run, content=b'{"variables":{"a":"\\u0000"}}'), 422, "invalid_value")
    assert_problem(await http.post(run, content=b'{"variables":{"a":1180591620717411303424}}'), 422, "invalid_value")
    refused = assert_problem(await http.post(run, json={"variables": [], "variabels": {}}), 422, "invalid_body")
    assert {error["path"] for error in refused["errors"]} == {"variables", "variabels"}
    assert_problem(await http.get("/api/v1/executions", params={"cursor": "AAAA"}), 400, "invalid_cursor")
    refused = assert_problem(
        await http.get("/api/v1/executions?limit=0&status=lost&stauts=x&from=yesterday&q=a&q=b&trigger=%00"),
        400,
        "invalid_query",
    )
    assert {error["path"] for error in refused["errors"]} == {"limit", "status[0]", "stauts", "from", "q", "trigger"}
    not_allowed = await http.patch("/api/v1/executions")
    assert_problem(not_allowed, 405, "method_not_allowed")
    assert not_allowed.headers["allow"] == "GET, HEAD"
    answer = await http.post(run, json={}, headers={"Idempotency-Key": "k" * 256})
    assert_problem(answer, 400, "invalid_idempotency_key")
    assert_problem(
        await http.get(f"/api/v1/executions/{new_id()}/events", headers={"Last-Event-ID": "x"}), 400, "invalid_last_event_id"
    )


async def test_a_body_over_the_limit_is_refused_announced_or_not(home: House) -> None:
    path = f"/api/v1/workflows/{new_id()}/run"
    big = b" " * (6 * 1024 * 1024)  # the client still sends when it is clear

    async def in_pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(big), 65536):
            yield big[start : start + 65536]

    assert_problem(await home.http.post(path, content=big), 413, "body_too_large")
    assert_problem(
        await home.http.post(path, content=in_pieces(), headers={"Content-Type": "application/json"}), 413, "body_too_large"
    )
    fits = json.dumps({"variables": {"text": "x" * (1024 * 1024 - 100)}})
    assert_problem(await home.http.post(path, content=fits), 404, "workflow_not_found")


async def test_what_is_not_http_gets_a_problem_document_too(home: House) -> None:
    address = urlsplit(home.gateway.address)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(b"what is this?\r\n\r\n")
    answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400") and b"application/problem+json" in head
    assert json.loads(body)["code"] == "malformed_request"


async def test_an_unexpected_error_shows_a_reference_and_nothing_else(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def breaks(*_: Any) -> Any:
        raise ZeroDivisionError("the secret inside")

    monkeypatch.setattr("runyard_gateway.queries.agents.AgentQueries.page", breaks)
    answer = await home.http.get("/api/v1/agents")
    problem = assert_problem(answer, 500, "internal_error")
    assert problem["reference"] in problem["detail"]
    assert "secret" not in answer.text and "Zero" not in answer.text


async def test_a_database_that_is_away_is_a_503_and_seen_in_readyz() -> None:
    async with (
        asyncpg.create_pool("postgresql://nobody@127.0.0.1:1/none", min_size=0) as nowhere,
        gateway_alone(MemoryBus(), nowhere) as home,
    ):
        answer = await home.http.get("/api/v1/executions")
        assert_problem(answer, 503, "unavailable")
        assert int(answer.headers["retry-after"]) >= 1
        ready = await home.http.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["parts"]["database"].startswith("PostgreSQL is away")
        assert (await home.http.get("/healthz")).status_code == 200


@pytest.mark.empty_database
async def test_read_models_that_are_not_made_yet_are_a_503(pool: asyncpg.Pool) -> None:
    async with gateway_alone(MemoryBus(), pool) as home:
        assert_problem(await home.http.get("/api/v1/workflows"), 503, "unavailable")
        assert "not there yet" in (await home.http.get("/readyz")).json()["parts"]["database"]


async def test_a_command_that_nobody_answers_is_a_503(pool: asyncpg.Pool) -> None:
    async with gateway_alone(MemoryBus(), pool, command_timeout_seconds=0.2) as home:
        answer = await home.http.post(f"/api/v1/workflows/{new_id()}/run", json={})
        assert_problem(answer, 503, "unavailable")
        assert "retry-after" in answer.headers


@pytest.mark.empty_database  # read models that were made a minute ago are noted as silent until somebody keeps them
async def test_the_gateway_is_ready_when_it_has_all_it_needs(home: House) -> None:
    ready = await home.http.get("/readyz")
    assert (ready.status_code, ready.json()) == (
        200,
        {
            "status": "ok",
            "parts": dict.fromkeys(("bus", "database", "audit", "event streams", "read models")),
            "notes": {},
        },
    )


async def test_an_address_that_is_taken_is_said_plainly(home: House, pool: asyncpg.Pool) -> None:
    port = urlsplit(home.gateway.address).port
    settings = Settings(port=port or 0, admin_token=SecretStr(TOKEN))
    second = await create(settings, bus=MemoryBus(), pool=pool, clock=SystemClock())
    with pytest.raises(CannotListen, match=f"port {port}"):
        await second.start()
    await second.stop()


async def test_a_read_waits_for_the_position_it_is_given_and_gives_up_in_time(pool: asyncpg.Pool) -> None:
    async with house(pool, read_model_wait_seconds=0.5) as home:
        created = await home.call("POST", "/workflows", status=201, json=CHAIN)
        found = await home.call("GET", "/workflows", params={"minPosition": created["position"]})
        assert [row["workflowId"] for row in found["items"]] == [created["workflowId"]]
        paths = ("/executions", "/workflows", f"/workflows/{created['workflowId']}")
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("lock table projections.position in exclusive mode")  # the projector has to wait
            saved = await home.call("PUT", f"{paths[2]}/draft", json=CHAIN | {"description": "another"})
            not_yet = {"minPosition": saved["position"]}
            for answer in await asyncio.gather(*(home.http.get(f"/api/v1{path}", params=not_yet) for path in paths)):
                assert_problem(answer, 503, "unavailable")
                assert "retry-after" in answer.headers
        await home.call("GET", "/workflows", params=not_yet)


async def test_a_read_does_not_wait_for_a_position_that_the_log_does_not_have(home: House) -> None:
    created = await home.call("POST", "/workflows", status=201, json=CHAIN)
    problem = await home.call("GET", "/workflows", status=400, params={"minPosition": created["position"] + 1000})
    assert problem["code"] == "position_not_there" and f"position {created['position']}." in problem["detail"]


async def test_a_number_is_no_time_and_no_truth_value(home: House) -> None:
    for path, body, where in (
        ("/users", {"name": "zero", "disabled": 0}, "disabled"),
        ("/executions/bulk-cancel", {"filter": {"to": 0}}, "filter.to"),
    ):
        problem = await home.call("POST", path, status=422, json=body)
        assert [each["path"] for each in problem["errors"]] == [where]
    problem = await home.call("GET", "/executions", status=400, params={"to": "0.5"})
    assert [each["path"] for each in problem["errors"]] == ["to"]


async def test_head_is_get_without_a_body(home: House) -> None:
    answer = await home.http.head("/api/v1/executions")
    assert answer.status_code == 200 and not answer.content and int(answer.headers["content-length"]) > 0


async def test_every_route_is_described_and_everything_described_exists(home: House) -> None:
    document = (await home.http.get("/openapi.json")).json()
    assert document["openapi"] == "3.1.0"
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    served = {
        (method, route.path)
        for route in home.gateway.app.routes
        if isinstance(route, Route) and isinstance(route.app, Endpoint)
        for method in route.app.methods - {"HEAD"}
    }
    assert served == described
    references = set(_references(document))
    names = document["components"]["schemas"].keys()
    assert {f"#/components/schemas/{name}" for name in names} >= references
    for operations in document["paths"].values():
        for operation in operations.values():
            assert operation["summary"] and operation["operationId"]
            assert any(status.startswith(("2", "3")) for status in operation["responses"])
    assert len({each["operationId"] for paths in document["paths"].values() for each in paths.values()}) == len(described)


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for each in value.values():
            yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)


async def test_the_documentation_page_needs_nothing_from_elsewhere(home: House) -> None:
    page = (await home.http.get("/docs")).text
    assert "/openapi.json" in page
    assert "http://" not in page and "https://" not in page


HOSTILE_BODIES = [
    b"",
    b"{",
    b"null",
    b"[]",
    b"1e999",
    b"{}" * 3,
    b"\xff\xfe",
    b'{"variables":null}',
    b'{"force":"x"}',
    b'{"version":0}',
    b'{"name":"\\ud800"}',
    b'{"name":"x","nodes":[],"edges":' + b"[" * 90 + b"]" * 90 + b"}",
    b"a: &a [*a]",
    b"name: x\na: &a {b: *a}",
    b"? [1]: 2",
    b"!!python/object:os.system {}",
    b"name: 2026-99-99",
    b"- 1\n b: 2",
    b"%YAML 9.9\n---\nname: x",
    b"name: x\nnodes: {}\nedges: .nan",
    b"name: x\nnodes: 2026-01-01",
    b"name: [" * 2000,
    b"a: !!int x",
    b"a: 0x",
    b"<<: 1",
    b"name: x\n<<: *y",
    b"name: \x00",
    b'name: "\\ud800"',
    b"name: x\na: !!binary abc\n",
    b"name: x\na: !!set {b}\n",
    b"name: x\na: 1_0:99e\nb: 1e400\n",
]


async def test_random_requests_never_break_the_gateway(home: House) -> None:
    chance = random.Random(20261122)
    workflow_id = await home.publish()
    execution_id = await home.run(workflow_id)
    odd = [new_id(), "", "0", "-1", "1", "9" * 20, "\ufffd", "x" * 300, "null", "%", "..", "\0"]
    of_kind = {"workflowId": [workflow_id, *odd], "executionId": [execution_id, *odd]}
    times = ["2026-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1e30"]
    values = [workflow_id, execution_id, *odd, *times, "running", "manual"]
    names = ["limit", "cursor", "status", "trigger", "from", "to", "q", "minPosition", "offset", "stream", "workflowId"]
    types = ["application/json", "application/yaml", "text/yaml", "text/plain", "application/octet-stream"]
    operations = [operation for operation in home.gateway.operations if not operation.stream]
    for _ in range(600):
        operation = chance.choice(operations)
        chosen = {name: chance.choice(of_kind.get(name, odd)) for name in (*PATH_IDS, *PATH_NAMES)}
        path = operation.path.format(**{name: quote(value, safe="") or "x" for name, value in chosen.items()})
        query = httpx.QueryParams([(chance.choice(names), chance.choice(values)) for _ in range(chance.randrange(4))])
        body, media_type = chance.choice(HOSTILE_BODIES), chance.choice(types)
        answer = await home.http.request(
            operation.method, path, params=query, content=body, headers={"Content-Type": media_type}
        )
        assert answer.status_code < 500, (operation.method, str(answer.url), media_type, body, answer.text)
        if answer.status_code >= 400 and operation.answer_types != ("text/html",):
            assert answer.headers["content-type"] == "application/problem+json"
