"""Approvals over HTTP: who sees them, who may answer, one decision, signed links, channels."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest
from runyard_approvals.links import Link, Links
from runyard_approvals.secret import load_secret
from runyard_shared.ids import new_id

from tests.gateway import House, Json, house


@pytest.fixture
async def home(pool: asyncpg.Pool) -> AsyncIterator[House]:
    async with house(pool) as made:
        yield made


def gate(name: str = "Gate", **approval: Any) -> Json:
    return {
        "name": name,
        "inputs": {"type": "object", "properties": {"host": {"type": "string", "default": "web-01"}}},
        "nodes": [
            {"id": "ask", "name": "Ask first", "type": "approval", "message": "Clean <{{ inputs.host }}>?", **approval},
            {"id": "yes", "type": "setVariables", "values": {"said": "{{ nodes.ask.output.responseNote }}"}},
            {"id": "no", "type": "setVariables", "values": {"said": "no"}},
        ],
        "edges": [
            {"from": "trigger", "to": "ask"}, {"from": "ask", "port": "approved", "to": "yes"},
            {"from": "ask", "port": "rejected", "to": "no"},
        ],
    }  # fmt: skip


class Person:
    """Somebody with an API key."""

    def __init__(self, home: House, key: str) -> None:
        self._home = home
        self.key = key
        self._headers = {"Authorization": f"Bearer {key}"}

    async def asks(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {**self._headers, **options.pop("headers", {})}
        return await self._home.http.request(method, f"/api/v1{path}", headers=headers, **options)

    async def mine(self) -> list[str]:
        answer = await self.asks("GET", "/approvals?mine=true")
        return [row["approvalId"] for row in answer.json()["items"]]

    async def answers(self, approval_id: str, how: str = "approve", **body: Any) -> httpx.Response:
        return await self.asks("POST", f"/approvals/{approval_id}/{how}", json=body)


async def person(home: House, name: str, *roles: str) -> Person:
    await home.call("POST", "/users", status=201, json={"name": name, "roles": list(roles)})
    return Person(home, (await home.call("POST", "/api-keys", status=201, json={"user": name}))["key"])


async def asked(home: House, document: Json, **variables: Any) -> tuple[str, str]:
    """An execution that waits for its approval: the ids of both."""
    execution_id = await home.run(await home.publish(document), **variables)
    detail = await home.detail_when(execution_id, lambda each: each["approvals"])
    return execution_id, detail["approvals"][0]["approvalId"]


async def test_an_approver_sees_what_waits_and_the_execution_goes_on_with_the_note(home: House) -> None:
    alice, bob = await person(home, "alice"), await person(home, "bob", "operator")
    execution_id, approval_id = await asked(home, gate(approvers=["alice"], timeoutSeconds=900))
    assert (await alice.mine(), await bob.mine()) == ([approval_id], [])
    row = (await alice.asks("GET", f"/approvals/{approval_id}")).json()
    assert (row["message"], row["nodeName"], row["workflowName"]) == ("Clean <web-01>?", "Ask first", "Gate")
    assert (row["status"], row["approvers"], row["executionId"]) == ("pending", ["alice"], execution_id)
    detail = await home.call("GET", f"/executions/{execution_id}")
    assert (detail["status"], detail["pendingApprovals"]) == ("paused", 1)
    context = row.pop("context")  # seen by whoever may answer, without any permission
    assert (context["trigger"]["type"], context["variables"], context["nodes"]) == ("manual", detail["variables"], [])
    assert detail["approvals"] == [row]

    refused = await bob.answers(approval_id)
    assert (refused.status_code, refused.json()["code"]) == (403, "not_an_approver")
    answer = await alice.answers(approval_id, note="go on", via="mobile")
    assert answer.status_code == 200, answer.text
    assert (answer.json()["status"], answer.json()["respondedBy"], answer.json()["respondedVia"]) == (
        "approved", "alice", "mobile",
    )  # fmt: skip
    shown = await home.call("GET", f"/approvals/{approval_id}")  # at once, without waiting
    assert (shown["status"], shown["respondedBy"], shown["responseNote"]) == ("approved", "alice", "go on")
    assert (await home.until(execution_id, "completed"))["variables"]["said"] == "go on"
    assert await alice.mine() == []
    told = [entry["message"] for entry in (await home.call("GET", f"/executions/{execution_id}/log"))["items"]]
    assert any("alice" in message and "go on" in message and "mobile" in message for message in told), told
    late = await alice.answers(approval_id, "reject")
    problem = late.json()
    assert (late.status_code, problem["code"], problem["decision"]) == (409, "already_resolved", "approved")
    assert (problem["respondedBy"], problem["respondedAt"]) == ("alice", answer.json()["respondedAt"])


async def test_what_led_to_a_question_is_shown_with_it_and_nothing_that_came_after(home: House) -> None:
    document = gate()
    document["nodes"].insert(0, {"id": "look", "type": "setVariables", "values": {"full": "93 %"}})
    document["edges"][0] = {"from": "trigger", "to": "look"}
    document["edges"].append({"from": "look", "to": "ask"})
    execution_id, approval_id = await asked(home, document, host="db-1")
    shown = await home.call("GET", f"/approvals/{approval_id}")
    assert shown["context"]["trigger"]["type"] == "manual"
    assert shown["context"]["variables"] == {"host": "db-1", "full": "93 %"}
    (node,) = shown["context"]["nodes"]
    assert (node["nodeId"], node["status"], node["output"]) == ("look", "completed", {"full": "93 %"})
    await home.call("POST", f"/approvals/{approval_id}/approve", json={})
    await home.until(execution_id, "completed")
    later = await home.call("GET", f"/approvals/{approval_id}")
    assert later["status"] == "approved" and later["context"]["nodes"] == [node]


async def test_without_approvers_anyone_who_may_execute_answers_and_nobody_else(home: House) -> None:
    viewer, operator = await person(home, "vera", "viewer"), await person(home, "oscar", "operator")
    execution_id, approval_id = await asked(home, gate())
    assert (await viewer.mine(), await operator.mine()) == ([], [approval_id])
    refused = await viewer.answers(approval_id)
    assert (refused.status_code, refused.json()["code"]) == (403, "not_an_approver")
    rejected = await operator.asks("POST", f"/approvals/{approval_id}/reject", json={}, headers={"Runyard-Via": "web"})
    assert (rejected.json()["status"], rejected.json()["respondedVia"]) == ("rejected", "web")
    assert (await home.until(execution_id, "completed"))["variables"]["said"] == "no"


async def test_roles_votes_and_self_approval_decide_what_is_mine(home: House) -> None:
    ann, ben = await person(home, "ann", "oncall", "operator"), await person(home, "ben", "oncall")
    document = gate(approvers=["role:oncall"], minApprovals=2)
    _, approval_id = await asked(home, document)
    assert await ann.mine() == await ben.mine() == [approval_id]
    voted = (await ann.answers(approval_id, note="one")).json()
    assert (voted["status"], voted["approvals"], voted["minApprovals"]) == ("pending", 1, 2)
    assert (await ann.mine(), await ben.mine()) == ([], [approval_id])
    (vote,) = (await home.call("GET", f"/approvals/{approval_id}"))["votes"]
    assert (vote["by"], vote["note"], vote["via"]) == ("ann", "one", "api")
    again = await ann.answers(approval_id)
    assert (again.status_code, again.json()["code"]) == (409, "already_answered")
    assert (await ben.answers(approval_id)).json()["status"] == "approved"

    own = await home.publish(gate("Own", approvers=["role:oncall"], preventSelfApproval=True))
    await ann.asks("POST", f"/workflows/{own}/run", json={})
    async with asyncio.timeout(30):
        while not (waiting := await ben.mine()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert await ann.mine() == []
    refused = await ann.answers(waiting[0])
    assert (refused.status_code, refused.json()["code"]) == (403, "self_approval")


async def test_the_list_is_oldest_first_in_pages_and_shows_strangers_nothing(home: House) -> None:
    workflow_id = await home.publish(gate(approvers=["alice"]))
    alice, stranger = await person(home, "alice"), await person(home, "stranger", "oncall")
    ids = []
    for _ in range(5):
        execution_id = await home.run(workflow_id)
        detail = await home.detail_when(execution_id, lambda each: each["approvals"])
        ids.append(detail["approvals"][0]["approvalId"])
    seen: list[str] = []
    cursor: Json = {}
    while True:
        page = (await alice.asks("GET", "/approvals?status=pending&status=approved&limit=2", params=cursor)).json()
        seen += [row["approvalId"] for row in page["items"]]
        if page["nextCursor"] is None:
            break
        cursor = {"status": ["pending", "approved"], "limit": 2, "cursor": page["nextCursor"]}
    assert seen == ids
    assert (await stranger.asks("GET", "/approvals")).json()["items"] == []
    assert (await stranger.asks("GET", f"/approvals/{ids[0]}")).status_code == 404
    assert (await home.call("GET", f"/approvals/{new_id()}", status=404))["code"] == "approval_not_found"


async def test_the_approvals_of_a_large_execution_come_in_pages_and_by_status(home: House) -> None:
    """The detail holds the first of them, and says where the others are."""
    execution_id, _ = await asked(home, gate())
    await asked(home, gate("Another"))
    whole = await home.call("GET", f"/executions/{execution_id}")
    assert (len(whole["approvals"]), whole["approvalsCursor"]) == (1, None)
    await home.pool.execute(
        "insert into projections.approval (approval_id, tenant_id, execution_id, stream_id, node_id, workflow_name, started_by,"
        " message, status, approvers, min_approvals, prevent_self_approval, requested_at, votes, notifications, escalated_to,"
        " position)"
        " select gen_random_uuid(), tenant_id, execution_id, stream_id, node_id, workflow_name, started_by, message,"
        " case when n % 100 = 0 then 'rejected' else status end, approvers, 1, false,"
        " date_trunc('milliseconds', requested_at) + n / 3 * interval '1 ms', '{}', '{}', '{}', position"
        " from projections.approval, generate_series(1, 449) n where execution_id = $1",
        execution_id,
    )
    detail = await home.call("GET", f"/executions/{execution_id}")
    shown, cursor = detail["approvals"], detail["approvalsCursor"]
    assert len(shown) == 200
    while cursor is not None:
        page = await home.call("GET", "/approvals", params={"executionId": execution_id, "cursor": cursor, "limit": 60})
        shown += page["items"]
        cursor = page["nextCursor"]
    ids = [(each["requestedAt"], each["approvalId"]) for each in shown]
    assert (len(ids), ids) == (450, sorted(set(ids)))
    rejected = await home.call("GET", "/approvals", params={"executionId": execution_id, "status": "rejected"})
    assert len(rejected["items"]) == 4
    assert (await home.call("GET", "/approvals", params={"executionId": new_id()}))["items"] == []
    stranger = await person(home, "stranger", "oncall")
    assert (await stranger.asks("GET", f"/approvals?executionId={execution_id}")).json()["items"] == []


async def test_of_a_hundred_simultaneous_answers_one_wins_and_all_hear_the_same(home: House) -> None:
    people = [await person(home, f"p{number}", "operator") for number in range(4)]
    execution_id, approval_id = await asked(home, gate())
    answers = await asyncio.gather(
        *(
            people[number % 4].answers(approval_id, "approve" if number % 2 else "reject", note=str(number))
            for number in range(100)
        )
    )
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 99}
    (winner,) = (answer.json() for answer in answers if answer.status_code == 200)
    for answer in answers:
        if answer.status_code == 409:
            told = answer.json()
            assert (told["decision"], told["respondedBy"], told["respondedAt"]) == (
                winner["status"], winner["respondedBy"], winner["respondedAt"],
            )  # fmt: skip
    detail = await home.until(execution_id, "completed")
    assert detail["variables"]["said"] == (winner["responseNote"] if winner["status"] == "approved" else "no")


async def test_approvals_of_another_tenant_are_not_seen(home: House) -> None:
    execution_id, approval_id = await asked(home, gate())
    for table in ("projections.approval", "projections.execution", "approvals.event"):
        await home.pool.execute(f"update {table} set tenant_id = 'other'")
    assert (await home.call("GET", "/approvals"))["items"] == []
    assert (await home.call("GET", "/approvals?mine=true"))["items"] == []
    assert (await home.call("GET", f"/approvals?executionId={execution_id}"))["items"] == []
    await home.call("GET", f"/approvals/{approval_id}", status=404)


# --- signed links


async def link_to(home: House, approval_id: str, *, hours: float = 1) -> str:
    """The address that a notification would hold."""
    links = Links(await load_secret(home.pool, None), home.gateway.address)
    token = links.sign(Link(approval_id, "link:ops", datetime.now(UTC) + timedelta(hours=hours), new_id()))
    return f"{home.gateway.address}/approvals/{approval_id}/link/{token}"


def words(page: httpx.Response) -> str:
    return re.sub(r"<[^>]*>", " ", re.sub(r"<style>.*?</style>", "", page.text, flags=re.DOTALL))


async def test_opening_a_link_changes_nothing_and_its_form_decides_once(home: House) -> None:
    execution_id, approval_id = await asked(home, gate(), host="<script>x</script>")
    url = await link_to(home, approval_id)
    async with httpx.AsyncClient(trust_env=False) as mail:
        for method in ("GET", "HEAD", "GET"):
            page = await mail.request(method, url)
            assert page.status_code == 200 and page.headers["content-type"] == "text/html; charset=utf-8"
        assert (await home.call("GET", f"/approvals/{approval_id}"))["status"] == "pending"
        assert "<script" not in page.text and "&lt;script&gt;" in page.text
        assert "http://" not in page.text and "https://" not in page.text
        assert page.headers["referrer-policy"] == "no-referrer" and page.headers["cache-control"] == "no-store"
        assert page.headers["content-security-policy"].startswith("default-src 'none'")
        assert "width=device-width" in page.text and "prefers-color-scheme:dark" in page.text
        assert (await mail.post(url, data={"decision": "perhaps"})).status_code == 422
        assert (await mail.post(url, content=b"\xff", headers={"Content-Type": "text/plain"})).status_code == 415
        done = await mail.post(url, data={"decision": "approved", "note": "by\r\nmail"})
        assert done.status_code == 200 and "You have approved it" in words(done)
        row = await home.call("GET", f"/approvals/{approval_id}")
        assert (row["status"], row["respondedVia"], row["responseNote"]) == ("approved", "link", "by\nmail")
        for again in (await mail.get(url), await mail.post(url, data={"decision": "rejected"})):
            assert again.status_code == 409
            told = words(again)
            assert "already decided" in told and "approved" in told and "ops" in told and "UTC" in told
    await home.until(execution_id, "completed")


async def test_links_that_are_tampered_with_expired_or_of_a_cancelled_approval_decide_nothing(home: House) -> None:
    execution_id, approval_id = await asked(home, gate())
    good, old = await link_to(home, approval_id), await link_to(home, approval_id, hours=-1)
    async with httpx.AsyncClient(trust_env=False) as mail:
        other = good.replace(approval_id, new_id())
        for url, status, said in (
            (good[:-3], 403, "not valid"), (other, 403, "not valid"), (old, 410, "expired"), (f"{good}/x", 404, ""),
            (good.replace(approval_id, "x"), 404, "not valid"), (good + "%00", 404, "not valid"),
        ):  # fmt: skip
            for answer in (await mail.get(url), await mail.post(url, data={"decision": "approved"})):
                assert answer.status_code == status and said in words(answer), (url, answer.status_code, words(answer))
        assert (await home.call("GET", f"/approvals/{approval_id}"))["status"] == "pending"
        await home.call("POST", f"/executions/{execution_id}/cancel", status=202)
        async with asyncio.timeout(30):
            while (await home.call("GET", f"/approvals/{approval_id}"))["status"] == "pending":  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        answer = await mail.post(good, data={"decision": "approved"})
        assert answer.status_code == 409 and "cancelled" in words(answer)


# --- notification channels


async def test_channels_are_made_listed_replaced_tested_and_deleted_and_their_url_is_never_shown(home: House) -> None:
    url = "json://user:secret-word@127.0.0.1:1/hook"
    made = await home.call("POST", "/notification-channels", status=201, json={"name": "ops", "url": url})
    path = f"/notification-channels/{made['channelId']}"
    assert (made["name"], made["enabled"]) == ("ops", True)
    (row,) = (await home.call("GET", "/notification-channels"))["items"]
    assert row["channelId"] == made["channelId"] and "secret-word" not in str(row) and row["createdAt"]
    tested = await home.call("POST", f"{path}/test")
    assert tested["delivered"] is False and tested["error"] and "secret-word" not in tested["error"]
    changed = await home.call("PUT", path, json={"name": "ops", "url": url, "enabled": False})
    assert changed["enabled"] is False
    kept = await home.call("PUT", path, json={"name": "ops"})
    assert (kept["enabled"], kept["kind"]) == (True, made["kind"])
    taken = await home.call("POST", "/notification-channels", status=409, json={"name": "ops", "url": url})
    assert taken["code"] == "channel_name_taken"
    wrong = await home.call("POST", "/notification-channels", status=422, json={"name": "x", "url": "nonsense"})
    assert [each["path"] for each in wrong["errors"]] == ["url"]
    assert (await home.http.delete(f"/api/v1{path}")).status_code == 204
    assert (await home.call("GET", "/notification-channels"))["items"] == []
    gone = await home.call("PUT", path, status=404, json={"name": "ops", "url": url})
    assert gone["code"] == "channel_not_found"
