"""Secrets on their way in, and new keys on their way out. Neither is ever on a command line, which everybody on the machine can
read and the shell remembers: a secret is asked for or read from a file, a key is shown this once or put into a file."""

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from shlex import join, split
from typing import Annotated, Self

import typer

from runyard_cli.client import Json
from runyard_cli.errors import CommandFailed, Misused

SecretOption = Annotated[
    list[str] | None,
    typer.Option("--secret", metavar="NAME", help="Asked for, or a line of standard input; may be repeated."),
]
SecretFileOption = Annotated[
    list[str] | None,
    typer.Option("--secret-file", metavar="NAME=FILE", help="As the file has it, - for standard input; may be repeated."),
]
KeyFileOption = Annotated[
    Path | None, typer.Option("--key-file", metavar="FILE", help="Put the key there, for you alone to read; do not show it.")
]


def secrets(asked: Sequence[str], files: Sequence[str]) -> dict[str, str]:
    """By their names, those in files first. What is wrong is told without what might be a secret."""
    given: dict[str, str] = {}
    problems: list[str] = []
    for word in asked:
        name, divided, _ = word.partition("=")
        if divided:
            problems.append(
                f"--secret {name}: give its name alone, and it is asked for; what is on a command line others can read"
            )
    for word in files:
        name, _, file = word.partition("=")
        if not (name and file):
            problems.append(f"--secret-file {name}: it is NAME=FILE")
            continue
        try:
            given[name] = _of_file(file)
        except (OSError, UnicodeDecodeError) as problem:
            why = problem.strerror if isinstance(problem, OSError) else "it is no text"
            problems.append(f"--secret-file {name}: its file cannot be read: {why}")
    if not problems:
        for name in asked:
            value = _asked(name)
            if value:
                given[name] = value
            else:
                problems.append(f"--secret {name}: nothing was given")
    if problems:
        raise Misused("The secrets cannot be had.", problems=problems)
    return given


class KeyFile:
    """Where a new key goes, if not to the screen. The file is begun before the key is made, so that what is shown once is not
    lost to a directory that cannot be written; nobody else can read it, and nobody finds half of a key there."""

    def __init__(self, path: Path | None, *, replace: bool = False) -> None:
        """`replace`: the key that is in the file ends with the making of the new one."""
        self._path = path
        self._replace = replace
        self._draft: Path | None = None

    def __enter__(self) -> Self:
        if self._path is None:
            return self
        if self._path.exists() and not self._replace:
            raise Misused(f"{self._path} is there already, and may hold a key that is in use.", hint="Name another file.")
        try:
            handle, draft = tempfile.mkstemp(dir=self._path.parent, prefix=".runyard-key-")
        except OSError as problem:
            raise Misused(f"{self._path} cannot be written: {problem.strerror}") from None
        os.close(handle)
        self._draft = Path(draft)
        return self

    def __exit__(self, *_: object) -> None:
        if self._draft is not None:
            self._draft.unlink(missing_ok=True)

    def keep(self, answer: Json) -> Json:
        """The answer that made a key; what may be shown of it, which is all if there is no file."""
        if self._path is None or self._draft is None:
            return answer
        try:
            with self._draft.open("w", encoding="utf-8") as file:
                file.write(answer["key"] + "\n")
                file.flush()
                os.fsync(file.fileno())
            self._draft.replace(self._path)
        except OSError as problem:
            raise CommandFailed(
                f"The key was made, but {self._path} cannot be written: {problem.strerror}",
                hint="Nobody has seen it: make another one (of an agent with `runyard agents rotate-key`).",
            ) from None
        self._draft = None
        kept = {name: value for name, value in answer.items() if name != "key"} | {"keyFile": str(self._path)}
        if "command" in answer:
            kept["command"] = with_key_file(answer["command"], str(self._path))
        return kept


def with_key_file(command: str, file: str) -> str:
    """The command that starts an agent, with the key in a file."""
    words = split(command)
    if "--key" not in words:
        return command
    at = words.index("--key")
    return join([*words[:at], "--key-file", file, *words[at + 2 :]])


def _of_file(file: str) -> str:
    """The end of a single line is the editor's; of several lines, as in a private key, it is part of them."""
    text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    line = text.removesuffix("\n").removesuffix("\r")
    return text if "\n" in line else line


def _asked(name: str) -> str:
    if sys.stdin.isatty():
        return str(typer.prompt(name, hide_input=True, default="", show_default=False, err=True))
    return sys.stdin.readline().rstrip("\r\n")
