"""The workflows that there are: listed, let run or not, their versions."""

from typing import Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from runyard_cli import completing, finding
from runyard_cli.asking import YesOption, sure
from runyard_cli.client import Json
from runyard_cli.output import Format, FormatOption, moment, plain, short, show, table
from runyard_cli.session import connected

app = typer.Typer(help="Workflows: listed, let run or not, their versions.", invoke_without_command=True)

WorkflowArgument = Annotated[
    str, typer.Argument(metavar="WORKFLOW", help="Its name, its id, or the end of its id.", autocompletion=completing.workflows)
]


@app.callback()
def list_workflows(
    context: typer.Context,
    query: Annotated[str | None, typer.Option("--query", "-q", help="Part of the name.")] = None,
    archived: Annotated[bool, typer.Option("--archived", help="Those that were archived instead.")] = False,
    active: Annotated[bool | None, typer.Option("--active/--inactive", help="Only those.")] = None,
    connection: Annotated[
        str | None, typer.Option(help="Only those that run with this one.", autocompletion=completing.connections)
    ] = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Workflows, by name."""
    if context.invoked_subcommand:
        return
    with connected(context) as api:
        answer = api.whole("/workflows", q=query, archived=archived, active=active, connection=connection)
    chosen = query or archived or active is not None or connection
    nothing = "No workflow is so." if chosen else "There is no workflow: runyard apply -f FILE"
    show(answer, output, lambda page: _rows(page, nothing))


@app.command()
def activate(context: typer.Context, workflow: WorkflowArgument, output: FormatOption = Format.TABLE) -> None:
    """Let it run: by its triggers and by hand."""
    with connected(context) as api:
        identity = finding.workflow(api, workflow)["workflowId"]
        answer = api.command("POST", f"/workflows/{identity}/activate")
    show(answer, output, lambda told: Text(plain(f"{told['name']} may run: version {told['publishedVersion']}.")))


@app.command()
def deactivate(context: typer.Context, workflow: WorkflowArgument, output: FormatOption = Format.TABLE) -> None:
    """Let nothing start it any more. What runs goes on: `runyard cancel` stops that."""
    with connected(context) as api:
        identity = finding.workflow(api, workflow)["workflowId"]
        answer = api.command("POST", f"/workflows/{identity}/deactivate")
    show(answer, output, lambda told: Text(plain(f"Nothing starts {told['name']} any more.")))


@app.command()
def versions(context: typer.Context, workflow: WorkflowArgument, output: FormatOption = Format.TABLE) -> None:
    """What was published, newest first."""
    with connected(context) as api:
        answer = api.whole(f"/workflows/{finding.workflow(api, workflow)['workflowId']}/versions")
    show(
        answer,
        output,
        lambda page: table(
            page["items"],
            ("VERSION", lambda row: row["version"]),
            ("RUNS", lambda row: "this one" if row["running"] else ""),
            ("PUBLISHED", lambda row: moment(row["publishedAt"])),
            ("BY", lambda row: row["publishedBy"]),
            nothing="It was never published.",
        ),
    )


@app.command()
def rollback(
    context: typer.Context,
    workflow: WorkflowArgument,
    version: Annotated[int, typer.Argument(min=1, help="One that `runyard workflows versions` shows.")],
    output: FormatOption = Format.TABLE,
) -> None:
    """Run an earlier version again, or a later one. What runs goes on as it began, and the draft stays as it is."""
    with connected(context) as api:
        row = finding.workflow(api, workflow)
        answer = api.command("POST", f"/workflows/{row['workflowId']}/rollback", {"version": version})
    show(answer, output, lambda told: Text(plain(f"{row['name']} runs version {told['version']} from now on.")))


@app.command()
def archive(
    context: typer.Context, workflow: WorkflowArgument, yes: YesOption = False, output: FormatOption = Format.TABLE
) -> None:
    """It can neither run nor be changed any more. Its name stays taken, and its history stays."""
    with connected(context) as api:
        row = finding.workflow(api, workflow)
        sure(f"{row['name']} will never run or be changed again.", yes)
        answer = api.command("DELETE", f"/workflows/{row['workflowId']}")
    show(answer, output, lambda _: Text(plain(f"{row['name']} was archived.")))


def _rows(answer: Json, nothing: str) -> RenderableType:
    return table(
        answer["items"],
        ("ID", lambda row: short(row["workflowId"])),
        ("NAME", lambda row: row["name"]),
        ("VERSION", lambda row: row["publishedVersion"] or "–"),
        ("RUNS", lambda row: "archived" if row["archived"] else "active" if row["active"] else "not active"),
        ("DRAFT", lambda row: "differs" if row["draftDiffers"] else ""),
        ("TRIGGERS", lambda row: row["triggers"]),
        ("CHANGED", lambda row: moment(row["updatedAt"])),
        nothing=nothing,
    )
