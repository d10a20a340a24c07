"""The agent as it is installed on somebody's host: from its own package, by a user who may do nothing special."""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.remote_agents import remote_agents
from tests.acceptance.systems import Client, standalone_system
from tests.acceptance.test_first_promises import bash, chain

ROOT = Path(__file__).parents[2]
NOT_NEEDED = (
    "aio_pika",
    "faststream",
    "asyncpg",
    "psycopg",
    "starlette",
    "uvicorn",
    "fastapi",
    "eventsourcing",
    "runyard_gateway",
)


@pytest.fixture(scope="module")
def host() -> Iterator[Path]:
    """A directory with a virtual environment that has the agent's package and what that needs, readable by everybody."""
    directory = Path(tempfile.mkdtemp(prefix="runyard-host-"))
    directory.chmod(0o755)
    uv = str(ROOT / "deploy" / "uv.sh")
    pins = directory / "pins.txt"
    run(
        uv, "export", "--quiet", "--frozen", "--package", "runyard-agent", "--no-emit-workspace", "--no-hashes", "-o", str(pins)
    )
    for package in ("shared", "agent"):
        run(uv, "build", "--quiet", "--wheel", "--out-dir", str(directory / "wheels"), package)
    run(uv, "venv", "--quiet", "--python", python_for_all(), str(directory / "venv"))
    wheels = [str(path) for path in (directory / "wheels").glob("*.whl")]
    run(uv, "pip", "install", "--quiet", "--python", str(directory / "venv"), "-c", str(pins), *wheels)
    yield directory
    shutil.rmtree(directory)


def python_for_all() -> str:
    """A Python that every user may run: not one in somebody's home."""
    for path in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        real = Path(path).resolve()
        if real.exists() and all(parent.stat().st_mode & 0o005 == 0o005 for parent in (real, *real.parents)):
            return str(real)
    pytest.fail("there is no Python that an unprivileged user may run: install python3")


def run(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"


@pytest.mark.xdist_group("host")
def test_the_agents_environment_has_no_database_driver_and_no_web_framework(host: Path) -> None:
    python = str(host / "venv" / "bin" / "python")
    look = f"import importlib.util as u; print([name for name in {NOT_NEEDED!r} if u.find_spec(name)])"
    assert subprocess.run([python, "-c", look], capture_output=True, text=True, check=True).stdout.strip() == "[]"


@pytest.mark.xdist_group("host")
def test_an_unprivileged_user_runs_the_agent_from_its_package_alone(host: Path) -> None:
    user = "nobody" if os.geteuid() == 0 else None
    home = host / "home"
    home.mkdir()
    if user is not None:
        os.chown(home, pwd.getpwnam(user).pw_uid, -1)
    command = str(host / "venv" / "bin" / "runyard-agent")
    with standalone_system() as system, Client(system) as client, remote_agents(client) as makers:
        pool = makers.pool()
        agent = makers.agent(pool=pool)
        environment = {"HOME": str(home), "PATH": "/usr/bin:/bin", "RUNYARD_URL": system.url, "RUNYARD_AGENT_KEY": agent.key}
        environment["RUNYARD_AGENT_STATE_DIR"] = str(home / "state")
        check = subprocess.run(
            [command, "check"], env=environment, cwd=home, user=user, capture_output=True, text=True, timeout=60, check=False
        )
        assert check.returncode == 0, check.stdout + check.stderr
        assert "failed" not in check.stdout
        with (home / "agent.log").open("wb") as log:
            process = subprocess.Popen([command], env=environment, cwd=home, user=user, stdout=log, stderr=log)
        try:
            agent.until_status("online")
            detail = client.ran(chain(bash("who", "id -un; ls -ld $HOME/state | cut -c1-10", pool=pool)), status="completed")
            who = user or pwd.getpwuid(os.geteuid()).pw_name
            assert detail["jobs"][0]["output"]["stdout"] == f"{who}\ndrwx------\n"
        finally:
            process.terminate()
            process.wait(30)
