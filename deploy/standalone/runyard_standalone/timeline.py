"""What an execution's event stream tells, folded into rows: one for each job, and one for each node that is no job.

Knows nothing of terminals; `screen.py` draws it.
"""

import time
from dataclasses import dataclass, field
from typing import Any

FINISHED = {"completed", "failed", "cancelled"}
OPEN = {"pending", "dispatched", "running", "waiting"}
TEXT_LENGTH = 80


@dataclass
class Row:
    """One line of the timeline. `began` is on this process's monotonic clock; `duration_ms` is there once it has ended."""

    node: str
    kind: str
    status: str
    attempt: int | None = None
    agent: str = ""
    began: float = field(default_factory=time.monotonic)
    duration_ms: int | None = None
    detail: str = ""

    @property
    def elapsed_ms(self) -> int | None:
        """Its duration, or how long it has been open; None for what has neither (a condition)."""
        if self.duration_ms is not None or self.status not in OPEN:
            return self.duration_ms
        return round((time.monotonic() - self.began) * 1000)


class Timeline:
    """The execution as far as it is known."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.status = "pending"
        self.error = ""
        self.began = time.monotonic()
        self._duration_ms: int | None = None
        self._rows: dict[str, Row] = {}
        self._names: dict[str, str] = {}
        self._types: dict[str, str] = {}

    @property
    def rows(self) -> list[Row]:
        """In the order in which things happened."""
        return list(self._rows.values())

    @property
    def elapsed_ms(self) -> int:
        """How long it took, or has taken so far."""
        return round((time.monotonic() - self.began) * 1000) if self._duration_ms is None else self._duration_ms

    @property
    def finished(self) -> bool:
        return self.status in FINISHED

    def begin(self, detail: dict[str, Any]) -> None:
        """Takes the snapshot that a stream begins with: the execution's detail."""
        self.status = detail["status"]
        self._rows.clear()
        for node in detail["nodes"]:
            self._names[node["nodeId"]] = node["name"]
            self._types[node["nodeId"]] = node["type"]
        timed = [(job["queuedAt"], job) for job in detail["jobs"]]
        timed += [(node["startedAt"] or node["finishedAt"], node) for node in detail["nodes"] if self._has_row(node)]
        for _, item in sorted(timed, key=lambda pair: pair[0] or ""):
            if "jobId" in item:
                self._rows[item["jobId"]] = _job_row(item)
            else:
                self._rows[item["nodeId"]] = Row(item["name"], item["type"], item["status"], detail=_text(item["output"]))
        if self.finished:
            self._end(self.status, detail)

    def apply(self, topic: str, data: dict[str, Any]) -> Row | None:
        """Folds one event in. The row it changed, None if it shows nowhere."""
        noun, verb = topic.split(".")
        if noun == "execution":
            if verb in FINISHED:
                self._end(verb, data)
            elif verb == "started":
                self.status = "running"
            return None
        if noun == "job":
            return self._apply_to_job(verb, data)
        return self._apply_to_node(verb, data) if noun == "node" else None

    def _apply_to_job(self, verb: str, data: dict[str, Any]) -> Row | None:
        if verb == "retry_scheduled":
            row = self._last_job_of(data["nodeId"])
            if row is not None:
                row.detail += f"; attempt {data['attempt']} of {data['maxAttempts']} in {data['delaySeconds']:g} s"
            return row
        if verb == "scheduled":
            node = data["nodeId"]
            self._rows[data["jobId"]] = Row(self._names.get(node, node), data["action"], "pending", data["attempt"])
        row = self._rows.get(data["jobId"])
        if row is None:
            return None
        row.agent = data.get("agent") or row.agent
        match verb:
            case "requeued":
                row.status, row.detail = "pending", f"queued again: {data['reason']}"
            case "started":
                row.status, row.began = "running", time.monotonic()
            case "dispatched":
                row.status = "dispatched"
            case "completed" | "failed" | "timed_out" | "cancelled":
                row.status = "timeout" if verb == "timed_out" else verb
                row.duration_ms = data.get("durationMs", 0)
                row.detail = _text(data["error"]["message"]) if "error" in data else _text(data.get("output"))
            case _:
                pass
        return row

    def _apply_to_node(self, verb: str, data: dict[str, Any]) -> Row | None:
        node = data["nodeId"]
        if self._types.get(node) == "action" and verb != "skipped":
            return None
        row = self._rows.get(node)
        if row is None:
            row = self._rows[node] = Row(self._names.get(node, node), self._types.get(node, ""), verb)
        elif row.status == "waiting":
            row.duration_ms = row.elapsed_ms
        row.status = verb
        row.detail = _node_detail(verb, data)
        return row

    def _last_job_of(self, node: str) -> Row | None:
        name = self._names.get(node, node)
        return next((row for row in reversed(self._rows.values()) if row.attempt and row.node == name), None)

    def _has_row(self, node: dict[str, Any]) -> bool:
        return bool(node["status"] == "skipped" or (node["type"] != "action" and node["status"] != "pending"))

    def _end(self, status: str, data: dict[str, Any]) -> None:
        self.status = status
        error = data.get("error")
        self.error = error["message"] if error else ""
        self._duration_ms = data.get("durationMs", self.elapsed_ms)


def _job_row(job: dict[str, Any]) -> Row:
    detail = job["error"]["message"] if job["error"] else job["output"]
    return Row(
        node=job["nodeName"],
        kind=job["actionType"],
        status=job["status"],
        attempt=job["attempt"],
        agent=job["agent"] or "",
        duration_ms=job["durationMs"] if job["finishedAt"] else None,
        detail=_text(detail),
    )


def _node_detail(verb: str, data: dict[str, Any]) -> str:
    if verb == "waiting":
        return f"until {data['until']}"
    if verb == "failed":
        return _text(data["error"]["message"])
    port = data.get("port")
    return f"takes {port}" if port not in (None, "out") else ""


def _text(output: Any) -> str:
    """The first line of what came out, whatever it was."""
    if isinstance(output, dict):
        output = output.get("stdout") or (f"HTTP {output['statusCode']}" if "statusCode" in output else "")
    lines = str(output if output is not None else "").strip().splitlines()
    first = lines[0].strip() if lines else ""
    more = f" (+{len(lines) - 1} lines)" if len(lines) > 1 else ""
    return (first if len(first) <= TEXT_LENGTH else first[: TEXT_LENGTH - 1] + "…") + more
