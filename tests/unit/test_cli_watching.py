"""An execution that is followed to its end, whatever the order in which stream and read model tell of it."""

import io
import json
import time
from typing import Any

import httpx
import pytest
from rich.console import Console
from runyard_cli.client import Api
from runyard_cli.contexts import Place
from runyard_cli.errors import TimeIsUp
from runyard_cli.picture import picture
from runyard_cli.views import Silent
from runyard_cli.watching import Watch

Json = dict[str, Any]


def detail(status: str, **fields: Any) -> Json:
    ended = "2026-11-23T08:00:01.000Z" if status in ("completed", "failed", "cancelled") else None
    return {
        "executionId": "019ab2c4-7e00-7000-8000-00000000aaaa", "workflowName": "Disk [check]", "version": 2, "status": status,
        "finishedAt": ended, "durationMs": 1000, "jobCounts": {"completed": 1, "total": 2}, "nodes": [], "jobs": [],
        "waiting": [], "banner": "", "error": None, "pendingApprovals": 0, "asOf": 4, **fields,
    }  # fmt: skip


def watch(frames: str, *details: Json, timeout_seconds: float | None = None) -> Watch:
    """Over a stream of these frames that then is silent, while the API tells one detail after the other."""
    waiting = list(details)

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/events"):
            return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, text=frames)
        return httpx.Response(200, json=waiting.pop(0) if len(waiting) > 1 else waiting[0])

    api = Api(Place("http://127.0.0.1:1", "key"), transport=httpx.MockTransport(answer), sleep=lambda _: time.sleep(0.05))
    return Watch(api, "e", Silent(), timeout_seconds=timeout_seconds)


def frame(name: str, data: Json, position: int) -> str:
    return f"id: {position}\nevent: {name}\ndata: {json.dumps(data)}\n\n"


def test_a_read_model_that_is_behind_the_end_of_the_stream_is_asked_again() -> None:
    frames = frame("snapshot", detail("running"), 4) + frame("execution.completed", {}, 5) + "event: end\ndata: {}\n\n"
    found = watch(frames, detail("running"), detail("running"), detail("completed")).to_the_end()
    assert found["status"] == "completed"


def test_one_that_had_ended_before_needs_the_snapshot_only() -> None:
    assert watch(frame("snapshot", detail("failed"), 4), detail("running")).to_the_end()["status"] == "failed"


def test_time_is_up_also_while_nothing_happens() -> None:
    with pytest.raises(TimeIsUp, match="goes on"):
        watch(frame("snapshot", detail("running"), 4), detail("running"), timeout_seconds=0.2).to_the_end()


def test_the_picture_shows_what_runs_where_it_stands_and_what_it_waits_for() -> None:
    node = {"type": "action", "output": None, "progress": None}
    job = {"jobId": "j", "item": None, "attempt": 2, "agent": "db-1", "durationMs": 500, "finishedAt": None, "error": None}
    shown = detail(
        "running",
        nodes=[
            {"nodeId": "check", "name": "Check \x1b[2J", "status": "running", **node},
            {"nodeId": "each", "name": "Each", "status": "running", **node}
            | {"progress": {"total": 5, "completed": 2, "failed": 1, "cancelled": 0, "running": 1}},
            {"nodeId": "later", "name": "Later", "status": "pending", **node},
        ],
        jobs=[
            {"nodeId": "check", "nodeName": "Check", "status": "running", "output": None, **job},
            {"nodeId": "look", "nodeName": "Look", "status": "running", "output": None, **job, "item": "each[3]"},
        ],
        waiting=[{"detail": "x"}],
        banner="Waiting for [approval]",
    )
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(picture(shown, 250, ["line 1", "[red]line 2"], "Check"))
    text = console.export_text()
    for words in ("Disk [check]", "1 of 2 jobs", "db-1", "750 ms", "3 of 5 items, 1 failed", "each[3] Look", "[red]line 2"):
        assert words in text
    assert "Waiting for [approval]" in text
    assert "1 not reached yet" in text
    assert "\x1b" not in text
