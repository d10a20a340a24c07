"""Cancelling, and running again: one execution or all that a filter finds."""

import secrets
from pathlib import Path
from typing import Any

from tests.acceptance.systems import Client, Journal, Json
from tests.acceptance.test_first_promises import bash, chain, edge, workflow


def rerun(client: Client, execution_id: str, **body: Any) -> str:
    made: str = client.call("POST", f"/executions/{execution_id}/rerun", status=202, json=body)["executionId"]
    return made


def statuses(detail: Json) -> dict[str, str]:
    return {node["nodeId"]: node["status"] for node in detail["nodes"]}


# --- re-run


def test_a_rerun_is_a_new_execution_with_the_same_inputs_linked_both_ways(client: Client, journal: Journal) -> None:
    first = client.ran(chain(bash("a", journal.say("{{ inputs.host }}"))), {"host": "web-01"}, "completed")
    again = client.finished(rerun(client, first["executionId"]), "completed")
    assert again["executionId"] != first["executionId"]
    assert again["rerunOf"] == first["executionId"]
    assert again["executionId"] in str(client.detail(first["executionId"]))
    assert journal.lines == ["web-01", "web-01"]


def test_a_rerun_with_edited_inputs_keeps_those_that_are_not_named(client: Client, journal: Journal) -> None:
    document = chain(bash("a", journal.say("{{ inputs.host }} {{ inputs.port }}")))
    first = client.ran(document, {"host": "web-01", "port": 80}, "completed")
    client.finished(rerun(client, first["executionId"], variables={"host": "web-02"}), "completed")
    assert journal.lines == ["web-01 80", "web-02 80"]


def test_a_rerun_with_inputs_that_the_workflow_refuses_says_which(client: Client) -> None:
    schema = {"type": "object", "properties": {"port": {"type": "integer"}}}
    first = client.ran(chain(bash("a"), inputs=schema), {"port": 80}, "completed")
    refused = client.send("POST", f"/executions/{first['executionId']}/rerun", json={"variables": {"port": "many"}})
    assert refused.status_code == 422
    assert "port" in str(refused.json()["errors"])


def test_a_rerun_from_the_failed_node_uses_what_went_before_and_does_not_run_it_again(client: Client, journal: Journal) -> None:
    mended: Path = journal.path.with_suffix(".mended")
    document = workflow(
        [
            bash("measure", f"{journal.say('measure')}; printf 91"),
            bash("beside", journal.say("beside")),
            {"id": "full", "type": "condition", "expression": "int(nodes.measure.output.stdout) > 90"},
            bash("clean", f"{journal.say('clean {{ nodes.measure.output.stdout }}')}; [ -e {mended} ]"),
            bash("tell", journal.say("tell {{ nodes.clean.exitCode }}")),
            bash("fine", journal.say("fine")),
        ],
        [
            edge("trigger", "measure"),
            edge("trigger", "beside"),
            edge("measure", "full"),
            edge("full", "clean", "true"),
            edge("full", "fine", "false"),
            edge("clean", "tell"),
        ],
    )
    first = client.ran(document, status="failed")
    mended.touch()
    again = client.finished(rerun(client, first["executionId"], fromNode="clean"), "completed")
    assert sorted(journal.lines) == ["beside", "clean 91", "clean 91", "measure", "tell 0"]
    assert [job["nodeId"] for job in again["jobs"]] == ["clean", "tell"]
    assert statuses(again) == {
        "measure": "completed",
        "beside": "completed",
        "full": "completed",
        "clean": "completed",
        "tell": "completed",
        "fine": "skipped",
    }
    client.log_when(again["executionId"], "measure")


def test_a_rerun_from_a_node_runs_the_version_that_ran_and_a_whole_one_the_version_of_now(
    client: Client, journal: Journal
) -> None:
    document = chain(bash("a"), bash("b", journal.say("old")))
    workflow_id = client.publish(document)
    first = client.finished(client.run(workflow_id), "completed")
    client.call("PUT", f"/workflows/{workflow_id}/draft", json=document | {"nodes": [bash("a"), bash("b", journal.say("new"))]})
    client.call("POST", f"/workflows/{workflow_id}/publish")
    from_node = client.finished(rerun(client, first["executionId"], fromNode="b"), "completed")
    whole = client.finished(rerun(client, first["executionId"]), "completed")
    assert (from_node["version"], whole["version"]) == (1, 2)
    assert journal.lines == ["old", "old", "new"]


def test_a_rerun_from_a_loop_has_its_upstream_results_in_scope(client: Client, journal: Journal) -> None:
    body = {"nodes": [bash("work", journal.say("{{ item }}"))], "edges": [edge("item", "work")]}
    document = chain(
        bash("find", f"{journal.say('find')}; printf x"),
        {"id": "each", "type": "forEach", "items": "[nodes.find.output.stdout, 'y']", "body": body},
    )
    first = client.ran(document, status="completed")
    client.finished(rerun(client, first["executionId"], fromNode="each"), "completed")
    assert journal.lines == ["find", "x", "y", "x", "y"]


def test_a_rerun_from_a_node_that_is_not_there_or_of_an_active_execution_is_refused(client: Client) -> None:
    first = client.ran(chain(bash("a")), status="completed")
    refused = client.send("POST", f"/executions/{first['executionId']}/rerun", json={"fromNode": "nowhere"})
    assert refused.status_code in (404, 409, 422)
    assert "nowhere" in refused.text
    active = client.run(client.publish(chain({"id": "nap", "type": "delay", "seconds": 300})))
    refused = client.send("POST", f"/executions/{active}/rerun", json={"fromNode": "nap"})
    assert refused.status_code == 409
    client.cancel(active)


def test_the_same_idempotency_key_makes_one_rerun(client: Client) -> None:
    first = client.ran(chain(bash("a")), status="completed")
    path, key = f"/executions/{first['executionId']}/rerun", {"Idempotency-Key": secrets.token_hex(8)}
    made = {client.call("POST", path, status=202, json={}, headers=key)["executionId"] for _ in range(3)}
    assert len(made) == 1


# --- cancel


def test_cancel_lets_running_jobs_end_and_nothing_else_begins(client: Client, journal: Journal) -> None:
    gate = journal.path.with_suffix(".go")
    document = workflow(
        [
            bash("runs", f"until [ -e {gate} ]; do sleep 0.05; done; {journal.say('ended')}"),
            bash("after", journal.say("after")),
            bash("waits", journal.say("waits"), pool="nobody-home"),
            bash("flaky", "exit 1", maxRetries=3, retryDelaySeconds=300),
            {"id": "ask", "type": "approval", "message": "Go?", "channels": []},
            bash("approved", journal.say("approved")),
            {"id": "nap", "type": "delay", "seconds": 300},
        ],
        [
            *(edge("trigger", node_id) for node_id in ("runs", "waits", "flaky", "ask", "nap")),
            edge("runs", "after"),
            edge("ask", "approved", "approved"),
        ],
    )
    execution_id = client.run(client.publish(document))
    client.until(
        execution_id,
        lambda row: (
            {(job["nodeId"], job["status"]) for job in row["jobs"]}
            == {("runs", "running"), ("waits", "pending"), ("flaky", "failed")}
            and row["pendingApprovals"] == 1
        ),
        "all of it to be under way",
    )
    client.cancel(execution_id, reason="changed my mind")
    client.finished(execution_id, "cancelled")
    gate.touch()
    detail = client.until(
        execution_id,
        lambda row: (
            {job["nodeId"]: job["status"] for job in row["jobs"]}
            == {"runs": "completed", "waits": "cancelled", "flaky": "failed"}
            and row["approvals"][0]["status"] == "cancelled"
        ),
        "everything to come to its end",
    )
    assert detail["status"] == "cancelled"
    assert journal.lines == ["ended"]
    client.log_when(execution_id, "changed my mind")


def test_force_stops_the_whole_process_group_and_the_log_says_that_it_was_confirmed(client: Client, journal: Journal) -> None:
    script = f"trap '' TERM; (sleep 120; {journal.say('child')}) & {journal.say('$$')}; wait; sleep 120"
    execution_id = client.run(client.publish(chain(bash("stubborn", script))))
    client.until(execution_id, lambda _row: bool(journal.lines), "the script to run")
    client.cancel(execution_id, force=True)
    client.until(execution_id, lambda row: row["jobs"][0]["status"] == "cancelled", "the job to be stopped")
    assert not Path(f"/proc/{journal.lines[0]}").exists()
    client.log_when(execution_id, "stop")


def test_a_finished_execution_cannot_be_cancelled(client: Client) -> None:
    detail = client.ran(chain(bash("a")), status="completed")
    refused = client.send("POST", f"/executions/{detail['executionId']}/cancel", json={})
    assert (refused.status_code, refused.json()["code"]) == (409, "execution_finished")


# --- many at once


def test_all_that_a_filter_finds_is_cancelled_and_nothing_else(client: Client) -> None:
    nap = {"id": "nap", "type": "delay", "seconds": 300}
    workflow_id, other_id = client.publish(chain(nap)), client.publish(chain(nap))
    wanted = [client.run(workflow_id) for _ in range(5)]
    other = client.run(other_id)
    for execution_id in wanted:
        client.until(execution_id, lambda row: row["status"] == "running", "it to run")
    body = {"filter": {"workflowId": workflow_id, "status": ["running"]}, "reason": "enough"}
    done = client.call("POST", "/executions/bulk-cancel", status=202, json=body)
    assert (done["matched"], done["accepted"]) == (5, 5)
    for execution_id in wanted:
        client.finished(execution_id, "cancelled")
    assert client.detail(other)["status"] == "running"
    client.cancel(other)


def test_all_that_a_filter_finds_runs_again(client: Client, journal: Journal) -> None:
    mended = journal.path.with_suffix(".mended")
    workflow_id = client.publish(chain(bash("a", f"{journal.say('ran')}; [ -e {mended} ] || [ {{{{ inputs.good }}}} = 1 ]")))
    failed = [client.run(workflow_id, {"good": 0}) for _ in range(3)]
    good = client.run(workflow_id, {"good": 1})
    for execution_id in failed:
        client.finished(execution_id, "failed")
    client.finished(good, "completed")
    mended.touch()
    body = {"filter": {"workflowId": workflow_id, "status": ["failed"]}}
    done = client.call("POST", "/executions/bulk-rerun", status=202, json=body)
    assert (done["matched"], done["accepted"]) == (3, 3)
    for result in done["results"]:
        again = client.finished(result["newExecutionId"], "completed")
        assert again["rerunOf"] == result["executionId"]
    assert {result["executionId"] for result in done["results"]} == set(failed)
    assert len(journal.lines) == 7


def test_everything_is_cancelled_only_if_that_is_said(client: Client) -> None:
    refused = client.send("POST", "/executions/bulk-cancel", json={})
    assert refused.status_code == 422
