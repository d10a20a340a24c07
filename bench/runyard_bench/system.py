"""The system under measurement, on real parts in a temporary directory: started, known by its processes, and always ended.

`distributed` is a process for each service and two agents over RabbitMQ and PostgreSQL; `standalone` is the one process of
`make run` on PostgreSQL and the in-process bus.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from runyard_standalone.distributed import Deployment, NotReady
from runyard_standalone.ports import first_free
from runyard_standalone.postgres import EmbeddedPostgres

AGENTS = 2
AGENT_CAPACITY = 512
READY_SECONDS = 120.0
STOP_SECONDS = 40.0


@dataclass(frozen=True)
class System:
    """A running system. `find_parts`: process ids by name, servers included; `log_tail` is for a failed run."""

    form: str
    addresses: Sequence[str]
    """Of the gateways."""
    token: str
    database_url: str
    find_parts: Callable[[], dict[str, int]]
    log_tail: Callable[[], str]
    stopped: Callable[..., AbstractContextManager[None]]
    """Inside `with stopped(part, …)` these parts do not run."""

    @property
    def address(self) -> str:
        return self.addresses[0]

    @property
    def parts(self) -> dict[str, int]:
        return self.find_parts()

    def command(self, package: str, *arguments: str) -> list[str]:
        """A command line of the system, such as a rebuild; it needs `environment`."""
        return [sys.executable, "-m", package, *arguments]

    def environment(self) -> dict[str, str]:
        return {**_inherited(), "RUNYARD_DATABASE_URL": self.database_url}


@contextmanager
def running(form: str, replicas: int = 1) -> Iterator[System]:
    """A system of the form `distributed` (with so many `replicas` of each service) or `standalone`, ready for requests; ended
    and removed with the block.

    Raises `NotReady` with the end of its logs.
    """
    directory = Path(tempfile.mkdtemp(prefix="runyard-bench-"))
    try:
        with _distributed(directory, replicas) if form == "distributed" else _standalone(directory) as system:
            yield system
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ending what was started is not cut short by a second Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _distributed(directory: Path, replicas: int) -> Iterator[System]:
    agents = max(AGENTS, replicas)
    deployment = Deployment(
        directory,
        port=first_free(0),
        agents=agents,
        replicas=replicas,
        environment={"RUNYARD_AGENT_CAPACITY": str(AGENTS * AGENT_CAPACITY // agents)},
    )

    def find_parts() -> dict[str, int]:
        assert deployment.postgres and deployment.rabbit
        servers = {"postgresql": deployment.postgres.pid, "rabbitmq": deployment.rabbit.pid}
        return {**deployment.running, **{name: pid for name, pid in servers.items() if pid is not None}}

    @contextmanager
    def stopped(*parts: str) -> Iterator[None]:
        deployment.stop_processes(parts)
        yield
        for part in parts:
            deployment.start_process(part)
        deployment.wait_until_ready()

    def log_tail() -> str:
        return "\n".join(f"--- {name}\n{deployment.log_tail(name)}" for name in deployment.names)

    try:
        deployment.start()
        addresses = [deployment.url_of(gateway) for gateway in deployment.replicas("gateway")]
        yield System("distributed", addresses, deployment.token, deployment.database_url, find_parts, log_tail, stopped)
        deployment.stop()
    finally:
        with _uninterrupted():
            deployment.kill_everything()


@contextmanager
def _standalone(directory: Path) -> Iterator[System]:
    output = directory / "standalone.out"
    environment = {
        **_inherited(),
        "RUNYARD_DATA_DIR": str(directory),
        "RUNYARD_PORT": str(first_free(0)),
        "RUNYARD_AGENT_CAPACITY": str(2 * AGENT_CAPACITY),
    }
    postgres = EmbeddedPostgres(directory / "postgres")
    with output.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "runyard_standalone", "--no-demo"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        address = _wait_for_address(directory / "address", process, output)
        token = (directory / "admin-token").read_text().strip()
        log_path = directory / "runyard.log"
        yield System(
            form="standalone",
            addresses=[address],
            token=token,
            database_url=postgres.dsn,
            find_parts=lambda: {"standalone": process.pid, **({"postgresql": pid} if (pid := postgres.pid) else {})},
            log_tail=lambda: log_path.read_text()[-4000:] if log_path.exists() else "",
            stopped=_inseparable,
        )
    finally:
        with _uninterrupted():
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            postgres.kill()


def _inseparable(*parts: str) -> AbstractContextManager[None]:
    raise ValueError(f"standalone is one process: {' and '.join(parts)} cannot be stopped by themselves")


def _wait_for_address(path: Path, process: "subprocess.Popen[bytes]", output: Path) -> str:
    deadline = time.monotonic() + READY_SECONDS
    while not path.exists() or not (address := path.read_text().strip()):
        if process.poll() is not None or time.monotonic() > deadline:
            raise NotReady(f"standalone did not get ready:\n{output.read_text()[-4000:]}")
        time.sleep(0.02)
    return address


def _inherited() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("RUNYARD_")}
