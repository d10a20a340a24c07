"""What every process tells those who look after it: its figures are those of the API, and what it lacks is in its own words."""

import os
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from runyard_standalone.ports import first_free

from tests.acceptance.systems import METRICS_TOKEN, Client, Distributed, Standalone, eventually
from tests.acceptance.test_first_promises import bash, chain, edge, workflow
from tests.metrics_reference import MODULES, all_metrics, metrics_of, readings

SERVICES = ("orchestrator", "dispatcher", "approvals", "projections", "gateway")
Figures = dict[str, float]


def figures(system: Distributed, name: str) -> Figures:
    url = f"{system.deployment.ops_url(name)}/metrics"
    answer = httpx.get(url, headers={"Authorization": f"Bearer {METRICS_TOKEN}"}, trust_env=False, timeout=20)
    assert answer.status_code == 200, (name, answer.text)
    return readings(answer.text)


def health(system: Distributed, name: str, path: str) -> httpx.Response:
    return httpx.get(f"{system.deployment.ops_url(name)}{path}", trust_env=False, timeout=20)


class Watch:
    """Figures of all processes since it began."""

    def __init__(self, system: Distributed) -> None:
        self._system = system
        self._before = self.now()

    def now(self) -> dict[str, Figures]:
        return {name: figures(self._system, name) for name in self._system.processes}

    def grown(self, figure: str) -> dict[str, float]:
        """By process."""
        grown = {name: now.get(figure, 0) - self._before[name].get(figure, 0) for name, now in self.now().items()}
        return {name: by for name, by in grown.items() if by}


@pytest.mark.xdist_group("distributed")
def test_the_figures_of_every_process_are_those_of_the_api(distributed: Distributed) -> None:
    with Client(distributed) as client:
        flaky = workflow(
            [bash("flaky", "exit 7"), {"id": "caught", "type": "errorHandler"}, bash("tidy", "sleep 0.1")],
            [edge("trigger", "flaky"), edge("flaky", "caught", "error"), edge("caught", "tidy")],
        )
        ask = {"id": "ask", "type": "approval", "message": "Go on?"}
        flaky_id, ask_id = client.publish(flaky), client.publish(chain(ask))
        watch = Watch(distributed)
        details = [
            client.finished(client.run(flaky_id), "completed"),
            client.ran(chain(bash("bad", "exit 1")), status="failed"),
        ]
        asking = client.run(ask_id)
        client.until(asking, lambda row: row["status"] == "paused", "somebody to be asked")
        jobs = [job for detail in details for job in detail["jobs"]]

        assert watch.grown('runyard_executions_started_total{trigger="manual"}') == {"orchestrator": 3}
        for status in ("completed", "failed"):
            ended = sum(detail["status"] == status for detail in details)
            assert watch.grown(f'runyard_executions_ended_total{{status="{status}"}}') == {"orchestrator": ended}
            of_jobs = sum(job["status"] == status for job in jobs)
            figure = f'runyard_jobs_ended_total{{action="script.bash",status="{status}"}}'
            assert watch.grown(figure) == {"orchestrator": of_jobs}
            ran = Counter(job["agent"] for job in jobs if job["status"] == status)
            assert watch.grown(f'runyard_agent_jobs_run_total{{status="{status}"}}') == ran
        assert watch.grown("runyard_leases_made_total") == {"dispatcher": len(jobs)}
        assert watch.grown('runyard_events_total{log="approvals",topic="approval.opened"}') == {"approvals": 1}
        assert watch.grown('runyard_http_requests_total{operation="runWorkflow",status="202"}') == {"gateway": 3}
        seconds = 'runyard_step_seconds_count{step="%s"}'
        assert watch.grown(seconds % "answer").keys() == {"gateway"}
        assert watch.grown(seconds % "place") == {"dispatcher": len(jobs)}
        assert watch.grown(seconds % "start") == {"orchestrator": len(jobs)}
        assert watch.grown(seconds % "project").keys() == {"projections"}
        run_seconds = watch.grown('runyard_job_run_seconds_sum{action="script.bash"}')["orchestrator"]
        assert run_seconds == pytest.approx(sum(job["durationMs"] for job in jobs) / 1000)

        now = watch.now()
        online = sum(agent["status"] == "online" for agent in client.call("GET", "/agents")["items"])
        agents = 'runyard_agents{pool="default",status="online",tenant="default"}'
        assert now["dispatcher"][agents] == online == len(distributed.deployment.agents)
        shares: Counter[str] = Counter()
        for each in now.values():
            shares.update({name: int(value) for name, value in each.items() if name.startswith("runyard_share")})
        assert set(shares.values()) == {1} and len(shares) > 5, "somebody does each share of the work"
        assert now["projections"]['runyard_approvals_pending{tenant="default"}'] == _pending(client)
        assert now["projections"]['runyard_executions{status="paused"}'] >= 1
        assert {name for name, each in now.items() if "process_cpu_seconds_total" in each} == set(distributed.processes)
        assert not [
            name for each in now.values() for name, value in each.items() if name.startswith("runyard_ready") and not value
        ]
        everything = {series for metric in all_metrics().values() for series in metric.series}
        told = {name.partition("{")[0] for each in now.values() for name in each if name.startswith("runyard_")}
        assert {name for name in told if not name.endswith("_created")} <= everything, "the reference has all of them"
        client.cancel(asking)


def _pending(client: Client) -> int:
    return len(client.call("GET", "/approvals?status=pending&limit=200")["items"])


@pytest.mark.xdist_group("distributed")
def test_while_rabbitmq_is_away_every_process_says_so_and_lives(distributed: Distributed) -> None:
    rabbit = distributed.deployment.rabbit
    assert rabbit is not None
    watch = Watch(distributed)
    rabbit.kill()
    try:
        for name in distributed.processes:
            eventually(lambda name=name: health(distributed, name, "/readyz").status_code == 503, f"{name} to say it")  # type: ignore[misc]
            said = [words for words in health(distributed, name, "/readyz").json()["parts"].values() if words]
            assert any("RabbitMQ" in words for words in said), (name, said)
            alive = health(distributed, name, "/healthz")
            assert alive.status_code == 200, (name, alive.text)
        for name in SERVICES:
            told = figures(distributed, name)
            assert any(key.startswith("runyard_ready") and value == 0 for key, value in told.items()), name
            assert not any(key.startswith("runyard_queue_messages") for key in told), "what nobody can tell is left out"
    finally:
        rabbit.start()
    for name in distributed.processes:
        eventually(lambda name=name: health(distributed, name, "/readyz").status_code == 200, f"{name} to be well")  # type: ignore[misc]
    distributed.deployment.wait_until_ready()
    again = watch.grown('runyard_reconnects_total{part="RabbitMQ"}')
    assert again.keys() >= set(SERVICES)
    assert all(figures(distributed, name)['runyard_queue_messages{queue="parked"}'] == 0 for name in ("projections",))


@pytest.mark.xdist_group("standalone")
def test_standalone_is_one_process_with_the_figures_of_all(standalone: Standalone) -> None:
    with Client(standalone) as client:
        client.ran(chain(bash("fine")), status="completed")
        client.ran(chain(bash("bad", "exit 1")), status="failed")
        told = readings(client.http.get(f"{standalone.url}/metrics").text)
        names = {name.partition("{")[0] for name in told}
        for package in MODULES:
            if package != "runyard_approvals":  # nobody was notified
                assert any(metric.series & names for metric in metrics_of(package)), f"nothing of {package}"
        assert told['runyard_executions_ended_total{status="failed"}'] >= 1
        assert told['runyard_queue_messages{queue="orchestrator.inbox.0"}'] >= 0
        ready = {name: value for name, value in told.items() if name.startswith("runyard_ready{")}
        services = {name.partition('service="')[2].partition('"')[0] for name in ready}
        assert services == {*SERVICES, "agent"} and all(ready.values())


def test_a_process_that_waits_for_postgresql_to_start_says_so_and_is_left_alone(tmp_path: Path) -> None:
    port, nobody = first_free(0), first_free(0)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RUNYARD_")} | {
        "RUNYARD_DATABASE_URL": f"postgresql://nobody@127.0.0.1:{nobody}/nothing",
        "RUNYARD_AMQP_URL": f"amqp://127.0.0.1:{nobody}/",
        "RUNYARD_OPS_PORT": str(port),
    }
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "runyard_approvals"], env=environment, stdout=log, stderr=log)
    try:
        url, seen = f"http://127.0.0.1:{port}", ""

        def says_it() -> bool:
            nonlocal seen
            with suppress(httpx.TransportError):
                answer = httpx.get(f"{url}/readyz", trust_env=False)
                seen = answer.text
                return answer.status_code == 503 and "waits for PostgreSQL" in seen
            return False

        eventually(says_it, "the process to say what it waits for", lambda: seen)
        assert httpx.get(f"{url}/healthz", trust_env=False).status_code == 200, "starting it anew would not help"
        told = readings(httpx.get(f"{url}/metrics", trust_env=False).text)
        assert told['runyard_ready{part="PostgreSQL",service="approvals"}'] == 0
    finally:
        process.terminate()
        assert process.wait(20) == 0
