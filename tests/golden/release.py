"""`python -m tests.golden.release NAME [LOG …]` keeps what a release left behind, for the tests of all later ones.

It runs this version, has it make one of everything, and leaves in `releases/NAME` the database as it was when all of it was
killed, what the API said about it then, and every SQL statement that the services sent: a later version is to bring the
database up to date, say the same, and leave tables with which those statements still work, because the old processes go on
for a while. Each LOG is a further log of PostgreSQL with statements in it (`log_statement=all`, `log_line_prefix='<<<'`), as
of a run of the tests: they send statements that this one does not come by.
"""

# ruff: noqa: T201 - a command talks to whoever called it

import json
import lzma
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from runyard_standalone.postgres import EmbeddedPostgres
from runyard_standalone.postgres_binaries import binaries_for

RELEASES = Path(__file__).parent / "releases"
ROOT = Path(__file__).parents[2]
MASTER_KEY = "a-master-key-for-tests-and-long-enough-to-be-one"
TOKEN = "a-token-for-tests-that-nobody-could-guess"
PATIENCE_SECONDS = 120
EXECUTES = "LOG:  execute "
Json = dict[str, Any]

BASH: Json = {"type": "action", "action": "script.bash"}
MANUAL = [{"type": "manual"}]
WORKFLOWS: dict[str, Json] = {
    "chain": {
        "name": "Chain",
        "inputs": {"type": "object", "properties": {"host": {"type": "string", "default": "web-1"}}},
        "nodes": [
            {"id": "first", **BASH, "params": {"script": "echo out of {{ inputs.host }}; echo err >&2"}},
            {"id": "second", **BASH, "params": {"script": "echo '{\"answer\": 42}'"}},
        ],
        "edges": [{"from": "trigger", "to": "first"}, {"from": "first", "to": "second"}],
    },
    "fails": {
        "name": "Fails",
        "nodes": [{"id": "boom", **BASH, "params": {"script": "exit 3"}, "maxRetries": 1, "retryDelaySeconds": 1}],
        "edges": [{"from": "trigger", "to": "boom"}],
    },
    "asks": {
        "name": "Asks",
        "triggers": [{"type": "manual"}, {"type": "webhook", "id": "hook"}],
        "nodes": [
            {"id": "before", **BASH, "params": {"script": "true"}},
            {"id": "ask", "type": "approval", "message": "Go on?", "timeoutSeconds": 90 * 86400},
            {"id": "after", **BASH, "params": {"script": "echo secret {{ inputs.x }}"}, "connection": "bag"},
        ],
        "inputs": {"type": "object", "properties": {"x": {"type": "integer", "default": 1}}},
        "edges": [
            {"from": "trigger", "to": "before"},
            {"from": "before", "to": "ask"},
            {"from": "ask", "port": "approved", "to": "after"},
        ],
    },
    "waits": {
        "name": "Waits",
        "nodes": [
            {"id": "pause", "type": "delay", "seconds": 1},
            {"id": "long", **BASH, "params": {"script": "sleep 600"}, "timeoutSeconds": 86400},
            {"id": "end", **BASH, "params": {"script": "true"}},
        ],
        "edges": [
            {"from": "trigger", "to": "pause"},
            {"from": "pause", "to": "long"},
            {"from": "long", "to": "end"},
        ],
    },
    "each": {
        "name": "Each",
        "nodes": [
            {
                "id": "each",
                "type": "forEach",
                "items": [1, 2, 3],
                "body": {
                    "nodes": [{"id": "work", **BASH, "params": {"script": "echo item"}}],
                    "edges": [{"from": "item", "to": "work"}],
                },
            }
        ],
        "edges": [{"from": "trigger", "to": "each"}],
    },
    "clock": {
        "name": "Clock",
        "triggers": [{"type": "schedule", "cron": "* * * * *", "catchUp": "latest"}, {"type": "manual"}],
        "nodes": [{"id": "tick", **BASH, "params": {"script": "true"}}],
        "edges": [{"from": "trigger", "to": "tick"}],
    },
    "incident": {
        "name": "Incident",
        "triggers": [{"type": "incident", "events": ["incident.created"]}],
        "nodes": [{"id": "act", **BASH, "params": {"script": "true"}}],
        "edges": [{"from": "trigger", "to": "act"}],
    },
}


class Recorder:
    """This version, running on a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._data = directory / "data"
        self.postgres = EmbeddedPostgres(self._data / "postgres")
        self._process: subprocess.Popen[bytes] | None = None
        self.http = httpx.Client(trust_env=False, timeout=30)

    def start(self) -> None:
        self._data.mkdir(parents=True)
        (self._data / "master-key").write_text(MASTER_KEY + "\n")
        self.postgres.start()
        for setting in ("log_statement = 'all'", "log_parameter_max_length = 0", "log_line_prefix = '<<<'"):
            self.psql("-c", f"alter system set {setting}")
        self.postgres.stop()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RUNYARD_")}
        own = {"RUNYARD_DATA_DIR": str(self._data), "RUNYARD_PORT": "0", "RUNYARD_ADMIN_TOKEN": TOKEN, "RUNYARD_DEMO": "0"}
        own["RUNYARD_ALLOW_PRIVATE_NOTIFICATIONS"] = "true"
        command = [sys.executable, "-m", "runyard_standalone"]
        self._process = subprocess.Popen(command, env=kept | own, cwd=ROOT, stdout=subprocess.DEVNULL)
        address = self._data / "address"
        eventually(address.exists, "the server")
        self.http.base_url = httpx.URL(address.read_text().strip() + "/api/v1")
        self.http.headers["Authorization"] = f"Bearer {TOKEN}"
        eventually(lambda: self._ready() and self.call("GET", "/agents")["items"], "an agent")

    def _ready(self) -> bool:
        try:
            return self.http.get(str(self.http.base_url).removesuffix("/api/v1/") + "/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        answer = self.http.request(method, path, json=body, **options)
        assert answer.is_success, (method, path, answer.status_code, answer.text)
        return answer.json() if answer.content else None

    def psql(self, *arguments: str) -> None:
        self._program("psql", "-v", "ON_ERROR_STOP=1", "-qX", *arguments)

    def dump(self) -> bytes:
        return self._program("pg_dump", "--no-owner", "--no-privileges", "--no-comments", "--no-sync")

    def _program(self, name: str, *arguments: str) -> bytes:
        return subprocess.run(
            [binaries_for(None) / name, "-d", self.postgres.dsn, *arguments], check=True, capture_output=True
        ).stdout

    def kill(self) -> None:
        """All at once; what was committed is there when PostgreSQL is started again."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
        self.postgres.kill()


def eventually(true: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := true()):
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(0.1)
    return found


def live(at: Recorder) -> Json:
    """One of everything; returns the ids by name."""
    at.call("POST", "/pools", {"name": "dmz"})
    at.call("POST", "/connections", {"name": "bag", "kind": "secrets", "secrets": {"token": "kept over the upgrade"}})
    at.call("POST", "/notification-channels", {"name": "ops", "url": "json://127.0.0.1:1/"})
    at.call("POST", "/users", {"name": "alice", "roles": ["operator"]})
    at.call("POST", "/api-keys", {"user": "alice"})
    at.call("PUT", "/roles/night-shift", {"permissions": ["automation:view"]})
    ids: Json = {}
    for name, document in WORKFLOWS.items():
        ids[name] = at.call("POST", "/workflows", {"triggers": MANUAL, **document})["workflowId"]
    problems = {name: at.call("POST", f"/workflows/{ids[name]}/validate")["errors"] for name in WORKFLOWS}
    assert not any(problems.values()), problems
    for name in WORKFLOWS:
        at.call("POST", f"/workflows/{ids[name]}/publish")
        at.call("POST", f"/workflows/{ids[name]}/activate")
    hook = at.call("POST", f"/workflows/{ids['asks']}/webhooks", {"webhookId": "hook", "auth": "hmac", "preset": "github"})
    ids["hook"] = {"key": hook["key"], "secret": hook["secret"]}
    for name, workflow in (
        ("completed", "chain"), ("failed", "fails"), ("answered", "asks"), ("paused", "asks"), ("cancelled", "asks"),
        ("running", "waits"), ("iterated", "each"),
    ):  # fmt: skip
        ids[name] = at.call("POST", f"/workflows/{ids[workflow]}/run", {"variables": {}})["executionId"]
    created = {"id": "1", "title": "Down", "severity": "critical"}
    at.call("POST", "/incidents", {"event": "incident.created", "incident": created})
    for name in ("answered", "paused", "cancelled"):
        eventually(lambda name=name: detail(at, ids[name])["approvals"], "an approval")  # type: ignore[misc]
    approval_id = detail(at, ids["answered"])["approvals"][0]["approvalId"]
    at.call("POST", f"/approvals/{approval_id}/approve", {"note": "by the old version"})
    at.call("POST", f"/executions/{ids['cancelled']}/cancel", {"reason": "no longer needed"})
    rerun = at.call("POST", f"/executions/{ids['completed']}/rerun", {"variables": {}})
    ids["rerun"] = rerun["executionId"]
    wanted = {"failed": "failed", "paused": "paused", "cancelled": "cancelled", "running": "running"}
    for name in ("completed", "failed", "answered", "paused", "cancelled", "running", "iterated", "rerun"):
        status = wanted.get(name, "completed")
        eventually(lambda name=name, status=status: detail(at, ids[name])["status"] == status, f"{name}: {status}")  # type: ignore[misc]
    eventually(lambda: [job for job in detail(at, ids["running"])["jobs"] if job["status"] == "running"], "a running job")
    eventually(lambda: at.call("GET", f"/executions?workflowId={ids['clock']}&status=completed")["items"], "the clock")
    at.call("POST", f"/workflows/{ids['clock']}/deactivate")
    at.call("POST", f"/workflows/{ids['clock']}/activate")
    eventually(lambda: all(not each["lagEvents"] for each in at.call("GET", "/projections")["items"]), "the read models")
    return ids


def detail(at: Recorder, execution_id: str) -> Json:
    return dict(at.call("GET", f"/executions/{execution_id}"))


def answers(at: Recorder, ids: Json) -> Json:
    """What the API says, by path."""
    executions = at.call("GET", "/executions?limit=200")["items"]
    month = "from=2026-01-01T00:00:00Z&to=2027-12-31T00:00:00Z"
    paths = [
        "/executions?limit=200", "/workflows", "/approvals", "/pools", "/connections", "/notification-channels", "/users",
        "/roles", "/trigger-records", f"/workflows/{ids['asks']}/webhooks", f"/workflows/{ids['chain']}/versions",
        f"/analytics/summary?{month}&timezone=UTC", f"/analytics/workflows?{month}", "/events.json?limit=200", "/retention",
    ]  # fmt: skip
    for row in executions:
        own = f"/executions/{row['executionId']}"
        paths += [own, f"{own}/log", f"{own}/jobs", f"{own}/graph"]
        paths += [f"{own}/jobs/{job['jobId']}/output?stream=stdout" for job in detail(at, row["executionId"])["jobs"]]
    said: Json = {}
    for path in paths:
        answer = at.http.get(path)
        if answer.is_success:
            said[path] = answer.json() if "json" in answer.headers["content-type"] else answer.text
        else:
            print(f"{path}: {answer.status_code} {answer.text}", file=sys.stderr)
    look_around(at, ids)
    return said


def look_around(at: Recorder, ids: Json) -> None:
    """Every read, so that its statements are in the log; those of filters come from the tests."""
    document = at.http.get(str(at.http.base_url).removesuffix("/api/v1/") + "/openapi.json").json()
    fixed = {"executionId": ids["completed"], "workflowId": ids["asks"], "version": "1", "poolName": "dmz", "userName": "alice"}
    for path, operations in document["paths"].items():
        if (
            "get" not in operations
            or not path.startswith("/api/v1/")
            or "stream" in path
            or path.endswith(("/events", "orders"))
        ):
            continue
        url = re.sub(r"\{(\w+)\}", lambda found: str(fixed.get(found[1], ids["paused"])), path.removeprefix("/api/v1"))
        at.http.get(url)


def statements(logs: list[Path]) -> list[str]:
    """Every statement of the services, once."""
    sent: set[str] = set()
    for log in logs:
        for entry in log.read_text(errors="replace").split("<<<"):
            if entry.startswith(EXECUTES):
                sql = entry.removeprefix(EXECUTES).partition(": ")[2].partition("\nDETAIL:")[0]
                sent.add(sql.replace("\n\t", "\n").strip())
    tests = "".join(file.read_text() for file in (ROOT / "tests").rglob("*.py"))
    verbs = re.compile(r"(select|insert|update|delete|with)\b", re.IGNORECASE)
    return sorted(sql for sql in sent if verbs.match(sql) and "pg_catalog" not in sql and sql not in tests)


def main() -> None:
    name, *logs = sys.argv[1:]
    target = RELEASES / name
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        at = Recorder(Path(directory))
        try:
            at.start()
            ids = live(at)
            said = answers(at, ids)
        finally:
            at.kill()
        at.postgres.start()
        database = at.dump()
        at.postgres.stop()
        sent = statements([at.postgres.log_path, *map(Path, logs)])
    for file, content in (
        ("database.sql", database),
        ("answers.json", json.dumps({"ids": ids, "answers": said}, indent=1).encode()),
        ("statements.json", json.dumps(sent, indent=1).encode()),
    ):
        (target / f"{file}.xz").write_bytes(lzma.compress(content, preset=9))
        print(f"{file}: {len(content):,} bytes, {(target / f'{file}.xz').stat().st_size:,} compressed")


if __name__ == "__main__":
    main()
