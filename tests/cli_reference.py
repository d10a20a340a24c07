"""Writes docs/reference/cli.md from the command line itself: `python -m tests.cli_reference`. A test holds it current."""

import inspect
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

import typer
from runyard_cli.app import app
from runyard_cli.errors import MEANINGS

FILE: Final = Path(__file__).parents[1] / "docs" / "reference" / "cli.md"
HEAD: Final = """\
# The command `runyard`

A client of the [HTTP API](http-api.md); see [how to use it](../howto/use-the-command-line.md). `runyard COMMAND --help` says
the same as this page.

| variable | |
|---|---|
| `RUNYARD_URL`, `RUNYARD_API_KEY` | before what `runyard login` keeps; a kept key goes only to its own address |
| `RUNYARD_CONTEXT` | the name of the context to use |
| `RUNYARD_OUTPUT` | `table`, `json` or `yaml`, if `--output` says nothing |
| `XDG_CONFIG_HOME` | where `runyard/contexts.json` is, readable by its user only; else `~/.config` |
| `NO_COLOR` | no colours; there are none anyway where output is no terminal |

`--output json` is the API's answer; a command that lists everything puts its pages together. Executions, workflows and
approvals go by their id or by the end of it, as lists show it (the last eight characters); executions also by its beginning.

Secrets and keys are on no command line: `--secret` asks for one or reads a line of standard input, `--secret-file` reads a
file, and `--key-file` puts a new key into a file that only you can read. What cannot be taken back asks first; where nobody can
be asked it needs `--yes`."""


def text() -> str:
    """The whole file."""
    codes = [
        "## Exit codes",
        "\n".join(["| code | |", "|---|---|", *(f"| {int(code)} | {why} |" for code, why in MEANINGS.items())]),
    ]
    parts = [HEAD, *codes, "## Commands"]
    for path, command in _commands(typer.main.get_command(app), ()):
        parts += _section(path, command)
    return "\n\n".join(parts) + "\n"


def _commands(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    inner = getattr(command, "commands", {})
    if path and (not inner or command.invoke_without_command):
        yield path, command
    for name, each in inner.items():
        yield from _commands(each, (*path, name))


def _section(path: tuple[str, ...], command: Any) -> list[str]:
    arguments = [_word(each) for each in command.params if each.param_type_name == "argument"]
    usage = " ".join(["runyard", *path, *arguments, "[OPTIONS]"])
    parts = [f"### {' '.join(path)}", f"`{usage}`", inspect.cleandoc(_help(command))]
    rows = [f"| {_names(each)} | {_words(each)} |" for each in command.params if each.name != "help"]
    return [*parts, "\n".join(["| | |", "|---|---|", *rows])] if rows else parts


def _help(command: Any) -> str:
    """Of a group that lists by itself, that is what its callback says."""
    if getattr(command, "commands", None) and command.callback is not None:
        return str(command.callback.__doc__)
    return str(command.help or "")


def _word(parameter: Any) -> str:
    word = (parameter.metavar or parameter.name.upper()).strip("[]")
    return word if parameter.required else f"[{word}]"


def _names(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{_word(parameter)}`"
    names = ", ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])
    return names if parameter.is_flag else f"{names} {_kind(parameter)}"


def _kind(parameter: Any) -> str:
    annotation = parameter.type_descriptor.annotation
    if get_origin(annotation) is list:
        (annotation,) = get_args(annotation)
    if get_origin(annotation) is Literal:
        return ", ".join(get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return ", ".join(annotation)
    return f"`{parameter.metavar or parameter.name.rstrip('_').upper()}`"


def _words(parameter: Any) -> str:
    words = (parameter.help or "").replace("|", "\\|")
    default = getattr(parameter.default, "value", parameter.default)
    if parameter.param_type_name == "argument" or default in (None, "", [], False):
        return words
    if default is True:
        return f"{words} By itself: {parameter.opts[0]}." if parameter.secondary_opts else words
    return f"{words} By itself: {default}."


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
