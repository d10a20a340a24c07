"""The distributed form on one machine: a process or more for each service and agent, over a private RabbitMQ and PostgreSQL.

`make up` and `make down` are this module's commands; the acceptance tests, the chaos tests and the benchmark use `Deployment`.
All that is known of a running system is in its directory, so whoever comes later can go on with it.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil

from runyard_standalone.agent_keys import agent_key_file, ensure_agent_key
from runyard_standalone.ports import HOST, USUAL_PORT, first_free
from runyard_standalone.postgres import EmbeddedPostgres
from runyard_standalone.processes import Processes
from runyard_standalone.rabbitmq import RabbitNode
from runyard_standalone.secret_files import admin_token, master_key

SERVICES = ("orchestrator", "dispatcher", "approvals", "projections", "gateway")
READY_SECONDS = 120.0
STOP_SECONDS = 40.0
OPS_PORTS_TRIED = 100


class NotReady(RuntimeError):
    """A process ended by itself, or the system did not get ready in time; the message has the end of the logs."""


class Deployment:
    """A running system, or one to be started, in `directory`.

    `environment` is added to that of every process (`RUNYARD_HEARTBEAT_SECONDS=1`). With `database_url` or `amqp_url` the
    server is somebody else's, and is neither started nor stopped here; agents get accounts of their own on RabbitMQ if its
    `amqp_management_url` is known. `port`: 0 is any; without it the usual one, if it is free. `ops_port`: from there on, each
    process but the gateways gets a port for /metrics, /healthz and /readyz; without it they have none. Blocks; nothing here is
    async.
    `replicas`: so many processes of each service, or by service; the second orchestrator is called `orchestrator-2`, and so on.
    Without it, and without `agents`, as many as last time; else one, and two agents.
    """

    def __init__(
        self,
        directory: Path | str,
        *,
        agents: int | None = None,
        replicas: int | Mapping[str, int] | None = None,
        port: int | None = None,
        ops_port: int | None = None,
        token: str | None = None,
        environment: Mapping[str, str] | None = None,
        database_url: str | None = None,
        amqp_url: str | None = None,
        amqp_management_url: str | None = None,
    ) -> None:
        self.directory = Path(directory).absolute()
        self.directory.mkdir(parents=True, exist_ok=True)
        self.postgres = None if database_url else EmbeddedPostgres(self.directory / "postgres")
        self.rabbit = None if amqp_url else RabbitNode(self.directory / "rabbitmq")
        self.token = admin_token(self.directory, token)
        self._master_key = master_key(self.directory)
        self._database_url = database_url
        self._amqp_url = amqp_url
        self._amqp_management_url = amqp_management_url
        self._wanted_port = port
        self._first_ops_port = ops_port
        self._environment = dict(environment or {})
        self._state_path = self.directory / "processes.json"
        self._state: dict[str, Any] = json.loads(self._state_path.read_text()) if self._state_path.exists() else {}
        self._processes = Processes(self._state)
        counts = self._state.setdefault("counts", dict.fromkeys(SERVICES, 1) | {"agent": 2})
        if replicas is not None:
            counts |= dict.fromkeys(SERVICES, replicas) if isinstance(replicas, int) else dict(replicas)
        if agents is not None:
            counts["agent"] = agents
        self.services = tuple(name for service in SERVICES for name in _replicas(service, counts[service]))
        self.agents = tuple(f"agent-{number}" for number in range(1, counts["agent"] + 1))
        self.names = (*self.services, *self.agents)

    @property
    def url(self) -> str:
        """`http://127.0.0.1:8080`: of the first gateway; the same over restarts."""
        return self.url_of("gateway")

    def url_of(self, gateway: str) -> str:
        """Each gateway listens on a port of its own."""
        return f"http://{HOST}:{self._state['ports'][gateway]}"

    def replicas(self, service: str) -> tuple[str, ...]:
        """The names of its processes."""
        return tuple(name for name in self.services if service_of(name) == service)

    @property
    def database_url(self) -> str:
        return self._database_url or (self.postgres.dsn if self.postgres else "")

    @property
    def amqp_url(self) -> str:
        return self._amqp_url or (self.rabbit.amqp_url if self.rabbit else "")

    @property
    def amqp_management_url(self) -> str:
        return self._amqp_management_url or (self.rabbit.management_url if self.rabbit else "")

    def ops_url(self, name: str) -> str:
        """Where the process answers /metrics, /healthz and /readyz; the same over restarts."""
        return self.url_of(name) if service_of(name) == "gateway" else f"http://{HOST}:{self._state['ops_ports'][name]}"

    @property
    def running(self) -> dict[str, int]:
        """The process id of every service and agent that runs, by name."""
        return {name: process.pid for name in self.names if (process := self.process(name)) is not None}

    def process(self, name: str) -> psutil.Process | None:
        """The process as it was started; None when it has ended."""
        return self._processes.find(name)

    def log_path(self, name: str) -> Path:
        return self.directory / f"{name}.log"

    def start(self) -> None:
        """Starts what does not run, and returns when the API answers and every agent is online."""
        self._end_surplus()
        self._choose_ports()
        self.start_servers()
        for name in self.services:
            self.start_process(name)
        self.wait_until_ready(agents=0)
        for name in self.agents:
            self.start_process(name)
        self.wait_until_ready()

    def start_servers(self) -> None:
        """Starts PostgreSQL and RabbitMQ side by side, as far as they are ours and do not run."""
        starts: list[Callable[[], object]] = []
        if self.postgres and not self.postgres.running:
            starts.append(self.postgres.start)
        if self.rabbit and not self.rabbit.running:
            starts.append(self.rabbit.start)
        with ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(start) for start in starts]:
                done.result()

    def start_process(self, name: str) -> None:
        """Starts one service or agent, unless it runs; does not wait for it. An agent is made known to the API first."""
        if self.process(name) is not None:
            return
        if name in self.agents:
            with self._http() as http:
                ensure_agent_key(http, agent_key_file(self.directory, name), name)
        self._choose_ops_port(name)
        package = service_of(name)
        command = [sys.executable, "-m", f"runyard_{package}"]
        self._processes.start(name, command, self._environment_of(name), self.log_path(name))
        self._save()

    def stop(self) -> None:
        """Ends everything in good order: first nothing new comes in, at last the servers are stopped."""
        self._end_surplus()
        gateways = self.replicas("gateway")
        self.stop_processes(gateways)
        self.stop_processes(self.agents)
        self.stop_processes(name for name in self.services if name not in gateways)
        if self.rabbit:
            self.rabbit.stop()
        if self.postgres:
            self.postgres.stop()

    def stop_processes(self, names: Iterable[str]) -> None:
        """Asks them to end (SIGTERM), and kills those that do not."""
        self._processes.end(names, signal.SIGTERM, STOP_SECONDS)

    def kill(self, name: str) -> None:
        """`kill -9` of one service or agent; `start_process` starts it again."""
        self._processes.end([name], signal.SIGKILL, STOP_SECONDS)

    def kill_everything(self) -> None:
        """`kill -9` of all processes and servers: for tests that throw the directory away."""
        self._processes.end(self.names, signal.SIGKILL, STOP_SECONDS)
        if self.rabbit:
            self.rabbit.kill()
        if self.postgres:
            self.postgres.kill()

    def wait_until_ready(self, seconds: float = READY_SECONDS, *, agents: int | None = None) -> None:
        """Until the API answers and so many `agents` are online, all of them if not said. Raises `NotReady` when a process has
        ended, or after `seconds`."""
        wanted = len(self.agents) if agents is None else agents
        needed = set(self.services if agents == 0 else self.names)
        deadline = time.monotonic() + seconds
        others = [self.url_of(gateway) for gateway in self.replicas("gateway")[1:]]
        with self._http() as http:
            while True:
                trouble = _trouble(http, wanted, others)
                # looked at last: an answer may have come from somebody else who listens where our gateway could not
                if dead := needed - set(self.running):
                    raise NotReady("\n".join(f"{name} ended by itself:\n{self.log_tail(name)}" for name in sorted(dead)))
                if trouble is None:
                    return
                if time.monotonic() > deadline:
                    raise NotReady(f"not ready after {seconds:g} s: {trouble}\n{self.log_tail('gateway')}")
                time.sleep(0.05)

    def log_tail(self, name: str) -> str:
        path = self.log_path(name)
        return "\n".join(path.read_text(errors="replace").splitlines()[-20:]) if path.exists() else ""

    def _environment_of(self, name: str) -> dict[str, str]:
        own = {
            "RUNYARD_DATABASE_URL": self.database_url,
            "RUNYARD_AMQP_URL": self.amqp_url,
            "RUNYARD_AMQP_MANAGEMENT_URL": self.amqp_management_url,
            "RUNYARD_MASTER_KEYS": self._master_key,
            "RUNYARD_HOST": HOST,
            "RUNYARD_PORT": str(self._state["ports"].get(name, 0)),
            "RUNYARD_ADMIN_TOKEN": self.token,
            "RUNYARD_PUBLIC_URL": self.url,
            "RUNYARD_ALLOW_PRIVATE_NOTIFICATIONS": "true",
            "RUNYARD_ARCHIVE_DIR": str(self.directory / "archive"),
        }
        if name in self.agents:
            # an agent knows its server and its key, and nothing else
            key = agent_key_file(self.directory, name)
            gateways = self.replicas("gateway")
            own = {
                "RUNYARD_URL": self.url_of(gateways[self.agents.index(name) % len(gateways)]),
                "RUNYARD_AGENT_KEY_FILE": str(key),
                "RUNYARD_AGENT_STATE_DIR": str(key.parent / "state"),
            }
        if name in (ports := self._state.get("ops_ports", {})):
            own["RUNYARD_OPS_PORT"] = str(ports[name])
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("RUNYARD_")}
        return {**inherited, **own, **self._environment}

    def _http(self) -> httpx.Client:
        headers = {"authorization": f"Bearer {self.token}"}
        return httpx.Client(base_url=self.url, headers=headers, trust_env=False, timeout=10)

    def _choose_ports(self) -> None:
        """For the first gateway the one asked for; else the one of last time, or the usual one (any, if 0 was asked for), if it
        is free."""
        before = self._state.pop("port", None)
        ports = self._state.setdefault("ports", {} if before is None else {"gateway": before})
        for gateway in self.replicas("gateway"):
            if self.process(gateway) is None:
                first = gateway == "gateway"
                usual = USUAL_PORT if self._wanted_port is None and first else 0
                ports[gateway] = (first and self._wanted_port) or first_free(ports.get(gateway, usual), 0)
        self._save()

    def _end_surplus(self) -> None:
        """What was started when there were to be more."""
        self.stop_processes(name for name in self._processes.names if name not in self.names)

    def _choose_ops_port(self, name: str) -> None:
        """The one of last time, or the next one from the first on, whichever is free."""
        if self._first_ops_port is None or service_of(name) == "gateway":
            return
        ports: dict[str, int] = self._state.setdefault("ops_ports", {})
        others = {port for other, port in ports.items() if other != name}
        candidates = range(self._first_ops_port, self._first_ops_port + OPS_PORTS_TRIED)
        kept = [ports[name]] if name in ports else []
        ports[name] = first_free(*kept, *(port for port in candidates if port not in others))

    def _save(self) -> None:
        draft = self._state_path.with_suffix(".draft")
        draft.write_text(json.dumps(self._state))
        draft.replace(self._state_path)


def service_of(name: str) -> str:
    """What the process of that name is: `orchestrator-2` is an orchestrator."""
    return name.partition("-")[0]


def _replicas(service: str, count: int) -> list[str]:
    return [service if number == 1 else f"{service}-{number}" for number in range(1, count + 1)]


def _trouble(http: httpx.Client, agents: int, others: Iterable[str]) -> str | None:
    """What is missing, in words; None when this gateway and the `others` are ready and that many agents are online."""
    try:
        for url in ("", *others):
            ready = http.get(f"{url}/readyz")
            if ready.is_error:
                return ready.text
        online = [agent for agent in http.get("/api/v1/agents").json().get("items", []) if agent["status"] == "online"]
    except httpx.TransportError as error:
        return str(error)
    return None if len(online) >= agents else f"{len(online)} of {agents} agents are online"
