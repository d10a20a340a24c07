"""What Prometheus makes of the rules and of the figures: each alert when it is due and in the words that people get, and the
shipped configuration at work on a system that runs."""

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from ruamel.yaml import YAML
from runyard_shared.messaging.rabbit import RabbitBus
from runyard_shared.messaging.topology import DISPATCHER_INBOX

from tests.acceptance.systems import METRICS_TOKEN, Client, Distributed, eventually
from tests.acceptance.test_first_promises import bash, chain
from tests.prometheus import NoPrometheus, Programs, Prometheus, programs, running

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "deploy/helm/runyard/files/alerts.yaml"
CASES = ROOT / "tests/alerts.yaml"
CONFIG = ROOT / "deploy/compose/prometheus.yml"
DASHBOARD = ROOT / "deploy/grafana/dashboards/operations.json"
OFTEN = "500ms"
ONLY_IN_TROUBLE = {'runyard_ready{namespace=""} == 0'}
"""Panels that are empty as long as all is well."""

pytestmark = pytest.mark.xdist_group("distributed")


@pytest.fixture(scope="module")
def found() -> Programs:
    try:
        return programs()
    except NoPrometheus as error:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(str(error))


def yaml(path: Path) -> Any:
    return YAML(typ="safe", pure=True).load(path.read_text())


def configuration(system: Distributed, directory: Path) -> dict[str, Any]:
    """That of compose: asked are the processes of the same names, more often, and RabbitMQ is left to its own exporter."""
    config: dict[str, Any] = yaml(CONFIG)
    config["global"] = dict.fromkeys(config["global"], OFTEN) | {"evaluation_interval": OFTEN}
    config["rule_files"] = [str(ALERTS)]
    config["scrape_configs"] = [each for each in config["scrape_configs"] if each["job_name"] != "rabbitmq"]
    for each in config["scrape_configs"]:
        for group in each["static_configs"]:
            names = [target.partition(":")[0] for target in group["targets"]]
            group["targets"] = [system.deployment.ops_url(name).removeprefix("http://") for name in names]
        if "authorization" in each:
            token = directory / "metrics-token"
            token.write_text(METRICS_TOKEN)
            each["authorization"]["credentials_file"] = str(token)
    return config


@pytest.fixture
def prometheus(found: Programs, distributed: Distributed, tmp_path: Path) -> Iterator[Prometheus]:
    with running(found, configuration(distributed, tmp_path), tmp_path) as prometheus:
        wanted = len(distributed.processes)
        eventually(lambda: list(prometheus.up().values()) == [True] * wanted, "all to be asked", lambda: str(prometheus.up()))
        yield prometheus


def queries() -> set[str]:
    """Of all panels."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    targets = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    return {target.replace("$__rate_interval", "1m").replace("$namespace", "") for target in targets}


async def send_what_nobody_can_handle(amqp_url: str) -> None:
    bus = RabbitBus(amqp_url)
    await bus.open()
    try:
        await bus.send(DISPATCHER_INBOX, [msgspec.Raw(b'{"type":"FromTomorrow"}')])
    finally:
        await bus.close()


def test_every_alert_fires_when_it_should_and_not_before_in_the_words_that_people_get(found: Programs) -> None:
    found.check("check", "rules", ALERTS)
    found.check("test", "rules", CASES)
    cases = [case for test in yaml(CASES)["tests"] for case in test["alert_rule_test"]]
    (group,) = yaml(ALERTS)["groups"]
    alerts = {rule["alert"] for rule in group["rules"]}
    assert {case["alertname"] for case in cases if case["exp_alerts"]} == alerts
    assert {case["alertname"] for case in cases if not case["exp_alerts"]} == alerts


def test_a_prometheus_of_compose_sees_every_process_answers_every_panel_and_tells_what_breaks(
    distributed: Distributed, prometheus: Prometheus
) -> None:
    with Client(distributed) as client:
        client.has_pool("unattended")
        stranded = client.run(client.publish(chain(bash("stranded", pool="unattended"))))
        asking = client.run(client.publish(chain({"id": "ask", "type": "approval", "message": "Go on?"})))
        client.ran(chain(bash("fine")), status="completed")
        client.ran(chain(bash("bad", "exit 1")), status="failed")
        asyncio.run(send_what_nobody_can_handle(distributed.deployment.amqp_url))

        def empty() -> set[str]:
            return {query for query in queries() - ONLY_IN_TROUBLE if not prometheus.query(query)}

        eventually(lambda: not empty(), "every panel to show something", lambda: "\n".join(empty()))
        for query in ONLY_IN_TROUBLE:
            prometheus.query(query)
        assert {rule["name"]: rule["lastError"] for rule in prometheus.rules() if rule["health"] != "ok"} == {}

        def under_way(name: str, **labels: str) -> list[tuple[str, str]]:
            return [
                (alert["state"], alert["annotations"]["summary"])
                for alert in prometheus.alerts(name)
                if labels.items() <= alert["labels"].items()
            ]

        parked = f"Messages of {DISPATCHER_INBOX} could not be handled and wait for somebody to look: 1."
        eventually(lambda: ("firing", parked) in under_way("RunyardParkedMessages"), "the alert on a parked message")
        waits = "Jobs of default wait (1), and pool unattended has no agent online."
        eventually(lambda: ("pending", waits) in under_way("RunyardNoAgentOnline"), "the alert on a job without an agent")

        address = distributed.deployment.ops_url("approvals").removeprefix("http://")
        assert not under_way("RunyardDown") and not under_way("RunyardServiceMissing")
        distributed.kill("approvals")
        try:
            down = [("pending", f"{address} does not answer.")]
            eventually(lambda: under_way("RunyardDown", job="runyard") == down, "the alert on a process that is down")
            missing = [("pending", "No process of the service approvals is there.")]
            eventually(lambda: under_way("RunyardServiceMissing") == missing, "the alert on a service without a process")
        finally:
            distributed.revive("approvals")
        eventually(lambda: not under_way("RunyardDown"), "the alert to end")

        for row in client.call("GET", "/parked-messages")["items"]:
            client.call("DELETE", f"/parked-messages/{row['messageId']}", status=204)
        eventually(lambda: not under_way("RunyardParkedMessages"), "the alert to end")
        for execution_id in (stranded, asking):
            client.cancel(execution_id)
