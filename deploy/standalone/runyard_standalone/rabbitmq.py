"""A private RabbitMQ node in a folder of its own, for `make test`, `make up` and `make bench`.

The distribution's service runs as another user on the default ports; this node runs as whoever starts it, on free ports of
127.0.0.1, with its own name server (epmd), and leaves no process behind when it stops. Its data stays in the folder: started
again, it has its queues and messages.
"""

import argparse
import json
import os
import random
import secrets
import shutil
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from runyard_standalone.processes import Processes
from runyard_standalone.rabbitmq_install import Installation, NoRabbitMQ, installation

HOST = "127.0.0.1"
USER = "runyard"
START_SECONDS = 120
STOP_SECONDS = 30
PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"


class RabbitNode:
    """One node; `start`, `stop` and `kill` block. Another process may use the same `data_dir` to stop what this one started.

    `cache`: where packages are unpacked if RabbitMQ has to be fetched; by default shared by all nodes of the user.
    """

    def __init__(self, data_dir: Path, *, cache: Path | None = None) -> None:
        self._dir = data_dir.resolve()
        self._cache = cache
        self._state_file = self._dir / "node.json"
        self._state: dict[str, Any] = json.loads(self._state_file.read_text()) if self._state_file.exists() else {}
        self._processes = Processes(self._state)

    @property
    def amqp_url(self) -> str:
        """Stays the same over a restart, unless somebody took the port meanwhile."""
        return f"amqp://{USER}:{self._state['password']}@{HOST}:{self._state['amqp_port']}/"

    @property
    def management_url(self) -> str:
        """Of the management API, by which accounts are made; as long-lived as `amqp_url`."""
        return f"http://{USER}:{self._state['password']}@{HOST}:{self._state['management_port']}"

    @property
    def running(self) -> bool:
        return self._processes.find("server") is not None

    @property
    def pid(self) -> int | None:
        """The process id of the server (the Erlang VM), None when it does not run."""
        process = self._processes.find("server")
        return process.pid if process else None

    def start(self) -> str:
        """Start the node, or find it running; returns `amqp_url` once it answers. Raises `NoRabbitMQ`."""
        if self.running:
            self._wait_until_ready()
            return self.amqp_url
        self._end("epmd", signal.SIGKILL)
        server = installation(self._cache)
        for name in ("home", "mnesia", "log"):
            (self._dir / name).mkdir(parents=True, exist_ok=True)
        self._dir.chmod(0o700)
        self._choose_ports()
        self._write_configuration()
        environment = self._environment(server)
        self._spawn("epmd", [shutil.which("epmd", path=environment["PATH"]) or "epmd"], environment)
        self._spawn("server", [str(server.server)], environment)
        try:
            self._wait_until_ready()
        except BaseException:
            self.kill()
            raise
        return self.amqp_url

    def stop(self) -> None:
        """Stop the node in good order, and its epmd. Does nothing if it does not run."""
        self._end("server", signal.SIGTERM)
        self._end("epmd", signal.SIGTERM)

    def kill(self) -> None:
        """`kill -9`: what a crash leaves is what the next start finds."""
        self._end("server", signal.SIGKILL)
        self._end("epmd", signal.SIGKILL)

    def _choose_ports(self) -> None:
        """Ports below the range from which the system takes those of outgoing connections."""
        taken: set[int] = set()
        for name in ("amqp_port", "management_port", "dist_port", "epmd_port"):
            port = self._state.get(name)
            while port is None or port in taken or not _is_free(port):
                port = random.randrange(20_000, 32_000)
            self._state[name] = port
            taken.add(port)
        self._state.setdefault("password", secrets.token_urlsafe(18))
        self._save()

    def _write_configuration(self) -> None:
        config = self._dir / "rabbitmq.conf"
        config.touch(mode=0o600)
        config.write_text(
            f"default_user = {USER}\n"
            f"default_pass = {self._state['password']}\n"
            "default_user_tags.administrator = true\n"
            "disk_free_limit.absolute = 50MB\n"
            "log.console = false\n"
            f"management.tcp.ip = {HOST}\n"
            f"management.tcp.port = {self._state['management_port']}\n"
            # Nobody looks at its graphs here, and every connection and queue would pay for them.
            "management_agent.disable_metrics_collector = true\n"
        )
        (self._dir / "enabled_plugins").write_text("[rabbitmq_management].\n")

    def _environment(self, server: Installation) -> dict[str, str]:
        here = self._dir
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            **server.environment,
            "HOME": str(here / "home"),
            "ERL_EPMD_ADDRESS": HOST,
            "ERL_EPMD_PORT": str(self._state["epmd_port"]),
            "RABBITMQ_NODENAME": "runyard@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": HOST,
            "RABBITMQ_NODE_PORT": str(self._state["amqp_port"]),
            "RABBITMQ_DIST_PORT": str(self._state["dist_port"]),
            "RABBITMQ_MNESIA_BASE": str(here / "mnesia"),
            "RABBITMQ_LOG_BASE": str(here / "log"),
            "RABBITMQ_PID_FILE": str(here / "server.pid"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(here / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(here / "enabled_plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            # The start script then becomes the server instead of waiting for it, so that our child is the server itself.
            "RUNNING_UNDER_SYSTEMD": "true",
        }

    def _spawn(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        self._processes.start(name, command, environment, self._dir / "log" / f"{name}.out")
        self._save()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if not self.running:
                raise NoRabbitMQ(f"the RabbitMQ node ended while starting:\n{self._log_tail()}")
            if time.monotonic() > deadline:
                raise NoRabbitMQ(f"the RabbitMQ node was not ready after {START_SECONDS} s:\n{self._log_tail()}")
            time.sleep(0.1)

    def _answers(self) -> bool:
        """An open port is not enough: the node must answer the protocol header with a method frame, and an HTTP request."""
        return self._first_byte("amqp_port", PROTOCOL_HEADER) == b"\x01" and (
            self._first_byte("management_port", b"HEAD / HTTP/1.0\r\n\r\n") == b"H"
        )

    def _first_byte(self, port: str, request: bytes) -> bytes:
        with suppress(OSError), socket.create_connection((HOST, self._state[port]), timeout=2) as connection:
            connection.sendall(request)
            return connection.recv(1)
        return b""

    def _end(self, name: str, sig: signal.Signals) -> None:
        self._processes.end([name], sig, STOP_SECONDS)
        if self._state.pop(name, None) is not None:
            self._save()

    def _log_tail(self) -> str:
        logs = sorted((self._dir / "log").glob("*"), key=lambda path: path.stat().st_mtime)
        return "\n".join(path.read_text(errors="replace")[-2000:] for path in logs)

    def _save(self) -> None:
        draft = self._state_file.with_suffix(".tmp")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(self._state))
        draft.replace(self._state_file)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def main() -> int:
    """`python -m runyard_standalone.rabbitmq start|stop|url --data-dir …`; `start` and `url` print the AMQP URL."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("command", choices=("start", "stop", "url"))
    parser.add_argument("--data-dir", type=Path, required=True)
    arguments = parser.parse_args()
    node = RabbitNode(arguments.data_dir)
    try:
        if arguments.command == "start":
            print(node.start())
        elif arguments.command == "stop":
            node.stop()
        elif node.running:
            print(node.amqp_url)
        else:
            raise NoRabbitMQ(f"no RabbitMQ node runs in {arguments.data_dir}")
    except NoRabbitMQ as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
