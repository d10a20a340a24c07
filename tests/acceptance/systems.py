"""Both forms of Runyard as black boxes: an address, a token, and processes that can be killed."""

import json
import os
import random
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import httpx
from runyard_standalone.distributed import Deployment

Json = dict[str, Any]
PATIENCE_SECONDS = 75.0
QUICK = {"RUNYARD_HEARTBEAT_SECONDS": "0.5", "RUNYARD_OFFLINE_AFTER_SECONDS": "2", "RUNYARD_RESEND_AFTER_SECONDS": "1"}
"""A lost agent is noticed in two seconds instead of thirty."""
RECEIVERS_ARE_HERE = {"RUNYARD_ALLOW_PRIVATE_NOTIFICATIONS": "1", "RUNYARD_NOTIFICATION_RETRY_SECONDS": "0.2"}
"""Notifications go to servers that the tests start on the loopback address."""


METRICS_TOKEN = "a-token-for-metrics"


class System(Protocol):
    """What a test may do to a running system from outside."""

    form: str

    @property
    def journal(self) -> Path:
        """A directory where scripts of workflows leave their marks."""

    @property
    def url(self) -> str: ...

    @property
    def token(self) -> str: ...

    @property
    def processes(self) -> list[str]:
        """The names of the processes that can be killed."""

    def kill(self, name: str) -> None:
        """`kill -9`."""

    def revive(self, name: str) -> None:
        """Start the process again, and wait until the API answers."""

    def log_tails(self) -> dict[str, str]:
        """The last lines of each process."""


@dataclass
class Standalone:
    """`make run`, by itself without its demonstration."""

    directory: Path
    form: str = "standalone"
    demonstration: bool = False
    processes: list[str] = field(default_factory=lambda: ["standalone"])
    token: str = field(default_factory=secrets.token_hex)
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def journal(self) -> Path:
        return self.directory / "journal"

    @property
    def url(self) -> str:
        return (self.directory / "data" / "address").read_text().strip()

    def start(self) -> None:
        self.journal.mkdir(exist_ok=True)
        (self.directory / "data" / "address").unlink(missing_ok=True)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RUNYARD_")} | {
            "RUNYARD_DATA_DIR": str(self.directory / "data"),
            "RUNYARD_PORT": "0",
            "RUNYARD_ADMIN_TOKEN": self.token,
            "RUNYARD_DEMO": str(int(self.demonstration)),
            **RECEIVERS_ARE_HERE,
        }
        with (self.directory / "standalone.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "runyard_standalone"], env=environment, stdout=log, stderr=log
            )
        eventually(lambda: (self.directory / "data" / "address").exists() and _answers(self.url), "standalone to answer")

    def kill(self, name: str) -> None:
        self._end(signal.SIGKILL)

    def revive(self, name: str) -> None:
        self.start()

    def stop(self) -> int:
        return self._end(signal.SIGINT)

    def log_tails(self) -> dict[str, str]:
        return {self.form: "\n".join((self.directory / "standalone.log").read_text(errors="replace").splitlines()[-20:])}

    def _end(self, number: signal.Signals) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        code = self._process.wait(30)
        self._process = None
        return code


@dataclass
class Distributed:
    """`make up`."""

    deployment: Deployment
    form: str = "distributed"

    @property
    def journal(self) -> Path:
        return self.deployment.directory / "journal"

    @property
    def url(self) -> str:
        return self.deployment.url

    @property
    def token(self) -> str:
        return self.deployment.token

    @property
    def processes(self) -> list[str]:
        return list(self.deployment.names)

    def kill(self, name: str) -> None:
        self.deployment.kill(name)

    def revive(self, name: str) -> None:
        self.deployment.start_process(name)
        self.deployment.wait_until_ready()

    def log_tails(self) -> dict[str, str]:
        return {name: self.deployment.log_tail(name) for name in self.processes}


@contextmanager
def standalone_system(*, demonstration: bool = False) -> Iterator[Standalone]:
    with tempfile.TemporaryDirectory(prefix="runyard-standalone-") as directory:
        system = Standalone(Path(directory), demonstration=demonstration)
        system.start()
        try:
            yield system
        finally:
            if system._process is not None:
                system.stop()


@contextmanager
def distributed_system(
    *,
    amqp_url: str | None = None,
    amqp_management_url: str | None = None,
    environment: Mapping[str, str] | None = None,
    replicas: int = 1,
    agents: int = 2,
) -> Iterator[Distributed]:
    """With `amqp_url` on somebody else's broker, in a namespace of its own."""
    with tempfile.TemporaryDirectory(prefix="runyard-distributed-") as directory:
        namespace = {"RUNYARD_AMQP_NAMESPACE": Path(directory).name} if amqp_url else {}
        deployment = Deployment(
            directory,
            port=0,
            ops_port=random.randrange(20_000, 30_000),  # below those that connections get
            environment=QUICK | RECEIVERS_ARE_HERE | namespace | dict(environment or {}),
            amqp_url=amqp_url,
            amqp_management_url=amqp_management_url,
            replicas=replicas,
            agents=agents,
        )
        try:
            deployment.start()
            system = Distributed(deployment)
            system.journal.mkdir()
            yield system
        finally:
            deployment.stop()


class Client:
    """The API as a user sees it: the administrator, or whose key is given."""

    def __init__(self, system: System, key: str | None = None) -> None:
        self.system = system
        headers = {"Authorization": f"Bearer {key or system.token}"}
        self.http = httpx.Client(headers=headers, timeout=20, trust_env=False)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def call(self, method: str, path: str, *, status: int = 200, **options: Any) -> Any:
        """The JSON of an answer that must have this status; a gateway that is away is waited for."""
        answer = self.send(method, path, **options)
        assert answer.status_code == status, (answer.status_code, answer.text)
        return answer.json() if answer.content else None

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = self.http.request(method, f"{self.system.url}/api/v1{path}", **options)
                if answer.status_code != 503 or time.monotonic() > deadline:
                    return answer
            except (httpx.TransportError, FileNotFoundError):
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.1)

    @contextmanager
    def somebody(self, *roles: str) -> Iterator["Person"]:
        """A new user with these roles, who uses the API with a key of his own."""
        name = f"user-{secrets.token_hex(4)}"
        self.call("POST", "/users", status=201, json={"name": name, "roles": list(roles)})
        key = self.call("POST", "/api-keys", status=201, json={"user": name})["key"]
        with Person(self.system, key, name) as person:
            yield person

    def has_pool(self, name: str) -> None:
        """Make the pool, unless it is there."""
        answer = self.send("POST", "/pools", json={"name": name})
        assert answer.status_code in (201, 409), answer.text

    def has_connection(self, name: str, kind: str, config: Json, secret_values: Json) -> None:
        """Make the connection, or make it as this says."""
        body = {"name": name, "kind": kind, "config": config, "secrets": secret_values}
        answer = self.send("POST", "/connections", json=body)
        if answer.status_code == 409:
            rows = self.call("GET", "/connections?limit=200")["items"]
            connection_id = next(row["connectionId"] for row in rows if row["name"] == name)
            self.call("PUT", f"/connections/{connection_id}", json=body)
        else:
            assert answer.status_code == 201, answer.text

    def publish(self, document: Json) -> str:
        """Create, publish, activate, until every list knows it; the workflow's id."""
        workflow_id: str = self.call("POST", "/workflows", status=201, json=document)["workflowId"]
        self.call("POST", f"/workflows/{workflow_id}/publish")
        position = self.call("POST", f"/workflows/{workflow_id}/activate")["position"]
        for path in ("/workflows", "/schedules"):
            self.call("GET", f"{path}?minPosition={position}")
        return workflow_id

    def run(self, workflow_id: str, variables: Json | None = None, key: str | None = None) -> str:
        headers = {"Idempotency-Key": key} if key else {}
        body = {"variables": variables or {}}
        answer = self.call("POST", f"/workflows/{workflow_id}/run", status=202, json=body, headers=headers)
        execution_id: str = answer["executionId"]
        return execution_id

    def detail(self, execution_id: str) -> Json:
        detail: Json = self.call("GET", f"/executions/{execution_id}")
        return detail

    def until(self, execution_id: str, condition: Callable[[Json], bool], what: str) -> Json:
        """The execution's detail as soon as the condition holds; a detail that is not there yet is waited for."""
        seen: Json = {}

        def check() -> bool:
            answer = self.send("GET", f"/executions/{execution_id}")
            if answer.status_code != 200:
                return False
            seen.update(answer.json())
            return condition(seen)

        eventually(check, f"{what}; last seen: {json.dumps(seen)[:2000]}", lambda: f"last seen {json.dumps(seen)[:3000]}")
        return seen

    def finished(self, execution_id: str, status: str | None = None) -> Json:
        detail = self.until(
            execution_id, lambda row: row["status"] in ("completed", "failed", "cancelled"), "the execution to end"
        )
        assert status is None or detail["status"] == status, detail
        return detail

    def ran(self, document: Json, variables: Json | None = None, status: str | None = None) -> Json:
        """The detail of the first execution of a new workflow, after its end."""
        return self.finished(self.run(self.publish(document), variables), status)

    def cancel(self, execution_id: str, **body: Any) -> None:
        self.call("POST", f"/executions/{execution_id}/cancel", status=202, json=body)

    def log_when(self, execution_id: str, *words: str) -> str:
        """The messages of the log, a line each, as soon as all of the words are in it."""
        seen = ""

        def check() -> bool:
            nonlocal seen
            seen = "\n".join(entry["message"] for entry in self.log(execution_id))
            return all(word in seen for word in words)

        eventually(check, f"{words} in the log", lambda: seen)
        return seen

    def log(self, execution_id: str) -> list[Json]:
        items: list[Json] = self.call("GET", f"/executions/{execution_id}/log?limit=200")["items"]
        return items

    def stream(self, execution_id: str, last_event_id: str | None = None) -> Iterator[tuple[str | None, str, Json]]:
        """(id, event, data) of the execution's event stream until the server closes it."""
        headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
        url = f"{self.system.url}/api/v1/executions/{execution_id}/events"
        with self.http.stream("GET", url, headers=headers) as answer:
            assert answer.status_code == 200, answer.read()
            fields: dict[str, str] = {}
            for line in answer.iter_lines():
                if not line and fields:
                    yield fields.get("id"), fields.get("event", "message"), json.loads(fields.get("data") or "{}")
                    fields = {}
                elif line and not line.startswith(":"):
                    name, _, value = line.partition(":")
                    fields[name] = value.strip()


class Person(Client):
    """A user with a name and a key of his own."""

    def __init__(self, system: System, key: str, name: str) -> None:
        super().__init__(system, key)
        self.name = name

    def __enter__(self) -> "Person":
        return self


class Journal:
    """What the scripts of a workflow really did, whatever the history says: a line each time one says something."""

    def __init__(self, system: System) -> None:
        self.path = system.journal / secrets.token_hex(6)

    def say(self, text: str) -> str:
        """A line of a script; short lines appended to a file are not mixed up."""
        return f'echo "{text}" >> {self.path}'

    @property
    def lines(self) -> list[str]:
        return self.path.read_text().splitlines() if self.path.exists() else []


def sealed_output(client: Client, path: str) -> bytes:
    """The whole stream, as soon as it is sealed."""
    seen: list[bytes] = []

    def check() -> bool:
        answer = client.send("GET", path)
        seen[:] = [answer.content]
        return answer.headers.get("x-output-sealed") == "true" and len(answer.content) == int(answer.headers["x-output-size"])

    eventually(check, "the output to be sealed")
    return seen[0]


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def eventually(condition: Callable[[], bool], what: str, more: Callable[[], str] = lambda: "") -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE_SECONDS:g} s in vain for {what} {more()}"
        time.sleep(0.05)
