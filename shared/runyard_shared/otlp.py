"""OpenTelemetry's exporter, batches and samplers. Imported only where tracing is on (the extra `tracing`)."""

import logging
import threading
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

import structlog
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from runyard_shared.trace_context import is_sampled, span_id_of, trace_id_of
from runyard_shared.tracing import Span

_log = structlog.get_logger(__name__)
_KINDS: Final = {kind.name.lower(): kind for kind in SpanKind}


class Tracer:
    def __init__(self, service: str) -> None:
        names = Resource.create({"service.name": f"runyard-{service}", "service.namespace": "runyard"})
        self._resource = names.merge(OTELResourceDetector().detect())
        self._scope = InstrumentationScope("runyard")
        self._exporter = _Exporter()
        self._batches = BatchSpanProcessor(self._exporter)
        self._sampler = TracerProvider(resource=self._resource, shutdown_on_exit=False).sampler

    def samples(self, trace_id: str, caller: str | None) -> bool:
        """What the sampler says; the same for the same trace in every process with the same sampler."""
        parent = None
        if caller is not None:
            parent = trace.set_span_in_context(NonRecordingSpan(_context(caller, remote=True)))
        # A sampler by ratio takes the lower half of the id for a random number. That of ours has fixed bits, and a counter.
        spread = int.from_bytes(sha256(trace_id.encode()).digest()[:16], "big")
        return self._sampler.should_sample(parent, spread, "execution").decision is Decision.RECORD_AND_SAMPLE

    def record(self, span: Span) -> None:
        self._batches.on_end(self._readable(span))

    def export(self, spans: Sequence[Span]) -> bool:
        """Waits for the collector. False: it has not taken them."""
        return self._exporter.export([self._readable(span) for span in spans]) is SpanExportResult.SUCCESS

    def stop(self, seconds: float) -> None:
        """Lets what waits go. A collector that does not answer is not waited for."""
        stopping = threading.Thread(target=self._batches.shutdown, name="last spans", daemon=True)
        stopping.start()
        stopping.join(seconds)

    def _readable(self, span: Span) -> ReadableSpan:
        attributes = dict(span.attributes)
        status = Status(StatusCode.UNSET)
        if span.error is not None:
            attributes["error.type"] = span.error
            status = Status(StatusCode.ERROR, span.error)
        return ReadableSpan(
            span.name,
            _context(span.context),
            None if span.parent is None else _context(span.parent),
            self._resource,
            attributes,
            [Event(name, timestamp=at) for name, at in span.events],
            kind=_KINDS[span.kind],
            status=status,
            start_time=span.began_at,
            end_time=max(span.began_at, span.ended_at),
            instrumentation_scope=self._scope,
        )


def _context(text: str, *, remote: bool = False) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED if is_sampled(text) else TraceFlags.DEFAULT)
    return SpanContext(int(trace_id_of(text), 16), int(span_id_of(text), 16), is_remote=remote, trace_flags=flags)


class _Exporter(SpanExporter):
    """The library's, whose own log, a line or more for each failure, becomes one line when a collector is away and one when it
    is back."""

    def __init__(self) -> None:
        self._reason = _Reason()
        self._away = False
        # before the exporter is made: what it says of its configuration counts too
        library = logging.getLogger("opentelemetry")
        library.handlers, library.propagate = [self._reason], False
        self._otlp = OTLPSpanExporter()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            result = self._otlp.export(spans)
        except Exception as problem:  # noqa: BLE001 - traces must never hurt what they are of
            self._reason.text = repr(problem)
            result = SpanExportResult.FAILURE
        away = result is not SpanExportResult.SUCCESS
        if away and not self._away:
            _log.warning("traces cannot be sent, and are dropped while that lasts", reason=self._reason.text)
        elif self._away and not away:
            _log.info("traces can be sent again")
        self._away = away
        return result

    def shutdown(self) -> None:
        self._otlp.shutdown()  # type: ignore[no-untyped-call]


class _Reason(logging.Handler):
    """The last thing that the library said."""

    text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text = record.getMessage()
