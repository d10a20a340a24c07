"""Workflows: from files and back, checked, run."""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from runyard_cli import completing, files, finding, values
from runyard_cli.client import Api, Json
from runyard_cli.commands.catalog import WorkflowArgument
from runyard_cli.commands.executions import AskOption, TimeoutOption, follow, warn
from runyard_cli.errors import CommandFailed, ExitCode, Misused, problem_lines
from runyard_cli.output import Format, FormatOption, errors, plain, short, show, status, write_bytes
from runyard_cli.session import connected

app = typer.Typer()

FileOption = Annotated[
    list[str], typer.Option("--file", "-f", help="A YAML or JSON file, a directory with such files, or - for standard input.")
]


@app.command()
def apply(
    context: typer.Context,
    file: FileOption,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    publish: Annotated[bool, typer.Option(help="Make it the version that runs, not only the draft.")] = True,
    activate: Annotated[bool, typer.Option(help="Let it run; only with --publish.")] = True,
    output: FormatOption = Format.TABLE,
) -> None:
    """Make workflows be as their files say, by their names: publish and activate them.

    For each workflow it is all or nothing: one that has problems stays as it was, and the others are applied all the same. To
    apply again changes nothing that is so already.
    """
    found = files.documents(file)
    names = files.names_inside(found)
    with connected(context) as api:
        answer = api.send(
            "/workflows/import",
            files.archive(found),
            files.ARCHIVE,
            publish=publish,
            activate=activate and publish,
            dryRun=dry_run,
        )
    for item in answer["items"]:
        item["file"] = names.get(item["file"], item["file"])
    show(answer, output, lambda told: _applied(told, dry_run))
    if answer["refused"]:
        raise typer.Exit(ExitCode.REFUSED)


@app.command()
def validate(context: typer.Context, file: FileOption, output: FormatOption = Format.TABLE) -> None:
    """All problems that would stop these documents from being published; nothing is saved."""
    checked: list[Json] = []
    with connected(context) as api:
        for document in files.documents(file):
            answer = _validation(api, document)
            checked.append({"file": document.name, **answer})
    show({"items": checked}, output, lambda told: Group(*[_validated(item) for item in told["items"]]))
    if not all(item["valid"] for item in checked):
        raise typer.Exit(ExitCode.REFUSED)


@app.command()
def export(
    context: typer.Context,
    workflow: Annotated[
        str | None,
        typer.Argument(help="Its name or id; without one all of them, as a ZIP archive.", autocompletion=completing.workflows),
    ] = None,
    to: Annotated[Path | None, typer.Option("--to", "-t", help="The file to write; else standard output.")] = None,
    version: Annotated[int | None, typer.Option(help="A published version; else the draft.")] = None,
    format_: Annotated[Literal["yaml", "json"] | None, typer.Option("--format", help="Else as it was written.")] = None,
    published: Annotated[
        bool, typer.Option("--published", help="Of all of them: the versions that run, not the drafts.")
    ] = False,
) -> None:
    """A workflow as the file it came from, to the letter."""
    with connected(context) as api:
        if workflow is None:
            if to is None and sys.stdout.isatty():
                raise Misused(
                    "All workflows are a ZIP archive, which is nothing for a terminal.", hint="Add --to workflows.zip"
                )
            answer = api.answer("GET", "/workflows/export", query={"format": format_, "published": published})
        else:
            identity = finding.workflow(api, workflow)["workflowId"]
            answer = api.answer("GET", f"/workflows/{identity}/export", query={"version": version, "format": format_})
    if to is None:
        write_bytes(answer.content)
        return
    try:
        to.write_bytes(answer.content)
    except OSError as problem:
        raise Misused(f"{to} cannot be written: {problem.strerror}") from None
    errors().print(Text(f"{to}: {len(answer.content):,} bytes"))


@app.command()
def run(
    context: typer.Context,
    workflow: WorkflowArgument,
    variable: Annotated[
        list[str] | None, typer.Option("--var", "-v", metavar="KEY=VALUE", help="An input; JSON, if it can be read as that.")
    ] = None,
    vars_: Annotated[
        list[Path] | None,
        typer.Option("--vars", metavar="FILE", help="Inputs from a YAML or JSON file, or - for standard input."),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Follow it to its end; the exit code says how it ended.")
    ] = False,
    ask: AskOption = True,
    timeout: TimeoutOption = None,
    once: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="An Idempotency-Key: however often this is called with it, one execution starts."),
    ] = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Start an execution of the version that is published."""
    if timeout is not None and not watch:
        raise Misused("--timeout is how long to watch: it needs --watch.")
    with connected(context) as api:
        row = finding.workflow(api, workflow)
        inputs = _inputs(api, row) if variable or vars_ else None
        given = values.variables(variable or [], vars_ or [], inputs)
        warn(values.unknown(given, inputs))
        started = api.command("POST", f"/workflows/{row['workflowId']}/run", {"variables": given}, once=once)
        if not watch:
            show(
                started,
                output,
                lambda answer: Text(
                    f"Started {answer['executionId']} of {plain(row['name'])}.\n"
                    f"Follow it with: runyard watch {short(answer['executionId'])}"
                ),
            )
            return
        follow(api, started["executionId"], output, ask=ask, timeout=timeout)


def _inputs(api: Api, row: Json) -> Any:
    if row["publishedVersion"] is None:
        return None
    version = api.get(f"/workflows/{row['workflowId']}/versions/{row['publishedVersion']}")
    return version["document"].get("inputs")


def _validation(api: Api, document: files.Document) -> Json:
    """A document that cannot even be read is refused by the API: for the user that is one more problem."""
    try:
        return api.send("/workflows/validate", document.content, document.content_type)
    except CommandFailed as refused:
        body = getattr(refused, "body", None)
        if body is None or getattr(refused, "status", 0) not in (400, 413, 415, 422):
            raise
        errors_ = body.get("errors") or [{"path": "", "message": refused.message}]
        return {"valid": False, "errors": errors_, "warnings": []}


def _validated(item: Json) -> RenderableType:
    parts = [Text.assemble(status("ok" if item["valid"] else "refused"), f"  {plain(item['file'])}")]
    parts += [Text(f"    {plain(line)}", style="red") for line in problem_lines(item["errors"])]
    parts += [Text(f"    {plain(line)}", style="yellow") for line in problem_lines(item["warnings"])]
    return Group(*parts)


def _applied(answer: Json, dry_run: bool) -> RenderableType:
    parts: list[Text] = []
    for item in answer["items"]:
        version = f"  version {item['publishedVersion']}" if item["publishedVersion"] else ""
        head = f"  {plain(item['name'] or '?')}  ({plain(item['file'] or '?')}){version}"
        parts.append(Text.assemble(status(item["outcome"]), head))
        if item["outcome"] == "refused" and item["detail"]:
            parts.append(Text(f"    {plain(item['detail'])}", style="red"))
        style = "red" if item["outcome"] == "refused" else "yellow"
        parts += [Text(f"    {plain(line)}", style=style) for line in problem_lines(item["problems"])]
    counts = ", ".join(f"{answer[each]} {each}" for each in ("created", "updated", "unchanged", "refused") if answer[each])
    parts.append(Text(f"{'Nothing was changed; it would be: ' if dry_run else ''}{counts or 'nothing to do'}"))
    return Group(*parts)
