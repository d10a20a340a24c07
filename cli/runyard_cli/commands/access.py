"""Signing in and out, and the gateways one is signed in at."""

import os
import sys
from http import HTTPStatus
from typing import Annotated

import typer
from rich.text import Text

from runyard_cli import completing
from runyard_cli.client import Api
from runyard_cli.contexts import DEFAULT_NAME, Contexts, Place, address_of, is_loopback
from runyard_cli.errors import Misused, Refused
from runyard_cli.output import Format, FormatOption, errors, facts, say, show, table
from runyard_cli.session import Options, connected

app = typer.Typer()


@app.command()
def login(
    context: typer.Context,
    url: Annotated[str, typer.Argument(envvar="RUNYARD_URL", help="The gateway: https://runyard.example.com")],
    name: Annotated[str, typer.Option(help="What to call this context, if there are several.")] = DEFAULT_NAME,
) -> None:
    """Sign in with an API key, which is asked for, or read from standard input or RUNYARD_API_KEY.

    The key is tried before it is kept, in a file that only you can read. On a command line it would be seen by everybody on the
    machine, so there is no option for it.
    """
    options: Options = context.obj
    name = options.context or name
    address = address_of(url)
    if address.startswith("http:") and not is_loopback(address):
        errors().print(
            Text(f"Anybody on the way to {address} can read your key: it is not encrypted. Use https.", style="yellow")
        )
    place = Place(address, _key())
    with Api(place) as api:
        try:
            me = api.get("/me")
        except Refused as no:
            if no.status == HTTPStatus.NOT_FOUND:
                no.hint = "Is the address right? It is that of the web app, without a path: https://runyard.example.com"
            raise
    contexts = Contexts.load()
    contexts.places[name] = place
    contexts.current = name
    contexts.save()
    say(Text(f"Signed in at {address} as {me['name']} of {me['tenantId']}; kept as context {name} in {contexts.path}."))


@app.command()
def logout(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(help="The context; else the current one.", autocompletion=completing.contexts)
    ] = None,
) -> None:
    """Forget the key of a context. The key itself goes on to work until it is revoked."""
    options: Options = context.obj
    contexts = Contexts.load()
    wanted = name or options.context or contexts.current
    place = contexts.places.pop(wanted, None)
    if place is None:
        raise Misused(f"There is no context {wanted}.", hint="`runyard contexts` lists them.")
    if contexts.current == wanted:
        contexts.current = min(contexts.places, default=DEFAULT_NAME)
    contexts.save()
    say(Text(f"The key of {place.url} is forgotten; nobody revoked it."))


@app.command()
def whoami(context: typer.Context, output: FormatOption = Format.TABLE) -> None:
    """Who you are there, and what you may do."""
    with connected(context) as api:
        show(
            api.get("/me"),
            output,
            lambda me: facts(
                ("Name", me["name"]),
                ("Tenant", me["tenantId"]),
                ("Roles", me["roles"]),
                ("Permissions", me["permissions"]),
                ("Gateway", api.url),
            ),
        )


@app.command()
def contexts(output: FormatOption = Format.TABLE) -> None:
    """The gateways you are signed in at; never their keys."""
    known = Contexts.load()
    rows = [{"name": name, "url": place.url, "current": name == known.current} for name, place in sorted(known.places.items())]
    show(
        {"items": rows},
        output,
        lambda answer: table(
            answer["items"],
            ("", lambda row: "*" if row["current"] else ""),
            ("CONTEXT", lambda row: row["name"]),
            ("GATEWAY", lambda row: row["url"]),
            nothing="You are not signed in anywhere: runyard login URL",
        ),
    )


@app.command()
def use(
    name: Annotated[str, typer.Argument(help="A name that `runyard contexts` shows.", autocompletion=completing.contexts)],
) -> None:
    """Use another context from now on."""
    known = Contexts.load()
    if name not in known.places:
        raise Misused(f"There is no context {name}.", hint="`runyard contexts` lists them.")
    known.current = name
    known.save()
    say(Text(f"From now on {known.places[name].url}"))


def _key() -> str:
    key = os.environ.get("RUNYARD_API_KEY") or (
        typer.prompt("API key", hide_input=True) if sys.stdin.isatty() else sys.stdin.readline()
    )
    if not (stripped := str(key).strip()):
        raise Misused(
            "An API key is needed.",
            hint="An administrator makes one: `runyard keys create`, or Settings, API keys in the web app.",
        )
    return stripped
