"""Webhooks: each delivery starts one execution, wherever it arrives, how often, and whoever dies meanwhile (R1, R49)."""

import asyncio
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx
import pytest
import runyard_gateway.app
import runyard_gateway.settings
from pydantic import SecretStr
from runyard_gateway.commands import Commands, Outcome
from runyard_gateway.database import Database
from runyard_gateway.http.identity import Identity
from runyard_gateway.http.operation import Call, RawBody
from runyard_gateway.queries.webhooks import WebhookQueries
from runyard_gateway.resources.webhook_deliveries import WebhookDeliveries
from runyard_gateway.secret import Secret
from runyard_gateway.webhook_proof import WebhookProofs
from runyard_shared.clock import SystemClock
from runyard_shared.ids import new_id
from runyard_shared.messaging.requests import Requests

from tests.gateway import TOKEN, House, Json, house

HOOKED: Json = {
    "name": "Hooked",
    "triggers": [{"type": "webhook", "id": "monitoring"}, {"type": "webhook", "id": "code"}],
    "nodes": [{"id": "keep", "type": "setVariables", "values": {"seen": "{{ webhook }}"}}],
    "edges": [{"from": "trigger", "to": "keep"}],
}


@asynccontextmanager
async def another_gateway(home: House) -> AsyncIterator[House]:
    settings = runyard_gateway.settings.Settings(port=0, admin_token=SecretStr(TOKEN))
    gateway = await runyard_gateway.app.create(settings, bus=home.bus, pool=home.pool, clock=SystemClock())
    await gateway.start()
    made = House(home.bus, home.pool, gateway)
    try:
        yield made
    finally:
        await made.close()
        await gateway.stop()


class Sender:
    """Another system, that knows the address and the secret of a webhook and has no API key."""

    def __init__(self, made: Json) -> None:
        self.path = f"/api/v1/webhooks/{made['key']}"
        self.secret: str = made["secret"]

    async def send(self, to: House, body: Any, secret: str | None = None, **headers: str) -> httpx.Response:
        sent = {"Authorization": f"Bearer {secret or self.secret}", "Content-Type": "application/json", **headers}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await to.http.post(self.path, content=content, headers=sent)


async def hook(home: House, workflow_id: str, **fields: Any) -> Json:
    body = {"webhookId": "monitoring", **fields}
    return dict(await home.call("POST", f"/workflows/{workflow_id}/webhooks", status=201, json=body))


async def started(home: House) -> list[str]:
    head = await home.pool.fetchval("select coalesce(max(position), 0) from read.event")
    found = await home.call("GET", "/executions", params={"minPosition": head, "limit": 200})
    return [row["executionId"] for row in found["items"]]


async def test_a_delivery_starts_one_execution_at_whichever_gateway_and_only_its_variables_are_seen(pool: asyncpg.Pool) -> None:
    async with house(pool) as home, another_gateway(home) as second:
        workflow_id = await home.publish(HOOKED)
        made = await hook(home, workflow_id, description="From Nagios")
        assert made["url"] == f"{home.gateway.address}/api/v1/webhooks/{made['key']}"
        sender = Sender(made)
        body = {"variables": {"host": "web-01"}, "note": "not seen"}
        sent = [sender.send(each, body, **{"X-Runyard-Delivery": "d1"}) for each in (home, second) for _ in range(5)]
        first, *repeated = await asyncio.gather(*sent)
        assert first.status_code == 202 and {each.content for each in repeated} == {first.content}
        execution_id = first.json()["executionId"]
        assert await started(home) == [execution_id]
        done = await home.until(execution_id, "completed")
        assert done["variables"]["seen"] == {"host": "web-01"}
        assert (done["trigger"]["webhookId"], done["startedBy"]) == ("monitoring", "webhook:monitoring")

        same_payload = await sender.send(second, body)
        same_id = await sender.send(home, {"variables": {}}, **{"X-Runyard-Delivery": "d1"})
        alias = await sender.send(home, body, **{"X-Runyard-Delivery": "d2"})
        await pool.execute("update gateway.webhook_delivery set received_at = received_at - interval '6 minutes'")
        still = await sender.send(second, {"variables": {"x": 1}}, **{"X-Runyard-Delivery": "d2"})
        assert {each.content for each in (same_payload, same_id, alias, still)} == {first.content}
        later = await sender.send(home, body)
        assert later.status_code == 202 and later.content != first.content, "after five minutes the payload is another delivery"
        assert len(await started(home)) == 2

        listed = await home.http.get(f"/api/v1/workflows/{workflow_id}/webhooks")
        assert [row["keyBegins"] for row in listed.json()["items"]] == [made["key"][:8]]
        signing = await hook(home, workflow_id, webhookId="code", preset="github", auth="hmac")
        event = {"X-GitHub-Event": "push", "X-GitHub-Delivery": new_id()}
        content = b'{"ref": "refs/heads/main"}'
        signature = "sha256=" + hmac.digest(signing["secret"].encode(), content, "sha256").hex()
        pushed = await Sender(signing).send(home, content, **event, **{"X-Hub-Signature-256": signature})
        done = await home.until(pushed.json()["executionId"], "completed")
        assert done["variables"]["seen"]["branch"] == "main"
        dump = "".join([
            each["row"] for table in ("webhook", "webhook_delivery", "kept_answer", "secret", "audit_entry")
            if await pool.fetchval("select to_regclass($1)", f"gateway.{table}")
            for each in await pool.fetch(f"select t::text as row from gateway.{table} t")
        ])  # fmt: skip
        for secret in (made["key"], made["secret"], signing["key"], signing["secret"]):
            assert secret not in dump and secret.encode().hex() not in dump and secret not in listed.text


async def test_who_is_refused_learns_what_to_do_and_nothing_more(pool: asyncpg.Pool) -> None:
    async with house(pool) as home:
        workflow_id = await home.publish(HOOKED)
        made = await hook(home, workflow_id)
        sender, body = Sender(made), {"variables": {"n": 1}}
        unknown = Sender({**made, "key": "whk_nobody"})
        assert (await sender.send(home, body, secret="wrong")).status_code == 401
        assert (await sender.send(home, {"variables": 5})).json()["errors"][0]["path"] == "variables"
        assert (await sender.send(home, b"{")).status_code == 400
        assert (await sender.send(home, b" " * (1024 * 1024 + 1))).status_code == 413
        assert (await sender.send(home, body, **{"Content-Type": "text/plain"})).status_code == 415
        unfit = {"webhookId": "x", "auth": "bearer", "preset": "github", "maxAgeSeconds": 5}
        refused = await home.call("POST", f"/workflows/{workflow_id}/webhooks", status=422, json=unfit)
        assert [each["path"] for each in refused["errors"]] == ["auth", "maxAgeSeconds"]

        nothing = (await unknown.send(home, body)).content
        one = f"/workflows/{workflow_id}/webhooks/{made['hookId']}"
        other = Sender(await hook(home, workflow_id, webhookId="nobody-listens"))
        assert (await other.send(home, body)).content == nothing
        for shut, opened in (
            (f"{one}/disable", f"{one}/enable"),
            (f"/workflows/{workflow_id}/deactivate", f"/workflows/{workflow_id}/activate"),
        ):
            await home.call("POST", shut)
            answer = await sender.send(home, body)
            assert (answer.status_code, answer.content) == (404, nothing)
            await home.call("POST", opened)
        await pool.execute("update gateway.tenant set disabled = true")
        assert (await sender.send(home, body)).content == nothing
        await pool.execute("update gateway.tenant set disabled = false")
        assert (await sender.send(home, body)).status_code == 202, "a delivery that started nothing may come again"

        rotated = await home.call("POST", f"{one}/rotate", json={"oldSecretSeconds": 60})
        assert [(await sender.send(home, body, secret=each)).status_code for each in (sender.secret, rotated["secret"])] == [
            202,
            202,
        ]
        again = await home.call("POST", f"{one}/rotate", json={})
        assert [(await sender.send(home, body, secret=each)).status_code for each in (rotated["secret"], again["secret"])] == [
            401,
            202,
        ]
        assert (await home.http.delete(f"/api/v1{one}")).status_code == 204
        assert (await sender.send(home, body, secret=again["secret"])).content == nothing


async def test_a_webhook_takes_sixty_requests_a_minute_over_all_gateways(pool: asyncpg.Pool) -> None:
    async with house(pool) as home, another_gateway(home) as second:
        made = await hook(home, await home.publish(HOOKED))
        sender = Sender(made)
        sent = [sender.send(each, {"variables": 1, "n": n}) for n in range(33) for each in (home, second)]
        answers = await asyncio.gather(*sent)
        assert sorted(each.status_code for each in answers) == [422] * 60 + [429] * 6, "also what has the wrong shape counts"
        late = [each for each in answers if each.status_code == 429]
        assert all(1 <= int(each.headers["retry-after"]) <= 60 for each in late)
        assert (await sender.send(home, {}, secret="wrong")).status_code == 401, "who does not know the secret is not counted"
        await pool.execute(
            "update gateway.webhook_pace set requests = array(select r - interval '59 s' from unnest(requests) r)"
        )
        blocked = await sender.send(home, {"variables": {}})
        assert blocked.status_code == 429
        async with another_gateway(home) as fresh:
            retry = await sender.send(fresh, {"variables": {}})
            assert retry.status_code in {202, 429} and int(retry.headers.get("retry-after", 1)) == 1


class Dying(Commands):
    """A gateway that is killed at the command: before it is sent, or before its answer is given."""

    def __init__(self, requests: Requests, *, sent: bool) -> None:
        super().__init__(requests, 10)
        self._sent = sent

    async def send(self, call: Call, stream_id: str, command: Any) -> Outcome:
        if self._sent:
            await super().send(call, stream_id, command)
        raise asyncio.CancelledError


class Unwatched:
    """The record of an audit log that nobody reads."""

    def claim(self, *_: str) -> None:
        pass


@pytest.mark.parametrize("sent", [False, True])
async def test_a_gateway_that_dies_leaves_the_delivery_to_the_next_one(pool: asyncpg.Pool, sent: bool) -> None:
    async with house(pool) as home:
        made = await hook(home, await home.publish(HOOKED))
        sender, body = Sender(made), b'{"variables": {"n": 1}}'
        requests = Requests(home.bus, f"dying-{sent}")
        await requests.open()
        database = Database(pool)
        dying = WebhookDeliveries(
            Dying(requests, sent=sent), WebhookQueries(database), WebhookProofs(Secret(database, None)), SystemClock()
        )
        headers = {b"authorization": f"Bearer {sender.secret}".encode(), b"x-runyard-delivery": b"d1"}
        call = Call(Identity("", "nobody"), {"key": made["key"]}, headers, None, RawBody(body, "application/json"))
        call.audited_as = Unwatched()  # type: ignore[assignment]
        with pytest.raises(asyncio.CancelledError):
            await dying.receive(call)
        await requests.close()
        assert len(await started(home)) == (1 if sent else 0)
        answers = [await sender.send(home, body, **{"X-Runyard-Delivery": "d1"}) for _ in range(2)]
        assert {each.status_code for each in answers} == {202} and answers[0].content == answers[1].content
        assert await started(home) == [answers[0].json()["executionId"]]
