"""`script.bash`: a script by the bash of the agent's host."""

import signal
from pathlib import Path
from typing import Any

from runyard_shared.contracts.actions import BashParams

from runyard_agent.actions.base import Action, Context, Outcome
from runyard_agent.actions.process import run_process
from runyard_agent.actions.script_environment import LONGEST_ARGUMENT, script_environment
from runyard_agent.output import OutputStream


class BashScript(Action[BashParams], built_in="script.bash"):
    """Runs `bash -c script` in a process group of its own; its environment is that of `script_environment`."""

    async def run(self, params: BashParams, context: Context) -> Outcome:
        env = script_environment(
            context.job, params.env, context.connection, _problems(params), traceparent=context.traceparent
        )
        stdout, stderr = context.stream("stdout"), context.stream("stderr")
        code = await run_process(
            ["bash", "-c", params.script],
            env=env,
            working_directory=params.working_directory,
            stdout=stdout,
            stderr=stderr,
            kill_grace_seconds=self.settings.kill_grace_seconds,
        )
        return command_outcome(stdout, stderr, code)


def command_outcome(stdout: OutputStream, stderr: OutputStream, code: int, *, what: str = "the script") -> Outcome:
    """How a command ended. `code` below 0 is minus the signal that ended it; `exitCode` is then 128 + signal, as in a shell."""
    exit_code = code if code >= 0 else 128 - code
    errors = stderr.text()
    output: dict[str, Any] = {
        "stdout": stdout.text(),
        "stderr": errors,
        "exitCode": exit_code,
        "truncated": stdout.truncated or stderr.truncated,
    }
    if code == 0:
        return Outcome.completed(output)
    how = f"ended with exit code {code}" if code > 0 else f"was ended by the signal {_signal_name(-code)}"
    last = next((line.strip() for line in reversed(errors.splitlines()) if line.strip()), "")
    return Outcome.failed("exit_code", f"{what} {how}" + (f": {last[:500]}" if last else ""), output, exit_code=exit_code)


def check_script(script: str, working_directory: str | None) -> list[str]:
    """The problems that the host has with them."""
    problems = []
    if "\0" in script:
        problems.append("script: must not contain NUL characters")
    if working_directory is not None and not Path(working_directory).is_dir():
        problems.append(f"workingDirectory: {working_directory!r} is no directory on this agent's host")
    return problems


def _problems(params: BashParams) -> list[str]:
    problems = check_script(params.script, params.working_directory)
    size = len(params.script.encode())
    if size > LONGEST_ARGUMENT:
        problems.append(
            f"script: {size} bytes are more than the {LONGEST_ARGUMENT} that bash takes; fetch the script from a file or a URL"
        )
    return problems


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
