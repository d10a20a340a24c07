"""PostgreSQL and RabbitMQ for one test run, however many pytest workers it has.

The servers belong to a directory, not to a process: the worker that collected first launches those that its tests need, in the
background, so that a slow start passes while other tests run; every worker reads their addresses from the directory; the
controller ends them. What a killed run left behind is ended by the next.
"""

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import asyncpg
import psutil
from runyard_standalone.migrate import migrate_all
from runyard_standalone.postgres import EmbeddedPostgres
from runyard_standalone.rabbitmq import RabbitNode

ROOT = Path(__file__).parent.parent
PREFIX = "runyard-tests-"
PATIENCE_SECONDS = 300.0
MIGRATED = "migrated"
"""The database with the tables of all services: to copy it costs a tenth of what it costs to make them."""


ROOMY_BYTES = 4 * 2**30


def fast_directory() -> Path:
    """Where files are made and thrown away: in memory if there is room. Each database is a thousand small files; to make and
    delete them on a disk took PostgreSQL three times as long as all that tests asked of it."""
    memory = Path("/dev/shm")
    if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free >= ROOMY_BYTES:
        return memory
    return Path(tempfile.gettempdir())


class ServerMissing(Exception):
    """The server could not be started; the message says why."""


class Servers:
    """The servers `postgres` and `rabbitmq` of the run in `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._launchers: list[subprocess.Popen[bytes]] = []

    @classmethod
    def of_this_process(cls) -> "Servers":
        """For the controller: a new directory, after ending what dead runs have left."""
        place = fast_directory()
        for left in place.glob(f"{PREFIX}*"):
            pid = left.name.removeprefix(PREFIX).split("-")[0]
            if pid.isdigit() and not psutil.pid_exists(int(pid)):
                cls(left).end()
        return cls(Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=place)))

    def launch(self, name: str) -> None:
        """Begins to start a server; `url` waits for it."""
        with (self.directory / f"{name}.out").open("wb") as out:
            command: list[str | Path] = [sys.executable, "-m", "tests.servers", name, self.directory]
            launcher = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out, start_new_session=True)
        (self.directory / f"{name}.launcher").write_text(str(launcher.pid))
        self._launchers.append(launcher)

    def url(self, name: str, which: str = "url") -> str:
        """Waits until the server is ready. RabbitMQ has a `management_url` too. Raises `ServerMissing`."""
        answer = self.directory / f"{name}.json"
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not answer.exists():
            if time.monotonic() > deadline:
                raise ServerMissing(f"{name} was not ready within {PATIENCE_SECONDS:g} s")
            time.sleep(0.05)
        found = json.loads(answer.read_text())
        if which not in found:
            raise ServerMissing(found["error"])
        return str(found[which])

    def end(self) -> None:
        """Ends the servers and the launchers that are still at it, and removes the directory."""
        for file in self.directory.glob("*.launcher"):
            with contextlib.suppress(psutil.Error):
                launcher = psutil.Process(int(file.read_text()))
                if "tests.servers" in launcher.cmdline():
                    launcher.kill()
        for launched in self._launchers:
            launched.wait()
        if (self.directory / "rabbitmq").exists():
            RabbitNode(self.directory / "rabbitmq").kill()
        EmbeddedPostgres(self.directory / "postgres").kill()
        shutil.rmtree(self.directory, ignore_errors=True)


async def make_migrated(server: EmbeddedPostgres) -> None:
    """Makes the database that most tests get a copy of. Nobody connects to it afterwards: what is in use is not copied."""
    owner = await asyncpg.connect(server.dsn)
    try:
        await owner.execute(f"CREATE DATABASE {MIGRATED} TEMPLATE template0")
        await migrate_all(server.dsn_of(MIGRATED))
        await owner.execute(f"ALTER DATABASE {MIGRATED} ALLOW_CONNECTIONS false")
    finally:
        await owner.close()


def main() -> None:
    """Starts one server and leaves its address, or the reason why there is none, in the run's directory."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("name", choices=["postgres", "rabbitmq"])
    parser.add_argument("directory", type=Path)
    arguments = parser.parse_args()
    try:
        if arguments.name == "postgres":
            # every test has a database of its own, and a handful of connections to it; none outlives the machine
            settings = {"max_connections": "400", "fsync": "off", "full_page_writes": "off"}
            server = EmbeddedPostgres(arguments.directory / "postgres", settings=settings)
            server.start()
            asyncio.run(make_migrated(server))
            answer = {"url": server.dsn}
        else:
            node = RabbitNode(arguments.directory / "rabbitmq")
            answer = {"url": node.start(), "management_url": node.management_url}
    except Exception as error:  # noqa: BLE001 - whatever it is, the tests that wait are told
        answer = {"error": str(error) or repr(error)}
    draft = arguments.directory / f"{arguments.name}.draft"
    draft.write_text(json.dumps(answer))
    draft.rename(arguments.directory / f"{arguments.name}.json")


if __name__ == "__main__":
    main()
