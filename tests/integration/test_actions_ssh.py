"""`ssh.executeCommand` and `ssh.executeScript` against real ssh servers on this machine."""

import asyncio
import hashlib
import os
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncssh
import psutil
import pytest
from runyard_agent.actions.base import ProbeFailed
from runyard_agent.actions.ssh import ExecuteCommand, ExecuteScript
from runyard_agent.actions.ssh_script import remote_script
from runyard_agent.app import Agent
from runyard_agent.probe import probe
from runyard_agent.testing import Ran, run_action
from runyard_shared.contracts.actions import SshScriptParams
from runyard_shared.contracts.connections import OpenedConnection
from runyard_shared.contracts.values import JobStatus

from tests.agents import BreakableBus, Desk, agent_at, settings, until
from tests.sshd import Sshd, SshdMissing, password_server, running_sshd


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
        allowed: dict[str, Any] = {
            "ssh_known_hosts": server.known_hosts,
            "ssh_identity_files": [server.identity],
            "ssh_username": server.username,
        }
        agents.append(
            await agent_at(
                desk,
                lambda settings: {"ssh.executeCommand": ExecuteCommand(settings), "ssh.executeScript": ExecuteScript(settings)},
                **(allowed | changes),
            )
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


async def test_fifty_megabytes_arrive_complete(connect: Connect, host: dict[str, Any], tmp_path: Path) -> None:
    desk, data = await connect(), os.urandom(50_000_000)
    (tmp_path / "data").write_bytes(data)
    finished = await desk.run("ssh.executeCommand", {**host, "command": f"cat '{tmp_path}/data'"})
    assert finished.status is JobStatus.COMPLETED
    assert hashlib.sha256(desk.whole(finished, "stdout")).digest() == hashlib.sha256(data).digest()


async def test_a_hundred_sessions_at_once_do_not_lock_the_agent_out(connect: Connect, host: dict[str, Any]) -> None:
    """OpenSSH drops connections when ten have not yet logged in, unless it was told otherwise; this one was not."""
    desk = await connect(agent_capacity=100)
    ends = await asyncio.gather(*(desk.run("ssh.executeCommand", {**host, "command": f"echo {n}"}) for n in range(100)))
    assert [end.output.get("stdout") or end.error for end in ends] == [f"{n}\n" for n in range(100)]


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
    assert finished.error.reason == "host_key_unknown"
    assert not (tmp_path / "ran").exists()


async def test_without_a_setting_the_hosts_known_to_ssh_are_the_only_ones_trusted(
    connect: Connect, host: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    finished = await (await connect(ssh_known_hosts=None)).run("ssh.executeCommand", {**host, "command": "true"})
    assert finished.error is not None
    assert finished.error.reason == "host_key_unknown"
    assert f"{tmp_path}/.ssh/known_hosts" in finished.error.message


async def test_a_user_who_is_not_let_in_is_told_so(connect: Connect, host: dict[str, Any]) -> None:
    finished = await (await connect()).run("ssh.executeCommand", {**host, "command": "true", "username": "nobody-at-all"})
    assert finished.error is not None
    assert finished.error.reason == "refused"
    assert "does not let the user 'nobody-at-all' in with this agent's own ssh keys" in finished.error.message


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


# --- with a connection


@pytest.fixture
def nothing_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The agent's host knows no hosts and has no keys. Gives its home."""
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return home


@pytest.fixture
def connection(sshd: Sshd, nothing_of_its_own: Path) -> OpenedConnection:
    config = {
        "host": "127.0.0.1",
        "port": sshd.port,
        "username": sshd.username,
        "knownHosts": sshd.known_hosts.read_text(),
    }
    return OpenedConnection(name="web", kind="ssh", config=config, secrets={"privateKey": sshd.identity.read_text()})


def changed(connection: OpenedConnection, *, secrets: dict[str, str] | None = None, **config: Any) -> OpenedConnection:
    kept = {name: value for name, value in (connection.config | config).items() if value is not None}
    return OpenedConnection(
        name=connection.name, kind="ssh", config=kept, secrets=connection.secrets if secrets is None else secrets
    )


async def command(connection: OpenedConnection | None, line: str = "echo in", **more: Any) -> Ran:
    params = {"command": line, **more}
    return await run_action(ExecuteCommand, params, connection=connection, settings=settings())


async def script(connection: OpenedConnection, text: str, *, timeout_seconds: float = 0, **params: Any) -> Ran:
    params = {"script": text, **params}
    return await run_action(ExecuteScript, params, connection=connection, settings=settings(), timeout_seconds=timeout_seconds)


def words(ran: Ran) -> str:
    assert ran.status is JobStatus.FAILED, ran
    assert ran.error is not None
    return ran.error.message


def reason(ran: Ran) -> str:
    assert ran.error is not None
    return ran.error.reason


async def test_a_connection_is_all_that_a_job_needs(connection: OpenedConnection) -> None:
    ran = await command(connection)
    assert (ran.status, ran.output.get("stdout")) == (JobStatus.COMPLETED, "in\n"), ran.error


@pytest.mark.parametrize("form", ["openssh", "pkcs8-pem"])
async def test_a_private_key_with_a_passphrase_is_opened_with_it(connection: OpenedConnection, sshd: Sshd, form: str) -> None:
    key = asyncssh.read_private_key(str(sshd.identity)).export_private_key(form, passphrase="open sesame").decode()
    pasted = key.strip().replace("\n", "\r\n")
    right = await command(changed(connection, secrets={"privateKey": pasted, "passphrase": "open sesame"}))
    assert right.output.get("stdout") == "in\n", right.error
    wrong = await command(changed(connection, secrets={"privateKey": key, "passphrase": "wrong sesame"}))
    assert reason(wrong) == "invalid_params"
    assert "connection 'web': secrets.privateKey: " in words(wrong)
    assert "is the passphrase right?" in words(wrong)
    without = await command(changed(connection, secrets={"privateKey": key}))
    assert "Passphrase must be specified" in words(without)


async def test_what_is_no_private_key_is_told_without_showing_it(connection: OpenedConnection) -> None:
    ran = await command(changed(connection, secrets={"privateKey": "no key but a canary"}))
    assert words(ran).endswith("connection 'web': secrets.privateKey: Invalid private key")


@pytest.mark.parametrize("keyboard_interactive", [False, True])
async def test_a_password_is_given_as_the_host_asks_for_it(nothing_of_its_own: Path, keyboard_interactive: bool) -> None:
    async with password_server(keyboard_interactive=keyboard_interactive) as server:
        config = {"host": "127.0.0.1", "port": server.port, "username": server.username, "knownHosts": server.known_hosts}
        web = OpenedConnection(name="web", kind="ssh", config=config, secrets={"password": server.password})
        ran = await command(web)
        assert ran.output.get("stdout") == "in\n", ran.error
        wrong = await command(changed(web, secrets={"password": "incorrect horse"}))
        assert reason(wrong) == "refused"
        assert "does not let the user 'deploy' in with the password of the connection 'web'" in words(wrong)
        assert "incorrect horse" not in words(wrong)


async def test_a_host_that_is_not_known_gets_no_password(nothing_of_its_own: Path) -> None:
    async with password_server(keyboard_interactive=False) as server:
        config = {"host": "127.0.0.1", "port": server.port, "username": server.username}
        web = OpenedConnection(name="web", kind="ssh", config=config, secrets={"password": server.password})
        assert reason(await command(web)) == "host_key_unknown"
        other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
        line = f"[127.0.0.1]:{server.port} {other}"
        assert reason(await command(changed(web, knownHosts=line))) == "host_key_changed"
        assert server.tried == []


async def test_the_agents_own_keys_are_not_tried_for_a_connection_that_has_credentials(
    connection: OpenedConnection, sshd: Sshd
) -> None:
    own = settings(ssh_identity_files=[sshd.identity])
    with_password = changed(connection, secrets={"password": "not asked for"})
    ran = await run_action(ExecuteCommand, {"command": "true"}, connection=with_password, settings=own)
    assert reason(ran) == "refused"
    without = changed(connection, secrets={})
    ran = await run_action(ExecuteCommand, {"command": "true"}, connection=without, settings=own)
    assert ran.status is JobStatus.COMPLETED


async def test_what_the_job_says_counts_before_what_the_connection_says(connection: OpenedConnection, sshd: Sshd) -> None:
    elsewhere = changed(connection, host="no-such-host.invalid", port=1, username="nobody-at-all")
    ran = await command(elsewhere, host="127.0.0.1", port=sshd.port, username=sshd.username)
    assert ran.status is JobStatus.COMPLETED, ran.error


async def test_a_job_without_any_host_says_where_to_name_one(connection: OpenedConnection) -> None:
    assert words(await command(changed(connection, host=None))).endswith(
        "host: the job names none, and neither does its connection"
    )
    assert words(await command(None)).endswith("host: the job names none, and there is no connection that does")


async def test_the_line_that_an_unknown_host_is_refused_with_is_the_one_to_add(
    connection: OpenedConnection, sshd: Sshd
) -> None:
    """Also where the agent itself knows the host: the lines of a connection count alone."""
    own = settings(ssh_known_hosts=sshd.known_hosts)
    stranger = changed(connection, knownHosts="# nobody yet")
    ran = await run_action(ExecuteCommand, {"command": "true"}, connection=stranger, settings=own)
    assert reason(ran) == "host_key_unknown"
    fingerprint = asyncssh.read_public_key(str(sshd.known_hosts.parent / "host_key")).get_fingerprint()
    assert f"its ssh-ed25519 key {fingerprint} is not in the known hosts of the connection 'web'" in words(ran)
    line = words(ran).rpartition("add the line: ")[2]
    assert (await command(changed(connection, knownHosts=line))).status is JobStatus.COMPLETED


@pytest.mark.parametrize("kind", ["ssh-ed25519", "ecdsa-sha2-nistp256"])
async def test_a_changed_host_key_is_an_alarm(connection: OpenedConnection, sshd: Sshd, tmp_path: Path, kind: str) -> None:
    """Also when the host has no key any more of the kind that is known."""
    known = asyncssh.generate_private_key(kind)
    line = f"[127.0.0.1]:{sshd.port} {known.export_public_key().decode()}"
    ran = await command(changed(connection, knownHosts=line), f"touch '{tmp_path}/ran'")
    assert reason(ran) == "host_key_changed"
    assert f"ALARM: the host key of 127.0.0.1:{sshd.port} has CHANGED" in words(ran)
    assert "replace the line in the known hosts of the connection 'web'" in words(ran)
    assert known.get_fingerprint() in words(ran)
    assert not (tmp_path / "ran").exists()


async def test_a_revoked_host_key_is_refused(connection: OpenedConnection, sshd: Sshd) -> None:
    lines = f"{connection.config['knownHosts']}\n@revoked {connection.config['knownHosts']}"
    ran = await command(changed(connection, knownHosts=lines))
    assert "Host key is revoked" in words(ran)


async def test_no_configuration_of_ssh_makes_the_agent_trust_everybody(
    connection: OpenedConnection, nothing_of_its_own: Path
) -> None:
    (nothing_of_its_own / ".ssh" / "config").write_text("Host *\n  StrictHostKeyChecking no\n  UserKnownHostsFile none\n")
    assert reason(await command(changed(connection, knownHosts=None))) == "host_key_unknown"


async def test_known_hosts_that_cannot_be_read_are_named(connection: OpenedConnection, tmp_path: Path) -> None:
    assert "connection 'web': config.knownHosts: Invalid known hosts entry" in words(
        await command(changed(connection, knownHosts="web-01"))
    )
    own = settings(ssh_known_hosts=tmp_path)
    ran = await run_action(ExecuteCommand, {"command": "true"}, connection=changed(connection, knownHosts=None), settings=own)
    assert words(ran) == f"the known hosts cannot be read: {tmp_path}: Is a directory"


async def test_a_key_or_a_setting_of_the_agents_host_that_cannot_be_used_is_named(
    connection: OpenedConnection, sshd: Sshd, tmp_path: Path, nothing_of_its_own: Path
) -> None:
    asyncssh.read_private_key(str(sshd.identity)).write_private_key(tmp_path / "locked", passphrase="open sesame")
    keyless = changed(connection, secrets={})
    for path, problem in [
        (tmp_path / "locked", "Passphrase must be specified to import encrypted private keys"),
        (tmp_path / "none", f"{tmp_path}/none on this agent's host: No such file or directory"),
    ]:
        own = settings(ssh_identity_files=[path])
        ran = await run_action(ExecuteCommand, {"command": "true"}, connection=keyless, settings=own)
        assert problem in words(ran)
    (nothing_of_its_own / ".ssh" / "config").write_text("Port none\n")
    assert "the ssh keys or settings of this agent's host cannot be used: " in words(await command(connection))


async def test_a_secret_of_the_connection_is_in_nothing_that_a_command_says(connection: OpenedConnection) -> None:
    canary = "canary-4711-secret"
    with_canary = changed(connection, secrets=connection.secrets | {"password": canary})
    line = "printf 'a canary-47'; sleep 0.2; echo '11-secret b'; echo 'it was canary-4711-secret' >&2; exit 3"
    ran = await command(with_canary, line)
    assert "canary-4711" not in str(ran)
    assert ran.streams["stdout"].startswith(b"a ")
    assert ran.streams["stdout"].endswith(b" b\n")
    assert words(ran).startswith("the command ended with exit code 3: it was ")


async def test_a_job_cancelled_while_it_logs_in_leaves_no_connection(connection: OpenedConnection) -> None:
    reached, left, cancel = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.set()
        await reader.read()
        left.set()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as listening:
        params = {"command": "true", "host": "127.0.0.1", "port": listening.sockets[0].getsockname()[1]}
        running = asyncio.create_task(
            run_action(ExecuteCommand, params, connection=connection, settings=settings(), cancel=cancel)
        )
        await reached.wait()
        cancel.set()
        assert (await running).status is JobStatus.CANCELLED
        await asyncio.wait_for(left.wait(), 30)


async def test_a_host_that_says_nothing_fails_the_job(connection: OpenedConnection) -> None:
    hold = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await hold.wait()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        ran = await run_action(
            ExecuteCommand,
            {"command": "true", "port": port},
            connection=connection,
            settings=settings(ssh_connect_timeout_seconds=0.5),
        )
        hold.set()
    assert words(ran) == f"127.0.0.1:{port}: no connection within 0.5 s"


async def test_trying_a_connection_logs_in_and_says_so(connection: OpenedConnection, sshd: Sshd) -> None:
    found = await probe(connection, settings())
    assert found.startswith(f"logged in to 127.0.0.1:{sshd.port} as {sshd.username} in ")
    with pytest.raises(ProbeFailed, match="has CHANGED"):
        other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
        await probe(changed(connection, knownHosts=f"[127.0.0.1]:{sshd.port} {other}"), settings())
    with pytest.raises(ProbeFailed, match="names no host"):
        await probe(changed(connection, host=None), settings())
    with pytest.raises(ProbeFailed, match="Connection refused"):
        await probe(changed(connection, port=1), settings())
    with pytest.raises(ProbeFailed, match=r"secrets\.privateKey"):
        await probe(changed(connection, secrets={"privateKey": "none"}), settings())


# --- scripts


@pytest.mark.parametrize("interpreter", ["bash", "sh", "/bin/bash -e", "env bash"])
async def test_a_script_gets_its_arguments_and_its_environment_as_they_are(
    connection: OpenedConnection, interpreter: str
) -> None:
    strange = 'it\'s "$HOME" `id` \\ *\nand a line'
    text = 'printf \'%s|\' "$#" "$1" "$2" "$3" "$STRANGE"; echo; echo careful >&2'
    ran = await script(connection, text, interpreter=interpreter, args=[strange, "", "-x"], env={"STRANGE": strange, "N": 1})
    assert ran.output.get("stdout") == f"3|{strange}||-x|{strange}|\n", ran.error
    assert ran.output["stderr"] == "careful\n"


async def test_a_script_may_be_of_any_language_and_length(connection: OpenedConnection) -> None:
    text = "import sys, os\n" + "# filler\n" * 100_000 + "print(sys.argv[1:], os.environ['A'], repr(sys.stdin.read()))"
    ran = await script(connection, text, interpreter="python3", args=["--x", "y z"], env={"A": "ä"})
    assert ran.output.get("stdout") == "['--x', 'y z'] ä ''\n", ran.error
    assert (await script(connection, "print(1)", interpreter="python3")).output.get("stdout") == "1\n"


async def test_what_a_script_runs_does_not_eat_the_rest_of_it(connection: OpenedConnection) -> None:
    ran = await script(connection, "cat\nread -r line\necho last; shopt -s extglob\ncase ab in +(a|b)) echo glob;; esac")
    assert ran.output.get("stdout") == "last\nglob\n", ran.error


@pytest.mark.parametrize(
    ("text", "interpreter", "code", "last_words"),
    [
        ("echo 'no disk' >&2; exit 7", "bash", 7, "the script ended with exit code 7: no disk"),
        ("kill -KILL $$", "bash", 137, "the script was ended by the signal SIGKILL"),
        ("import sys; sys.exit(9)", "python3", 9, "the script ended with exit code 9"),
        ("if", "bash", 2, "syntax error"),
        ("true", "no-such-program", 127, "not found"),
    ],
)
async def test_how_a_script_ends_is_how_the_job_ends(
    connection: OpenedConnection, text: str, interpreter: str, code: int, last_words: str
) -> None:
    ran = await script(connection, text, interpreter=interpreter)
    assert (reason(ran), ran.output["exitCode"]) == ("exit_code", code)
    assert last_words in words(ran)


@pytest.mark.parametrize(
    "text", ["echo begun\nsleep 1000 &\nsleep 1000", "trap '' TERM\necho begun\nwhile :; do sleep 0.1; done"]
)
async def test_a_script_over_its_time_leaves_no_process(connection: OpenedConnection, tmp_path: Path, text: str) -> None:
    mark = str(tmp_path)
    ran = await script(connection, text, args=[mark], timeout_seconds=1.5)
    assert (ran.status, ran.output["stdout"]) == (JobStatus.TIMEOUT, "begun\n")
    assert mentioning(mark) == []


async def test_a_script_stopped_while_it_is_fed_leaves_no_process(connection: OpenedConnection, tmp_path: Path) -> None:
    cancel = asyncio.Event()
    params = {"script": "# filler\n" * 500_000 + "sleep 1000", "args": [str(tmp_path)]}
    running = asyncio.create_task(run_action(ExecuteScript, params, connection=connection, settings=settings(), cancel=cancel))
    await asyncio.sleep(0.05)
    cancel.set()
    assert (await running).status is JobStatus.CANCELLED
    assert mentioning(str(tmp_path)) == []


async def test_neither_a_script_nor_its_environment_shows_in_the_list_of_processes(
    connection: OpenedConnection, tmp_path: Path
) -> None:
    go_on = tmp_path / "go on"
    running = asyncio.create_task(
        script(connection, f"echo begun; until [ -e '{go_on}' ]; do sleep 0.05; done", env={"A": f"hidden-{tmp_path}"})
    )
    for _ in range(20):
        assert mentioning(str(tmp_path)) == []
        await asyncio.sleep(0.02)
    go_on.touch()
    assert (await running).status is JobStatus.COMPLETED


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_script_that_does_not_arrive_whole_does_not_run_at_all(tmp_path: Path, shell: str) -> None:
    text = f"touch '{tmp_path}/ran'\necho one\necho two\n"
    line, fed = remote_script(SshScriptParams(script=text, interpreter=shell))
    for size in range(0, len(fed), 7):
        half = subprocess.run([shell, "-c", line], input=fed[:size], capture_output=True, check=False)
        assert (half.returncode, half.stdout) == (125, b"")
        assert b"did not arrive whole: nothing of it was run" in half.stderr
    assert not (tmp_path / "ran").exists()
    whole = subprocess.run([shell, "-c", line], input=fed, capture_output=True, check=False)
    assert (whole.returncode, whole.stdout) == (0, b"one\ntwo\n")


async def test_impossible_scripts_are_refused_with_all_their_problems(connection: OpenedConnection) -> None:
    ran = await script(connection, "true\0", interpreter="'bash", env={"A-B": "x", "C": "\0"})
    assert reason(ran) == "invalid_params"
    for problem in (
        "script, interpreter, args: must not contain NUL",
        "interpreter: No closing quotation",
        "env.A-B: ",
        "env.C: ",
    ):
        assert problem in words(ran)
