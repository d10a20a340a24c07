"""What traces say of requests: a span for each that begins an execution, in the trace that the client sent along, else in that
of the execution."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from runyard_shared.errors import Refusal, Unavailable
from runyard_shared.ids import new_id
from runyard_shared.trace_context import read_traceparent, within
from runyard_shared.tracing import Span, begin_trace, record, tracing

from runyard_gateway.http.operation import Call


def request_context(call: Call, execution_id: str) -> str | None:
    """Of this request, which will begin that execution; None if it is not traced."""
    if not tracing():
        return None
    return within(begin_trace(execution_id, _caller(call)), new_id())


@contextmanager
def told(call: Call, operation: str, context: str, execution_id: str) -> Iterator[None]:
    began_at, error = time.time_ns(), None
    try:
        yield
    except Refusal as refusal:
        error = refusal.code if refusal.status >= 500 else None
        raise
    except Unavailable:
        error = "unavailable"
        raise
    finally:
        attributes = {
            "runyard.tenant.id": call.tenant_id,
            "runyard.execution.id": execution_id,
            "enduser.id": call.identity.actor,
            "client.address": call.source,
        }
        record(Span(operation, context, _caller(call), began_at, time.time_ns(), attributes, kind="server", error=error))


def _caller(call: Call) -> str | None:
    return read_traceparent(call.header(b"traceparent"))
