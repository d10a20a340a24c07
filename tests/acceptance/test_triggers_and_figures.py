"""What starts executions from outside, and what others then read of them: records, figures, events, the audit log."""

import hashlib
import hmac
import json
import secrets
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.acceptance.systems import Client, Distributed, Journal, Json, eventually
from tests.acceptance.test_first_promises import bash, chain


def test_a_signed_webhook_starts_one_execution_however_often_it_is_delivered(client: Client, journal: Journal) -> None:
    document = chain(
        bash("say", journal.say("{{ webhook.host }} {{ trigger.webhookId }}")),
        triggers=[{"type": "webhook", "id": "monitoring"}],
    )
    workflow_id = client.publish(document)
    hook = client.call(
        "POST", f"/workflows/{workflow_id}/webhooks", status=201, json={"webhookId": "monitoring", "auth": "hmac"}
    )
    body = json.dumps({"variables": {"host": "web-01"}}).encode()
    signature = "sha256=" + hmac.new(hook["secret"].encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-Runyard-Signature": signature, "X-Runyard-Delivery": secrets.token_hex(8), "Content-Type": "application/json"}
    with httpx.Client(trust_env=False, timeout=20) as sender:
        url = f"{client.system.url}/api/v1/webhooks/{hook['key']}"
        answers = [sender.post(url, content=body, headers=headers) for _ in range(3)]
        assert {answer.status_code for answer in answers} == {202}, [answer.text for answer in answers]
        (execution_id,) = {answer.json()["executionId"] for answer in answers}
        forged = sender.post(url, content=body + b" ", headers=headers | {"X-Runyard-Delivery": secrets.token_hex(8)})
        assert forged.status_code == 401
        unknown = sender.post(f"{client.system.url}/api/v1/webhooks/{secrets.token_hex(16)}", content=body, headers=headers)
        assert unknown.status_code == 404
    detail = client.finished(execution_id, "completed")
    assert (detail["trigger"]["type"], detail["trigger"]["webhookId"]) == ("webhook", "monitoring")
    assert journal.lines == ["web-01 monitoring"]
    assert len(client.call("GET", f"/executions?workflowId={workflow_id}")["items"]) == 1


def test_an_incident_starts_what_its_condition_is_for_and_says_why_nothing_else(client: Client, journal: Journal) -> None:
    service = f"service-{secrets.token_hex(4)}"

    def listener(condition: str) -> str:
        trigger = {"type": "incident", "events": ["incident.created"], "condition": condition}
        return client.publish(chain(bash("say", journal.say("{{ incident.title }}")), triggers=[trigger]))

    meant = listener(f'incident.service == "{service}" && incident.severity in ["critical", "high"]')
    other = listener(f'incident.service == "{service}" && incident.severity == "low"')
    incident = {"id": secrets.token_hex(4), "title": "Disk full", "severity": "critical", "service": service}
    answers = [
        client.call("POST", "/incidents", status=202, json={"event": "incident.created", "incident": incident})
        for _ in range(2)
    ]
    assert answers[0]["executions"] == answers[1]["executions"]
    (started,) = [each for each in answers[0]["executions"] if each["workflowId"] == meant]
    (reason,) = [each["reason"] for each in answers[0]["skipped"] if each["workflowId"] == other]
    assert reason.startswith("the condition is false")
    detail = client.finished(started["executionId"], "completed")
    assert (detail["trigger"]["event"], detail["trigger"]["incidentId"]) == ("incident.created", incident["id"])
    assert journal.lines == ["Disk full"]
    eventually(lambda: bool(records(client, other)), "the trigger record of the workflow that was not meant")
    (record,) = records(client, other)
    assert (record["outcome"], record["executionId"]) == ("skipped", None)
    assert "low" in record["reason"] and "critical" in str(record["reads"])


def records(client: Client, workflow_id: str) -> list[Json]:
    found: list[Json] = client.call("GET", f"/trigger-records?workflowId={workflow_id}")["items"]
    return found


def test_figures_are_what_counting_the_list_gives(client: Client) -> None:
    workflow_id = client.publish(chain(bash("maybe", "exit {{ inputs.code }}")))
    for code in (0, 0, 1):
        client.finished(client.run(workflow_id, {"code": code}))
    now = datetime.now(UTC)
    hours = {"from": (now - timedelta(hours=2)).isoformat(), "to": (now + timedelta(hours=1)).isoformat()}
    asked = hours | {"workflowId": workflow_id, "timezone": "Asia/Kathmandu"}
    summary: Json = {}

    def caught_up() -> bool:
        summary.update(client.call("GET", "/analytics/summary", params=asked))
        return bool(summary["total"] == summary["completed"] + summary["failed"] == 3)

    eventually(caught_up, "the figures", lambda: str(summary))
    listed = client.call("GET", "/executions", params=hours | {"workflowId": workflow_id})["items"]
    assert len(listed) == summary["total"]
    assert summary["completed"] == sum(row["status"] == "completed" for row in listed) == 2
    assert abs(summary["successRate"] - 2 / 3) < 1e-9
    durations = [row["durationMs"] for row in listed]
    assert abs(summary["averageDurationMs"] - sum(durations) / len(durations)) <= 1
    assert min(durations) * 0.98 <= summary["p50DurationMs"] <= summary["p95DurationMs"] <= max(durations) * 1.02
    trends = client.call("GET", "/analytics/trends", params=asked)["items"]
    assert sum(item["total"] for item in trends) == 3


def test_every_command_is_in_the_audit_log_with_who_gave_it_and_what_came_of_it(client: Client) -> None:
    workflow_id = client.publish(chain(bash("a")))
    with client.somebody("viewer") as viewer:
        assert viewer.send("POST", f"/workflows/{workflow_id}/run", json={}).status_code == 403
        execution_id = client.run(workflow_id)

        def audited() -> list[tuple[str, str, int]]:
            rows = client.call("GET", "/audit?operation=runWorkflow&limit=50")["items"]
            return [(row["actor"], row["outcome"], row["status"]) for row in rows if workflow_id in json.dumps(row)]

        eventually(lambda: len(audited()) == 2, "both in the audit log", lambda: str(audited()))
        assert sorted(audited()) == sorted([(viewer.name, "refused", 403), ("admin", "done", 202)])
    client.finished(execution_id, "completed")


def test_read_models_keep_up_are_rebuilt_while_read_and_equal_the_log(client: Client) -> None:
    execution_id = client.ran(chain(bash("a")), status="completed")["executionId"]
    names = [row["name"] for row in client.call("GET", "/projections")["items"]]
    assert {"executions", "workflows", "triggers", "analytics"} <= set(names)
    before = client.detail(execution_id)
    client.call("POST", "/projections/rebuild", status=202, json={})

    def idle() -> bool:
        assert client.detail(execution_id)["jobs"] == before["jobs"]  # never half a model
        return all(row["status"] == "ok" for row in client.call("GET", "/projections")["items"])

    eventually(idle, "the rebuild to end", lambda: str(client.call("GET", "/projections")))
    assert client.detail(execution_id)["nodes"] == before["nodes"]


@pytest.mark.xdist_group("distributed")
def test_a_schedule_comes_at_its_minute_once(distributed: Distributed) -> None:
    trigger = {"type": "schedule", "cron": "* * * * *", "timezone": "Europe/Berlin"}
    with Client(distributed) as client:
        journal = Journal(distributed)
        workflow_id = client.publish(chain(bash("say", journal.say("{{ trigger.scheduledAt }}")), triggers=[trigger]))
        (schedule,) = [row for row in client.call("GET", "/schedules")["items"] if row["workflowId"] == workflow_id]
        eventually(lambda: bool(journal.lines), "the next minute", lambda: str(records(client, workflow_id)))
        position = client.call("POST", f"/workflows/{workflow_id}/deactivate")["position"]
        rows = client.call("GET", f"/executions?workflowId={workflow_id}&trigger=cron&minPosition={position}")["items"]
        came_at = [row["trigger"]["scheduledAt"] for row in rows]
        assert schedule["next"]["at"] in came_at and len(set(came_at)) == len(came_at)
        assert journal.lines == came_at[::-1]
