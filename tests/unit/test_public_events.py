"""Events as the world sees them: whole, by tenant and topic, each subject's in order."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import runyard_shared.public_events
from hypothesis import given
from hypothesis import strategies as st
from pytest import MonkeyPatch
from runyard_shared.contracts.feed import Recorded
from runyard_shared.public_events import MAX_DATA_BYTES, MAX_ITEMS, public_event, publications

AT = datetime(2026, 11, 22, 17, 5, 0, 123_000, tzinfo=UTC)


def row(position: int, stream: str = "s1", topic: str = "job.completed", **fields: Any) -> Recorded:
    values = {"tenant_id": "acme", "data": msgspec.Raw(b'{"jobId":"j"}'), **fields}
    return Recorded(position=position, stream_id=stream, version=1, topic=topic, recorded_at=AT, **values)


def told(rows: list[Recorded]) -> list[tuple[str, list[int]]]:
    """Of each publication the routing key and the positions."""
    return [(each.routing_key, [int(event["id"]) for event in json.loads(each.body)]) for each in publications(rows, "x")]


def test_a_public_event_is_a_cloud_event() -> None:
    event = public_event(row(7, data=msgspec.Raw(b'{"nodeId":"a","revision":2}'), topic="node.failed"), "orchestrator")
    assert json.loads(msgspec.json.encode(event)) == {
        "specversion": "1.0", "id": "7", "source": "/runyard/orchestrator", "type": "runyard.node.failed.v2", "subject": "s1",
        "time": "2026-11-22T17:05:00.123Z", "sequence": "7", "tenant": "acme", "datacontenttype": "application/json",
        "data": {"nodeId": "a", "revision": 2},
    }  # fmt: skip
    inner = public_event(row(8, correlation_id="e1"), "orchestrator")
    assert (inner.subject, inner.iteration) == ("e1", "s1"), "an iteration's events are the execution's, and say which it is"
    assert public_event(row(8), "dispatcher").source == "/runyard/dispatcher"


def test_what_is_published_of_an_event_is_what_the_api_shows_of_it() -> None:
    odd = row(9, correlation_id='an "odd" id', tenant_id="50%", data=msgspec.Raw('{"text":"€ %d"}'.encode()))
    for each in (row(7, data=msgspec.Raw(b'{"revision":2}'), topic="node.failed"), odd):
        (published,) = publications([each], "dispatcher")
        assert published.body == b"[" + msgspec.json.encode(public_event(each, "dispatcher")) + b"]"


def test_events_of_one_tenant_and_topic_share_a_message() -> None:
    rows = [row(1, "s1"), row(2, "s2"), row(3, "s3", tenant_id="globex"), row(4, "s4")]
    assert told(rows) == [("acme.job.completed", [1, 2, 4]), ("globex.job.completed", [3])]


def test_no_event_overtakes_another_of_its_subject() -> None:
    rows = [row(1), row(2, topic="node.completed"), row(3), row(4, "s2")]
    assert told(rows) == [("acme.job.completed", [1]), ("acme.node.completed", [2]), ("acme.job.completed", [3, 4])]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(("j.a", "j.b", "j.c"))), max_size=60))
def test_every_event_is_in_one_message_and_each_subjects_in_order(choices: list[tuple[str, str]]) -> None:
    rows = [row(number, stream, topic) for number, (stream, topic) in enumerate(choices, 1)]
    order = [position for _, positions in told(rows) for position in positions]
    assert sorted(order) == [each.position for each in rows]
    for stream in "abc":
        of_stream = [each.position for each in rows if each.stream_id == stream]
        assert [position for position in order if position in of_stream] == of_stream


def test_a_message_has_bounds_and_an_event_too_large_says_where_it_is(monkeypatch: MonkeyPatch) -> None:
    assert [len(positions) for _, positions in told([row(n, f"s{n}") for n in range(1, 601)])] == [MAX_ITEMS, MAX_ITEMS, 88]
    monkeypatch.setattr(runyard_shared.public_events, "MAX_BYTES", 500)
    assert len(told([row(n, f"s{n}") for n in range(1, 11)])) == 5
    (large,) = publications([row(5, data=msgspec.Raw(b'"' + b"x" * MAX_DATA_BYTES + b'"'))], "orchestrator")
    (event,) = json.loads(large.body)
    assert "data" not in event
    assert event["dataref"] == "/api/v1/events.json?log=orchestrator&after=4&limit=1"
