"""Agents as people run them: a process that knows an address and a key, wherever it is; and a network between the two that can
be cut."""

import asyncio
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from tests.acceptance.systems import Client, Json, eventually


class RemoteAgent:
    """One agent that was made through the API, and its process. `start` and `kill` as often as you like."""

    def __init__(self, client: Client, directory: Path, *, pool: str | None = None, tags: tuple[str, ...] = ()) -> None:
        self.client = client
        self.name = f"remote-{secrets.token_hex(4)}"
        self.directory = directory / self.name
        self.directory.mkdir()
        body: Json = {"name": self.name, "tags": list(tags)} | ({"pool": pool} if pool else {})
        made = client.call("POST", "/agents", status=201, json=body)
        self.agent_id: str = made["agentId"]
        self.key: str = made["key"]
        self.process: subprocess.Popen[bytes] | None = None

    @classmethod
    def twin_of(cls, agent: "RemoteAgent") -> "RemoteAgent":
        """Another host's process with the same key."""
        twin = cls.__new__(cls)
        twin.client, twin.name, twin.agent_id, twin.key = agent.client, agent.name, agent.agent_id, agent.key
        twin.directory = agent.directory.with_name(f"{agent.name}-twin")
        twin.directory.mkdir()
        twin.process = None
        return twin

    @property
    def log(self) -> str:
        path = self.directory / "agent.log"
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def row(self) -> Json:
        row: Json = self.client.call("GET", f"/agents/{self.agent_id}")
        return row

    def start(self, url: str | None = None, *, transport: str = "auto", wait: bool = True, **environment: str) -> None:
        """Start the process; returns when the agent is online."""
        given = {
            "RUNYARD_URL": url or self.client.system.url,
            "RUNYARD_AGENT_KEY": self.key,
            "RUNYARD_AGENT_TRANSPORT": transport,
            "RUNYARD_AGENT_STATE_DIR": str(self.directory / "state"),
            "RUNYARD_STOP_GRACE_SECONDS": "2",
        }
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("RUNYARD_")}
        with (self.directory / "agent.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "runyard_agent"],
                env=inherited | given | environment,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if wait:
            self.until_status("online")

    def until_status(self, status: str) -> None:
        eventually(lambda: self.row["status"] == status, f"agent {self.name} to be {status}", lambda: self.log[-3000:])

    def until_exits(self, code: int) -> None:
        eventually(lambda: self.exit_code() == code, f"agent {self.name} to end with {code}", lambda: self.log[-3000:])

    def until_says(self, words: str) -> None:
        eventually(lambda: words in self.log, f"agent {self.name} to say {words!r}", lambda: self.log[-3000:])

    def kill(self) -> None:
        """`kill -9`."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        return self._end(signal.SIGTERM)

    def exit_code(self) -> int | None:
        """None while it runs."""
        return self.process.poll() if self.process is not None else None

    def _end(self, number: signal.Signals) -> int:
        assert self.process is not None
        with suppress(ProcessLookupError):
            self.process.send_signal(number)
        code = self.process.wait(30)
        self.process = None
        return code


@contextmanager
def remote_agents(client: Client) -> Iterator["Makers"]:
    """Makes agents of one test; their processes end with it."""
    with tempfile.TemporaryDirectory(prefix="runyard-agents-") as directory:
        makers = Makers(client, Path(directory))
        try:
            yield makers
        finally:
            for agent in makers.made:
                if agent.process is not None:
                    agent.kill()
                client.send("POST", f"/agents/{agent.agent_id}/revoke")


class Makers:
    def __init__(self, client: Client, directory: Path) -> None:
        self.client = client
        self.directory = directory
        self.made: list[RemoteAgent] = []

    def agent(self, *, pool: str | None = None, tags: tuple[str, ...] = ()) -> RemoteAgent:
        """A new agent that does not run yet."""
        agent = RemoteAgent(self.client, self.directory, pool=pool, tags=tags)
        self.made.append(agent)
        return agent

    def pool(self) -> str:
        """A new pool, so that only the agents of this test take its jobs."""
        name = f"pool-{secrets.token_hex(4)}"
        self.client.call("POST", "/pools", status=201, json={"name": name})
        return name


class Wire:
    """A TCP forwarder between an agent and its server, in a thread of its own: `cut` ends every connection and lets no new one
    in, `freeze` leaves connections open and silent, as a dead link does; `mend` ends both."""

    def __init__(self, address: str, record: Path | None = None) -> None:
        """`record`: a file that gets every byte of both directions."""
        self._record = record.open("ab") if record is not None else None
        target = urlsplit(address)
        self._target = (target.hostname or "127.0.0.1", target.port or 80)
        self._scheme = target.scheme
        self._loop = asyncio.new_event_loop()
        self._open = True
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._port = 0
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="wire", daemon=True)
        self._thread.start()
        self._ready.wait(10)

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._port}"

    @property
    def port(self) -> int:
        return self._port

    def cut(self) -> None:
        self._loop.call_soon_threadsafe(self._cut)

    def freeze(self) -> None:
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def mend(self) -> None:
        self._loop.call_soon_threadsafe(self._mend)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        if self._record is not None:
            self._record.close()

    def _cut(self) -> None:
        self._open = False
        for writer in self._writers:
            writer.transport.abort()

    def _mend(self) -> None:
        self._open = True
        self._flowing.set()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self._port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        self._flowing.set()
        self._cut()
        self._loop.run_until_complete(asyncio.gather(*asyncio.all_tasks(self._loop)))
        self._loop.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._open:
            writer.transport.abort()
            return
        try:
            there_reader, there_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, there_writer}
        try:
            await asyncio.gather(self._pump(reader, there_writer), self._pump(there_reader, writer))
        finally:
            for each in (writer, there_writer):
                self._writers.discard(each)
                each.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await self._flowing.wait()
                if self._record is not None:
                    self._record.write(data)
                writer.write(data)
                await writer.drain()
        writer.transport.abort()


@contextmanager
def wire_to(address: str, record: Path | None = None) -> Iterator[Wire]:
    wire = Wire(address, record)
    try:
        yield wire
    finally:
        wire.close()
