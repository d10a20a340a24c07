"""The command `runyard` as people and scripts use it: real processes, at a real gateway with a real agent."""

import json
import os
import pty
import secrets
import select
import shlex
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from tests.acceptance.systems import Client, Json, Standalone, eventually
from tests.wires import wire_to

pytestmark = pytest.mark.xdist_group("standalone")
COMMAND = Path(sys.executable).with_name("runyard")
EXAMPLES = Path(__file__).parents[2] / "examples"
PATIENCE_SECONDS = 60.0

ASKS: Json = {
    "name": "Command line: asks",
    "inputs": {"type": "object", "properties": {"host": {"type": "string"}, "port": {"type": "integer"}}},
    "nodes": [
        {"id": "ask", "type": "approval", "message": "Restart {{ inputs.host }}?", "timeoutSeconds": 600},
        {
            "id": "restart",
            "type": "action",
            "action": "script.bash",
            "params": {"script": "echo restarted {{ inputs.port + 1 }}"},
        },
    ],
    "edges": [{"from": "trigger", "to": "ask"}, {"from": "ask", "port": "approved", "to": "restart"}],
}
FAILS: Json = {
    "name": "Command line: fails",
    "nodes": [{"id": "boom", "type": "action", "action": "script.bash", "params": {"script": "echo no luck; exit 3"}}],
    "edges": [{"from": "trigger", "to": "boom"}],
}


class Terminal:
    """A user's shell: a home of its own, and an address."""

    def __init__(self, url: str, token: str, home: Path) -> None:
        self.home = home
        self._processes: list[subprocess.Popen[str]] = []
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RUNYARD_")}
        self.environment = kept | {"RUNYARD_URL": url, "RUNYARD_API_KEY": token, "XDG_CONFIG_HOME": str(home), "TERM": "xterm"}

    def start(self, *words: str, **options: object) -> "subprocess.Popen[str]":
        settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
        process = subprocess.Popen([COMMAND, *words], env=self.environment, **settings)  # type: ignore[call-overload]
        self._processes.append(process)
        return process  # type: ignore[no-any-return]

    def run(self, *words: str, code: int = 0, said: str | None = None) -> str:
        """What it printed; it must have ended so."""
        process = self.start(*words, stdin=subprocess.PIPE)
        out, problems = process.communicate(said, timeout=PATIENCE_SECONDS)
        assert process.returncode == code, (words, process.returncode, out, problems)
        return str(out + problems if code else out)

    def close(self) -> None:
        """Ends what a failed test left."""
        for process in self._processes:
            process.kill()
            process.communicate()

    def json(self, *words: str, code: int = 0) -> Json:
        return dict(json.loads(self.run(*words, "--output", "json", code=code)))

    def completed(self, *words: str) -> list[str]:
        """What bash puts on the line for the last of these words."""
        line = shlex.join(["runyard", *words[:-1]])
        script = f"""
            source <(_RUNYARD_COMPLETE=source_bash runyard)
            COMP_WORDS=({line} {shlex.quote(words[-1])}); COMP_CWORD={len(words)}
            _runyard_completion runyard
            printf '%s\n' "${{COMPREPLY[@]}}"
        """
        environment = self.environment | {"PATH": f"{COMMAND.parent}:{os.environ['PATH']}"}
        done = subprocess.run(  # its code is looked at with what it said
            ["bash", "-c", script], check=False, env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.split("\n")[:-1] if done.stdout.strip() else []


@pytest.fixture
def terminal(standalone: Standalone, tmp_path: Path) -> Iterator[Terminal]:
    terminal = Terminal(standalone.url, standalone.token, tmp_path)
    yield terminal
    terminal.close()


@pytest.fixture
def client(standalone: Standalone) -> Iterator[Client]:
    with Client(standalone) as client:
        yield client


def examples_under_other_names(directory: Path) -> list[Path]:
    """Copies of the examples, which other tests make under their own names."""
    directory.mkdir()
    for example in EXAMPLES.glob("*.yaml"):
        text = example.read_text().replace("name: Machine report", "name: Machine report (files)")
        for name in ("Back up files", "Update a fleet", "Roll out in waves", "Watch a service"):
            text = text.replace(name, f"{name} (files)")
        (directory / example.name).write_text(text)
    return sorted(directory.iterdir())


def executions_of(client: Client, workflow_id: str) -> list[Json]:
    return list(client.call("GET", "/executions", params={"workflowId": workflow_id})["items"])


def the_one_that_waits(client: Client, workflow_id: str) -> str:
    """The execution, once its approval waits."""

    def waits() -> bool:
        return any(row["pendingApprovals"] for row in executions_of(client, workflow_id))

    eventually(waits, "an approval to wait")
    return next(str(row["executionId"]) for row in executions_of(client, workflow_id) if row["pendingApprovals"])


def test_the_examples_are_applied_once_and_what_is_wrong_with_a_document_is_said_at_once(
    terminal: Terminal, standalone: Standalone
) -> None:
    terminal.environment.pop("RUNYARD_API_KEY")
    assert "wrong-key" not in terminal.run("login", code=3, said="wrong-key\n")
    assert "as admin of default" in terminal.run("login", said=f"{standalone.token}\n")
    (kept,) = (terminal.home / "runyard").iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    terminal.environment.pop("RUNYARD_URL")

    directory = terminal.home / "workflows"
    files = [str(each) for each in examples_under_other_names(directory)]
    terminal.run("apply", "-f", str(directory))
    again = terminal.json("apply", "-f", str(directory))
    assert [item["file"] for item in again["items"]] == files
    assert again["unchanged"] == len(files)
    assert terminal.run("export", "Machine report (files)") == (directory / "hello.yaml").read_text()

    broken = terminal.home / "broken.yaml"
    broken.write_text("name: Broken\nnodes: [{id: a, type: action, action: no.such}, {id: a, type: nothing}]\n")
    for command in (["validate"], ["apply", "--dry-run"]):
        told = terminal.run(*command, "-f", str(broken), "-f", files[0], code=3)
        assert str(broken) in told
        assert "nodes[1]" in told


def test_a_run_is_watched_to_its_end_while_somebody_else_approves_and_the_exit_code_says_how_it_ended(
    terminal: Terminal, client: Client
) -> None:
    workflow_id = client.publish(ASKS)
    watching = terminal.start("run", ASKS["name"], "-v", "host=db-1", "-v", "port=5432", "--watch")
    execution_id = the_one_that_waits(client, workflow_id)
    assert "goes on" in terminal.run("watch", execution_id[-8:], "--timeout", "0.5", code=6)
    assert "Restart db-1?" in terminal.run("approvals")
    terminal.run("approve", execution_id[-8:], "--note", "after the backup")
    out, problems = watching.communicate(timeout=PATIENCE_SECONDS)
    assert watching.returncode == 0, (out, problems)
    assert "after the backup" in out
    assert "restarted 5433" in out.splitlines()[-1]
    assert "\x1b" not in out
    assert terminal.run("logs", execution_id, "--job", "restart", "--follow") == "restarted 5433\n"

    client.publish(FAILS)
    assert "no luck" in terminal.run("run", FAILS["name"], "--watch", code=1)

    cancelled = terminal.start("run", ASKS["name"], "-v", "host=x", "--watch", "--output", "json")
    terminal.run("cancel", the_one_that_waits(client, workflow_id)[-8:], "--reason", "not today")
    assert json.loads(cancelled.communicate(timeout=PATIENCE_SECONDS)[0])["status"] == "cancelled"
    assert cancelled.returncode == 5


def test_a_lost_answer_starts_nothing_twice_and_a_lost_connection_is_followed_on_without_gap_or_repetition(
    terminal: Terminal, client: Client, standalone: Standalone
) -> None:
    workflow_id = client.publish({**ASKS, "name": "Command line: a bad wire"})
    with wire_to(standalone.url) as wire:
        terminal.environment["RUNYARD_URL"] = wire.url
        following = terminal.start("events", "--follow", "--output", "json", "--type", "execution.", "--from", "1s")
        wire.lose_the_answer_to("POST ")
        watching = terminal.start("run", "Command line: a bad wire", "-v", "host=a", "-v", "port=1", "--watch")
        execution_id = the_one_that_waits(client, workflow_id)
        assert wire.cuts == 1
        assert watching.stdout is not None
        told: list[str] = []
        while not told or "Restart a?" not in told[-1]:
            told.append(watching.stdout.readline())
            assert told[-1], told
        wire.cut()
        wire.lose_the_answer_to("POST ")
        terminal.run("approve", execution_id[-8:])
        told += watching.stdout
        assert watching.wait(PATIENCE_SECONDS) == 0, told
        assert sum("completed in" in line for line in told) == 1
        assert sum("was started by" in line for line in told) == 1
        assert wire.cuts >= 3
        assert [row["executionId"] for row in executions_of(client, workflow_id)] == [execution_id]
        assert following.stdout is not None
        told_of_it = (event for line in following.stdout if (event := json.loads(line))["subject"] == execution_id)
        seen = [event["type"] for event in islice(told_of_it, 2)]
        assert seen == ["runyard.execution.started.v1", "runyard.execution.completed.v1"]
        following.send_signal(signal.SIGINT)
        assert following.wait(PATIENCE_SECONDS) == 130
        following.communicate()
    assert "cannot be reached" in terminal.run("whoami", code=4)


def test_in_a_terminal_the_approval_is_asked_in_place_and_ctrl_c_leaves_the_execution_running(
    terminal: Terminal, client: Client
) -> None:
    workflow_id = client.publish({**ASKS, "name": "Command line: in place"})
    run = ("run", workflow_id, "-v", "host=db-1", "-v", "port=1", "--watch")
    with Screen(terminal, *run) as screen:
        screen.until("[a]pprove, [r]eject, [l]ater:")
        asked = client.call("GET", "/approvals", params={"executionId": the_one_that_waits(client, workflow_id)})["items"][0]
        client.call("POST", f"/approvals/{asked['approvalId']}/approve", json={"note": ""})
        screen.until("answered elsewhere")
        assert screen.process.wait(PATIENCE_SECONDS) == 0
    with Screen(terminal, *run) as screen:
        screen.until("[a]pprove, [r]eject, [l]ater:")
        screen.type("later\n")
        screen.until("Waiting for approval")
        screen.process.send_signal(signal.SIGINT)
        assert screen.process.wait(PATIENCE_SECONDS) == 130
        screen.until("goes on")
    execution_id = the_one_that_waits(client, workflow_id)
    with Screen(terminal, "watch", execution_id[-8:]) as screen:
        screen.until("Restart db-1?")
        screen.type("a\n")
        screen.until("Note")
        screen.type("fine by me\n")
        assert screen.process.wait(PATIENCE_SECONDS) == 0
        screen.until("restarted 2")
    assert client.detail(execution_id)["approvals"][0]["responseNote"] == "fine by me"


def test_an_operator_makes_all_that_jobs_need_in_a_terminal_and_no_secret_is_on_a_command_line_or_shown(
    terminal: Terminal, client: Client
) -> None:
    name, pool = f"{secrets.token_hex(4)}-shop", f"{secrets.token_hex(4)}-pool"
    key_file = terminal.home / "agent.key"
    assert f"no pool {pool}" in terminal.run("agents", "create", name, "--pool", pool, "--key-file", str(key_file), code=3)
    assert not key_file.exists()
    terminal.run("pools", "create", pool)
    made = terminal.json("agents", "create", name, "--pool", pool, "--tag", "edge", "--key-file", str(key_file))
    key = key_file.read_text().strip()
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert "key" not in made
    assert key not in made["command"]

    told = terminal.run(
        "connections", "create", name, "http", "-c", "port=1", "--secret", "token", said="s3cret-word\n", code=3
    )
    assert "config.baseUrl" in told
    assert "config.port" in told
    assert "s3cret-word" not in told
    place = ("-c", f"baseUrl={client.system.url}/healthz")
    terminal.run("connections", "create", name, "http", *place, "--pool", pool, "--secret", "token", said="s3cret-word\n")
    program, *words = shlex.split(made["command"])
    state = {"RUNYARD_AGENT_STATE_DIR": str(terminal.home / "state")}
    agent = subprocess.Popen([COMMAND.with_name(program), *words], env=terminal.environment | state, stderr=subprocess.DEVNULL)
    try:
        online = {"pool": pool, "status": "online"}
        eventually(lambda: bool(client.call("GET", "/agents", params=online)["items"]), "the agent to be online")
        assert "ok" in terminal.run("connections", "test", name)
        assert terminal.completed("connections", "test", name[:9]) == [name]
        terminal.run("agents", "revoke", name, "--yes")
        assert agent.wait(PATIENCE_SECONDS) == 3
    finally:
        agent.kill()
        agent.wait()
    changed = terminal.json("connections", "change", name, "-c", "username=ada", "--no-secret", "token")
    assert (changed["config"]["username"], changed["config"]["baseUrl"], changed["secrets"]) == ("ada", place[1][8:], [])


def test_people_and_programs_are_let_in_and_kept_out_from_a_terminal(terminal: Terminal, client: Client) -> None:
    workflow_id = client.publish({**ASKS, "name": "It's on Tab"})
    user, file = f"ci-{secrets.token_hex(4)}", terminal.home / "ci.key"
    terminal.run("users", "create", user, "--role", "manager")
    made = terminal.json(
        "keys", "create", user, "--name", user, "--scope", "automation:view", "--expires", "1d", "--key-file", str(file)
    )
    assert "key" not in made
    assert terminal.completed("keys", "revoke", made["keyId"][-8:-4]) == [made["keyId"][-8:]]

    administrator = terminal.environment.pop("RUNYARD_API_KEY")
    terminal.run("login", said=file.read_text())
    assert terminal.completed("run", r"It\'s\ o") == [r"It\'s\ on\ Tab"]
    assert "automation:manage" in terminal.run("workflows", "deactivate", workflow_id, code=3)
    assert [row["keyId"] for row in terminal.json("keys", "--mine")["items"]] == [made["keyId"]]
    terminal.run("keys", "revoke", user, "--mine", "--yes")
    eventually(lambda: "runyard login" in terminal.run("whoami", code=3), "the key to open nothing")
    assert terminal.completed("run", "It") == []

    terminal.environment["RUNYARD_API_KEY"] = administrator
    terminal.run("workflows", "deactivate", workflow_id)
    assert "runyard workflows activate" in terminal.run("run", workflow_id, code=3)
    terminal.run("users", "delete", user, "--yes")


def test_standalone_starts_the_package_that_is_installed_beside_it(terminal: Terminal) -> None:
    terminal.environment |= {"RUNYARD_PORT": "none", "RUNYARD_DATA_DIR": str(terminal.home)}
    assert "RUNYARD_PORT" in terminal.run("standalone", code=2)


class Screen:
    """A process in a terminal."""

    def __init__(self, terminal: Terminal, *words: str) -> None:
        self._keyboard, slave = pty.openpty()
        options = {"stdin": slave, "stdout": slave, "stderr": slave, "start_new_session": True}
        self.process = terminal.start(*words, **options)
        os.close(slave)
        self._seen = ""

    def __enter__(self) -> "Screen":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._keyboard)

    def type(self, text: str) -> None:
        os.write(self._keyboard, text.encode())

    def until(self, words: str) -> None:
        """Reads on until this was shown."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while words not in self._seen:
            assert time.monotonic() < deadline, f"{words!r} was not shown, but {self._seen[-2000:]}"
            if select.select([self._keyboard], [], [], 0.2)[0]:
                try:
                    self._seen += os.read(self._keyboard, 65536).decode(errors="replace")
                except OSError:  # the process has closed its side
                    assert words in self._seen, f"{words!r} was not shown, but {self._seen[-2000:]}"
