"""What `/metrics` shows, in Prometheus's text: requests by operation, event streams, the lag of the read models, the process.

Requests are counted around the router: what a request costs for it is one clock reading more and two additions.
"""

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.routing import BaseRoute, Route, Router
from starlette.types import Message, Receive, Scope, Send

from runyard_gateway.http.operation import Operation
from runyard_gateway.queries.projections import Lag

NO_OPERATION: Final = "none"
"""The operation of a request that is none of ours."""
_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """`streams`: how many event streams are open now, and how many readers were cut off since the start."""

    def __init__(self, streams: Callable[[], tuple[int, int]]) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._requests = Counter(
            "runyard_http_requests",
            "Requests answered, by operation and status.",
            ("operation", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "runyard_http_request_seconds",
            "Seconds from a request to the head of its answer, by operation.",
            ("operation",),
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._lag_events = Gauge(
            "runyard_projection_lag_events",
            "Events of the log that are not in the read model.",
            ("projection",),
            registry=self._registry,
        )
        self._lag_seconds = Gauge(
            "runyard_projection_lag_seconds",
            "Age of the oldest event that is not in the read model.",
            ("projection",),
            registry=self._registry,
        )
        self._silent_seconds = Gauge(
            "runyard_projection_silent_seconds",
            "Since the read model gave a sign of life; it does every 5 seconds.",
            ("projection",),
            registry=self._registry,
        )
        self._registry.register(_Streams(streams))
        ProcessCollector(registry=self._registry)
        self._counters: dict[tuple[str, int], Counter] = {}
        self._histograms: dict[str, Histogram] = {}

    def answered(self, operation: str, status: int, seconds: float) -> None:
        key = (operation, status)
        counter = self._counters.get(key)
        if counter is None:
            counter = self._counters[key] = self._requests.labels(operation, str(status))
        counter.inc()
        histogram = self._histograms.get(operation)
        if histogram is None:
            histogram = self._histograms[operation] = self._seconds.labels(operation)
        histogram.observe(seconds)

    def text(self, lags: Sequence[Lag] | None) -> bytes:
        """`lags`: None while the database cannot say; then they are left out, as what they were is not what they are."""
        for gauge in (self._lag_events, self._lag_seconds, self._silent_seconds):
            gauge.clear()
        for lag in lags or ():
            self._lag_events.labels(lag.name).set(lag.events)
            self._lag_seconds.labels(lag.name).set(lag.seconds)
            self._silent_seconds.labels(lag.name).set(lag.silent_seconds)
        return generate_latest(self._registry)


class Measured:
    """The router, with every answer counted."""

    def __init__(self, router: Router, operations: Sequence[Operation], metrics: Metrics) -> None:
        self._router = router
        self._metrics = metrics
        names: dict[str, dict[str, str]] = {}
        for operation in operations:
            of_path = names.setdefault(operation.path, {})
            of_path[operation.method] = operation.name
            if operation.method == "GET":
                of_path.setdefault("HEAD", operation.name)
        self._names: Mapping[int, Mapping[str, str]] = {
            id(route.endpoint): names.get(route.path, {}) for route in router.routes if isinstance(route, Route)
        }

    @property
    def routes(self) -> Sequence[BaseRoute]:
        return self._router.routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._router(scope, receive, send)
            return
        began_at = perf_counter()

        async def measured(message: Message) -> None:
            if message["type"] == "http.response.start":
                # the router has put the endpoint it chose into the scope
                names = self._names.get(id(scope.get("endpoint")), {})
                operation = names.get(scope["method"], NO_OPERATION)
                self._metrics.answered(operation, message["status"], perf_counter() - began_at)
            await send(message)

        await self._router(scope, receive, measured)


class _Streams(Collector):
    def __init__(self, streams: Callable[[], tuple[int, int]]) -> None:
        self._streams = streams

    def collect(self) -> Sequence[GaugeMetricFamily | CounterMetricFamily]:
        now, cut_off = self._streams()
        return (
            GaugeMetricFamily("runyard_event_streams", "Event streams that readers have open.", value=now),
            CounterMetricFamily(
                "runyard_event_streams_cut_off",
                "Readers of event streams that were too slow and cut off.",
                value=cut_off,
            ),
        )
