"""The composition of the command, and the one place where it ends: each outcome has its exit code."""

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.text import Text
from typer.exceptions import TyperException

from runyard_cli.commands import access, admin, approvals, events, executions, places, standalone, workflows
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
app.add_typer(places.agents, name="agents")
app.add_typer(places.pools, name="pools")
app.add_typer(places.connections, name="connections")
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
        str | None, typer.Option("--context", "-c", help="The context to use, instead of the current one and RUNYARD_URL.")
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which version this is.")
    ] = False,
) -> None:
    context.obj = Options(context=name)


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point; ends the process."""
    sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    try:
        code = app(args=arguments, prog_name="runyard", standalone_mode=False)
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
