"""A script as a remote command and its standard input.

The command is a fixed line of POSIX shell. What is particular (environment, arguments, the script) comes on standard input, so
that no other user of the host reads it in a list of processes, and no file is left there. All of it must have come before any
of it runs: half a script, cut off with its connection, could do anything. For the same reason what the script runs finds
nothing on its own standard input.
"""

import re
import secrets
import shlex
from pathlib import PurePosixPath
from typing import Final

from runyard_shared.contracts.actions import SshScriptParams

from runyard_agent.actions.base import InvalidParams

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SHELLS: Final = frozenset({"sh", "bash", "dash", "ash", "ksh", "mksh", "zsh"})
_NOT_WHOLE: Final = "the script did not arrive whole: nothing of it was run"
_NOT_WHOLE_CODE: Final = 125


def remote_script(params: SshScriptParams) -> tuple[str, bytes]:
    """The command line, and what to feed it. Raises `InvalidParams`."""
    interpreter = _check(params)
    token = secrets.token_hex(16)
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in params.env.items())
    arguments = f"set -- {' '.join(map(shlex.quote, params.args))}\n"
    script = params.script if params.script.endswith("\n") else f"{params.script}\n"
    program = f"{exports}{arguments}{_start(interpreter, bool(params.args))} <<'{token}'\n{script}{token}\n# {token}"
    # A substitution drops the newlines at the end of what it reads: what comes last must be something else.
    read_all = (
        f"runyard_program=$(cat); case $runyard_program in *'# {token}') ;; "
        f"*) echo {shlex.quote(_NOT_WHOLE)} >&2; exit {_NOT_WHOLE_CODE};; esac; "
        'eval "$runyard_program"'
    )
    return f"exec /bin/sh -c {shlex.quote(read_all)}", program.encode()


def _start(interpreter: list[str], has_arguments: bool) -> str:
    """A shell would run line by line as it reads, and what it runs would eat the rest: it gets the script as one text."""
    words = " ".join(map(shlex.quote, interpreter))
    shell = _shell(interpreter)
    if shell is not None:
        return f'exec {words} -c \'eval "$(cat)"\' {shell} "$@"'
    return f'exec {words} - "$@"' if has_arguments else f"exec {words}"


def _shell(interpreter: list[str]) -> str | None:
    """The program's name if it is a shell; also behind `sudo -n` or `env`."""
    return next((name for word in interpreter if (name := PurePosixPath(word).name) in _SHELLS), None)


def _check(params: SshScriptParams) -> list[str]:
    problems = []
    interpreter: list[str] = []
    try:
        interpreter = shlex.split(params.interpreter)
        if not interpreter:
            problems.append("interpreter: must name a program, like `bash` or `sudo -n python3`")
    except ValueError as error:
        problems.append(f"interpreter: {error}")
    if "\0" in params.script + params.interpreter + "".join(params.args):
        problems.append("script, interpreter, args: must not contain NUL characters")
    for name, value in params.env.items():
        if not _NAME.fullmatch(name):
            problems.append(f"env.{name}: a name has letters, digits and underscores, and no digit first")
        if "\0" in value:
            problems.append(f"env.{name}: must not contain NUL characters")
    if problems:
        raise InvalidParams(*problems)
    return interpreter
