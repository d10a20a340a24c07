"""The whole workflow language, run for real: loops, subworkflows, limits, failures, and what an execution says of itself."""

import secrets
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.systems import Client, Journal, Json
from tests.acceptance.test_first_promises import bash, chain, edge, workflow

ITEMS = {"type": "object", "properties": {"items": {"type": "array"}}}
EXAMPLES = Path(__file__).parents[2] / "examples"
SHAPES = Path(__file__).parent / "shapes"


def on_item(node_id: str, script: str, **fields: Any) -> Json:
    """An action that finds its item and index in the environment."""
    return bash(node_id, params={"script": script, "env": {"ITEM": "{{ item }}", "INDEX": "{{ index }}"}}, **fields)


def loop(node_id: str, items: Any, *body: Json, **fields: Any) -> Json:
    """A forEach over a chain of nodes."""
    ids = ["item", *(node["id"] for node in body)]
    edges = [edge(a, b) for a, b in pairwise(ids)]
    return {"id": node_id, "type": "forEach", "items": items, "body": {"nodes": list(body), "edges": edges}} | fields


def remember(**values: Any) -> Json:
    return {"id": "remember", "type": "setVariables", "values": values}


def handler() -> Json:
    return {"id": "handler", "type": "errorHandler"}


def bound(detail: Json, *names: str) -> Any:
    """The values of these runtime variables."""
    return [detail["variables"][name] for name in names] if len(names) > 1 else detail["variables"][names[0]]


def node(detail: Json, node_id: str) -> Json:
    return next(row for row in detail["nodes"] if row["nodeId"] == node_id)


# --- forEach


def test_for_each_runs_as_many_items_at_once_as_allowed_and_never_more(client: Client, journal: Journal) -> None:
    together = f"until [ $(grep -c begin {journal.path}) -ge 3 ]; do sleep 0.02; done"
    script = f"{journal.say('begin')}; {together}; sleep 0.05; {journal.say('end')}"
    client.ran(chain(loop("each", "inputs.items", bash("work", script), concurrency=3)), {"items": [*range(9)]}, "completed")
    running, most = 0, 0
    for line in journal.lines:
        running += 1 if line == "begin" else -1
        most = max(most, running)
    assert (len(journal.lines), running, most) == (18, 0, 3)


def test_for_each_goes_one_by_one_by_itself_with_item_and_index_in_scope(client: Client, journal: Journal) -> None:
    document = chain(
        loop("each", "inputs.items", on_item("work", f"{journal.say('$INDEX=$ITEM')}; printf %s $ITEM")),
        remember(all="{{ nodes.each.output.map(result, result.stdout) }}"),
    )
    detail = client.ran(document, {"items": ["c", "a", "b"]}, "completed")
    assert journal.lines == ["0=c", "1=a", "2=b"]
    assert bound(detail, "all") == ["c", "a", "b"]
    assert len(detail["jobs"]) == 3


def test_results_have_the_order_of_the_items_also_when_the_last_is_the_first_to_end(client: Client, journal: Journal) -> None:
    last_first = f"[ $INDEX = 3 ] || until grep -q done {journal.path}; do sleep 0.02; done 2> /dev/null; {journal.say('done')}"
    document = chain(
        loop("each", "inputs.items", on_item("work", f"{last_first}; printf %s $ITEM"), concurrency=4),
        remember(all="{{ nodes.each.output.map(result, result.stdout) }}"),
    )
    assert bound(client.ran(document, {"items": ["w", "x", "y", "z"]}, "completed"), "all") == ["w", "x", "y", "z"]


def test_an_item_is_any_value_and_the_body_sees_the_nodes_around_it(client: Client) -> None:
    document = chain(
        bash("before", "printf prefix"),
        loop(
            "each",
            [{"host": "web-01", "ports": [80, 443]}, {"host": "web-02", "ports": []}],
            bash("work", "printf '%s' '{{ nodes.before.output.stdout }}-{{ item.host }}-{{ size(item.ports) }}'"),
        ),
        remember(all="{{ nodes.each.output.map(result, result.stdout) }}"),
    )
    assert bound(client.ran(document, status="completed"), "all") == ["prefix-web-01-2", "prefix-web-02-0"]


def test_a_failed_item_stops_the_loop_and_its_error_edge_is_followed(client: Client, journal: Journal) -> None:
    document = workflow(
        [
            loop("each", "inputs.items", on_item("work", f"{journal.say('$ITEM')}; [ $ITEM != 2 ]")),
            handler(),
            remember(why="{{ error.nodeId }}: {{ error.message }}"),
            bash("never"),
        ],
        [edge("trigger", "each"), edge("each", "never"), edge("each", "handler", "error"), edge("handler", "remember")],
    )
    detail = client.ran(document, {"items": [1, 2, 3, 4]}, "completed")
    assert journal.lines == ["1", "2"]
    assert bound(detail, "why").startswith("each: ")
    assert "exit" in bound(detail, "why")
    assert (node(detail, "each")["status"], node(detail, "never")["status"]) == ("failed", "skipped")


def test_a_failed_item_without_an_error_edge_fails_the_execution(client: Client) -> None:
    detail = client.ran(chain(loop("each", [1, 2], bash("work", "exit 4")), bash("never")), status="failed")
    assert detail["error"]["nodeId"] == "each"
    assert len(detail["jobs"]) == 1


def test_with_continue_all_items_run_and_a_failed_one_has_its_error_as_result(client: Client, journal: Journal) -> None:
    script = f"{journal.say('$ITEM')}; [ $ITEM != 2 ] && printf $ITEM"
    document = chain(
        loop("each", "inputs.items", on_item("work", script), onItemError="continue"),
        remember(good="{{ nodes.each.output.filter(result, !has(result.error)).map(result, result.stdout) }}",
                 bad="{{ nodes.each.output[1].error.message }}"),
    )  # fmt: skip
    detail = client.ran(document, {"items": [1, 2, 3]}, "completed")
    assert journal.lines == ["1", "2", "3"]
    assert bound(detail, "good") == ["1", "3"]
    assert detail["error"] is None
    assert "exit" in bound(detail, "bad")


def test_a_loop_in_a_loop_runs_each_pair_once(client: Client, journal: Journal) -> None:
    inner = loop("inner", "item.tasks", bash("work", journal.say("{{ item }}")), concurrency=2)
    items = [{"tasks": ["a1", "a2", "a3"]}, {"tasks": []}, {"tasks": ["c1"]}]
    document = chain(
        loop("outer", "inputs.items", inner, concurrency=2), remember(sizes="{{ nodes.outer.output.map(r, size(r)) }}")
    )
    detail = client.ran(document, {"items": items}, "completed")
    assert sorted(journal.lines) == ["a1", "a2", "a3", "c1"]
    assert bound(detail, "sizes") == [3, 0, 1]


def test_conditions_and_retries_and_variables_of_an_iteration_stay_in_it(client: Client, journal: Journal) -> None:
    body = {
        "nodes": [
            {"id": "mine", "type": "setVariables", "values": {"name": "n{{ item }}"}},
            {"id": "odd", "type": "condition", "expression": "item % 2 == 1"},
            bash("flaky", f"{journal.say('{{ vars.name }} $RUNYARD_ATTEMPT')}; [ $RUNYARD_ATTEMPT = 2 ]", maxRetries=1),
            bash("even", journal.say("{{ vars.name }} even")),
        ],
        "edges": [edge("item", "mine"), edge("mine", "odd"), edge("odd", "flaky", "true"), edge("odd", "even", "false")],
    }
    document = chain({"id": "each", "type": "forEach", "items": "inputs.items", "body": body, "concurrency": 2})
    detail = client.ran(document, {"items": [1, 2]}, "completed")
    assert sorted(journal.lines) == ["n1 1", "n1 2", "n2 even"]
    assert "name" not in detail["variables"]


def test_an_empty_list_is_done_at_once(client: Client) -> None:
    document = chain(loop("each", "inputs.items", bash("work")), remember(all="{{ nodes.each.output }}"))
    detail = client.ran(document, {"items": []}, "completed")
    assert (bound(detail, "all"), detail["jobs"]) == ([], [])


def test_items_that_are_no_list_fail_the_node_with_words_that_say_so(client: Client) -> None:
    detail = client.ran(chain(loop("each", "inputs.host", bash("work"))), {"host": "web-01"}, "failed")
    assert "list" in detail["error"]["message"]


def test_two_hundred_items_run_each_of_their_jobs_once(client: Client, journal: Journal) -> None:
    document = chain(loop("each", "inputs.items", on_item("work", journal.say("$ITEM")), concurrency=20))
    detail = client.ran(document, {"items": [*range(200)]}, "completed")
    assert sorted(journal.lines, key=int) == [str(number) for number in range(200)]
    row = client.call("GET", f"/executions?q={detail['executionId']}")["items"][0]
    assert row["jobs"] == {"completed": 200, "total": 200}


def test_a_cancelled_loop_begins_no_further_item(client: Client, journal: Journal) -> None:
    gate = f"{journal.path}.go"
    script = f"{journal.say('$ITEM')}; until [ -e {gate} ]; do sleep 0.05; done"
    execution_id = client.run(client.publish(chain(loop("each", [1, 2, 3], on_item("work", script)))))
    client.until(execution_id, lambda row: [job["status"] for job in row["jobs"]] == ["running"], "the first item to run")
    client.cancel(execution_id)
    client.finished(execution_id, "cancelled")
    Path(gate).touch()
    detail = client.until(execution_id, lambda row: row["jobs"][0]["status"] == "completed", "the running job to be recorded")
    assert (detail["status"], len(detail["jobs"]), journal.lines) == ("cancelled", 1, ["1"])


# --- subworkflows


def child_of(name: str, node_id: str = "child", **inputs: Any) -> Json:
    return {"id": node_id, "type": "subworkflow", "workflow": name, "inputs": inputs}


def published(client: Client, document: Json) -> str:
    client.publish(document)
    name: str = document["name"]
    return name


def child_id(client: Client, execution_id: str) -> str:
    """The child's id as the parent shows it, as soon as it does."""
    found: list[Json] = []

    def seen(_row: Json) -> bool:
        rows = client.call("GET", "/executions?limit=50")["items"]
        for row in rows:
            detail = client.detail(row["executionId"]) if row["executionId"] != execution_id else {}
            if detail.get("parentExecutionId") == execution_id:
                found.append(detail)
                return True
        return False

    client.until(execution_id, seen, "a child")
    child: str = found[0]["executionId"]
    return child


def test_a_subworkflow_gets_its_inputs_and_gives_its_variables(client: Client) -> None:
    name = published(client, chain(bash("double", "printf $(( {{ inputs.n }} * 2 ))"),
                                   remember(result="{{ int(nodes.double.output.stdout) }}")))  # fmt: skip
    document = chain(child_of(name, n="{{ inputs.n }}"), remember(answer="{{ nodes.child.output.variables.result + 1 }}"))
    detail = client.ran(document, {"n": 21}, "completed")
    assert bound(detail, "answer") == 43
    output = node(detail, "child")["output"]
    child = client.detail(output["executionId"])
    assert (child["status"], output["status"]) == ("completed", "completed")
    assert (child["parentExecutionId"], child["workflowName"]) == (detail["executionId"], name)
    assert bound(child, "n", "result") == [21, 42]


def test_a_failed_subworkflow_takes_the_error_edge(client: Client) -> None:
    name = published(client, chain(bash("fail", "exit 7")))
    document = workflow(
        [child_of(name), handler(), remember(why="{{ error.nodeId }} {{ error.message }}")],
        [edge("trigger", "child"), edge("child", "handler", "error"), edge("handler", "remember")],
    )
    why = bound(client.ran(document, status="completed"), "why")
    assert why.startswith("child ")
    assert "7" in why


def test_inputs_that_a_subworkflow_does_not_accept_fail_its_node_and_say_which(client: Client) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    name = published(client, chain(bash("a"), inputs=schema))
    detail = client.ran(chain(child_of(name, n="many")), status="failed")
    assert "n" in detail["error"]["message"]
    assert detail["error"]["nodeId"] == "child"


def test_a_subworkflow_that_does_not_exist_fails_its_node_and_says_so(client: Client) -> None:
    name = f"Nowhere {secrets.token_hex(4)}"
    detail = client.ran(chain(child_of(name)), status="failed")
    assert name in detail["error"]["message"]


def test_a_workflow_that_calls_itself_ends_at_the_tenth_level(client: Client, journal: Journal) -> None:
    name = f"Itself {secrets.token_hex(4)}"
    document = chain(bash("mark", journal.say("$RUNYARD_EXECUTION_ID")), child_of(name)) | {"name": name}
    detail = client.ran(document, status="failed")
    assert len(set(journal.lines)) == len(journal.lines) == 11
    assert "10" in detail["error"]["message"]


def test_cancel_passes_down_to_children_and_their_children(client: Client) -> None:
    leaf = published(client, chain({"id": "nap", "type": "delay", "seconds": 300}, bash("never")))
    middle = published(client, chain(child_of(leaf)))
    execution_id = client.run(client.publish(chain(child_of(middle))))
    middle_id = child_id(client, execution_id)
    leaf_id = child_id(client, middle_id)
    client.until(leaf_id, lambda row: row["status"] == "running", "the leaf to run")
    client.cancel(execution_id)
    for each in (execution_id, middle_id, leaf_id):
        assert client.finished(each, "cancelled")["jobs"] == []


def test_force_passes_down_and_stops_what_runs_in_a_loop_of_a_child(client: Client) -> None:
    name = published(client, chain(loop("each", [1, 2], bash("long", "sleep 120"), concurrency=2)))
    execution_id = client.run(client.publish(chain(child_of(name))))
    child = child_id(client, execution_id)
    client.until(child, lambda row: [job["status"] for job in row["jobs"]] == ["running"] * 2, "both items to run")
    client.cancel(execution_id, force=True)
    client.until(child, lambda row: [job["status"] for job in row["jobs"]] == ["cancelled"] * 2, "both to be stopped")


# --- failures and limits


def test_a_failure_that_is_not_critical_is_a_warning_and_the_execution_goes_on(client: Client) -> None:
    detail = client.ran(chain(bash("nice", "exit 3", critical=False), bash("next")), status="completed")
    assert [(job["nodeId"], job["status"]) for job in detail["jobs"]] == [("nice", "failed"), ("next", "completed")]
    levels = {entry["level"] for entry in client.log(detail["executionId"]) if "nice" in str(entry)}
    assert "warning" in levels


def test_a_job_that_waits_too_long_for_an_agent_fails_and_says_for_which_pool(client: Client) -> None:
    document = chain(bash("waits", pool="nobody-home", queueTimeoutSeconds=0.4), bash("never"))
    detail = client.ran(document, status="failed")
    assert detail["error"]["reason"] == "queue_timeout"
    assert [job["nodeId"] for job in detail["jobs"]] == ["waits"]
    assert detail["jobs"][0]["status"] in ("timeout", "cancelled", "failed")
    assert detail["jobs"][0]["startedAt"] is None


def test_an_execution_over_its_time_fails_and_its_job_is_stopped(client: Client) -> None:
    detail = client.ran(chain(bash("long", "sleep 120"), timeoutSeconds=0.5), status="failed")
    assert detail["error"]["reason"] == "execution_timeout"
    client.until(
        detail["executionId"], lambda row: row["jobs"][0]["status"] in ("cancelled", "timeout"), "the job to be stopped"
    )


def test_a_delay_ends_at_the_instant_its_expression_gives(client: Client) -> None:
    until = (datetime.now(UTC) + timedelta(seconds=1)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    detail = client.ran(chain({"id": "nap", "type": "delay", "until": "inputs.until"}), {"until": until}, "completed")
    assert datetime.fromisoformat(until) <= datetime.fromisoformat(detail["finishedAt"])


def test_the_pause_before_a_retry_doubles_and_has_its_limit(client: Client) -> None:
    document = chain(bash("flaky", "exit 1", maxRetries=3, retryDelaySeconds=0.1, backoff="exponential", maxDelaySeconds=0.3))
    detail = client.ran(document, status="failed")
    assert [(job["attempt"], job["status"]) for job in detail["jobs"]] == [(attempt, "failed") for attempt in (1, 2, 3, 4)]
    pauses = [
        (datetime.fromisoformat(after["queuedAt"]) - datetime.fromisoformat(before["finishedAt"])).total_seconds()
        for before, after in pairwise(detail["jobs"])
    ]
    assert all(pause >= wanted - 0.02 for pause, wanted in zip(pauses, (0.1, 0.2, 0.3), strict=True)), pauses


# --- what an execution says of itself


def waits_for(client: Client, execution_id: str, *words: str) -> None:
    """The detail's banner and the row of the list say it."""
    client.until(execution_id, lambda row: all(word in row["banner"].lower() for word in words), f"a banner with {words}")

    def listed(_row: Json) -> bool:
        row = client.call("GET", f"/executions?q={execution_id}")["items"][0]
        return all(word in str(row).lower() for word in words)

    client.until(execution_id, listed, f"a row with {words}")


@pytest.mark.parametrize(
    ("waiting", "words"),
    [
        pytest.param(bash("a", pool="nobody-home"), ["nobody-home"], id="an agent"),
        pytest.param({"id": "nap", "type": "delay", "seconds": 300}, ["nap"], id="a delay"),
        pytest.param(bash("flaky", "exit 1", maxRetries=2, retryDelaySeconds=300), ["retry", "flaky"], id="a retry"),
        pytest.param({"id": "ask", "type": "approval", "message": "Go?", "approvers": ["alice"]}, ["alice"], id="people"),
        pytest.param(loop("each", [1], {"id": "nap", "type": "delay", "seconds": 300}), ["nap"], id="an item"),
    ],
)
def test_an_execution_that_is_not_done_says_what_it_waits_for(client: Client, waiting: Json, words: list[str]) -> None:
    execution_id = client.run(client.publish(chain(waiting)))
    waits_for(client, execution_id, *words)
    client.cancel(execution_id)
    client.finished(execution_id, "cancelled")


def test_an_execution_waits_for_its_child_and_says_which(client: Client) -> None:
    name = published(client, chain({"id": "nap", "type": "delay", "seconds": 300}))
    execution_id = client.run(client.publish(chain(child_of(name))))
    waits_for(client, execution_id, "child")
    client.cancel(execution_id)
    client.finished(execution_id, "cancelled")


def test_the_log_tells_every_decision_with_its_values(client: Client) -> None:
    document = workflow(
        [
            bash("measure", "printf 91"),
            {"id": "full", "type": "condition", "expression": "int(nodes.measure.output.stdout) > inputs.limit"},
            remember(note="{{ nodes.measure.output.stdout }} {{ vars.nothing }}"),
            bash("fine"),
            bash("flaky", "exit $(( 2 - $RUNYARD_ATTEMPT ))", maxRetries=1),
        ],
        [
            edge("trigger", "measure"),
            edge("measure", "full"),
            edge("full", "remember", "true"),
            edge("full", "fine", "false"),
            edge("remember", "flaky"),
        ],
    )
    detail = client.ran(document, {"limit": 90}, "completed")
    log = client.log_when(detail["executionId"], "completed")
    for words in ("measure", "true", "fine", "skipped", "vars.nothing", "attempt 2", "note"):
        assert words in log.lower(), (words, log)
    warnings = [entry["message"] for entry in client.log(detail["executionId"]) if entry["level"] == "warning"]
    assert any("vars.nothing" in message for message in warnings)
    assert [entry["position"] for entry in client.log(detail["executionId"])] == sorted(
        entry["position"] for entry in client.log(detail["executionId"])
    )


def test_every_problem_of_the_new_nodes_is_named_with_its_place(client: Client) -> None:
    document = chain(
        loop(
            "each", "inputs.items", bash("work", action="acme.unknown"), {"id": "c", "type": "condition", "expression": "1 +"}
        ),
        {"id": "ask", "type": "approval", "message": "Go?", "approvers": ["alice"], "minApprovals": 2},
        {"id": "number", "type": "condition", "expression": "1 + size('a')"},
    )
    workflow_id = client.call("POST", "/workflows", status=201, json=document)["workflowId"]
    verdict = client.call("POST", f"/workflows/{workflow_id}/validate")
    paths = [problem["path"] for problem in verdict["errors"]]
    for place in ("nodes[0].body.nodes[0].action", "nodes[0].body.nodes[1].expression", "nodes[1].minApprovals", "nodes[2]"):
        assert any(path.replace(".", "").replace("[", "").replace("]", "").startswith(
            place.replace(".", "").replace("[", "").replace("]", "")) for path in paths), (place, verdict)  # fmt: skip


# --- whole workflows


def test_a_rolling_restart_asks_then_goes_host_by_host_and_stops_at_the_first_that_stays_down(
    client: Client, journal: Journal
) -> None:
    restart = on_item("restart", journal.say("restart $ITEM"))
    check = on_item("check", f"{journal.say('check $ITEM')}; [ $ITEM != web-02 ]", maxRetries=1, retryDelaySeconds=0.05)
    document = workflow(
        [
            {"id": "approve", "type": "approval", "message": "Restart {{ inputs.service }} on {{ size(inputs.hosts) }} hosts?",
             "approvers": ["role:oncall"], "preventSelfApproval": True, "timeoutSeconds": 3600, "remindAfterSeconds": 900},
            loop("each", "inputs.hosts", restart, {"id": "settle", "type": "delay", "seconds": 0.05}, check,
                 concurrency=1, onItemError="stop"),
            {"id": "failed", "type": "errorHandler"},
            bash("page", journal.say("stopped: {{ error.nodeId }}"), critical=False),
        ],
        [
            edge("trigger", "approve"),
            edge("approve", "each", "approved"),
            edge("each", "failed", "error"),
            edge("failed", "page"),
        ],
        inputs={"type": "object", "required": ["hosts", "service"],
                "properties": {"hosts": {"type": "array", "items": {"type": "string"}, "minItems": 1},
                               "service": {"type": "string"}}},
    )  # fmt: skip
    execution_id = client.run(client.publish(document), {"hosts": ["web-01", "web-02", "web-03"], "service": "nginx"})
    detail = client.until(execution_id, lambda row: bool(row["approvals"]), "the approval")
    approval = detail["approvals"][0]
    assert approval["message"] == "Restart nginx on 3 hosts?"
    with client.somebody("operator", "oncall") as oncall:
        oncall.call("POST", f"/approvals/{approval['approvalId']}/approve", json={"note": "go"})
    client.finished(execution_id, "completed")
    assert journal.lines == [
        "restart web-01",
        "check web-01",
        "restart web-02",
        "check web-02",
        "check web-02",
        "stopped: each",
    ]


@pytest.mark.parametrize("name", sorted(path.name for path in SHAPES.glob("*.yaml")))
def test_workflows_as_operators_write_them_are_valid_and_can_be_published(client: Client, name: str) -> None:
    client.has_connection("web-hosts", "ssh", {"host": "web-01"}, {"password": "correct horse"})
    client.has_connection("ops-slack", "slack", {}, {"webhookUrl": "https://hooks.example.com/T0/B0/x"})
    sent = {"content": (SHAPES / name).read_text(), "headers": {"Content-Type": "application/yaml"}}
    workflow_id = client.call("POST", "/workflows", status=201, **sent)["workflowId"]
    found = client.call("POST", f"/workflows/{workflow_id}/validate")
    assert (found["valid"], found["errors"]) == (True, [])
    assert client.call("POST", f"/workflows/{workflow_id}/publish")["version"] == 1


def test_the_example_that_updates_a_fleet_does_so_once_and_says_who_agreed(client: Client, journal: Journal) -> None:
    for name in ("backup-files.yaml", "fleet-update.yaml"):
        sent = {"content": (EXAMPLES / name).read_text(), "headers": {"Content-Type": "application/yaml"}}
        workflow_id = client.call("POST", "/workflows", status=201, **sent)["workflowId"]
        client.call("POST", f"/workflows/{workflow_id}/publish")
        client.call("POST", f"/workflows/{workflow_id}/activate")
    root, hosts = journal.path, ["web-01", "web-02", "web-03"]
    reports = []
    for _ in range(2):
        execution_id = client.run(workflow_id, {"root": str(root), "hosts": hosts, "version": "2.1"})
        detail = client.until(execution_id, lambda row: bool(row["approvals"]), "the approval")
        client.call("POST", f"/approvals/{detail['approvals'][0]['approvalId']}/approve", json={})
        detail = client.finished(execution_id, "completed")
        reports.append(next(job for job in detail["jobs"] if job["nodeId"] == "report")["output"]["stdout"])
    assert "web-02 updated" in reports[0]
    assert "web-02 was up to date" in reports[1]
    for host in hosts:
        assert (root / host / "version").read_text() == "2.1\n"
        assert len(list((root / "backups" / host).glob("*.tar.gz"))) == 1
