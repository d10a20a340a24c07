from typing import Any

from runyard_standalone.timeline import Timeline

NODES: list[dict[str, Any]] = [
    {"nodeId": "check", "name": "Check", "type": "action", "status": "pending"},
    {"nodeId": "full", "name": "Full?", "type": "condition", "status": "pending"},
    {"nodeId": "pause", "name": "Pause", "type": "delay", "status": "pending"},
    {"nodeId": "clean", "name": "Clean", "type": "action", "status": "pending"},
]
EMPTY: dict[str, Any] = {"startedAt": None, "finishedAt": None, "output": None}


def timeline_at_the_start() -> Timeline:
    timeline = Timeline("Disk cleanup")
    timeline.begin({"status": "running", "nodes": [{**node, **EMPTY} for node in NODES], "jobs": [], "error": None})
    return timeline


def lines(timeline: Timeline) -> list[tuple[str, str, str]]:
    return [(row.node, row.status, row.detail) for row in timeline.rows]


def test_each_attempt_is_a_row_of_its_own_and_a_retry_is_announced_on_the_attempt_before() -> None:
    timeline = timeline_at_the_start()
    scheduled = {"nodeId": "check", "action": "script.bash"}
    timeline.apply("job.scheduled", {**scheduled, "jobId": "j1", "attempt": 1})
    timeline.apply("job.dispatched", {"jobId": "j1", "dispatch": 1, "agent": "local"})
    timeline.apply("job.started", {"jobId": "j1", "dispatch": 1, "agent": "local"})
    timeline.apply("job.failed", {"jobId": "j1", "error": {"message": "exit code 1"}, "durationMs": 12})
    timeline.apply("job.retry_scheduled", {"nodeId": "check", "attempt": 2, "maxAttempts": 3, "delaySeconds": 5.0})
    timeline.apply("job.scheduled", {**scheduled, "jobId": "j2", "attempt": 2})
    assert lines(timeline) == [
        ("Check", "failed", "exit code 1; attempt 2 of 3 in 5 s"),
        ("Check", "pending", ""),
    ]
    assert [(row.attempt, row.agent, row.duration_ms) for row in timeline.rows] == [(1, "local", 12), (2, "", None)]


def test_a_node_without_a_job_shows_the_branch_it_takes_and_a_skipped_one_shows_as_skipped() -> None:
    timeline = timeline_at_the_start()
    timeline.apply("node.completed", {"nodeId": "full", "port": "false", "output": False})
    timeline.apply("node.skipped", {"nodeId": "clean"})
    assert lines(timeline) == [("Full?", "completed", "takes false"), ("Clean", "skipped", "")]


def test_the_node_event_of_an_action_adds_no_row_to_that_of_its_job() -> None:
    timeline = timeline_at_the_start()
    timeline.apply("job.scheduled", {"nodeId": "check", "action": "script.bash", "jobId": "j1", "attempt": 1})
    timeline.apply("job.completed", {"jobId": "j1", "output": {"stdout": "one\ntwo\nthree\n"}, "durationMs": 3})
    timeline.apply("node.completed", {"nodeId": "check", "port": "success", "output": {"stdout": "one\ntwo\nthree\n"}})
    assert lines(timeline) == [("Check", "completed", "one (+2 lines)")]


def test_a_delay_is_timed_from_its_start_to_its_end() -> None:
    timeline = timeline_at_the_start()
    timeline.apply("node.waiting", {"nodeId": "pause", "until": "2026-11-22T17:05:00.000Z"})
    assert timeline.rows[0].elapsed_ms is not None
    timeline.apply("node.completed", {"nodeId": "pause", "port": "out"})
    assert timeline.rows[0].status == "completed"
    assert timeline.rows[0].duration_ms is not None


def test_the_snapshot_of_a_finished_execution_shows_jobs_and_nodes_in_the_order_in_which_they_began() -> None:
    timeline = Timeline("Disk cleanup")
    job = {
        "jobId": "j1",
        "nodeName": "Check",
        "actionType": "script.bash",
        "attempt": 1,
        "status": "completed",
        "agent": "local",
        "queuedAt": "2026-11-22T17:05:00.000Z",
        "finishedAt": "2026-11-22T17:05:00.040Z",
        "durationMs": 40,
        "output": {"stdout": "91\n"},
        "error": None,
    }
    at = "2026-11-22T17:05:00.050Z"
    nodes = [{**node, **EMPTY} for node in NODES]
    nodes[1] |= {"status": "completed", "startedAt": at, "finishedAt": at, "output": True}
    error = {"message": "critical"}
    timeline.begin({"status": "failed", "nodes": nodes, "jobs": [job], "error": error, "durationMs": 60})
    assert lines(timeline) == [("Check", "completed", "91"), ("Full?", "completed", "True")]
    assert (timeline.finished, timeline.error, timeline.elapsed_ms) == (True, "critical", 60)
