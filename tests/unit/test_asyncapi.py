"""What the gateway says of its events is true, whole and valid."""

import gzip
import json
from typing import Any

import msgspec
import pytest
from jsonschema_rs import Draft7Validator, Draft202012Validator
from runyard_gateway.asyncapi import REF, asyncapi_document
from runyard_shared.contracts.base import Event
from runyard_shared.contracts.events import EVENT_TYPES
from runyard_shared.contracts.feed import Recorded
from runyard_shared.messaging.topology import PUBLIC_EVENTS
from runyard_shared.public_events import log_of, publications

from tests.event_reference import EXAMPLES, GOLDEN, REFERENCE, examples_text, golden_text, reference_text
from tests.golden.files import CURRENT, golden, mapper_of
from tests.golden.samples import SAMPLES
from tests.unit.test_public_events import AT

SCHEMA = GOLDEN.with_name("asyncapi-3.0.0.schema.json.gz")

SECRET_WORDS = ("secret", "password", "token", "key", "credential", "hash", "private", "signature", "url", "box")
"""What a field that could hold a secret might be called."""
KNOWN = {
    ("ConnectionCreated", "secrets"): "the names of the secrets",
    ("ConnectionChanged", "secrets"): "the names of the secrets",
    ("AgentEnrolled", "key"): "the fingerprint of a public key",
}
"""Fields that are called so and hold none."""
OPEN = {
    "ConnectionCreated.config": "what the kind's model for what is no secret lets through",
    "ConnectionChanged.config": "what the kind's model for what is no secret lets through",
    "WorkflowCreated.document": "as its author wrote it; secrets belong in connections",
    "WorkflowDrafted.document": "as its author wrote it; secrets belong in connections",
    "WorkflowPublished.document": "as its author wrote it; secrets belong in connections",
    "IncidentReceived.incident": "as it was sent",
    "TriggerMatch.reads": "values of the incident",
    "ExecutionStarted.inputs": "what workflows are given; they are shown to whoever may see the execution",
    "Trigger.payload": "what came with the trigger",
    "NodeReused.output": "redacted by the agent",
    "NodeCompleted.output": "redacted by the agent, or made of what was",
    "NodeCompleted.reads": "values that templates see",
    "JobScheduled.params": "rendered from what templates see, and no template sees a secret",
    "JobCompleted.output": "redacted by the agent",
    "JobFailed.output": "redacted by the agent",
    "JobTimedOut.output": "redacted by the agent",
    "JobCancelled.output": "redacted by the agent",
    "ForEachEntered.items": "values that templates see",
    "ForEachEntered.scope": "values that templates see",
    "IterationEnded.output": "redacted by the agent, or made of what was",
    "IterationStarted.item": "values that templates see",
    "IterationStarted.scope": "values that templates see",
    "IterationCompleted.output": "redacted by the agent, or made of what was",
    "SubworkflowScheduled.inputs": "values that templates see",
    "SubworkflowEnded.output": "redacted by the agent, or made of what was",
    "ExecutionCompleted.variables": "values that templates see",
}
"""Fields that take any value, and why none of them is a secret."""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(asyncapi_document()))
    return found


def validator(document: dict[str, Any], event_type: type[Event]) -> Draft202012Validator:
    payload = document["components"]["messages"][event_type.__name__]["payload"]
    return Draft202012Validator({**payload, "components": document["components"]})


def test_the_golden_file_the_examples_and_the_reference_are_current() -> None:
    assert EXAMPLES.read_text() == examples_text(), "run: python -m tests.event_reference"
    assert GOLDEN.read_text() == golden_text(), "run: python -m tests.event_reference"
    assert REFERENCE.read_text() == reference_text(), "run: python -m tests.event_reference"


def test_it_is_a_valid_asyncapi_document(document: dict[str, Any]) -> None:
    schema = json.loads(gzip.decompress(SCHEMA.read_bytes()))
    problems = [
        f"{problem.instance_path}: {problem.message[:200]}" for problem in Draft7Validator(schema).iter_errors(document)
    ]
    assert problems == []


def test_every_event_has_a_channel_a_message_and_an_example_that_validates(document: dict[str, Any]) -> None:
    names = {each.__name__ for each in EVENT_TYPES.values()}
    assert set(document["channels"]) == set(document["components"]["messages"]) == names
    for topic, event_type in EVENT_TYPES.items():
        channel = document["channels"][event_type.__name__]
        assert channel["address"] == f"{{tenant}}.{topic}"
        assert channel["bindings"]["amqp"]["exchange"]["name"] == PUBLIC_EVENTS
        (example,) = document["components"]["messages"][event_type.__name__]["examples"]
        validator(document, event_type).validate(example["payload"])
        assert document["components"]["messages"][event_type.__name__]["payload"]["minItems"] == 1


def test_what_is_published_of_every_golden_event_is_as_the_document_says(document: dict[str, Any]) -> None:
    for name in CURRENT:
        if "/" in name or not golden(name).exists():
            continue  # of a log that is not published
        event = CURRENT[name]
        data = msgspec.Raw(mapper_of(name).encode(event))
        recorded = Recorded(
            position=3, stream_id="s", version=1, tenant_id="acme", topic=event.topic, recorded_at=AT, data=data
        )  # fmt: skip
        (published,) = publications([recorded], log_of(event.topic))
        assert published.routing_key == f"acme.{event.topic}"
        validator(document, type(event)).validate(json.loads(published.body))


def test_a_wrong_event_does_not_validate(document: dict[str, Any]) -> None:
    (example,) = document["components"]["messages"]["JobCompleted"]["examples"]
    (event,) = example["payload"]
    check = validator(document, EVENT_TYPES["job.completed"])
    assert check.is_valid([event])
    assert not check.is_valid([{**event, "type": "runyard.job.failed.v1"}])
    assert not check.is_valid([{**event, "data": {**event["data"], "durationMs": "long"}}])
    assert not check.is_valid([{key: value for key, value in event.items() if key != "subject"}])


def test_the_events_of_each_log_are_told_by_their_topics() -> None:
    of_services = {samples.event_type.topic for samples in SAMPLES if not samples.log}
    assert {topic for topic in of_services if log_of(topic) == "dispatcher"} == {
        topic for topic in EVENT_TYPES if topic.startswith(("agent.", "pool.", "connection."))
    }


def test_no_field_of_an_event_is_called_like_a_secret_unless_it_is_known_to_be_none() -> None:
    suspects = {
        (each.__name__, field)
        for each in reached()
        for field in each.__struct_fields__
        if any(word in field.lower() for word in SECRET_WORDS)
    }
    assert suspects == set(KNOWN)


def test_every_field_of_an_event_that_takes_anything_is_known_to_hold_no_secret(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    open_fields = {
        f"{each.__name__}.{field.name}"
        for each in reached()
        for field in msgspec.structs.fields(each)
        if takes_anything(schemas[each.__name__]["properties"][field.encode_name])
    }
    assert open_fields == set(OPEN)


def reached() -> list[type[msgspec.Struct]]:
    """The events, and the structs in them."""
    found: dict[str, type[msgspec.Struct]] = {}

    def walk(kind: Any) -> None:
        if isinstance(kind, msgspec.inspect.StructType):
            if kind.cls.__name__ not in found:
                found[kind.cls.__name__] = kind.cls
                for field in kind.fields:
                    walk(field.type)
        elif isinstance(kind, msgspec.inspect.UnionType):
            for each in kind.types:
                walk(each)
        elif isinstance(kind, msgspec.inspect.ListType):
            walk(kind.item_type)
        elif isinstance(kind, msgspec.inspect.DictType):
            walk(kind.value_type)

    for event_type in EVENT_TYPES.values():
        walk(msgspec.inspect.type_info(event_type))
    return list(found.values())


def takes_anything(schema: dict[str, Any]) -> bool:
    if "$ref" in schema:
        assert schema["$ref"].startswith(REF)
        return False
    if "anyOf" in schema:
        return any(takes_anything(each) for each in schema["anyOf"])
    if schema.get("type") == "array":
        return takes_anything(schema.get("items", {}))
    if schema.get("type") == "object":
        return takes_anything(schema.get("additionalProperties", {}))
    return "type" not in schema
