"""The composition of the command, and the one place where it ends: each outcome has its exit code."""

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.text import Text
from typer.exceptions import TyperException

from runyard_cli import completing
from runyard_cli.commands import (
    access,
    admin,
    agents,
    approvals,
    catalog,
    connections,
    events,
    executions,
    people,
    pools,
    standalone,
    workflows,
)
from runyard_cli.errors import CommandFailed, ExitCode
from runyard_cli.output import ReaderGone, errors, plain
from runyard_cli.session import Options

app = typer.Typer(
    name="runyard",
    help="Drive Runyard from a terminal or a script. Start with `runyard login URL`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group in (access.app, workflows.app, executions.app, approvals.app):
    app.add_typer(group)
app.add_typer(catalog.app, name="workflows")
app.add_typer(agents.app, name="agents")
app.add_typer(pools.app, name="pools")
app.add_typer(connections.app, name="connections")
app.add_typer(people.users, name="users")
app.add_typer(people.keys, name="keys")
app.add_typer(people.roles, name="roles")
for group in (events.app, standalone.app):
    app.add_typer(group)
app.add_typer(admin.app, name="admin")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version as version_of

        typer.echo(version_of("runyard-cli"))
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Option(
            "--context",
            "-c",
            help="The context to use, instead of the current one and RUNYARD_URL.",
            autocompletion=completing.contexts,
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which version this is.")
    ] = False,
) -> None:
    context.obj = Options(context=name)


PANELS = {
    "Sign in": ("login", "logout", "whoami", "contexts", "use"),
    "Workflows": ("apply", "validate", "workflows", "export", "run"),
    "Executions": ("list", "show", "watch", "logs", "cancel", "rerun", "approvals", "approve", "reject"),
    "Where jobs run, and what they reach": ("agents", "pools", "connections"),
    "Who may do what": ("users", "keys", "roles"),
    "All of it": ("events", "admin", "standalone"),
}
"""How `runyard --help` is divided."""
SHORT = 20
"""So many letters of choices stand in one line; more of them are broken between two."""


def command() -> Any:
    """All of it. The library's help shows types, also of a flag, as if it took a value: here it shows names."""
    made: Any = typer.main.get_command(app)
    for panel, names in PANELS.items():
        for name in names:
            made.commands[name].rich_help_panel = panel
    _name_values(made)
    return made


def _name_values(command: Any) -> None:
    for parameter in command.params:
        if getattr(parameter, "is_flag", False):
            parameter.metavar = ""
        elif parameter.metavar is None and parameter.type_descriptor.is_choice:
            words = [str(each) for each in parameter.type_descriptor.choices]
            parameter.metavar = ("|" if len("".join(words)) < SHORT else " | ").join(words)
        elif parameter.metavar is None:
            parameter.metavar = parameter.name.rstrip("_").upper()
    for inner in getattr(command, "commands", {}).values():
        _name_values(inner)


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point; ends the process."""
    sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    try:
        code = command().main(args=arguments, prog_name="runyard", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else ExitCode.DONE
    except CommandFailed as failed:
        _say(failed)
        return failed.exit_code
    except TyperException as wrong:
        from typer.rich_utils import rich_format_error  # takes as long to load as all else

        rich_format_error(wrong)  # type: ignore[arg-type]  # typer exports their base class only
        return ExitCode.USAGE
    except (KeyboardInterrupt, typer.Abort):
        return ExitCode.INTERRUPTED
    except ReaderGone:
        # Python must not try to flush once more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.DONE
    except Exception:  # noqa: BLE001 - its exit code is not that of an execution that failed
        import traceback

        traceback.print_exc()
        return ExitCode.INTERNAL


def _say(failed: CommandFailed) -> None:
    out = errors()
    out.print(Text.assemble(("Error: ", "bold red"), plain(failed.message)))
    for problem in failed.problems:
        out.print(Text(f"  {plain(problem)}", style="red"))
    if failed.hint:
        out.print(Text(plain(failed.hint), style="bright_black"))
