"""For those who look after an installation: its read models, its audit log, and what could not be handled."""

import time
from typing import Annotated, Literal

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from runyard_cli import completing, values
from runyard_cli.client import Api, Json
from runyard_cli.commands import parked
from runyard_cli.errors import ExitCode
from runyard_cli.output import Format, FormatOption, duration, errors, moment, plain, show, status, table
from runyard_cli.session import connected

app = typer.Typer(help="Look after an installation.", no_args_is_help=True)
projections = typer.Typer(help="Read models: how far they are, made anew, compared with the log.", invoke_without_command=True)
app.add_typer(projections, name="projections")
app.add_typer(parked.app, name="parked")

Outcome = Literal["done", "refused", "failed", "unknown"]
NamesArgument = Annotated[
    list[str] | None, typer.Argument(help="Which read models; none: all.", autocompletion=completing.projections)
]
WaitOption = Annotated[
    bool, typer.Option("--wait/--no-wait", help="Until it is done; exit code 1 if it failed or found differences.")
]
POLL_SECONDS = 0.5


@projections.callback()
def list_projections(context: typer.Context, output: FormatOption = Format.TABLE) -> None:
    """How far each read model is behind the log, and why."""
    if context.invoked_subcommand:
        return
    with connected(context) as api:
        show(api.get("/projections"), output, _projections)


@projections.command()
def rebuild(
    context: typer.Context, names: NamesArgument = None, wait: WaitOption = True, output: FormatOption = Format.TABLE
) -> None:
    """Make read models anew from the log, while the system runs."""
    with connected(context) as api:
        _background(api, "rebuild", names, wait, output)


@projections.command()
def checksum(
    context: typer.Context, names: NamesArgument = None, wait: WaitOption = True, output: FormatOption = Format.TABLE
) -> None:
    """Compare read models with a replay of the log, while the system runs."""
    with connected(context) as api:
        _background(api, "checksum", names, wait, output)


@app.command()
def audit(
    context: typer.Context,
    actor: Annotated[str | None, typer.Option(help="Whose commands.")] = None,
    operation: Annotated[str | None, typer.Option(help="As in /openapi.json: runWorkflow.")] = None,
    outcome: Annotated[Outcome | None, typer.Option(help="What came of it.")] = None,
    since: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="At or after: 2h, 7d, 2026-11-23, an instant.")
    ] = None,
    until: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Before.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    cursor: Annotated[str | None, typer.Option(help="What the last page gave as nextCursor.")] = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Every command: who sent it, from where, and what came of it; newest first."""
    query = {"actor": actor, "operation": operation, "outcome": outcome, "limit": limit, "cursor": cursor}
    with connected(context) as api:
        answer = api.get("/audit", **query, **{"from": values.instant(since), "to": values.instant(until)})
    show(
        answer,
        output,
        lambda told: table(
            told["items"],
            ("AT", lambda row: moment(row["startedAt"])),
            ("ACTOR", lambda row: row["actor"]),
            ("BY", lambda row: row["credentialType"]),
            ("FROM", lambda row: row["source"]),
            ("OPERATION", lambda row: row["operation"]),
            ("TARGET", lambda row: row["target"]),
            ("OUTCOME", lambda row: status(row["outcome"])),
            ("WHY", lambda row: row["code"]),
            ("TIME", lambda row: duration(row["durationMs"])),
        ),
    )


@app.command("rotate-master-key")
def rotate_master_key(context: typer.Context, output: FormatOption = Format.TABLE) -> None:
    """Protect every stored secret with the newest key, so that the old one can be taken away. Broken off, run it again."""
    totals: dict[str, Json] = {}
    with connected(context) as api:
        while True:
            answer = api.command("POST", "/secrets/rotate")
            for part in answer["parts"]:
                changed = part["changed"] + totals.get(part["name"], {"changed": 0})["changed"]
                totals[part["name"]] = part | {"changed": changed}
            if not answer["remaining"] or not any(part["changed"] for part in answer["parts"]):
                break
            errors().print(Text(f"{answer['remaining']:,} to go"))
    show({"parts": list(totals.values())}, output, _rotated)
    if any(part["unreadable"] or part["remaining"] for part in totals.values()):
        raise typer.Exit(ExitCode.FAILED)


def _background(api: Api, what: str, names: list[str] | None, wait: bool, form: Format) -> None:
    """202 says which; what became of it is in the list."""
    before = {row["name"]: _began(row, what) for row in api.get("/projections")["items"]}
    asked = api.command("POST", f"/projections/{what}", {"names": names or []})["names"]
    if not wait:
        show({"names": asked}, form, lambda answer: Text(f"Under way: {', '.join(answer['names'])}"))
        return
    while True:
        rows = [row for row in api.get("/projections")["items"] if row["name"] in asked]
        if all(_began(row, what) != before[row["name"]] and row[what]["finishedAt"] for row in rows):
            break
        time.sleep(POLL_SECONDS)
    show({"items": rows}, form, lambda answer: _results(answer, what))
    if any(row[what]["failure"] or row[what].get("differences") for row in rows):
        raise typer.Exit(ExitCode.FAILED)


def _began(row: Json, what: str) -> str | None:
    return row[what]["startedAt"] if row[what] else None


def _projections(answer: Json) -> RenderableType:
    return table(
        answer["items"],
        ("NAME", lambda row: row["name"]),
        ("STATUS", lambda row: status(row["status"])),
        ("BEHIND", lambda row: f"{row['lagEvents']:,} events, {row['lagSeconds']:.1f} s" if row["lagEvents"] else ""),
        ("AS OF", lambda row: moment(row["asOf"])),
        ("REBUILT", lambda row: moment(row["rebuild"]["finishedAt"]) if row["rebuild"] else ""),
        ("COMPARED", lambda row: moment(row["checksum"]["finishedAt"]) if row["checksum"] else ""),
        ("WHY", lambda row: row["reason"]),
    )


def _rotated(answer: Json) -> RenderableType:
    parts: list[RenderableType] = [
        Text(f"{part['name'] + ':':<13} {part['changed']:,} changed, {part['current']:,} were current when it ended")
        for part in answer["parts"]
    ]
    lost = [f"{part['name']}: {name}" for part in answer["parts"] for name in part["unreadable"]]
    if lost:
        parts.append(Text("None of the keys opens these; add the key they were made with, or enter them again:", style="red"))
        parts += [Text(plain(f"  {name}"), style="red") for name in lost]
    else:
        parts.append(Text("The older keys can be taken away now."))
    return Group(*parts)


def _results(answer: Json, what: str) -> RenderableType:
    parts: list[RenderableType] = []
    for row in answer["items"]:
        result = row[what]
        bad = result["failure"] or result.get("differences")
        parts.append(
            Text.assemble(status("failed" if bad else "ok"), f"  {row['name']}  up to position {result['position']:,}")
        )
        if result["failure"]:
            parts.append(Text(f"    {plain(result['failure'])}", style="red"))
        for found in result.get("differences") or []:
            words = (
                f"    {found['table']}: {found['rows']:,} rows, the log gives {found['expected']:,}; {', '.join(found['keys'])}"
            )
            parts.append(Text(plain(words), style="red"))
    return Group(*parts)
