"""`script.bash`: a script by the bash of the agent's host."""

import os
import signal
from pathlib import Path
from typing import Any, Final

from runyard_shared.contracts.actions import BashParams
from runyard_shared.contracts.jobs import RunJob

from runyard_agent.actions.base import Action, Context, InvalidParams, Outcome
from runyard_agent.actions.process import run_process
from runyard_agent.output import OutputStream

_SCRIPT_BYTES: Final = 128 * 1024 - 1
"""Linux takes no longer argument."""


class BashScript(Action[BashParams], built_in="script.bash"):
    """Runs `bash -c script` in a process group of its own, with the agent's environment but for `RUNYARD_*`, plus
    `RUNYARD_EXECUTION_ID`, `RUNYARD_JOB_ID`, `RUNYARD_NODE_ID`, `RUNYARD_ATTEMPT`, plus `env`."""

    async def run(self, params: BashParams, context: Context) -> Outcome:
        _check(params)
        stdout, stderr = context.stream("stdout"), context.stream("stderr")
        code = await run_process(
            ["bash", "-c", params.script],
            env=_environment(context.job) | params.env,
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


def _check(params: BashParams) -> None:
    problems = []
    size = len(params.script.encode())
    if size > _SCRIPT_BYTES:
        problems.append(
            f"script: {size} bytes are more than the {_SCRIPT_BYTES} that bash takes; fetch the script from a file or a URL"
        )
    if "\0" in params.script:
        problems.append("script: must not contain NUL characters")
    for name, value in params.env.items():
        if not name or "=" in name or "\0" in name + value:
            problems.append(f"env.{name}: a name must not be empty or contain '=', and neither name nor value may contain NUL")
    if params.working_directory is not None and not Path(params.working_directory).is_dir():
        problems.append(f"workingDirectory: {params.working_directory!r} is no directory on this agent's host")
    if problems:
        raise InvalidParams(*problems)


def _environment(job: RunJob) -> dict[str, str]:
    # RUNYARD_* of the agent itself holds the broker's password.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RUNYARD_")}
    return inherited | {
        "RUNYARD_EXECUTION_ID": job.execution_id,
        "RUNYARD_JOB_ID": job.job_id,
        "RUNYARD_NODE_ID": job.node_id,
        "RUNYARD_ATTEMPT": str(job.attempt),
    }


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
