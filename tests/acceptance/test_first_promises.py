"""What a new user is promised, from outside, in both forms: over HTTP and server-sent events only."""

import hashlib
import secrets
import threading
from itertools import pairwise
from typing import Any

import pytest

from tests.acceptance.systems import Client, Json, eventually

Edge = dict[str, str]


def bash(node_id: str, script: str = "true", **fields: Any) -> Json:
    return {"id": node_id, "type": "action", "action": "script.bash", "params": {"script": script}} | fields


def edge(source: str, target: str, port: str | None = None) -> Json:
    return {"from": source, "to": target} | ({"port": port} if port else {})


def workflow(nodes: list[Json], edges: list[Json], **fields: Any) -> Json:
    return {"name": f"Acceptance {secrets.token_hex(4)}", "nodes": nodes, "edges": edges} | fields


def chain(*nodes: Json, **fields: Any) -> Json:
    ids = ["trigger", *(node["id"] for node in nodes)]
    return workflow(list(nodes), [edge(a, b) for a, b in pairwise(ids)], **fields)


def test_a_workflow_of_real_jobs_runs_to_its_end_and_shows_everything_that_happened(client: Client) -> None:
    health = {"id": "health", "type": "action", "action": "http.request", "params": {"url": f"{client.system.url}/healthz"}}
    document = workflow(
        [
            bash("measure", "printf 91; echo careful >&2", name="Measure"),
            {"id": "full", "type": "condition", "expression": "int(nodes.measure.output.stdout) > inputs.limit"},
            bash("clean", "echo cleaned {{ nodes.measure.output.stdout }}"),
            bash("fine"),
            health,
        ],
        [
            edge("trigger", "measure"),
            edge("measure", "full"),
            edge("full", "clean", "true"),
            edge("full", "fine", "false"),
            edge("clean", "health"),
        ],
        inputs={"type": "object", "properties": {"limit": {"type": "integer", "default": 90}}},
    )
    workflow_id = client.publish(document)
    detail = client.finished(client.run(workflow_id), "completed")
    assert detail["jobs"] and [job["nodeId"] for job in detail["jobs"]] == ["measure", "clean", "health"]
    measure, clean, request = detail["jobs"]
    assert (measure["nodeName"], measure["actionType"], measure["attempt"], measure["status"]) == (
        "Measure",
        "script.bash",
        1,
        "completed",
    )
    assert (measure["output"]["stdout"], measure["output"]["stderr"], measure["output"]["exitCode"]) == ("91", "careful\n", 0)
    assert clean["output"]["stdout"].startswith("cleaned 91")
    assert request["output"]["statusCode"] == 200
    assert all(measure[at] for at in ("queuedAt", "dispatchedAt", "startedAt", "finishedAt", "agent"))
    statuses = {node["nodeId"]: node["status"] for node in detail["nodes"]}
    assert statuses == {
        "measure": "completed",
        "full": "completed",
        "clean": "completed",
        "fine": "skipped",
        "health": "completed",
    }
    messages = [entry["message"] for entry in client.log(detail["executionId"])]
    assert any("91" in message or "true" in message for message in messages)
    row = client.call("GET", f"/executions?q={detail['executionId']}")["items"][0]
    assert (row["status"], row["jobs"], row["trigger"]["type"]) == ("completed", {"completed": 3, "total": 3}, "manual")


def test_the_same_idempotency_key_makes_one_execution(client: Client) -> None:
    workflow_id = client.publish(chain(bash("a")))
    key = secrets.token_hex(8)
    found: list[str] = []

    def run() -> None:
        with Client(client.system) as own:
            found.append(own.run(workflow_id, key=key))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    other = client.send("POST", f"/workflows/{workflow_id}/run", json={"variables": {"x": 1}}, headers={"Idempotency-Key": key})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_retries_are_jobs_of_their_own_and_an_error_edge_sees_the_error(client: Client) -> None:
    document = workflow(
        [
            bash("flaky", "exit 7", maxRetries=2, retryDelaySeconds=0.2, backoff="exponential"),
            bash("never"),
            {"id": "handler", "type": "errorHandler"},
            bash("tell", "echo {{ error.nodeId }} {{ error.exitCode }}"),
        ],
        [edge("trigger", "flaky"), edge("flaky", "never"), edge("flaky", "handler", "error"), edge("handler", "tell")],
    )
    detail = client.finished(client.run(client.publish(document)), "completed")
    flaky = [job for job in detail["jobs"] if job["nodeId"] == "flaky"]
    assert [(job["attempt"], job["status"]) for job in flaky] == [(1, "failed"), (2, "failed"), (3, "failed")]
    assert detail["jobs"][-1]["output"]["stdout"] == "flaky 7\n"


def test_a_critical_failure_fails_the_execution_and_its_first_error_is_easy_to_find(client: Client) -> None:
    document = chain(bash("bad", "echo no such disk >&2; exit 3"), bash("never"))
    detail = client.finished(client.run(client.publish(document)), "failed")
    assert detail["error"]["nodeId"] == "bad"
    first = next(entry for entry in client.log(detail["executionId"]) if entry["level"] == "error")
    assert "3" in first["message"]
    assert [job["nodeId"] for job in detail["jobs"]] == ["bad"]


def test_an_action_over_its_timeout_is_stopped_with_all_it_started(client: Client) -> None:
    marker = client.system.journal / secrets.token_hex(4)
    script = f"(sleep 3; touch {marker}) & sleep 60"
    detail = client.finished(client.run(client.publish(chain(bash("slow", script, timeoutSeconds=0.5)))), "failed")
    assert detail["jobs"][0]["status"] == "timeout"
    assert detail["error"]["reason"] == "timeout"
    client.finished(client.run(client.publish(chain({"id": "nap", "type": "delay", "seconds": 3.5}))), "completed")
    assert not marker.exists()


def test_cancel_is_at_once_lets_running_jobs_end_and_starts_nothing_more(client: Client) -> None:
    go_on = client.system.journal / secrets.token_hex(4)
    document = chain(bash("wait", f"until [ -e {go_on} ]; do sleep 0.05; done; echo done"), bash("never"))
    execution_id = client.run(client.publish(document))
    client.until(execution_id, lambda row: bool(row["jobs"]) and row["jobs"][0]["status"] == "running", "the job to run")
    client.call("POST", f"/executions/{execution_id}/cancel", status=202, json={"reason": "changed my mind"})
    client.until(execution_id, lambda row: row["status"] == "cancelled", "the execution to be cancelled")
    go_on.touch()
    detail = client.until(execution_id, lambda row: row["jobs"][0]["status"] == "completed", "the running job to be recorded")
    assert detail["status"] == "cancelled"
    assert len(detail["jobs"]) == 1
    refused = client.send("POST", f"/executions/{execution_id}/cancel", json={})
    assert (refused.status_code, refused.json()["code"]) == (409, "execution_finished")


def test_cancel_with_force_stops_the_process_on_the_agent(client: Client) -> None:
    execution_id = client.run(client.publish(chain(bash("long", "sleep 120"))))
    client.until(execution_id, lambda row: bool(row["jobs"]) and row["jobs"][0]["status"] == "running", "the job to run")
    client.call("POST", f"/executions/{execution_id}/cancel", status=202, json={"force": True})
    client.until(execution_id, lambda row: row["jobs"][0]["status"] == "cancelled", "the job to be stopped")


def test_a_watcher_sees_every_event_once_in_order_and_resumes_where_it_was(client: Client) -> None:
    go_on = client.system.journal / secrets.token_hex(4)
    wait = f"until [ -e {go_on} ]; do sleep 0.05; done"
    document = chain(bash("a"), bash("b", wait), bash("c"))
    execution_id = client.run(client.publish(document))
    seen: list[tuple[int, str]] = []
    for event_id, name, data in client.stream(execution_id):
        if name == "snapshot":
            assert data["executionId"] == execution_id
            snapshot = int(data["asOf"])
            go_on.touch()
        elif event_id:
            seen.append((int(event_id), name))
        if name == "end":
            break
    positions = [position for position, _ in seen]
    assert positions == sorted(set(positions))
    assert all(position > snapshot for position in positions)
    assert seen[-1][1] in ("execution.completed", "end") or "execution.completed" in [name for _, name in seen]
    everything = [
        (int(i), n) for i, n, _ in client.stream(execution_id, last_event_id="0") if i and n not in ("snapshot", "end")
    ]
    assert [name for _, name in everything].count("job.completed") == 3
    resumed = [
        (int(i), n)
        for i, n, _ in client.stream(execution_id, last_event_id=str(everything[4][0]))
        if i and n not in ("snapshot", "end")
    ]
    assert resumed == everything[5:]


def test_output_is_complete_sealed_and_has_its_hash(client: Client) -> None:
    script = "for i in $(seq 1 20000); do echo line $i; done"
    detail = client.finished(client.run(client.publish(chain(bash("talk", script)))), "completed")
    job = detail["jobs"][0]
    whole = "".join(f"line {number}\n" for number in range(1, 20001)).encode()
    assert job["output"]["truncated"] is True
    path = f"/executions/{detail['executionId']}/jobs/{job['jobId']}/output?stream=stdout"
    eventually(lambda: client.send("GET", path).headers["X-Output-Sealed"] == "true", "the output to be sealed")
    received, answer = b"", client.send("GET", f"{path}&offset=0")
    assert answer.headers["X-Output-Size"] == str(len(whole))
    assert answer.headers["X-Output-Sha256"] == hashlib.sha256(whole).hexdigest()
    while answer.content:
        received += answer.content
        answer = client.send("GET", f"{path}&offset={len(received)}")
    assert received == whole


def test_validation_names_every_problem_at_once_and_a_bad_draft_cannot_be_published(client: Client) -> None:
    document = workflow(
        [
            bash("a", action="acme.unknown"),
            {"id": "a", "type": "condition", "expression": "1 +"},
            {"id": "lost", "type": "delay"},
        ],
        [edge("trigger", "a"), edge("a", "nowhere")],
    )
    workflow_id = client.call("POST", "/workflows", status=201, json=document)["workflowId"]
    verdict = client.call("POST", f"/workflows/{workflow_id}/validate")
    assert len(verdict["errors"]) >= 5
    refused = client.send("POST", f"/workflows/{workflow_id}/publish")
    assert refused.status_code == 422
    assert refused.headers["content-type"].startswith("application/problem+json")
    assert len(refused.json()["errors"]) == len(verdict["errors"])
    not_published = client.send("POST", f"/workflows/{workflow_id}/run", json={"variables": {}})
    assert (not_published.status_code, not_published.json()["code"]) == (409, "not_published")


def test_drafts_do_not_touch_what_runs_and_versions_can_be_rolled_back(client: Client) -> None:
    document = chain(bash("a", "echo one"))
    workflow_id = client.publish(document)
    changed = document | {"nodes": [bash("a", "echo two")]}
    client.call("PUT", f"/workflows/{workflow_id}/draft", json=changed)
    assert client.finished(client.run(workflow_id))["jobs"][0]["output"]["stdout"] == "one\n"
    assert client.call("POST", f"/workflows/{workflow_id}/publish")["version"] == 2
    assert client.finished(client.run(workflow_id))["jobs"][0]["output"]["stdout"] == "two\n"
    client.call("POST", f"/workflows/{workflow_id}/rollback", json={"version": 1})
    assert client.finished(client.run(workflow_id))["jobs"][0]["output"]["stdout"] == "one\n"


def test_the_list_filters_and_pages_without_losing_or_repeating_a_row(client: Client) -> None:
    workflow_id = client.publish(chain(bash("a")))
    wanted = {client.run(workflow_id) for _ in range(7)}
    for execution_id in wanted:
        client.finished(execution_id, "completed")
    found: list[str] = []
    cursor = ""
    while True:
        page = client.call("GET", f"/executions?workflowId={workflow_id}&status=completed&status=failed&limit=3{cursor}")
        found += [row["executionId"] for row in page["items"]]
        if not page["nextCursor"]:
            break
        cursor = f"&cursor={page['nextCursor']}"
    assert found == sorted(wanted, reverse=True)
    assert client.call("GET", f"/executions?workflowId={workflow_id}&status=running")["items"] == []


def test_a_job_that_no_agent_may_take_says_what_it_waits_for(client: Client) -> None:
    execution_id = client.run(client.publish(chain(bash("a", pool="nobody-home"))))
    detail = client.until(execution_id, lambda row: "nobody-home" in str(row["banner"]), "a reason")
    assert detail["status"] == "running"
    client.call("POST", f"/executions/{execution_id}/cancel", status=202, json={})
    detail = client.until(execution_id, lambda row: row["jobs"][0]["status"] == "cancelled", "the job to be withdrawn")
    assert detail["status"] == "cancelled"


def test_parallel_branches_and_joins_and_switches_and_delays_work_together(client: Client) -> None:
    document = workflow(
        [
            {"id": "fan", "type": "parallel"},
            *(bash(f"n{i}", f"printf {i}") for i in range(5)),
            {"id": "all", "type": "join"},
            {"id": "nap", "type": "delay", "seconds": 0.3},
            {
                "id": "sum",
                "type": "setVariables",
                "values": {"sum": "{{ int(nodes.n1.output.stdout) + int(nodes.n4.output.stdout) }}"},
            },
            {"id": "which", "type": "switch", "expression": "vars.sum", "cases": [4, 5]},
            bash("four"),
            bash("five"),
        ],
        [
            edge("trigger", "fan"),
            *(edge("fan", f"n{i}", f"b{i}") for i in range(5)),
            *(edge(f"n{i}", "all") for i in range(5)),
            edge("all", "nap"),
            edge("nap", "sum"),
            edge("sum", "which"),
            edge("which", "four", "4"),
            edge("which", "five", "5"),
        ],
    )
    execution_id = client.run(client.publish(document))
    detail = client.finished(execution_id)
    assert "does not resolve" not in str(client.log(execution_id)), client.log(execution_id)
    assert detail["status"] == "completed"
    assert [job["nodeId"] for job in detail["jobs"]][-1] == "five"


@pytest.mark.parametrize("path", ["/executions/019d0000-0000-7000-8000-000000000000", "/executions/nonsense", "/nowhere"])
def test_what_does_not_exist_is_a_404_problem(client: Client, path: str) -> None:
    answer = client.send("GET", path)
    assert answer.status_code == 404
    assert {"type", "title", "status", "detail", "code"} <= set(answer.json())


def test_without_a_key_nothing_is_answered(client: Client) -> None:
    answer = client.http.get(f"{client.system.url}/api/v1/executions", headers={"Authorization": "Bearer wrong"})
    assert answer.status_code == 401
    assert "www-authenticate" in answer.headers


def test_health_agents_and_the_openapi_document_are_there(client: Client) -> None:
    root = client.system.url
    assert client.http.get(f"{root}/healthz").status_code == 200
    assert client.http.get(f"{root}/readyz").status_code == 200
    document = client.http.get(f"{root}/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert "/api/v1/executions/{executionId}" in document["paths"] or any("executions" in path for path in document["paths"])
    # other tests make agents of their own in this system, and revoke them
    agents = [agent for agent in client.call("GET", "/agents")["items"] if agent["status"] != "revoked"]
    assert agents
    assert all(agent["status"] == "online" for agent in agents)
