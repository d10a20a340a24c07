"""Writes what is said about events from their classes and the golden files: `python -m tests.event_reference`.

That is the examples that the gateway's AsyncAPI document shows, the golden file of that document, and docs/reference/events.md.
"""

import json
from pathlib import Path
from typing import Any, Final

import msgspec
from runyard_gateway.asyncapi import REF, words
from runyard_gateway.asyncapi import asyncapi_document as document
from runyard_shared.contracts.base import Event
from runyard_shared.contracts.events import EVENT_TYPES
from runyard_shared.public_events import log_of, type_of

from tests.golden.files import CURRENT, golden

ROOT: Final = Path(__file__).parents[1]
EXAMPLES: Final = ROOT / "services" / "gateway" / "runyard_gateway" / "event_examples.json"
GOLDEN: Final = Path(__file__).parent / "golden" / "asyncapi.json"
REFERENCE: Final = ROOT / "docs" / "reference" / "events.md"

HEAD: Final = """\
# Events

Everything that happens in Runyard is an event, and every event is published. [How to consume them](../howto/consume-events.md);
`/asyncapi.json` of a gateway says the same as this page for programs.

## On the broker
The topic exchange `runyard.events` (`<namespace>.runyard.events` where an installation has a namespace) gets a message for each
tenant and topic, with the routing key `<tenant>.<topic>`: `acme.job.completed`. Its content type is
`application/cloudevents-batch+json`, its body a JSON list of CloudEvents 1.0:

```json
[{"specversion": "1.0", "id": "1207", "source": "/runyard/orchestrator", "type": "runyard.job.completed.v1",
  "subject": "019ab2c4-7e00-7000-8000-000000000001", "time": "2026-11-22T17:05:00.123Z", "sequence": "1207", "tenant": "acme",
  "datacontenttype": "application/json", "data": {"jobId": "019ab2c4-7e00-7000-8000-000000000003", "dispatch": 1, "…": "…"}}]
```

| attribute | |
|---|---|
| `source` | the log: `/runyard/orchestrator` or `/runyard/dispatcher` |
| `id`, `sequence` | the position in that log, from 1, without gaps; unique together with `source` |
| `type` | `runyard.<topic>.v<revision>` |
| `subject` | the execution that users see, also of what happens in an iteration; else what the event is about |
| `iteration` | only of what happens in an iteration of a forEach: its stream; `iteration.started` has its path (`each[3]`) |
| `time` | when it was recorded, RFC 3339 in UTC with milliseconds |
| `tenant` | whose event it is |
| `data` | as below; fields at their default are left out |
| `dataref` | in the place of `data` above 4 MiB: where the HTTP API has the event |

- Every event comes **at least once**. One that comes again has the same `source` and `id`.
- The events of one subject come **in their order**, and so do those of one routing key. Between the logs there is no order.
- Messages are confirmed and persistent: a durable queue that is bound misses nothing, whatever is restarted. Events from before
  it was bound are in the HTTP API.
- A revision grows when a type changes incompatibly; events stored before keep the number they have. Fields may be added, and
  types.
- No event has a secret: not of a connection, not an agent's key, not a webhook's.

## Over HTTP
`GET /api/v1/events.json` (pages) and `GET /api/v1/events` (server-sent events, live) have the same events of the caller's
tenant, from any position or time: see [HTTP API](http-api.md#event-streams).
"""


def examples_text() -> str:
    """By topic: the data of the fullest sample of the current revision."""
    found: dict[str, Any] = {}
    for topic, event_type in sorted(EVENT_TYPES.items()):
        stem = f"{topic}.v{event_type.revision}"
        if stem in CURRENT and golden(stem).exists():
            found[topic] = {k: v for k, v in msgspec.json.decode(golden(stem).read_bytes()).items() if k != "revision"}
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def golden_text() -> str:
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def reference_text() -> str:
    schemas = document()["components"]["schemas"]
    parts = [HEAD]
    for log, title in (
        ("orchestrator", "Workflows, triggers and executions"),
        ("dispatcher", "Agents, pools and connections"),
    ):
        parts.append(f"## {title}")
        parts += [_event(each, schemas) for topic, each in EVENT_TYPES.items() if log_of(topic) == log]
    parts.append("## Values in them")
    events = {each.__name__ for each in EVENT_TYPES.values()}
    parts += [_value(name, schema) for name, schema in schemas.items() if name not in events | {"PublicEvent"}]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _event(event: type[Event], schemas: dict[str, Any]) -> str:
    parts = [f"### {event.topic}", f"`{type_of(event.topic, event.revision)}`"]
    if event.__doc__:
        parts.append(words(event.__doc__))
    parts.append(_table(schemas[event.__name__]))
    return "\n\n".join(parts)


def _value(name: str, schema: dict[str, Any]) -> str:
    parts = [f"### {name}", schema.get("description", "")]
    if "enum" in schema:
        parts.append(", ".join(f"`{value}`" for value in schema["enum"]))
    else:
        parts.append(_table(schema))
    return "\n\n".join(part for part in parts if part)


def _table(schema: dict[str, Any]) -> str:
    rows = [
        f"| `{name}` | {_type(field)} | {'' if name in schema.get('required', ()) else _default(field)} |"
        for name, field in schema.get("properties", {}).items()
    ]
    return "\n".join(["| field | | if absent |", "|---|---|---|", *rows])


def _type(field: dict[str, Any]) -> str:
    if "$ref" in field:
        name = field["$ref"].removeprefix(REF)
        return f"[{name}](#{name.lower()})"
    if "anyOf" in field:
        return _type(next(option for option in field["anyOf"] if option.get("type") != "null"))
    match field.get("type"):
        case "string":
            return "text"
        case "integer":
            return "whole number"
        case "boolean":
            return "true or false"
        case "array":
            return f"list of {_type(field.get('items', {}))}"
        case None:
            return "any value"
        case kind:
            return str(kind)


def _default(field: dict[str, Any]) -> str:
    return f"`{json.dumps(field['default'])}`" if "default" in field else "not known"


def write() -> None:
    EXAMPLES.write_text(examples_text())
    document.cache_clear()
    GOLDEN.write_text(golden_text())
    REFERENCE.write_text(reference_text())


if __name__ == "__main__":
    write()
