"""Streams that outlive their connections."""

from collections.abc import Iterator

import httpx
import pytest
from runyard_cli.client import Api
from runyard_cli.contexts import Place
from runyard_cli.errors import Refused, Unreachable
from runyard_cli.stream import LOST, Follower, events


class Cut(httpx.SyncByteStream):
    """A body that breaks off."""

    def __init__(self, *frames: str, ends: bool = False) -> None:
        self._frames = frames
        self._ends = ends

    def __iter__(self) -> Iterator[bytes]:
        for frame in self._frames:
            yield frame.encode()
        if not self._ends:
            raise httpx.ReadError("connection reset")


def frame(name: str, data: str = "{}", position: int | None = None) -> str:
    return f"{'' if position is None else f'id: {position}{chr(10)}'}event: {name}\ndata: {data}\n\n"


def stream(*bodies: Cut | httpx.Response | Exception) -> tuple[Api, list[str | None], list[float]]:
    """A gateway with one answer for each connection; the `Last-Event-ID` of each, and the pauses between."""
    waiting, resumed, pauses = list(bodies), [], list[float]()

    def answer(request: httpx.Request) -> httpx.Response:
        resumed.append(request.headers.get("Last-Event-ID"))
        body = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if isinstance(body, Exception):
            raise body
        if isinstance(body, httpx.Response):
            return body
        return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, stream=body)

    api = Api(Place("http://127.0.0.1:1", "key"), transport=httpx.MockTransport(answer), sleep=pauses.append)
    return api, resumed, pauses


def test_a_connection_that_breaks_within_an_event_is_resumed_after_the_last_whole_one() -> None:
    first = Cut(frame("snapshot", '{"asOf": 4}', 4), frame("job.started", position=5), "id: 6\nevent: job.comp")
    api, resumed, _ = stream(
        first, httpx.ConnectError("away"), Cut(frame("job.completed", position=6), ": awake\n\n", frame("end"), ends=True)
    )
    seen = [(event.name, event.position) for event in events(api, "/executions/e/events")]
    assert [each for each in seen if each[0] != LOST] == [
        ("snapshot", 4), ("job.started", 5), ("job.completed", 6), ("end", 6),
    ]  # fmt: skip
    assert resumed == [None, "5", "5"]


def test_a_full_gateway_is_asked_again_when_it_says() -> None:
    full = httpx.Response(503, json={"status": 503, "detail": "too many streams"}, headers={"Retry-After": "2"})
    api, _, pauses = stream(full, Cut(frame("end"), ends=True))
    assert [event.name for event in events(api, "/events")] == [LOST, "end"]
    assert pauses == [2.0]


def test_access_that_was_lost_ends_the_stream_with_the_reason() -> None:
    gone = httpx.Response(401, json={"status": 401, "code": "unauthorized", "detail": "This key was revoked."})
    api, _, _ = stream(Cut(frame("snapshot", '{"asOf": 4}', 4)), gone)
    with pytest.raises(Refused, match="This key was revoked"):
        list(events(api, "/executions/e/events"))


def test_a_gateway_that_stays_away_is_given_up() -> None:
    api, _, _ = stream(httpx.ConnectError("Connection refused"))
    with pytest.raises(Unreachable, match="Connection refused"):
        list(events(api, "/events", patience_seconds=0))


def test_a_gateway_that_never_answered_is_not_waited_for() -> None:
    api, _, pauses = stream(httpx.ConnectError("Connection refused"))
    with pytest.raises(Unreachable, match="Connection refused"):
        list(events(api, "/events"))
    assert pauses == []


def test_what_ends_a_stream_is_raised_to_whoever_follows_it() -> None:
    api, _, _ = stream(httpx.Response(404, json={"status": 404, "detail": "no such execution"}))
    follower = Follower(events(api, "/executions/e/events"))
    with pytest.raises(Refused, match="no such execution"):
        follower.next(5)
    assert follower.ended
    assert follower.next(5) is None
