"""W3C trace context: in which trace something happens, as one line of text (`00-<trace>-<span>-<flags>`) that goes with it.

The trace of an execution has the execution's id, unless whoever started it had begun one. What lasts (an execution, a job, an
approval) is a span whose id is made of its own: whoever tells of it, however often and after whatever death, tells of the same
span. Pure; that nothing is traced is None everywhere.
"""

import re
from hashlib import sha256
from typing import Final, overload

_TRACEPARENT: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


def traceparent(trace_id: str, span_id: str, *, sampled: bool) -> str:
    return f"00-{trace_id}-{span_id}-{'01' if sampled else '00'}"


def read_traceparent(header: str | None) -> str | None:
    """What somebody else sent, in our version of it; None if it is none, which by the standard is to be ignored."""
    match = _TRACEPARENT.fullmatch(header.strip()) if header is not None else None
    if match is None or (match[4] and match[0].startswith("00")):
        return None
    return traceparent(match[1], match[2], sampled=bool(int(match[3], 16) & 1))


def trace_id_of(context: str) -> str:
    return context[3:35]


def span_id_of(context: str) -> str:
    return context[36:52]


def is_sampled(context: str) -> bool:
    return context.endswith("1")


def own_trace_id(execution_id: str) -> str:
    """Of an execution that nobody else's trace leads to."""
    return execution_id.replace("-", "")


def span_id(thing_id: str, *parts: str | int) -> str:
    """Of the thing with that id; with `parts`, of something about it."""
    if not parts:
        return thing_id.replace("-", "")[16:]  # of a UUIDv7 these bits are random, or a hash
    return sha256("\x1f".join(map(str, (thing_id, *parts))).encode()).hexdigest()[:16]


@overload
def within(context: str, thing_id: str, *parts: str | int) -> str: ...
@overload
def within(context: None, thing_id: str, *parts: str | int) -> None: ...
@overload
def within(context: str | None, thing_id: str, *parts: str | int) -> str | None: ...
def within(context: str | None, thing_id: str, *parts: str | int) -> str | None:
    """The context of a thing, in the trace of `context`."""
    return None if context is None else f"{context[:36]}{span_id(thing_id, *parts)}{context[52:]}"
