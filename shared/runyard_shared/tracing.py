"""Spans to an OpenTelemetry collector, for a whole process, as logs are: off until `start_tracing`, and then next to free.

A span is made when what it tells of has ended, with its ids and times as they are; so nothing is open in memory when a process
dies. Where spans go, which traces are kept and what the process is called is OpenTelemetry's own configuration: the variables
`OTEL_EXPORTER_OTLP_…`, `OTEL_TRACES_SAMPLER…`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_SERVICE_NAME`, `OTEL_BSP_…`. A collector that
is away is said once, costs nobody any time, and its spans are dropped (those of a log wait: `eventstore/traces.py`).
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal, Protocol

from runyard_shared.errors import RunyardError
from runyard_shared.trace_context import is_sampled, own_trace_id, span_id, trace_id_of, traceparent

if TYPE_CHECKING:
    from runyard_shared.otlp import Tracer

STOP_SECONDS: Final = 5.0
"""For the last spans to leave when the process stops."""


class TracingNotInstalled(RunyardError):
    """Tracing is on, and OpenTelemetry is not installed: install this program with its extra `tracing`, as in
    `pip install 'runyard-agent[tracing]'`, or leave RUNYARD_TRACING out."""


class TracingSettings(Protocol):
    tracing: bool


@dataclass(frozen=True, slots=True)
class Span:
    """What happened between two instants (nanoseconds since 1970). `context` is its own; `parent` that of what it is part of,
    or None. `error`: why it failed, a word of ours and never a message, which may quote what a job wrote."""

    name: str
    context: str
    parent: str | None
    began_at: int
    ended_at: int
    attributes: Mapping[str, str | int | bool]
    kind: Literal["internal", "server", "client", "producer", "consumer"] = "internal"
    error: str | None = None
    events: Sequence[tuple[str, int]] = field(default=())


_tracer: "Tracer | None" = None


def start_tracing(service: str, settings: TracingSettings) -> None:
    """Raises `TracingNotInstalled`."""
    global _tracer  # noqa: PLW0603 - of the process, as its log is
    if not settings.tracing or _tracer is not None:
        return
    try:
        from runyard_shared.otlp import Tracer
    except ImportError as missing:
        raise TracingNotInstalled(f"{TracingNotInstalled.__doc__} ({missing})") from None
    _tracer = Tracer(service)


async def stop_tracing() -> None:
    """Sends what has not left yet, for at most `STOP_SECONDS`."""
    global _tracer
    tracer, _tracer = _tracer, None
    if tracer is not None:
        await asyncio.to_thread(tracer.stop, STOP_SECONDS)


def is_traced(context: str | None) -> bool:
    """Whether spans of this context are wanted from this process."""
    return _tracer is not None and context is not None and is_sampled(context)


def tracing() -> bool:
    return _tracer is not None


def begin_trace(execution_id: str, caller: str | None = None) -> str | None:
    """The context of the execution's span, in the trace of the caller if it has one; None if it is not to be traced."""
    if _tracer is None:
        return None
    trace_id = own_trace_id(execution_id) if caller is None else trace_id_of(caller)
    sampled = _tracer.samples(trace_id, caller)
    if caller is None and not sampled:
        return None
    return traceparent(trace_id, span_id(execution_id), sampled=sampled)


def record(span: Span) -> None:
    """Sends it some time soon, unless it is not wanted. Never waits, never fails."""
    if _tracer is not None and is_sampled(span.context):
        _tracer.record(span)


async def export(spans: Sequence[Span]) -> bool:
    """Whether a collector has them now; also if none is wanted any more."""
    return _tracer is None or await asyncio.to_thread(_tracer.export, spans)


def nanoseconds(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000) * 1000
