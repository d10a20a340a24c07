"""The commands of a deployment that run to their end, as compose and Kubernetes start them, against a system that runs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.systems import Client, Distributed

pytestmark = pytest.mark.xdist_group("distributed")


def command(module: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RUNYARD_")}
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env=inherited | {"NO_PROXY": "127.0.0.1"} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_agents_are_enrolled_once_however_often_the_command_runs_and_their_keys_let_them_in(
    distributed: Distributed, tmp_path: Path
) -> None:
    server = {"RUNYARD_URL": distributed.url, "RUNYARD_ADMIN_TOKEN": distributed.token}
    key = tmp_path / "agents" / "composed" / "key"
    assert command("runyard_standalone.enrol", str(tmp_path), "composed", **server).returncode == 0
    first = key.read_text()
    assert command("runyard_standalone.enrol", str(tmp_path), "composed", **server).returncode == 0
    assert key.read_text() == first

    key.unlink()  # its volume was lost
    assert command("runyard_standalone.enrol", str(tmp_path), "composed", **server).returncode == 0
    assert key.read_text() != first
    checked = command(
        "runyard_agent", "check", RUNYARD_URL=distributed.url, RUNYARD_AGENT_KEY_FILE=str(key),
        RUNYARD_AGENT_STATE_DIR=str(key.parent / "state"),
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout
    with Client(distributed) as client:
        (agent,) = [each for each in client.call("GET", "/agents?limit=200")["items"] if each["name"] == "composed"]
        client.call("POST", f"/agents/{agent['agentId']}/revoke")

    refused = command("runyard_standalone.enrol", str(tmp_path), "another", **server | {"RUNYARD_ADMIN_TOKEN": "ry_guessed"})
    assert refused.returncode == 1 and "no key for agent another" in refused.stderr


def test_migrating_a_database_that_is_in_use_changes_nothing_and_says_so(distributed: Distributed) -> None:
    done = command("runyard_standalone.migrate", RUNYARD_DATABASE_URL=distributed.deployment.database_url)
    assert done.returncode == 0, done.stderr
    schemas = ("projections", "orchestrator", "dispatcher", "approvals", "gateway")
    assert done.stdout.splitlines() == [f"{schema}: up to date" for schema in schemas]
    unset, away = command("runyard_standalone.migrate"), command(
        "runyard_standalone.migrate", RUNYARD_DATABASE_URL="postgresql://nobody@127.0.0.1:1/none"
    )  # fmt: skip
    assert unset.returncode == 2 and "RUNYARD_DATABASE_URL is not set" in unset.stderr
    assert away.returncode == 1 and "not migrated" in away.stderr
