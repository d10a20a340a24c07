"""One execution, followed through everything that is there to see into the system."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.acceptance.systems import METRICS_TOKEN, Client, Distributed, Json, distributed_system, eventually
from tests.acceptance.test_approvals import answer, asked
from tests.acceptance.test_first_promises import bash, edge, workflow
from tests.otlp import Collector, ReceivedSpan, collector

CALLER = "0af7651916cd43dd8448eb211c80319c"
SERVICES = ("orchestrator", "dispatcher", "approvals", "gateway")


@contextmanager
def called_server() -> Iterator[tuple[str, list[str]]]:
    """Its address, and the `traceparent` of every request that it got."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers.get("traceparent", ""))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def watched_workflow(address: str) -> Json:
    return workflow(
        [
            bash("look", 'printf %s "$TRACEPARENT"'),
            {"id": "ask", "type": "approval", "message": "Go on?", "channels": []},
            {"id": "call", "type": "action", "action": "http.request", "params": {"url": f"{address}/secret?token=hunter2"}},
        ],
        [edge("trigger", "look"), edge("look", "ask"), edge("ask", "call", "approved")],
    )


def trace(spans: Collector, trace_id: str, wanted: set[str]) -> dict[str, ReceivedSpan]:
    """The spans of a trace by name, once all of those wanted have come."""
    eventually(
        lambda: wanted <= {span.name for span in spans.of(trace_id)},
        f"the spans {wanted}",
        lambda: str([(span.service, span.name) for span in spans.spans]),
    )
    found = {span.span_id: span for span in spans.of(trace_id)}
    assert all(found[span.span_id] == span for span in spans.of(trace_id)), "a span was told again, and differently"
    return {span.name: span for span in found.values()}


def figures_of(system: Distributed, process: str) -> dict[tuple[str, ...], float]:
    """What its /metrics says: by name and values of the labels."""
    headers = {"Authorization": f"Bearer {METRICS_TOKEN}"}
    answer = httpx.get(f"{system.deployment.ops_url(process)}/metrics", headers=headers, trust_env=False)
    assert answer.status_code == 200, answer.text
    families = text_string_to_metric_families(answer.text)
    return {(each.name, *each.labels.values()): each.value for family in families for each in family.samples}


def log_of(system: Distributed, process: str) -> list[Json]:
    """Every line of it must be JSON."""
    return [json.loads(line) for line in system.deployment.log_path(process).read_text().splitlines()]


@pytest.mark.xdist_group("distributed")
def test_one_execution_is_followed_through_its_trace_the_logs_and_the_metrics_of_every_process(amqp_url: str) -> None:
    with collector() as spans, called_server() as (address, called):
        environment = {
            "RUNYARD_TRACING": "true",
            "RUNYARD_LOG_FORMAT": "json",
            "RUNYARD_METRICS_TOKEN": METRICS_TOKEN,
            "OTEL_EXPORTER_OTLP_ENDPOINT": spans.url,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }
        with distributed_system(amqp_url=amqp_url, environment=environment) as system, Client(system) as client:
            document = watched_workflow(address)
            workflow_id = client.publish(document)
            execution_id = client.run(workflow_id)
            approval = asked(client, execution_id)["approvalId"]
            # dies while the execution waits for people, and tells no span twice when it is back
            system.kill("orchestrator")
            system.revive("orchestrator")
            assert answer(client, approval).status_code == 200
            detail = client.finished(execution_id, "completed")

            name = f"workflow {document['name']}"
            wanted = {
                "runWorkflow",
                name,
                "job look",
                "job call",
                "dispatch",
                "script.bash",
                "http.request",
                "GET",
                "approval ask",
            }
            found = trace(spans, execution_id.replace("-", ""), wanted)
            assert set(found) == wanted
            assert {span.service for span in found.values()} == {
                *(f"runyard-{service}" for service in SERVICES),
                "runyard-agent",
            }
            in_trace = list({span.span_id: span for span in spans.of(execution_id.replace("-", ""))}.values())
            ids = {span.span_id for span in in_trace}
            assert [span.name for span in in_trace if span.parent not in ids] == ["runWorkflow"]
            assert found["runWorkflow"].parent == ""
            for child, parent in {
                name: "runWorkflow",
                "job look": name,
                "job call": name,
                "approval ask": name,
                "script.bash": "job look",
                "http.request": "job call",
                "GET": "http.request",
            }.items():
                assert found[child].parent == found[parent].span_id, child
            dispatches = [span.parent for span in in_trace if span.name == "dispatch"]
            assert dispatches == [found["job look"].span_id, found["job call"].span_id]
            assert called == [f"00-{found['GET'].trace_id}-{found['GET'].span_id}-01"]
            look = next(job for job in detail["jobs"] if job["nodeId"] == "look")
            assert look["output"]["stdout"] == f"00-{found['GET'].trace_id}-{found['script.bash'].span_id}-01"
            assert found["GET"].attributes["url.full"] == f"{address}/secret"
            assert not any("hunter2" in str(span) for span in spans.spans)
            assert all(span.ended_at >= span.began_at for span in in_trace)

            # who begins an execution within a trace of his own finds it there
            headers = {"traceparent": f"00-{CALLER}-b7ad6b7169203331-01"}
            body: Json = {"variables": {}}
            run = f"/workflows/{workflow_id}/run"
            theirs = client.call("POST", run, status=202, json=body, headers=headers)["executionId"]
            answer(client, asked(client, theirs)["approvalId"])
            client.finished(theirs, "completed")
            joined = trace(spans, CALLER, wanted)
            assert joined["runWorkflow"].parent == "b7ad6b7169203331"
            assert joined[name].attributes["runyard.execution.id"] == theirs
            assert called[-1].startswith(f"00-{CALLER}-")

            # and who asks for none of his spans to be kept gets none
            headers = {"traceparent": f"00-{CALLER[::-1]}-b7ad6b7169203331-00"}
            unseen = client.call("POST", run, status=202, json=body, headers=headers)["executionId"]
            answer(client, asked(client, unseen)["approvalId"])
            client.finished(unseen, "completed")
            assert called[-1] == f"00-{CALLER[::-1]}-{called[-1][36:52]}-00"

            counts = {process: figures_of(system, process) for process in system.processes}
            by_orchestrator = counts["orchestrator"]
            assert by_orchestrator["runyard_executions_ended_total", "completed"] == 3
            assert by_orchestrator["runyard_jobs_ended_total", "http.request", "completed"] == 3
            assert counts["dispatcher"]["runyard_leases_made_total",] == 6
            assert counts["gateway"]["runyard_http_requests_total", "runWorkflow", "202"] == 3
            assert (
                sum(counts[name].get(("runyard_agent_jobs_run_total", "completed"), 0) for name in system.deployment.agents)
                == 6
            )

            logs = {process: log_of(system, process) for process in system.processes}
            assert {
                process: [line["event"] for line in lines if line.get("execution_id") == execution_id]
                for process, lines in logs.items()
                if not process.startswith("agent-")
            } == {
                "gateway": [],
                "orchestrator": ["execution started", "job finished", "job finished", "execution ended"],
                "dispatcher": ["job dispatched", "job dispatched"],
                "approvals": ["approval requested", "approval decided"],
                "projections": [],
            }
            by_agents = [
                line for name in system.deployment.agents for line in logs[name] if line.get("execution_id") == execution_id
            ]
            assert sorted(line["event"] for line in by_agents) == ["job ended", "job ended", "job runs", "job runs"]
            jobs = {job["jobId"] for job in detail["jobs"]}
            told = [line for lines in logs.values() for line in lines if line.get("execution_id") == execution_id]
            assert {line["job_id"] for line in told if "job_id" in line} == jobs
            assert {line["trace_id"] for line in told if "trace_id" in line} == {found["GET"].trace_id}
            assert {line["tenant_id"] for line in told} == {"default"}
            assert {
                (line["route"], line["status"], line["actor"]) for line in logs["gateway"] if line["event"] == "request"
            } >= {("/api/v1/workflows/{workflowId}/run", 202, "admin")}
            assert {line["service"] for lines in logs.values() for line in lines} == {*SERVICES, "projections", "agent"}
            assert not any("hunter2" in line for line in map(str, logs.values()))
        assert spans.of(CALLER[::-1]) == []
