"""What a gateway measures: requests by operation, event streams, how long commands take, how far the read models are behind.

Requests are counted around the router: what a request costs for it is one clock reading more and two additions. The lag of the
read models is measured here, and not by the projections, because it grows most while those do not run.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from time import perf_counter
from typing import Final

from prometheus_client import Counter, Histogram
from runyard_shared.metrics import REGISTRY, STEP_SECONDS, ReadGauge, Sample
from starlette.routing import BaseRoute, Route, Router
from starlette.types import Message, Receive, Scope, Send

from runyard_gateway.http.operation import Operation
from runyard_gateway.queries.projections import Lag

NO_OPERATION: Final = "none"
"""The operation of a request that is none of ours."""

REQUESTS: Final = Counter(
    "runyard_http_requests",
    "Requests answered, by operation (docs/reference/http-api.md) and status; the operation `none` is a path that does not "
    "exist, or a file of the web app.",
    ("operation", "status"),
    registry=REGISTRY,
)
REQUEST_SECONDS: Final = Histogram(
    "runyard_http_request_seconds",
    "From a request to the head of its answer, by operation.",
    ("operation",),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=REGISTRY,
)
STREAMS: Final = ReadGauge("runyard_event_streams", "Event streams (SSE) that readers have open at this gateway: sum them.")
STREAMS_CUT_OFF: Final = Counter(
    "runyard_event_streams_cut_off",
    "Readers of event streams that were too slow and cut off; they come back by themselves and miss nothing.",
    registry=REGISTRY,
)
LAG_EVENTS: Final = ReadGauge(
    "runyard_projection_lag_events",
    "Events of the log that are not in the read model, by read model.",
    ("projection",),
    of_all=True,
)
LAG_SECONDS: Final = ReadGauge(
    "runyard_projection_lag_seconds",
    "Age of the oldest event that is not in the read model, 0 if there is none.",
    ("projection",),
    of_all=True,
)
SILENT_SECONDS: Final = ReadGauge(
    "runyard_projection_silent_seconds",
    "Since whoever keeps the read model up to date gave a sign of life; it does every 5 seconds.",
    ("projection",),
    of_all=True,
)
ANSWER: Final = STEP_SECONDS.labels("answer")
STREAM: Final = STEP_SECONDS.labels("stream")
_counters: Final[dict[tuple[str, int], Counter]] = {}
_histograms: Final[dict[str, Histogram]] = {}


def answered(operation: str, status: int, seconds: float) -> None:
    key = (operation, status)
    counter = _counters.get(key)
    if counter is None:
        counter = _counters[key] = REQUESTS.labels(operation, str(status))
    counter.inc()
    histogram = _histograms.get(operation)
    if histogram is None:
        histogram = _histograms[operation] = REQUEST_SECONDS.labels(operation)
    histogram.observe(seconds)


class GatewayFigures:
    """Its methods are for `metrics.at_scrape`. `streams`: how many event streams are open now."""

    def __init__(self, streams: Callable[[], int], lags: Callable[[], Awaitable[Sequence[Lag]]]) -> None:
        self._streams = streams
        self._lags = lags

    async def read_streams(self) -> Iterable[Sample]:
        return [(STREAMS, (), self._streams())]

    async def read_lags(self) -> Iterable[Sample]:
        samples: list[Sample] = []
        for lag in await self._lags():
            name = (lag.name,)
            samples += [(LAG_EVENTS, name, lag.events), (LAG_SECONDS, name, lag.seconds)]
            samples.append((SILENT_SECONDS, name, lag.silent_seconds))
        return samples


class Measured:
    """The router, with every answer counted."""

    def __init__(self, router: Router, operations: Sequence[Operation]) -> None:
        self._router = router
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
                answered(operation, message["status"], perf_counter() - began_at)
            await send(message)

        await self._router(scope, receive, measured)
