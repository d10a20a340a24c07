"""The AsyncAPI 3 document of the public event stream, made from the event classes that are stored and published."""

import inspect
import re
from functools import cache
from importlib.resources import files
from typing import Any, Final

import msgspec
from runyard_shared.contracts.base import Event
from runyard_shared.contracts.events import EVENT_TYPES
from runyard_shared.messaging.amqp.queues import qualified
from runyard_shared.messaging.topology import PUBLIC_EVENTS
from runyard_shared.public_events import BATCH_CONTENT_TYPE, PublicEvent, log_of, source_of, type_of

REF: Final = "#/components/schemas/"
_NAMES: Final = re.compile(r"`([a-z]+(?:_[a-z]+)+)`")

DESCRIPTION: Final = """\
Everything that happens in Runyard, as CloudEvents 1.0 on a RabbitMQ topic exchange. Each message is a JSON list of events of
one tenant and one type; its routing key is the tenant and the topic, such as acme.job.completed. Declare a queue of your own
and bind it: `acme.#` for everything of the tenant acme, `acme.job.*` for its jobs.

Every event comes at least once, and the events of one subject come in their order; `source` and `id` together tell an event
that comes twice. `id` and `sequence` are the event's position in the log that `source` names. What was missed, while no queue
was bound, is at `GET /api/v1/events.json` and `GET /api/v1/events` of the HTTP API, from any position or time.

A type's number (`.v1`) grows when its data changes incompatibly; what was stored before keeps its number. Fields may be
added. A field at its default is left out."""


@cache
def asyncapi_document(namespace: str = "") -> dict[str, Any]:
    """`namespace`: the prefix of the installation's names on the broker."""
    types = dict(sorted(EVENT_TYPES.items()))
    (envelope, *_), schemas = msgspec.json.schema_components([PublicEvent, *types.values()], ref_template=REF + "{name}")
    examples: dict[str, Any] = msgspec.json.decode((files("runyard_gateway") / "event_examples.json").read_bytes())
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Runyard events", "version": "1", "description": DESCRIPTION},
        "defaultContentType": BATCH_CONTENT_TYPE,
        "servers": {
            "rabbitmq": {
                "host": "{host}:{port}",
                "protocol": "amqp",
                "protocolVersion": "0.9.1",
                "description": "The RabbitMQ that Runyard works with",
                "variables": {"host": {"default": "localhost"}, "port": {"default": "5672"}},
            }
        },
        "channels": {each.__name__: _channel(each, qualified(namespace, PUBLIC_EVENTS)) for each in types.values()},
        "operations": {
            f"publish{name}": {
                "action": "send",
                "channel": {"$ref": f"#/channels/{name}"},
                "messages": [{"$ref": f"#/channels/{name}/messages/{name}"}],
            }
            for name in (each.__name__ for each in types.values())
        },
        "components": {
            "parameters": {"tenant": {"description": "The id of the tenant"}},
            "messages": {each.__name__: _message(each, envelope, examples.get(topic)) for topic, each in types.items()},
            "schemas": {name: _in_words(schema) for name, schema in sorted(schemas.items())},
        },
    }


def _channel(event: type[Event], exchange: str) -> dict[str, Any]:
    bound = {"name": exchange, "type": "topic", "durable": True, "autoDelete": False, "vhost": "/"}
    return {
        "address": f"{{tenant}}.{event.topic}",
        "title": event.topic,
        "messages": {event.__name__: {"$ref": f"#/components/messages/{event.__name__}"}},
        "parameters": {"tenant": {"$ref": "#/components/parameters/tenant"}},
        "tags": [{"name": event.topic.partition(".")[0]}],
        "bindings": {"amqp": {"is": "routingKey", "exchange": bound, "bindingVersion": "0.3.0"}},
    }


def _message(event: type[Event], envelope: dict[str, Any], example: Any) -> dict[str, Any]:
    kind, source = type_of(event.topic, event.revision), source_of(log_of(event.topic))
    its_own = {
        "type": "object",
        "properties": {
            "type": {"const": kind},
            "source": {"const": source},
            "data": {"$ref": REF + event.__name__},
        },
    }
    document: dict[str, Any] = {
        "name": kind,
        "title": event.__name__,
        "contentType": BATCH_CONTENT_TYPE,
        "payload": {"type": "array", "minItems": 1, "items": {"allOf": [envelope, its_own]}},
    }
    if event.__doc__:
        document["summary"] = words(event.__doc__)
    if example is not None:
        document["examples"] = [{"payload": [_public(event, kind, source, example)]}]
    return document


def _public(event: type[Event], kind: str, source: str, example: Any) -> Any:
    revised = example if event.revision == 1 else {**example, "revision": event.revision}
    public = PublicEvent(
        id="1207",
        source=source,
        type=kind,
        subject="019ab2c4-7e00-7000-8000-000000000001",
        time="2026-11-22T17:05:00.123Z",
        sequence="1207",
        tenant="acme",
        data=msgspec.Raw(msgspec.json.encode(revised)),
    )
    return msgspec.json.decode(msgspec.json.encode(public))


def _in_words(schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "description": words(schema["description"])} if "description" in schema else schema


def words(doc: str) -> str:
    """A docstring, with names as they are on the wire."""
    return _NAMES.sub(lambda match: f"`{_camel(match[1])}`", inspect.cleandoc(doc))


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
