"""`script.python`: a script by the Python of the agent's host.

That is the Python which the agent's own environment was made from, not that environment: what is installed beside the agent is
no part of a script's world and may change with it. `interpreter` names another, for instance one of a virtual environment.
"""

import os
import shlex
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from runyard_shared.contracts.actions import PythonParams

from runyard_agent.actions.base import Action, Context, Outcome
from runyard_agent.actions.causes import cause_of
from runyard_agent.actions.process import run_process
from runyard_agent.actions.script import check_script, command_outcome
from runyard_agent.actions.script_environment import LONGEST_ARGUMENT, script_environment

HOST_PYTHON: Final = str(getattr(sys, "_base_executable", None) or sys.executable)
_OF_THE_AGENT: Final = ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")


class PythonScript(Action[PythonParams], built_in="script.python"):
    """Runs `python - args` in a process group of its own with the script on standard input, of any length. The environment is
    that of `script.bash`, without what makes a Python take its packages from elsewhere; output is not buffered."""

    async def run(self, params: PythonParams, context: Context) -> Outcome:
        env = script_environment(
            context.job, params.env, context.connection, _problems(params), _environment(), traceparent=context.traceparent
        )
        interpreter = params.interpreter or HOST_PYTHON
        stdout, stderr = context.stream("stdout"), context.stream("stderr")
        # A file that has no name: the script is there as a whole or not at all, and nothing is left if the agent dies.
        with tempfile.TemporaryFile() as script:
            script.write(params.script.encode())
            script.seek(0)
            try:
                code = await run_process(
                    [shutil.which(interpreter, path=env.get("PATH")) or interpreter, "-", *params.args],
                    env=env,
                    working_directory=params.working_directory,
                    stdin=script.fileno(),
                    stdout=stdout,
                    stderr=stderr,
                    kill_grace_seconds=self.settings.kill_grace_seconds,
                )
            except OSError as error:
                return Outcome.failed("exception", f"{shlex.quote(interpreter)} cannot be started: {cause_of(error)}")
        return command_outcome(stdout, stderr, code)


def _environment() -> dict[str, str]:
    """The agent's, without what leads to its own packages."""
    own_programs = str(Path(sys.prefix) / "bin") if sys.prefix != sys.base_prefix else None
    env = {"PYTHONUNBUFFERED": "1"} | {name: value for name, value in os.environ.items() if name not in _OF_THE_AGENT}
    if "PATH" in env:
        env["PATH"] = os.pathsep.join(part for part in env["PATH"].split(os.pathsep) if part != own_programs)
    return env


def _problems(params: PythonParams) -> list[str]:
    problems = check_script(params.script, params.working_directory)
    for position, argument in enumerate(params.args):
        if "\0" in argument or len(argument.encode()) > LONGEST_ARGUMENT:
            problems.append(f"args.{position}: must not contain NUL, and be no longer than {LONGEST_ARGUMENT} bytes")
    if params.interpreter is not None and (not params.interpreter or "\0" in params.interpreter):
        problems.append("interpreter: must be a program's name or path; leave it out for the host's own Python")
    return problems
