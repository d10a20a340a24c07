"""What every command has: the gateway it talks to, chosen by `--context`, the environment or the file."""

from dataclasses import dataclass

import typer
from rich.text import Text

from runyard_cli.client import Api
from runyard_cli.contexts import Contexts
from runyard_cli.output import errors, plain


@dataclass(frozen=True)
class Options:
    """Those that stand before the command."""

    context: str | None = None


def connected(context: typer.Context) -> Api:
    options: Options = context.obj
    return Api(Contexts.load().place(options.context), tell=_tell)


def _tell(why: str) -> None:
    errors().print(Text(plain(why), style="yellow"))
