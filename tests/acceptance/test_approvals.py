"""Approvals as people meet them: asked, reminded, told by mail and webhook; one decision, whoever answers and however often."""

import asyncio
import re
import secrets
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
import pytest

from tests.acceptance.systems import Client, Json, Person
from tests.acceptance.test_first_promises import bash, edge, workflow
from tests.receivers import http_receiver, mail_server

ServerT = TypeVar("ServerT")
NO_CHANNELS: list[str] = []
"""Nobody is told: channels that other tests make at the same time are none of a test's business."""


def gate(*, rejected: bool = True, **fields: Any) -> Json:
    """Asks; remembers what later nodes see of the answer."""
    answer = "nodes.ask.output"
    seen = {
        "decision": f"{{{{ {answer}.decision }}}}",
        "by": f"{{{{ {answer}.respondedBy }}}}",
        "note": f"{{{{ {answer}.responseNote }}}}",
        "via": f"{{{{ {answer}.respondedVia }}}}",
    }
    ask = {"id": "ask", "type": "approval", "message": "Clean {{ inputs.host }}?", "channels": NO_CHANNELS} | fields
    nodes = [ask, {"id": "yes", "type": "setVariables", "values": {"taken": "yes"} | seen}]
    edges = [edge("trigger", "ask"), edge("ask", "yes", "approved")]
    if rejected:
        nodes.append({"id": "no", "type": "setVariables", "values": {"taken": "no"} | seen})
        edges.append(edge("ask", "no", "rejected"))
    inputs = {"type": "object", "properties": {"host": {"type": "string", "default": "web-01"}}}
    return workflow(nodes, edges, inputs=inputs)


def asked(client: Client, execution_id: str) -> Json:
    """The approval that the execution waits for."""
    detail = client.until(
        execution_id, lambda row: any(each["status"] == "pending" for each in row["approvals"]), "an approval to be pending"
    )
    found: Json = next(each for each in detail["approvals"] if each["status"] == "pending")
    return found


def ask(client: Client, document: Json) -> tuple[str, str]:
    """(execution id, approval id) of a new run."""
    execution_id = client.run(client.publish(document))
    return execution_id, asked(client, execution_id)["approvalId"]


def answer(client: Client, approval_id: str, decision: str = "approve", **body: Any) -> httpx.Response:
    return client.send("POST", f"/approvals/{approval_id}/{decision}", json=body)


def waiting_for(client: Client) -> list[str]:
    return [row["approvalId"] for row in client.call("GET", "/approvals?status=pending&mine=true&limit=200")["items"]]


@pytest.fixture
def alice(client: Client) -> Iterator[Person]:
    with client.somebody("operator") as person:
        yield person


@pytest.fixture
def bob(client: Client) -> Iterator[Person]:
    with client.somebody("operator") as person:
        yield person


# --- the decision


def test_who_approves_and_what_he_says_is_what_later_nodes_and_the_log_see(client: Client, alice: Person) -> None:
    execution_id, approval_id = ask(client, gate(approvers=[alice.name]))
    detail = client.detail(execution_id)
    row = client.call("GET", f"/executions?q={execution_id}")["items"][0]
    assert (detail["status"], row["status"], row["pendingApprovals"]) == ("paused", "paused", 1)
    shown = alice.call("GET", f"/approvals/{approval_id}")
    assert (shown["message"], shown["status"], shown["executionId"]) == ("Clean web-01?", "pending", execution_id)
    answered = answer(alice, approval_id, note="disk is full")
    assert (answered.status_code, answered.json()["respondedBy"]) == (200, alice.name)
    detail = client.finished(execution_id, "completed")
    seen = {name: detail["variables"][name] for name in ("taken", "decision", "by", "note", "via")}
    assert seen == {"taken": "yes", "decision": "approved", "by": alice.name, "note": "disk is full", "via": "api"}
    client.log_when(execution_id, alice.name, "disk is full")
    assert detail["approvals"][0]["respondedBy"] == alice.name


def test_a_rejection_takes_the_rejected_edge_with_its_note(client: Client, alice: Person) -> None:
    execution_id, approval_id = ask(client, gate(approvers=[alice.name]))
    assert answer(alice, approval_id, "reject", note="not today").status_code == 200
    detail = client.finished(execution_id, "completed")
    assert [detail["variables"][name] for name in ("taken", "decision", "note")] == ["no", "rejected", "not today"]


def test_a_rejection_without_an_edge_fails_the_execution_and_says_why(client: Client) -> None:
    execution_id, approval_id = ask(client, gate(rejected=False))
    answer(client, approval_id, "reject", note="not today")
    detail = client.finished(execution_id, "failed")
    assert (detail["error"]["reason"], detail["error"]["nodeId"]) == ("approval_rejected", "ask")
    client.log_when(execution_id, "not today")


def test_an_approval_that_nobody_answers_in_time_is_rejected_and_the_log_says_why(client: Client) -> None:
    execution_id, approval_id = ask(client, gate(timeoutSeconds=0.5))
    detail = client.finished(execution_id, "completed")
    assert [detail["variables"][name] for name in ("taken", "decision")] == ["no", "expired"]
    client.log_when(execution_id, "timeout")
    late = answer(client, approval_id)
    assert (late.status_code, late.json()["code"], late.json()["decision"]) == (409, "already_resolved", "expired")


def test_of_a_hundred_answers_at_once_one_counts_and_the_others_are_told_whose(client: Client) -> None:
    execution_id, approval_id = ask(client, gate())
    with ThreadPoolExecutor(25) as threads:
        decisions = ["approve", "reject"] * 50
        answers = list(threads.map(lambda decision: answer(client, approval_id, decision, note=decision), decisions))
    assert Counter(each.status_code for each in answers) == {200: 1, 409: 99}
    winner = next(each.json() for each in answers if each.status_code == 200)
    losers = [each.json() for each in answers if each.status_code == 409]
    assert {(each["respondedBy"], each["respondedAt"], each["decision"]) for each in losers} == {
        (winner["respondedBy"], winner["respondedAt"], winner["status"])
    }
    detail = client.finished(execution_id, "completed")
    assert detail["variables"]["decision"] == winner["status"]
    assert detail["approvals"][0]["status"] == winner["status"]


# --- who may answer


def test_who_is_no_approver_is_refused_and_nothing_changes(client: Client, alice: Person, bob: Person) -> None:
    execution_id, approval_id = ask(client, gate(approvers=[alice.name]))
    for somebody in (bob, client):
        refused = answer(somebody, approval_id)
        assert (refused.status_code, refused.json()["code"]) == (403, "not_an_approver")
    assert client.detail(execution_id)["status"] == "paused"
    assert answer(alice, approval_id).status_code == 200
    client.finished(execution_id, "completed")


def test_a_role_may_answer_and_with_no_approvers_anyone_who_may_execute(client: Client, alice: Person) -> None:
    role = f"oncall-{secrets.token_hex(4)}"
    with client.somebody(role) as member, client.somebody("viewer") as viewer:
        execution_id, approval_id = ask(client, gate(approvers=[f"role:{role}"]))
        assert answer(alice, approval_id).status_code == 403
        assert answer(member, approval_id).status_code == 200
        client.finished(execution_id, "completed")
        execution_id, approval_id = ask(client, gate())
        assert answer(viewer, approval_id).status_code == 403
        assert answer(alice, approval_id).status_code == 200
        client.finished(execution_id, "completed")


def test_two_different_people_must_approve_when_two_are_asked_for(client: Client, alice: Person, bob: Person) -> None:
    execution_id, approval_id = ask(client, gate(minApprovals=2))
    assert answer(alice, approval_id, note="one").json()["status"] == "pending"
    again = answer(alice, approval_id, note="me again")
    assert (again.status_code, again.json()["code"]) == (409, "already_answered")
    assert client.detail(execution_id)["status"] == "paused"
    assert answer(bob, approval_id, note="two").json()["status"] == "approved"
    client.finished(execution_id, "completed")
    client.log_when(execution_id, alice.name, bob.name)


def test_one_rejection_rejects_whatever_others_said(client: Client, alice: Person, bob: Person) -> None:
    execution_id, approval_id = ask(client, gate(minApprovals=3))
    answer(alice, approval_id)
    assert answer(bob, approval_id, "reject").json()["status"] == "rejected"
    assert client.finished(execution_id, "completed")["variables"]["taken"] == "no"


def test_who_started_the_run_may_not_approve_it_if_that_is_prevented(client: Client, alice: Person, bob: Person) -> None:
    execution_id = alice.run(client.publish(gate(preventSelfApproval=True)))
    approval_id = asked(client, execution_id)["approvalId"]
    assert answer(alice, approval_id).status_code == 403
    assert answer(bob, approval_id).status_code == 200
    client.finished(execution_id, "completed")


def test_what_waits_for_me_is_listed_oldest_first_until_it_is_answered(client: Client, alice: Person, bob: Person) -> None:
    workflow_id = client.publish(gate(approvers=[alice.name]))
    execution_ids = [client.run(workflow_id) for _ in range(3)]
    approval_ids = [asked(client, execution_id)["approvalId"] for execution_id in execution_ids]
    assert waiting_for(alice) == approval_ids
    assert not set(approval_ids) & set(waiting_for(bob))
    answer(alice, approval_ids[0])
    client.finished(execution_ids[0], "completed")
    assert waiting_for(alice) == approval_ids[1:]
    for execution_id in execution_ids[1:]:
        client.cancel(execution_id)


def test_after_the_escalation_others_may_answer_as_well(client: Client, alice: Person, bob: Person) -> None:
    fields: Json = {"approvers": [alice.name], "escalateAfterSeconds": 0.4, "escalateTo": [bob.name], "remindAfterSeconds": 0.2}
    execution_id, approval_id = ask(client, gate(**fields))
    client.log_when(execution_id, "reminded", bob.name)
    assert answer(bob, approval_id).status_code == 200
    client.finished(execution_id, "completed")


def test_a_cancelled_execution_needs_no_answer_any_more(client: Client) -> None:
    execution_id, approval_id = ask(client, gate())
    client.cancel(execution_id, reason="wrong host")
    detail = client.finished(execution_id, "cancelled")
    client.until(execution_id, lambda row: row["approvals"][0]["status"] == "cancelled", "the approval to be cancelled")
    refused = answer(client, approval_id)
    assert (refused.status_code, refused.json()["code"]) == (409, "already_resolved")
    statuses = {node["nodeId"]: node["status"] for node in detail["nodes"]}
    assert "completed" not in (statuses["yes"], statuses["no"])
    client.log_when(execution_id, "wrong host")


def test_an_execution_with_a_job_beside_the_approval_is_running_and_counts_both(client: Client) -> None:
    document = gate()
    document["nodes"].append(bash("busy", "sleep 120"))
    document["edges"].append(edge("trigger", "busy"))
    execution_id, _ = ask(client, document)
    detail = client.until(execution_id, lambda row: [job["status"] for job in row["jobs"]] == ["running"], "the job to run")
    assert (detail["status"], detail["pendingApprovals"]) == ("running", 1)
    client.cancel(execution_id, force=True)


def test_each_item_of_a_loop_has_an_approval_of_its_own(client: Client) -> None:
    body = {
        "nodes": [
            {"id": "ask", "type": "approval", "message": "Restart {{ item }}?", "channels": NO_CHANNELS},
            bash("restart", "printf %s {{ item }}"),
        ],
        "edges": [edge("item", "ask"), edge("ask", "restart", "approved")],
    }
    each = {"id": "each", "type": "forEach", "items": "inputs.hosts", "concurrency": 3, "body": body}
    execution_id = client.run(client.publish(workflow([each], [edge("trigger", "each")])), {"hosts": ["a", "b", "c"]})
    detail = client.until(execution_id, lambda row: row["pendingApprovals"] == 3, "three approvals")
    assert detail["status"] == "paused"
    assert sorted(row["message"] for row in detail["approvals"]) == ["Restart a?", "Restart b?", "Restart c?"]
    for row in detail["approvals"]:
        assert answer(client, row["approvalId"]).status_code == 200
    detail = client.finished(execution_id, "completed")
    assert sorted(job["output"]["stdout"] for job in detail["jobs"]) == ["a", "b", "c"]


# --- notifications and signed links


@contextmanager
def running(server: Callable[[], AbstractAsyncContextManager[ServerT]]) -> Iterator[ServerT]:
    """The server, on an event loop in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    manager = server()
    try:
        made = asyncio.run_coroutine_threadsafe(manager.__aenter__(), loop).result(10)
        try:
            yield made
        finally:
            asyncio.run_coroutine_threadsafe(manager.__aexit__(None, None, None), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@contextmanager
def channel(client: Client, url: str) -> Iterator[str]:
    """The name of a channel that is there for a test only."""
    name = f"channel-{secrets.token_hex(4)}"
    made = client.call("POST", "/notification-channels", status=201, json={"name": name, "url": url})
    yield name
    client.call("DELETE", f"/notification-channels/{made['channelId']}", status=204)


def told(client: Client, execution_id: str, name: str) -> Json:
    """How the channel fared, as soon as the execution knows."""
    detail = client.until(
        execution_id,
        lambda row: any(each["channel"] == name for each in row["approvals"][0]["notifications"]),
        f"the channel {name} to be told",
    )
    found: Json = next(each for each in detail["approvals"][0]["notifications"] if each["channel"] == name)
    return found


def link_in(client: Client, text: str) -> str:
    """The signed link of a message, at the address where the test finds the gateway."""
    found = re.search(r"https?://\S+/approvals/\S+/link/[\w.\-]+", text)
    assert found, text
    return client.system.url + urlsplit(found[0]).path


def test_a_mail_says_what_is_asked_and_its_link_decides_once_and_only_when_confirmed(client: Client) -> None:
    with running(mail_server) as box, channel(client, box.url) as name:
        execution_id, approval_id = ask(client, gate(channels=[name], approvers=["nobody-else"]))
        assert told(client, execution_id, name)["error"] is None
        text = box.mails[0].get_content() if not box.mails[0].is_multipart() else str(box.mails[0].get_body(("plain",)))
    assert "Clean web-01?" in text
    link = link_in(client, text.replace("=\n", ""))
    page = httpx.get(link, trust_env=False)
    assert page.status_code == 200
    assert "Clean web-01?" in page.text
    assert client.detail(execution_id)["status"] == "paused"
    tampered = httpx.post(link[:-2] + ("AA" if link[-2:] != "AA" else "BB"), data={"decision": "approved"}, trust_env=False)
    assert tampered.status_code in (403, 404)
    assert client.call("GET", f"/approvals/{approval_id}")["status"] == "pending"
    decided = httpx.post(link, data={"decision": "approved", "note": "from my phone"}, trust_env=False)
    assert decided.status_code == 200
    detail = client.finished(execution_id, "completed")
    assert [detail["variables"][name] for name in ("taken", "note", "via")] == ["yes", "from my phone", "link"]
    assert httpx.post(link, data={"decision": "rejected"}, trust_env=False).status_code in (409, 410)
    assert httpx.get(link, trust_env=False).status_code in (409, 410)


def test_a_webhook_that_fails_first_is_tried_again_and_never_holds_up_the_approval(client: Client) -> None:
    with running(http_receiver) as receiver, channel(client, receiver.url) as name:
        receiver.answers.extend([500, 503])
        execution_id, approval_id = ask(client, gate(channels=[name]))
        fared = told(client, execution_id, name)
        assert (fared["error"], fared["attempts"]) == (None, 3)
        assert "Clean web-01?" in str(receiver.got)
        link = link_in(client, str(receiver.got).replace("\\n", "\n").replace("'", " "))
        answer(client, approval_id)
        client.finished(execution_id, "completed")
        assert httpx.post(link, data={"decision": "rejected"}, trust_env=False).status_code in (409, 410)
        client.log_when(execution_id, name)


def test_a_channel_never_shows_its_address_again(client: Client) -> None:
    secret = secrets.token_hex(8)
    with channel(client, f"json://127.0.0.1:9/{secret}") as name:
        shown = client.send("GET", "/notification-channels").text
        assert name in shown
        assert secret not in shown


def test_a_channel_that_cannot_be_reached_is_told_on_the_execution(client: Client) -> None:
    @asynccontextmanager
    async def nobody() -> AsyncIterator[int]:
        server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
        async with server:
            yield server.sockets[0].getsockname()[1]

    with running(nobody) as port, channel(client, f"json://127.0.0.1:{port}/") as name:
        execution_id, approval_id = ask(client, gate(channels=[name]))
        assert answer(client, approval_id).status_code == 200
        client.finished(execution_id, "completed")
