"""An action of somebody else's package: installed beside an agent, it is offered, described and run (R58).

The environment is the agent's own: what its package asks for, and nothing of the services.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "examples" / "actions" / "runyard-action-dns"
SAY = """
import asyncio, json, sys
from importlib.metadata import packages_distributions
from runyard_agent.actions.registry import find_actions
from runyard_agent.announcement import action_types
from runyard_agent.settings import Settings
from runyard_agent.testing import run_action
from runyard_shared.contracts.actions import ActionType
import msgspec

actions, left_out = find_actions(Settings())
ran = asyncio.run(run_action(type(actions["dns.lookup"]), {"name": "127.0.0.1"})) if "dns.lookup" in actions else None
print(json.dumps({
    "actions": sorted(actions),
    "left_out": {left.action: left.reason for left in left_out},
    "announced": msgspec.to_builtins(action_types(actions)),
    "ran": ran and dict(ran.output),
    "modules": sorted(packages_distributions()),
}))
"""


def _uv(*arguments: str | Path, **environment: str) -> None:
    """From what is cached, as far as it is."""
    own = ROOT / ".runyard" / "tools" / "bin" / "uv"
    uv = shutil.which("uv") or (str(own) if own.exists() else None)
    assert uv is not None, "make sync gets uv"
    inherited = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT")}
    for offline in (["--offline"], []):
        command = [uv, *map(str, arguments), *offline, "--quiet"]
        done = subprocess.run(
            command, cwd=ROOT, env=inherited | environment, check=False, capture_output=True, text=True, timeout=240
        )
        if done.returncode == 0:
            return
    pytest.fail(f"{' '.join(command)}: {done.stderr}")


def _said_by(python: Path) -> dict[str, Any]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(
        [python, "-c", SAY], check=False, capture_output=True, text=True, timeout=60, cwd="/", env=environment
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Of an environment with the agent alone."""
    place = tmp_path_factory.mktemp("agent") / "venv"
    _uv("sync", "--frozen", "--no-dev", "--package", "runyard-agent", UV_PROJECT_ENVIRONMENT=str(place))
    yield place / "bin" / "python"
    shutil.rmtree(place)


def test_a_package_that_is_installed_beside_the_agent_adds_its_action(python: Path) -> None:
    before = _said_by(python)
    assert "dns.lookup" not in before["actions"]
    assert "http.request" in before["actions"]
    assert before["left_out"] == {"database.query": "PostgreSQL's driver is not installed: install runyard-agent[database]"}
    assert [name for name in ("asyncpg", "starlette", "eventsourcing", "runyard_gateway") if name in before["modules"]] == []

    _uv("pip", "install", "--python", python, PACKAGE)
    after = _said_by(python)
    assert set(after["actions"]) - set(before["actions"]) == {"dns.lookup"}
    assert after["ran"] == {"name": "127.0.0.1", "addresses": ["127.0.0.1"]}
    (announced,) = after["announced"]
    assert announced["type"] == "dns.lookup"
    assert announced["description"] == "Looks a name up with the resolver of the agent's host."
    params = announced["params"]
    assert (params["required"], params["additionalProperties"]) == (["name"], False)
    assert params["properties"]["family"]["enum"] == ["any", "IPv4", "IPv6"]
    assert params["properties"]["atLeast"]["minimum"] == 1
    assert announced["output"]["properties"]["addresses"]["type"] == "array"


def test_the_packages_own_tests_need_nothing_but_the_agent() -> None:
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "pytest",
        "-c",
        os.devnull,
        "--rootdir",
        PACKAGE,
        "-p",
        "no:cacheprovider",
        "-q",
        "tests",
    ]
    environment = os.environ | {"PYTHONPATH": str(PACKAGE), "PYTHONDONTWRITEBYTECODE": "1"}
    for name in [name for name in environment if name.startswith("PYTEST_")]:
        del environment[name]
    done = subprocess.run(command, cwd=PACKAGE, env=environment, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout
