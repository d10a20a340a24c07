"""What every process measures, for Prometheus.

Metrics are module-level, as loggers are, in the one registry of the process: each service has a `metrics.py` with its own, and
what any of them may do (commit, handle messages, wait for a loop) is measured here. Counters and histograms count what this
process did, so processes are summed. Gauges are read when somebody asks, from tables that all processes of a service see alike:
of those, take the `max()`. docs/reference/metrics.md is made of the texts below.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from runyard_shared.messaging.topology import TOPOLOGY

_log = structlog.get_logger(__name__)

CONTENT_TYPE: Final = "text/plain; version=1.0.0; charset=utf-8"
READ_SECONDS: Final = 5.0
"""A database that does not answer must not keep the other figures from whoever asks."""
_FAST: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SLOW: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
_SIZES: Final = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500)

OF_ALL: Final = " Read from the database, so every process says the same: take max()."

REGISTRY: Final = CollectorRegistry(auto_describe=False)
ProcessCollector(registry=REGISTRY)


class ReadGauge(Collector):
    """A gauge that is read when somebody asks, by whoever was given to `at_scrape`. What cannot be read is left out: what it
    was is not what it is. `of_all`: it is read from the database, so every process of the service says the same."""

    def __init__(self, name: str, text: str, labels: Sequence[str] = (), *, of_all: bool = False) -> None:
        self.name = name
        self.text = text + OF_ALL if of_all else text
        self.labels = tuple(labels)
        self.values: dict[tuple[str, ...], float] = {}
        _GAUGES.append(self)
        REGISTRY.register(self)

    def collect(self) -> Iterable[GaugeMetricFamily]:
        family = GaugeMetricFamily(self.name, self.text, labels=self.labels)
        for labels, value in self.values.items():
            family.add_metric(labels, value)
        return (family,)


_GAUGES: Final[list[ReadGauge]] = []
Sample = tuple[ReadGauge, tuple[str, ...], float]
Read = Callable[[], Awaitable[Iterable[Sample]]]
_READS: Final[list[Read]] = []


def at_scrape(read: Read) -> None:
    """From now on, ask `read` whenever somebody asks for figures."""
    _READS.append(read)


def no_longer_at_scrape(read: Read) -> None:
    """Also of one that was never asked."""
    if read in _READS:
        _READS.remove(read)


async def exposition() -> bytes:
    """All figures of this process, in Prometheus's text format (`CONTENT_TYPE`)."""
    results = await asyncio.gather(*map(_within_reason, _READS), return_exceptions=True)
    for gauge in _GAUGES:
        gauge.values = {}
    for result in results:
        if isinstance(result, BaseException):
            _log.info("some figures cannot be read now", reason=str(result) or repr(result))
            continue
        for gauge, labels, value in result:
            gauge.values[labels] = value
    return generate_latest(REGISTRY)


async def _within_reason(read: Read) -> Iterable[Sample]:
    async with asyncio.timeout(READ_SECONDS):
        return await read()


# --- the log: group commit, relay, timers

COMMIT_EVENTS: Final = Histogram(
    "runyard_commit_events",
    "Events that one group commit wrote, by log. Grows with the load: what waits while a commit is under way shares the next.",
    ("log",),
    buckets=_SIZES,
    registry=REGISTRY,
)
COMMIT_SECONDS: Final = Histogram(
    "runyard_commit_seconds",
    "Duration of a group commit, by log: one round trip to PostgreSQL with its fsync.",
    ("log",),
    buckets=_FAST,
    registry=REGISTRY,
)
COMMIT_REFUSED: Final = Counter(
    "runyard_commit_refused",
    "Appends that the log refused, by log: another writer was first, or a key was taken. They are decided anew. Some are "
    "ordinary; many mean that two processes work on the same streams.",
    ("log",),
    registry=REGISTRY,
)
EVENTS: Final = Counter(
    "runyard_events",
    "Events written, by log and topic (docs/reference/events.md): what happened, whatever it is.",
    ("log", "topic"),
    registry=REGISTRY,
)
RELAY_BACKLOG: Final = ReadGauge(
    "runyard_relay_backlog_events",
    "Events of the log that have not gone out, by log and by what goes out: work for other services, or public events. Its "
    "checkpoint moves once a second, so a second of events is ordinary.",
    ("log", "what"),
    of_all=True,
)
RELAY_BACKLOG_SECONDS: Final = ReadGauge(
    "runyard_relay_backlog_seconds",
    "Age of the oldest event that has not gone out, 0 if there is none, by log and by what goes out. Up to 2 s is ordinary.",
    ("log", "what"),
    of_all=True,
)
TIMERS_DUE: Final = ReadGauge(
    "runyard_timers_due",
    "Timers whose time has come and that nobody has answered yet (retries, delays, deadlines, schedules), by log; counted up "
    "to 10,000.",
    ("log",),
    of_all=True,
)
TIMERS_OVERDUE_SECONDS: Final = ReadGauge(
    "runyard_timers_overdue_seconds",
    "For how long the oldest due timer has been due, 0 if there is none, by log.",
    ("log",),
    of_all=True,
)

# --- messages

QUEUE_MESSAGES: Final = ReadGauge(
    "runyard_queue_messages",
    "Messages (lists of items) that wait in a work queue, or are being handled, by queue. Each service asks the broker about "
    "the queues that it consumes and adds what was delivered to it: of several processes take max(). What else the broker "
    "knows, its own exporter tells.",
    ("queue",),
)
QUEUE_SECONDS: Final = ReadGauge(
    "runyard_queue_seconds",
    "Age of the oldest message of a work queue, 0 if there is none, by queue: since it was sent, as its sender's clock has it "
    "in whole seconds. Of several processes take max().",
    ("queue",),
)
HANDLER_ITEMS: Final = Histogram(
    "runyard_handler_items",
    "Items that a handler was given at once and is done with, by queue (mailboxes are one name together); the sum is all "
    "items. Grows with the load: what comes while a list is handled is the next list.",
    ("queue",),
    buckets=_SIZES,
    registry=REGISTRY,
)
HANDLER_SECONDS: Final = Histogram(
    "runyard_handler_seconds",
    "Duration of one handler call, by queue, until its list is handled or its problem is known.",
    ("queue",),
    buckets=_FAST,
    registry=REGISTRY,
)
HANDLER_WAITS: Final = Counter(
    "runyard_handler_waits",
    "How often a handler said that a part it needs is away, by queue; the same list comes again.",
    ("queue",),
    registry=REGISTRY,
)
PARKED: Final = Counter(
    "runyard_messages_parked",
    "Items that could not be handled and were put away, by queue: each is a bug, or came from a newer version.",
    ("queue",),
    registry=REGISTRY,
)
# whoever counts these names its part when it begins, not with the first: Prometheus sees no increase in what begins with 1
RECONNECTS: Final = Counter(
    "runyard_reconnects",
    "Connections that were lost and made again, by part: that to RabbitMQ, and to PostgreSQL that of whoever writes a log or "
    "read models.",
    ("part",),
    registry=REGISTRY,
)

# --- the way of an execution, and the process

STEP_SECONDS: Final = Histogram(
    "runyard_step_seconds",
    "How long a step of the way takes. answer: from a command at the gateway until its reply, so with the commit. place: from "
    "when a job is to be run until an agent has a slot for it. start: from there until the start of the job is written down. "
    "project: from an event until the read models show it, the oldest of each batch. stream: from an event until it is given "
    "to event streams, the oldest of each batch. Across hosts, it includes how far their clocks differ.",
    ("step",),
    buckets=_SLOW,
    registry=REGISTRY,
)
LOOP_DELAY: Final = Histogram(
    "runyard_event_loop_delay_seconds",
    "How much later than asked for the process got its turn, looked at every second: what is above 0.1 s is a process that "
    "has too much to do, or too little CPU.",
    buckets=_FAST,
    registry=REGISTRY,
)
READY: Final = ReadGauge(
    "runyard_ready",
    "1 if the part works, 0 if not, by service and part of it: what `/readyz` says in words.",
    ("service", "part"),
)


SHARE: Final = ReadGauge(
    "runyard_share",
    "1 if this process does that share of its service's work, 0 if another one does: inbox partitions, relay, read models, "
    "the placement of jobs. The sum over processes is 1; 0 is a share that nobody does.",
    ("service", "share"),
)


def ready(service: str, health: Mapping[str, str | None]) -> Iterable[Sample]:
    """`health`: trouble by part, None for none."""
    return [(READY, (service, part), float(trouble is None)) for part, trouble in health.items()]


def shares(service: str, standing: Mapping[str, str]) -> Iterable[Sample]:
    """`standing`: by share, "here" or who else does it."""
    return [(SHARE, (service, share), float(where == "here")) for share, where in standing.items()]


def queues(waiting: Mapping[str, tuple[int, float]]) -> Iterable[Sample]:
    """`waiting`: messages and the age of the oldest, by queue."""
    samples: list[Sample] = []
    for queue, (messages, seconds) in waiting.items():
        samples += [(QUEUE_MESSAGES, (queue,), messages), (QUEUE_SECONDS, (queue,), seconds)]
    return samples


def queue_label(name: str) -> str:
    """What to call a queue: by its name if it is one of the topology, else by what it is for (mailboxes, whose names have those
    of agents and processes in them)."""
    return name if name in _NAMED else name.partition(".")[0]


_NAMED: Final = frozenset((*TOPOLOGY.queues, *TOPOLOGY.exchanges))
