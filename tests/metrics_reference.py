"""Writes docs/reference/metrics.md from the metrics themselves: `python -m tests.metrics_reference`.

`modules()` are where something is measured, `readings()` reads what `/metrics` answers.
"""

import importlib
from pathlib import Path
from typing import Final, NamedTuple

from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families
from runyard_shared.metrics import ReadGauge

FILE: Final = Path(__file__).parents[1] / "docs" / "reference" / "metrics.md"
MODULES: Final = {
    "runyard_shared": "Every process",
    "runyard_orchestrator": "Orchestrator",
    "runyard_dispatcher": "Dispatcher",
    "runyard_approvals": "Approvals",
    "runyard_projections": "Projections",
    "runyard_gateway": "Gateway",
    "runyard_agent": "Agent",
}
"""Each has a module `metrics`, and nothing is measured that is not in one of them."""

HEAD: Final = """\
# Metrics

What `GET /metrics` of each process says, in Prometheus's text format. Which address that is, and what to watch:
[monitor](../howto/monitor.md). Beside them every process has Prometheus's own `process_…` (CPU, memory, open files, start).

Counters end in `_total` and histograms in `_bucket`, `_sum` and `_count`: both count what one process did since it started, so
over processes they are summed. Gauges are read when Prometheus asks; what cannot be read then is left out. Times are seconds,
sizes bytes. No label has the name of a workflow, a person or a host: figures of those are in the
[read models](read-models.md). In standalone, one process has all of them, at the gateway's address.
"""


class Metric(NamedTuple):
    """`name` without what Prometheus adds; `kind` is counter, gauge or histogram."""

    name: str
    kind: str
    labels: tuple[str, ...]
    text: str

    @property
    def series(self) -> frozenset[str]:
        """The names that a query may use."""
        if self.kind == "histogram":
            return frozenset(f"{self.name}_{end}" for end in ("bucket", "sum", "count"))
        return frozenset({f"{self.name}_total" if self.kind == "counter" else self.name})


def metrics_of(package: str) -> list[Metric]:
    """In the order of the module."""
    found: list[Metric] = []
    for value in vars(importlib.import_module(f"{package}.metrics")).values():
        if isinstance(value, ReadGauge):
            metric = Metric(value.name, "gauge", value.labels, value.text)
        elif isinstance(value, MetricWrapperBase) and not value._labelvalues:
            metric = Metric(value._name, str(value._type), tuple(value._labelnames), value._documentation)
        else:
            continue
        if all(metric.name != each.name for each in found) and (package == "runyard_shared" or not _is_shared(metric.name)):
            found.append(metric)
    return found


def all_metrics() -> dict[str, Metric]:
    """By name."""
    return {metric.name: metric for package in MODULES for metric in metrics_of(package)}


def text() -> str:
    parts = [HEAD]
    for package, title in MODULES.items():
        parts.append(f"\n## {title}\n| metric | labels | |\n|---|---|---|\n")
        for metric in metrics_of(package):
            name = f"{metric.name}_total" if metric.kind == "counter" else metric.name
            labels = ", ".join(f"`{label}`" for label in metric.labels)
            parts.append(f"| `{name}` {metric.kind} | {labels} | {metric.text} |\n")
    return "".join(parts)


def readings(exposition: str) -> dict[str, float]:
    """What a process answered, as `name{label="value"}`, labels by name, and its value."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(exposition):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def _is_shared(name: str) -> bool:
    return any(name == metric.name for metric in metrics_of("runyard_shared"))


if __name__ == "__main__":
    FILE.write_text(text())
