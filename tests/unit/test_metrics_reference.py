"""The reference of metrics says what the services measure, and they measure in Prometheus's terms."""

import re

import pytest

from tests.metrics_reference import FILE, MODULES, Metric, all_metrics, metrics_of, text

FEW = {
    "action", "log", "operation", "outcome", "part", "phase", "pool", "projection", "queue", "service", "share", "status",
    "step", "tenant", "topic", "trigger", "what",
}  # fmt: skip
"""Labels with few values. A new one is a decision: a label with ids, or with names that users give, is a series for each."""


def test_the_metrics_reference_is_current() -> None:
    assert FILE.read_text() == text(), "run: python -m tests.metrics_reference"


@pytest.mark.parametrize("metric", all_metrics().values(), ids=lambda metric: metric.name)
def test_a_metric_is_named_as_prometheus_has_it_and_says_what_it_is(metric: Metric) -> None:
    assert re.fullmatch(r"runyard(_[a-z]+)+", metric.name)
    assert not re.search(r"_(total|count|sum|bucket|milliseconds|ms|minutes|kilobytes)$", metric.name), "base units, no suffix"
    assert metric.text.endswith(".") and len(metric.text.split()) > 4
    assert set(metric.labels) <= FEW
    if metric.kind == "histogram":
        assert re.search(r"_(seconds|events|items)$", metric.name), "the name has the unit"


def test_each_metric_is_measured_in_one_place() -> None:
    names = [metric.name for package in MODULES for metric in metrics_of(package)]
    assert len(names) == len(set(names)) > 40
