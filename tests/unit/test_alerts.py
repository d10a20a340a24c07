"""The alerts and the dashboard of operations ask for what the services measure, and rightly for any number of processes."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
from ruamel.yaml import YAML
from runyard_shared.metrics import OF_ALL

from tests.metrics_reference import Metric, all_metrics

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "deploy/helm/runyard/files/alerts.yaml"
DASHBOARD = ROOT / "deploy/grafana/dashboards/operations.json"
MONITOR = ROOT / "docs/howto/monitor.md"
ANYBODYS = {
    "up": {"job", "instance", "namespace"},
    "process_cpu_seconds_total": {"job", "instance", "namespace"},
    "process_resident_memory_bytes": {"job", "namespace"},
}
"""Series that Prometheus or its library makes, and their labels that are asked for."""
SERIES: dict[str, Metric] = {series: metric for metric in all_metrics().values() for series in metric.series}


def rules() -> list[dict[str, Any]]:
    (group,) = YAML(typ="safe", pure=True).load(ALERTS.read_text())["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def panels() -> list[dict[str, Any]]:
    return [panel for panel in json.loads(DASHBOARD.read_text())["panels"] if panel["type"] != "row"]


def queries() -> Iterator[Any]:
    for rule in rules():
        yield pytest.param(rule["expr"], id=rule["alert"])
    for panel in panels():
        for target in panel["targets"]:
            yield pytest.param(target["expr"].replace("$__rate_interval", "1m"), id=f"{panel['title']} {target['refId']}")


def selectors(query: str) -> list[tuple[promql_parser.VectorSelector, str]]:
    """Each, with the operation that is done to it first, if it is an aggregation or a function."""
    found: list[tuple[promql_parser.VectorSelector, str]] = []
    around = [""]

    def enter(expr: promql_parser.Expr) -> None:
        if isinstance(expr, promql_parser.VectorSelector):
            found.append((expr, around[-1]))
        # a range is of a selector, which stands in it
        around.append(around[-1] if isinstance(expr, promql_parser.MatrixSelector) else _operation(expr))

    def leave(_: promql_parser.Expr) -> None:
        around.pop()

    promql_parser.walk(promql_parser.parse(query), enter, leave)
    return found


def _operation(expr: promql_parser.Expr) -> str:
    if isinstance(expr, promql_parser.AggregateExpr):
        return str(expr.op)
    return expr.func.name if isinstance(expr, promql_parser.Call) else ""


@pytest.mark.parametrize("query", list(queries()))
def test_a_query_asks_for_what_there_is_and_is_right_for_any_number_of_processes(query: str) -> None:
    asked = selectors(query)
    assert asked
    labels = {"le", "instance", "namespace"}
    for selector, operation in asked:
        name = selector.name or ""
        wanted = {matcher.name for matcher in selector.matchers.matchers}
        if name in ANYBODYS:
            assert wanted <= ANYBODYS[name]
            continue
        assert name in SERIES, f"nothing measures {name}"
        metric = SERIES[name]
        labels |= set(metric.labels)
        assert wanted <= {*metric.labels, "job", "instance", "namespace"}
        if metric.kind != "gauge":
            assert operation in ("rate", "increase"), f"{name} counts since the start of its process"
        elif metric.text.endswith(OF_ALL):
            assert operation == "max", f"every process says the same {name}"
    for group in re.findall(r"\b(?:by|on) \(([^)]*)\)", query):
        assert {each.strip() for each in group.split(",")} <= labels


def test_every_alert_says_how_bad_it_is_and_the_documentation_says_what_to_do() -> None:
    names = [rule["alert"] for rule in rules()]
    explained = re.findall(r"^### (Runyard\w+)$", MONITOR.read_text(), re.MULTILINE)
    assert explained == names
    for rule in rules():
        assert rule["labels"]["severity"] in ("critical", "warning")
        used = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
        grouped = re.findall(r"\bby \(([^)]*)\)|, \"(\w+)\", \"\w+\", \"\", \"\"\)", rule["expr"])
        given = {each.strip() for groups in grouped for each in ",".join(groups).split(",")} if grouped else {"instance"}
        assert used <= given, f"{rule['alert']} has no label {used - given}"


def test_the_dashboard_reads_from_the_data_source_that_compose_gives_grafana() -> None:
    source = YAML(typ="safe", pure=True).load((ROOT / "deploy/compose/grafana-prometheus.yaml").read_text())["datasources"][0]
    board = json.loads(DASHBOARD.read_text())
    for panel in panels():
        for each in (panel, *panel["targets"]):
            assert each["datasource"] == {"type": source["type"], "uid": source["uid"]}
    (namespace,) = board["templating"]["list"]
    assert namespace["datasource"] == {"type": source["type"], "uid": source["uid"]}
    for panel in panels():
        for target in panel["targets"]:
            for selector, _ in selectors(target["expr"].replace("$__rate_interval", "1m")):
                assert 'namespace="$namespace"' in map(str, selector.matchers.matchers), "installations are not mixed"
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    for panel in panels():
        for target in panel["targets"]:
            used = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            asked = {label for selector, _ in selectors(target["expr"].replace("$__rate_interval", "1m"))
                     for label in (SERIES[selector.name].labels if selector.name in SERIES else ())}  # fmt: skip
            assert used <= asked | {"instance"}, panel["title"]
