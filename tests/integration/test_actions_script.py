"""`script.bash` and `script.python` with a real bash and a real Python: what they return, what they stream, and that nothing of
them is left."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from runyard_agent.actions.base import Action
from runyard_agent.actions.python import HOST_PYTHON, PythonScript
from runyard_agent.actions.script import BashScript
from runyard_agent.probe import probe
from runyard_agent.testing import Ran, run_action
from runyard_shared.contracts.connections import OpenedConnection
from runyard_shared.contracts.values import JobStatus

from tests.agents import BreakableBus, Desk, agent_at, settings, until


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    bus = BreakableBus()
    await bus.open()
    desk = await Desk(bus).open()
    agent = await agent_at(
        desk, lambda settings: {"script.bash": BashScript(settings), "script.python": PythonScript(settings)}
    )
    yield desk
    await agent.stop()
    await bus.close()


def marked(mark: str) -> list[psutil.Process]:
    """The processes that have `mark` as their `MARK`."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("MARK") == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


@pytest.fixture
def mark(tmp_path: Path) -> str:
    return str(tmp_path)


async def test_a_script_returns_its_output(desk: Desk, tmp_path: Path) -> None:
    params = {
        "script": 'echo "$GREETING from $PWD"; printf %s "port $PORT"; echo careful >&2',
        "env": {"GREETING": "hello", "PORT": 8080},
        "workingDirectory": str(tmp_path),
    }
    finished = await desk.run("script.bash", params)
    assert finished.status is JobStatus.COMPLETED
    stdout = f"hello from {tmp_path}\nport 8080"
    assert finished.output == {"stdout": stdout, "stderr": "careful\n", "exitCode": 0, "truncated": False}
    assert desk.whole(finished, "stdout") == stdout.encode()
    assert desk.whole(finished, "stderr") == b"careful\n"


async def test_a_script_without_output_sends_no_output_message(desk: Desk) -> None:
    finished = await desk.run("script.bash", {"script": "true"})
    assert (finished.status, finished.seals) == (JobStatus.COMPLETED, [])
    assert desk.output == []


async def test_a_non_zero_exit_fails_with_the_last_line_of_stderr(desk: Desk) -> None:
    finished = await desk.run("script.bash", {"script": "echo partial; echo first >&2; echo 'no such table' >&2; exit 3"})
    assert finished.status is JobStatus.FAILED
    assert finished.error is not None
    assert (finished.error.reason, finished.error.exit_code) == ("exit_code", 3)
    assert finished.error.message == "the script ended with exit code 3: no such table"
    assert (finished.output["exitCode"], finished.output["stdout"]) == (3, "partial\n")


async def test_a_script_ended_by_a_signal_says_so(desk: Desk) -> None:
    finished = await desk.run("script.bash", {"script": "kill -SEGV $$"})
    assert finished.error is not None
    assert finished.error.message == "the script was ended by the signal SIGSEGV"
    assert finished.output["exitCode"] == 139


async def test_output_comes_while_the_script_runs(desk: Desk, tmp_path: Path) -> None:
    go_on = tmp_path / "go on"
    job = desk.job("script.bash", {"script": f"echo first; until [ -e '{go_on}' ]; do sleep 0.05; done; echo second"})
    await desk.order(job)
    await until(lambda: bool(desk.chunks(job.job_id, "stdout")))
    assert desk.chunks(job.job_id, "stdout")[0].data == b"first\n"
    assert desk.ends_of(job) == []
    go_on.touch()
    assert desk.whole(await desk.end_of(job), "stdout") == b"first\nsecond\n"


async def test_five_megabytes_and_wrong_utf_8_arrive_complete(desk: Desk, tmp_path: Path) -> None:
    data = os.urandom(5_000_000)
    (tmp_path / "data").write_bytes(data)
    finished = await desk.run("script.bash", {"script": "cat data", "workingDirectory": str(tmp_path)})
    assert finished.output["truncated"] is True
    assert len(finished.output["stdout"].encode()) <= 64 * 1024
    assert desk.whole(finished, "stdout") == data


async def test_a_timeout_ends_the_whole_group_and_keeps_the_output_so_far(desk: Desk, mark: str) -> None:
    params = {"script": "echo begun; sleep 1000 & (sleep 1000; true) & wait", "env": {"MARK": mark}}
    finished = await desk.run("script.bash", params, timeout_seconds=2)
    assert finished.status is JobStatus.TIMEOUT
    assert finished.error is not None
    assert finished.error.message == "ran over its timeout of 2 s and was stopped"
    assert finished.output["stdout"] == "begun\n"
    assert desk.whole(finished, "stdout") == b"begun\n"
    assert 2_000 <= finished.duration_ms < 60_000
    assert marked(mark) == []


async def test_a_script_gets_term_first_and_can_clean_up(desk: Desk, mark: str) -> None:
    params = {"script": "trap 'echo cleaned; exit 9' TERM; echo ready; sleep 1000 & wait", "env": {"MARK": mark}}
    finished = await desk.run("script.bash", params, timeout_seconds=2)
    assert finished.output["stdout"] == "ready\ncleaned\n"
    assert marked(mark) == []


async def test_a_script_that_ignores_term_is_killed_after_the_grace_time(desk: Desk, mark: str) -> None:
    params = {"script": "trap '' TERM; while true; do sleep 0.1; done", "env": {"MARK": mark}}
    finished = await desk.run("script.bash", params, timeout_seconds=2)
    assert finished.status is JobStatus.TIMEOUT
    assert finished.duration_ms >= 2_500
    assert marked(mark) == []


async def test_a_forced_cancel_leaves_no_process(desk: Desk, mark: str) -> None:
    job = desk.job("script.bash", {"script": "sleep 1000 & sleep 1000 & echo ready; wait", "env": {"MARK": mark}})
    await desk.order(job)
    await until(lambda: bool(desk.chunks(job.job_id, "stdout")))
    await until(lambda: len(marked(mark)) == 3)
    await desk.cancel(job, force=True)
    finished = await desk.end_of(job)
    assert (finished.status, finished.error) == (JobStatus.CANCELLED, None)
    assert marked(mark) == []


async def test_children_left_in_the_background_end_with_the_script(desk: Desk, mark: str) -> None:
    params = {"script": "sleep 1000 & echo done", "env": {"MARK": mark}}
    finished = await desk.run("script.bash", params)
    assert (finished.status, finished.output["stdout"]) == (JobStatus.COMPLETED, "done\n")
    assert finished.duration_ms < 60_000
    assert marked(mark) == []


async def test_a_daemon_that_keeps_the_pipes_does_not_keep_the_job(desk: Desk, mark: str) -> None:
    params = {"script": "setsid sleep 1000 & sleep 0.2; echo done", "env": {"MARK": mark}}
    finished = await desk.run("script.bash", params)
    assert (finished.status, finished.output["stdout"]) == (JobStatus.COMPLETED, "done\n")
    (daemon,) = marked(mark)
    daemon.kill()


async def test_endless_output_is_held_back_until_it_is_kept_and_can_be_stopped(desk: Desk, mark: str) -> None:
    job = desk.job("script.bash", {"script": "yes", "env": {"MARK": mark}}, timeout_seconds=1)
    await desk.order(job)
    finished = await desk.end_of(job)
    assert finished.status is JobStatus.TIMEOUT
    whole = desk.whole(finished, "stdout")
    assert len(whole) > 1_000_000
    assert set(whole) == {ord("y"), ord("\n")}
    assert marked(mark) == []


async def test_the_broker_password_is_not_in_the_environment_of_a_script(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNYARD_AMQP_URL", "amqp://user:secret@broker/")
    job = desk.job("script.bash", {"script": "env"})
    await desk.order(job)
    stdout = (await desk.end_of(job)).output["stdout"]
    assert "secret" not in stdout
    assert f"RUNYARD_JOB_ID={job.job_id}\n" in stdout


async def test_impossible_parameters_are_named_all_at_once(desk: Desk) -> None:
    params = {"script": "true\0" + "#" * 200_000, "env": {"A=B": "x"}, "workingDirectory": "/no/such/directory"}
    finished = await desk.run("script.bash", params)
    assert finished.error is not None
    assert finished.error.reason == "invalid_params"
    for words in ("200005 bytes", "NUL", "env.A=B", "'/no/such/directory' is no directory"):
        assert words in finished.error.message


async def test_jobs_run_side_by_side(desk: Desk, tmp_path: Path) -> None:
    """Each waits for the other: run one after the other they would never end."""
    meet = "touch {mine}; until [ -e {other} ]; do sleep 0.02; done"
    first, second = tmp_path / "first", tmp_path / "second"
    ends = await asyncio.gather(
        desk.run("script.bash", {"script": meet.format(mine=first, other=second)}),
        desk.run("script.bash", {"script": meet.format(mine=second, other=first)}),
    )
    assert [end.status for end in ends] == [JobStatus.COMPLETED] * 2


# --- script.python


async def test_a_python_script_gets_arguments_and_environment_and_streams_at_once(desk: Desk, tmp_path: Path) -> None:
    go_on = tmp_path / "go on"
    text = f"""
import os, sys, time
print(sys.argv[1:], os.environ["A"], os.getcwd(), repr(sys.stdin.read()))
while not os.path.exists({str(go_on)!r}):
    time.sleep(0.02)
sys.exit("no such table")
"""
    params = {"script": text, "args": ["--x", "y z", 7], "env": {"A": "ä"}, "workingDirectory": str(tmp_path)}
    job = desk.job("script.python", params)
    await desk.order(job)
    first = f"['--x', 'y z', '7'] ä {tmp_path} ''\n"
    await until(lambda: b"".join(chunk.data for chunk in desk.chunks(job.job_id, "stdout")).decode() == first)
    go_on.touch()
    finished = await desk.end_of(job)
    assert finished.error is not None
    assert finished.error.message == "the script ended with exit code 1: no such table"
    assert finished.output == {"stdout": first, "stderr": "no such table\n", "exitCode": 1, "truncated": False}


async def test_a_python_script_may_be_long(desk: Desk) -> None:
    finished = await desk.run("script.python", {"script": "# filler\n" * 50_000 + "print('end')"})
    assert finished.output.get("stdout") == "end\n", finished.error


async def test_the_packages_of_the_agent_are_not_those_of_a_script(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor by way of what was set for the agent's own Python, or by the programs beside it."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent.parent / "agent"))
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.defpath]))
    text = """
import importlib.util, shutil, sys
print(importlib.util.find_spec("runyard_agent"), shutil.which("runyard-agent"))
print(sys.executable)
"""
    finished = await desk.run("script.python", {"script": text})
    assert finished.output.get("stdout") == f"None None\n{HOST_PYTHON}\n", finished.error
    own = await desk.run("script.python", {"script": text, "interpreter": sys.executable})
    assert own.output["stdout"].endswith(f"{sys.executable}\n")


async def test_a_missing_interpreter_is_named(desk: Desk) -> None:
    finished = await desk.run("script.python", {"script": "1", "interpreter": "python-of-nobody"})
    assert finished.error is not None
    assert finished.error.message == "python-of-nobody cannot be started: No such file or directory"


async def test_a_python_script_over_its_time_leaves_no_process(desk: Desk, mark: str) -> None:
    text = "import subprocess, signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('begun')\n"
    text += "subprocess.run(['sleep', '1000'])\nwhile True: pass"
    finished = await desk.run("script.python", {"script": text, "env": {"MARK": mark}}, timeout_seconds=1)
    assert (finished.status, finished.output["stdout"]) == (JobStatus.TIMEOUT, "begun\n")
    assert marked(mark) == []


async def test_impossible_python_parameters_are_named_all_at_once(desk: Desk) -> None:
    params = {"script": "1\0", "args": ["a\0"], "env": {"A=B": "x"}, "workingDirectory": "/none", "interpreter": ""}
    finished = await desk.run("script.python", params)
    assert finished.error is not None
    for words in ("script: must not contain NUL", "args.0: ", "env.A=B: ", "'/none' is no directory", "interpreter: must be"):
        assert words in finished.error.message


# --- secrets

PRINT = {
    BashScript: "for name in SHARED KEY HOST; do printf '%s,' \"$(printenv $name | rev)\"; done",
    PythonScript: "import os\nfor name in ('SHARED', 'KEY', 'HOST'): print(os.environ[name][::-1], end=',')",
}
"""Backwards, because a secret would be hidden."""


def bag(values: dict[str, str], secrets: dict[str, str]) -> OpenedConnection:
    return OpenedConnection(name="bag", kind="secrets", config={"values": values}, secrets=secrets)


async def run(action: type[Action[Any]], text: str, connection: OpenedConnection | None, **params: Any) -> Ran:
    return await run_action(action, {"script": text, **params}, connection=connection, settings=settings())


@pytest.mark.parametrize("action", [BashScript, PythonScript])
async def test_a_script_has_the_secrets_of_its_connection_as_variables(action: type[Action[Any]]) -> None:
    connection = bag({"HOST": "db-1", "SHARED": "value"}, {"KEY": "canary-4711", "SHARED": "secret"})
    ran = await run(action, PRINT[action], connection, env={"HOST": "db-2"})
    assert ran.output.get("stdout") == "terces,1174-yranac,2-bd,", ran.error
    without = await run(BashScript, "printenv KEY", None)
    assert (without.output["exitCode"], without.output["stdout"]) == (1, "")


@pytest.mark.parametrize("action", [BashScript, PythonScript])
async def test_which_job_it_is_cannot_be_replaced(action: type[Action[Any]]) -> None:
    connection = bag({"RUNYARD_JOB_ID": "mine"}, {"RUNYARD_ATTEMPT": "canary", "A=B": "canary"})
    ran = await run(action, "1", connection, env={"RUNYARD_NODE_ID": "mine"})
    assert ran.error is not None
    assert ran.error.reason == "invalid_params"
    for words in (
        "env.RUNYARD_NODE_ID: says which job it is",
        "connection 'bag': RUNYARD_JOB_ID: says which job it is",
        "connection 'bag': RUNYARD_ATTEMPT: says which job it is",
        "connection 'bag': A=B: a name must not be empty or contain '='",
    ):
        assert words in ran.error.message


async def test_a_secret_is_in_nothing_that_a_script_says() -> None:
    text = 'printf \'a %s\' "${KEY:0:6}"; sleep 0.2; echo "${KEY:6} b"; echo "login with $KEY failed" >&2; exit 1'
    ran = await run(BashScript, text, bag({}, {"KEY": "canary-4711-canary"}))
    assert "canary" not in str(ran)
    assert ran.streams["stdout"].startswith(b"a ")
    assert ran.streams["stdout"].endswith(b" b\n")
    assert ran.error is not None
    assert ran.error.message.startswith("the script ended with exit code 1: login with ")


async def test_a_bag_of_secrets_needs_no_trying() -> None:
    assert (await probe(bag({}, {"KEY": "canary"}), settings())).startswith("nothing to try: ")
