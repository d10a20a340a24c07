"""`ssh.executeCommand` against a real OpenSSH server on this machine."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from runyard_agent.actions.ssh import ExecuteCommand
from runyard_agent.app import Agent
from runyard_shared.contracts.values import JobStatus

from tests.agents import BreakableBus, Desk, agent_at, until
from tests.sshd import Sshd, SshdMissing, running_sshd


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    try:
        with running_sshd(tmp_path_factory.mktemp("sshd")) as server:
            yield server
    except SshdMissing as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must run the ssh tests: {missing}", pytrace=False)
        pytest.skip(f"ssh tests need a server: {missing}")


@pytest.fixture
async def connect(sshd: Sshd) -> AsyncIterator[Callable[..., Awaitable[Desk]]]:
    """Starts an agent that may use the server, and gives its desk."""
    bus = BreakableBus()
    await bus.open()
    agents: list[Agent] = []

    async def connect(server: Sshd = sshd, **changes: Any) -> Desk:
        desk = await Desk(bus).open()
        allowed = {
            "ssh_known_hosts": server.known_hosts,
            "ssh_identity_files": [server.identity],
            "ssh_username": server.username,
        }
        agents.append(
            await agent_at(desk, lambda settings: {"ssh.executeCommand": ExecuteCommand(settings)}, **(allowed | changes))
        )
        return desk

    yield connect
    for agent in agents:
        await agent.stop()
    await bus.close()


Connect = Callable[..., Awaitable[Desk]]


@pytest.fixture
def host(sshd: Sshd) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": sshd.port}


def mentioning(mark: str) -> list[psutil.Process]:
    """Processes with `mark` on their command line."""
    found = []
    for process in psutil.process_iter():
        try:
            if any(mark in word for word in process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


async def test_a_command_returns_its_output_and_nothing_else(connect: Connect, host: dict[str, Any]) -> None:
    desk = await connect()
    finished = await desk.run("ssh.executeCommand", {**host, "command": 'echo "it\'s $((1 + 1))"; echo careful >&2'})
    assert finished.status is JobStatus.COMPLETED, finished.error
    assert finished.output == {"stdout": "it's 2\n", "stderr": "careful\n", "exitCode": 0, "truncated": False}
    assert desk.whole(finished, "stdout") == b"it's 2\n"
    assert desk.whole(finished, "stderr") == b"careful\n"


async def test_a_non_zero_exit_fails_the_job(connect: Connect, host: dict[str, Any]) -> None:
    finished = await (await connect()).run("ssh.executeCommand", {**host, "command": "echo 'disk full' >&2; exit 7"})
    assert finished.status is JobStatus.FAILED
    assert finished.error is not None
    assert (finished.error.reason, finished.error.exit_code) == ("exit_code", 7)
    assert finished.error.message == "the command ended with exit code 7: disk full"


async def test_a_command_ended_by_a_signal_says_so(connect: Connect, host: dict[str, Any]) -> None:
    finished = await (await connect()).run("ssh.executeCommand", {**host, "command": "kill -TERM $$; sleep 10"})
    assert finished.error is not None
    assert finished.error.message == "the command was ended by the signal SIGTERM"
    assert finished.output["exitCode"] == 143


async def test_output_comes_while_the_command_runs(connect: Connect, host: dict[str, Any], tmp_path: Path) -> None:
    desk, go_on = await connect(), tmp_path / "go on"
    job = desk.job(
        "ssh.executeCommand", {**host, "command": f"echo first; until [ -e '{go_on}' ]; do sleep 0.05; done; echo second"}
    )
    await desk.order(job)
    await until(lambda: bool(desk.chunks(job.job_id, "stdout")))
    assert desk.chunks(job.job_id, "stdout")[0].data == b"first\n"
    go_on.touch()
    assert desk.whole(await desk.end_of(job), "stdout") == b"first\nsecond\n"


async def test_five_megabytes_arrive_complete(connect: Connect, host: dict[str, Any], tmp_path: Path) -> None:
    desk, data = await connect(), os.urandom(5_000_000)
    (tmp_path / "data").write_bytes(data)
    finished = await desk.run("ssh.executeCommand", {**host, "command": f"cat '{tmp_path}/data'"})
    assert finished.status is JobStatus.COMPLETED
    assert desk.whole(finished, "stdout") == data


async def test_a_timeout_leaves_no_process_on_the_host(connect: Connect, host: dict[str, Any], tmp_path: Path) -> None:
    """Nor when the command ignores TERM and has children."""
    desk, mark = await connect(), str(tmp_path)
    command = f"trap '' TERM; echo begun; (sleep 1000; echo {mark}) & sleep 1000; echo {mark}"
    finished = await desk.run("ssh.executeCommand", {**host, "command": command}, timeout_seconds=1.5)
    assert finished.status is JobStatus.TIMEOUT
    assert finished.error is not None
    assert finished.error.message == "ran over its timeout of 1.5 s and was stopped"
    assert finished.output["stdout"] == "begun\n"
    assert mentioning(mark) == []


async def test_a_forced_cancel_lets_the_command_clean_up(connect: Connect, host: dict[str, Any], tmp_path: Path) -> None:
    desk, mark = await connect(kill_grace_seconds=5), tmp_path / "cleaned"
    command = f"trap 'echo bye; touch {mark}; exit 0' TERM; echo ready; while true; do sleep 0.1; done"
    job = desk.job("ssh.executeCommand", {**host, "command": command})
    await desk.order(job)
    await until(lambda: bool(desk.chunks(job.job_id, "stdout")))
    await desk.cancel(job, force=True)
    finished = await desk.end_of(job)
    assert (finished.status, finished.error) == (JobStatus.CANCELLED, None)
    assert mark.exists()
    assert mentioning(str(mark)) == []


async def test_a_background_process_goes_on_and_does_not_keep_the_job(
    connect: Connect, host: dict[str, Any], tmp_path: Path
) -> None:
    desk, mark = await connect(), str(tmp_path)
    finished = await desk.run("ssh.executeCommand", {**host, "command": f"(sleep 1000; echo {mark}) & echo started"})
    assert (finished.status, finished.output["stdout"]) == (JobStatus.COMPLETED, "started\n")
    (left,) = mentioning(mark)
    for process in [*left.children(), left]:
        process.kill()


async def test_a_host_that_is_not_known_is_refused(connect: Connect, host: dict[str, Any], sshd: Sshd, tmp_path: Path) -> None:
    (tmp_path / "known_hosts").touch()
    desk = await connect(replace(sshd, known_hosts=tmp_path / "known_hosts"))
    finished = await desk.run("ssh.executeCommand", {**host, "command": f"touch {tmp_path}/ran"})
    assert finished.error is not None
    assert "host's key is not trusted" in finished.error.message
    assert not (tmp_path / "ran").exists()


async def test_without_a_setting_the_hosts_known_to_ssh_are_the_only_ones_trusted(
    connect: Connect, host: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    finished = await (await connect(ssh_known_hosts=None)).run("ssh.executeCommand", {**host, "command": "true"})
    assert finished.error is not None
    assert "host's key is not trusted" in finished.error.message


async def test_a_user_who_is_not_let_in_is_told_so(connect: Connect, host: dict[str, Any]) -> None:
    finished = await (await connect()).run("ssh.executeCommand", {**host, "command": "true", "username": "nobody-at-all"})
    assert finished.error is not None
    assert "does not let this agent in" in finished.error.message


async def test_a_closed_port_says_so(connect: Connect) -> None:
    finished = await (await connect()).run("ssh.executeCommand", {"host": "127.0.0.1", "port": 1, "command": "true"})
    assert finished.error is not None
    assert finished.error.message == "127.0.0.1:1: Connection refused"


async def test_a_lost_connection_says_that_the_end_is_not_known(
    connect: Connect, host: dict[str, Any], sshd: Sshd, tmp_path: Path
) -> None:
    desk, mark = await connect(), str(tmp_path)
    job = desk.job("ssh.executeCommand", {**host, "command": f"echo begun; sleep 1000; echo {mark}"})
    await desk.order(job)
    await until(lambda: bool(desk.chunks(job.job_id, "stdout")))
    commands = [process for process in mentioning(mark) if "runyard-" not in " ".join(process.cmdline())]
    for connection in psutil.Process(sshd.process_id).children():
        connection.kill()
    finished = await desk.end_of(job)
    assert finished.error is not None
    assert "whether the command ended is not known" in finished.error.message
    for process in commands:
        for left in [*process.children(), process]:
            left.kill()
