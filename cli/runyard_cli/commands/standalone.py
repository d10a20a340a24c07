"""All of Runyard in one process on this machine, if its package is installed here."""

import os
import sys
from importlib.util import find_spec
from typing import Annotated

import typer

from runyard_cli.errors import Misused

app = typer.Typer()
MODULE = "runyard_standalone"


@app.command()
def standalone(
    demo: Annotated[bool, typer.Option(help="Apply the examples, and run the first.")] = True,
) -> None:
    """Run everything in one process, on embedded parts, until Ctrl-C."""
    if find_spec(MODULE) is None:
        raise Misused("Runyard itself is not installed here, only its command line.", hint="pip install runyard-standalone")
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", MODULE, *([] if demo else ["--no-demo"])])  # noqa: S606 - no shell is wanted
