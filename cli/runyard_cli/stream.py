"""Server-sent events that outlive their connection: resumed with `Last-Event-ID` where it broke, without gap or repetition.

A thread reads them, so that whoever follows can draw, ask the user and keep a deadline meanwhile.
"""

import json
import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
from httpx_sse import EventSource, SSEError

from runyard_cli.client import Api, Json, problem_of, retry_after

SILENCE_SECONDS = 50.0
"""The gateway says something every 15 s; a connection that is silent for so long is dead."""
PATIENCE_SECONDS = 180.0
"""How long a lost gateway is tried before the stream is given up."""
FIRST_PAUSE_SECONDS = 0.3
LONGEST_PAUSE_SECONDS = 5.0
LOST = "lost"
"""The name of the event that says that the connection is gone and will be made again; its data has the `reason`."""
WAITING_EVENTS = 2_000


@dataclass(frozen=True)
class Event:
    """`id` is the log position, None for what has none (live output)."""

    name: str
    data: Json
    id: str | None = None

    @property
    def position(self) -> int | None:
        return int(self.id) if self.id and self.id.isdecimal() else None


def events(api: Api, path: str, *, patience_seconds: float = PATIENCE_SECONDS, **query: Any) -> Iterator[Event]:
    """Until `end`, or for ever. Raises what the API refuses, and Unreachable when the gateway stays away or never was there."""
    last: str | None = None
    pause = FIRST_PAUSE_SECONDS
    away_since = time.monotonic()
    while True:
        wait = pause
        try:
            headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last} if last else {})
            with api.stream(path, query=query, headers=headers, read_seconds=SILENCE_SECONDS) as answer:
                if answer.is_error:
                    answer.read()
                    problem = problem_of(answer)
                    if answer.status_code < 500 or time.monotonic() - away_since > patience_seconds:
                        raise api.refusal(problem)
                    wait = max(pause, retry_after(answer) or 0)
                    trouble = problem.message
                else:
                    api.answered = True
                    away_since = time.monotonic()
                    for sent in EventSource(answer).iter_sse():
                        pause, away_since = FIRST_PAUSE_SECONDS, time.monotonic()
                        last = sent.id or last
                        if sent.data:
                            yield Event(sent.event, json.loads(sent.data), sent.id or None)
                        if sent.event == "end":
                            return
                    trouble = "the gateway ended the connection"
                    wait = pause
        except (httpx.TransportError, SSEError) as lost:
            never = isinstance(lost, httpx.ConnectError | httpx.ConnectTimeout) and not api.answered
            if never or isinstance(lost, SSEError) or time.monotonic() - away_since > patience_seconds:
                raise api.unreachable(lost) from None
            trouble = str(lost) or type(lost).__name__
        yield Event(LOST, {"reason": trouble})
        api.sleep(wait)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


class Follower:
    """Events as they come, read by a thread that ends with the process."""

    def __init__(self, stream: Iterator[Event]) -> None:
        self._waiting: queue.Queue[Event | Exception | None] = queue.Queue(WAITING_EVENTS)
        self._stream = stream
        self.ended = False
        threading.Thread(target=self._read, name="events", daemon=True).start()

    def next(self, seconds: float) -> Event | None:
        """The next one, None if none comes in time or none will come (`ended`)."""
        if self.ended:
            return None
        try:
            found = self._waiting.get(timeout=max(seconds, 0.001))
        except queue.Empty:
            return None
        if isinstance(found, Exception):
            self.ended = True
            raise found
        self.ended = found is None
        return found

    def _read(self) -> None:
        try:
            for event in self._stream:
                self._waiting.put(event)
            self._waiting.put(None)
        except Exception as trouble:  # noqa: BLE001 - it is raised in the thread that asks
            self._waiting.put(trouble)
