"""Connections: how jobs reach other systems. Their secrets go in and never come out."""

from typing import Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from runyard_cli import completing, finding, values
from runyard_cli.asking import YesOption, sure
from runyard_cli.client import Api, Json
from runyard_cli.confidential import SecretFileOption, SecretOption, secrets
from runyard_cli.errors import ExitCode, Misused
from runyard_cli.output import Format, FormatOption, duration, errors, plain, show, status, table, when
from runyard_cli.session import connected

app = typer.Typer(help="Connections: made, listed, tested, switched off.", invoke_without_command=True)

ConnectionArgument = Annotated[
    str, typer.Argument(metavar="CONNECTION", help="Its name or id.", autocompletion=completing.connections)
]
ConfigOption = Annotated[
    list[str] | None,
    typer.Option("--config", "-c", metavar="KEY=VALUE", help="As its kind has it; JSON, if it can be read as that."),
]
PoolOption = Annotated[
    list[str] | None,
    typer.Option("--pool", help="Only agents of this pool get it; may be repeated.", autocompletion=completing.pools),
]


@app.callback()
def list_connections(
    context: typer.Context,
    kind: Annotated[str | None, typer.Option(help="Only of this kind.", autocompletion=completing.kinds)] = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Connections, by name; never their secrets."""
    if context.invoked_subcommand:
        return
    with connected(context) as api:
        answer = api.whole("/connections", kind=kind)
    nothing = "No connection is so." if kind else "There is no connection: runyard connections create NAME KIND"
    show(answer, output, lambda page: _rows(page, nothing))


@app.command()
def kinds(context: typer.Context, output: FormatOption = Format.TABLE) -> None:
    """The kinds there are, with what each is configured with. A star: it cannot be left out."""
    with connected(context) as api:
        answer = api.get("/connection-types")
    show(
        answer,
        output,
        lambda told: table(
            told["items"],
            ("KIND", lambda row: row["kind"]),
            ("CONFIG", lambda row: _fields(row["config"])),
            ("SECRETS", lambda row: _fields(row["secrets"]) or "any"),
        ),
    )


@app.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Letters, digits, dots, hyphens and underscores.")],
    kind: Annotated[str, typer.Argument(help="One of `runyard connections kinds`.", autocompletion=completing.kinds)],
    config: ConfigOption = None,
    secret: SecretOption = None,
    secret_file: SecretFileOption = None,
    pool: PoolOption = None,
    description: Annotated[str, typer.Option("--description", "-d", help="What it is for.")] = "",
    output: FormatOption = Format.TABLE,
) -> None:
    """A new connection. Its secrets are asked for or read from files, and never shown again."""
    with connected(context) as api:
        body: Json = {
            "name": name,
            "kind": kind,
            "config": _config(api, kind, config),
            "secrets": secrets(secret or [], secret_file or []),
            "pools": pool or [],
            "description": description,
        }
        answer = api.command("POST", "/connections", body)
    show(answer, output, lambda made: _saved(made, "was made"))


@app.command()
def change(
    context: typer.Context,
    connection: ConnectionArgument,
    name: Annotated[str | None, typer.Option(help="What it is called from now on.")] = None,
    config: ConfigOption = None,
    secret: SecretOption = None,
    secret_file: SecretFileOption = None,
    no_secret: Annotated[
        list[str] | None, typer.Option("--no-secret", metavar="NAME", help="Take this secret away; may be repeated.")
    ] = None,
    pool: PoolOption = None,
    any_pool: Annotated[bool, typer.Option("--any-pool", help="Agents of all pools may get it.")] = False,
    description: Annotated[str | None, typer.Option("--description", "-d", help="What it is for.")] = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Change what is given, and nothing else; KEY=null takes a value away. Jobs that run keep what they were given."""
    changes = (name, config, secret, secret_file, no_secret, pool, any_pool or None, description)
    if not any(each is not None for each in changes) or (pool and any_pool):
        raise Misused(
            "Say what to change.", hint="`runyard connections change --help` shows what can be; --pool or --any-pool."
        )
    with connected(context) as api:
        row = finding.connection(api, connection)
        wanted = row["config"] | _config(api, row["kind"], config)
        given = secrets(secret or [], secret_file or [])
        body: Json = {
            "name": name or row["name"],
            "config": {key: value for key, value in wanted.items() if value is not None},
            "secrets": given | dict.fromkeys(no_secret or [], None),
            "pools": [] if any_pool else pool or row["pools"],
            "description": row["description"] if description is None else description,
        }
        answer = api.command("PUT", f"/connections/{row['connectionId']}", body)
    show(answer, output, lambda made: _saved(made, "was changed"))


@app.command()
def test(
    context: typer.Context,
    connection: ConnectionArgument,
    agent: Annotated[
        str | None, typer.Option(help="The agent that is to try it; else any that may.", autocompletion=completing.agents)
    ] = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Have an agent try it out now."""
    with connected(context) as api:
        identity = finding.connection(api, connection)["connectionId"]
        answer = api.command("POST", f"/connections/{identity}/test", {"agent": agent} if agent else {})
    show(
        answer,
        output,
        lambda told: Text.assemble(
            status("ok" if told["ok"] else "failed"),
            plain(f"  {told['message']} ({told['agent']}, {duration(told['durationMs'])})"),
        ),
    )
    if not answer["ok"]:
        raise typer.Exit(ExitCode.FAILED)


@app.command()
def disable(context: typer.Context, connection: ConnectionArgument, output: FormatOption = Format.TABLE) -> None:
    """Jobs that wait for it, and every new one, fail at once and say why; running jobs go on."""
    with connected(context) as api:
        row = finding.connection(api, connection)
        answer = api.command("POST", f"/connections/{row['connectionId']}/disable")
        if users := _users_of(api, row):
            errors().print(Text(plain(f"Workflows that use it fail now: {users}"), style="yellow"))
    show(answer, output, lambda row: _rows({"items": [row]}))


@app.command()
def enable(context: typer.Context, connection: ConnectionArgument, output: FormatOption = Format.TABLE) -> None:
    """Let jobs use it."""
    with connected(context) as api:
        identity = finding.connection(api, connection)["connectionId"]
        show(api.command("POST", f"/connections/{identity}/enable"), output, lambda row: _rows({"items": [row]}))


@app.command()
def delete(
    context: typer.Context, connection: ConnectionArgument, yes: YesOption = False, output: FormatOption = Format.TABLE
) -> None:
    """Forget it with its secrets. Jobs that use it fail at once."""
    with connected(context) as api:
        row = finding.connection(api, connection)
        users = "" if yes else _users_of(api, row)
        sure(
            f"{row['name']} will be forgotten with its secrets" + (f"; these workflows use it: {users}." if users else "."), yes
        )
        api.command("DELETE", f"/connections/{row['connectionId']}")
    show({"deleted": row["name"]}, output, lambda answer: Text(f"Connection {answer['deleted']} was deleted."))


def _config(api: Api, kind: str, pairs: list[str] | None) -> Json:
    if not pairs:
        return {}
    schema = next((row["config"] for row in api.get("/connection-types")["items"] if row["kind"] == kind), None)
    return values.variables(pairs, [], schema, option="--config")


def _users_of(api: Api, row: Json) -> str:
    """The names of the workflows that run with it."""
    return ", ".join(each["name"] for each in api.rows("/workflows", connection=row["name"]))


def _fields(schema: Json) -> str:
    needed = schema.get("required", [])
    return ", ".join(f"{name}*" if name in needed else name for name in schema.get("properties", {}))


def _saved(answer: Json, what: str) -> RenderableType:
    name = answer["name"]
    return Text(f"Connection {name} ({answer['kind']}) {what}.\nTry it: runyard connections test {name}")


def _rows(answer: Json, nothing: str = "") -> RenderableType:
    return table(
        answer["items"],
        ("NAME", lambda row: row["name"]),
        ("KIND", lambda row: row["kind"]),
        ("ENABLED", lambda row: row["enabled"]),
        ("POOLS", lambda row: row["pools"] or "any"),
        ("SECRETS", lambda row: row["secrets"]),
        ("LAST TEST", _tested),
        ("DESCRIPTION", lambda row: row["description"]),
        nothing=nothing,
    )


def _tested(row: Json) -> str:
    tested = row["tested"]
    return f"{'ok' if tested['ok'] else 'failed'}, {when(tested['at'])}: {tested['message']}" if tested else ""
