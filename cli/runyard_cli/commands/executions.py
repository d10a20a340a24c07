"""Executions: listed, shown, watched, read, cancelled, run again."""

import time
from enum import StrEnum
from typing import Annotated, Literal

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from runyard_cli import completing, finding, values
from runyard_cli.asking import Asker, can_ask
from runyard_cli.client import Api, Json
from runyard_cli.errors import Misused
from runyard_cli.journal import Journal, line
from runyard_cli.output import (
    Format,
    FormatOption,
    console,
    duration,
    errors,
    facts,
    first_line,
    job_name,
    moment,
    plain,
    say,
    short,
    show,
    status,
    table,
    when,
    write_bytes,
)
from runyard_cli.session import connected
from runyard_cli.views import Lines, Moving, Silent, View, outcome
from runyard_cli.watching import FINISHED, Watch

app = typer.Typer()


class Status(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


Trigger = Literal["manual", "webhook", "cron", "incident"]
Stream = Literal["stdout", "stderr", "body"]
_ID = "Its id, the end of it as lists show it, or its beginning."
ExecutionArgument = Annotated[str, typer.Argument(help=_ID, autocompletion=completing.executions)]
ActiveArgument = Annotated[str, typer.Argument(help=_ID, autocompletion=completing.active_executions)]
FinishedArgument = Annotated[str, typer.Argument(help=_ID, autocompletion=completing.finished_executions)]
AskOption = Annotated[bool, typer.Option("--ask/--no-ask", help="In a terminal, ask for approvals that wait for you.")]
TimeoutOption = Annotated[
    float | None, typer.Option(metavar="SECONDS", min=0, help="Stop watching after so long (exit code 6); it goes on.")
]
POLL_SECONDS = 0.4
MAIN_STREAM = {"http.request": "body"}
"""What people mean by the output of a job, where that is not stdout."""
CHUNK_BYTES = 1024 * 1024


@app.command("list")
def list_(
    context: typer.Context,
    workflow: Annotated[
        str | None,
        typer.Option("--workflow", "-w", help="Only of this workflow: its name or id.", autocompletion=completing.workflows),
    ] = None,
    state: Annotated[list[Status] | None, typer.Option("--status", "-s", help="May be repeated.")] = None,
    trigger: Annotated[Trigger | None, typer.Option(help="What started it.")] = None,
    since: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Started at or after: 2h, 7d, 2026-11-23, an instant.")
    ] = None,
    until: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Started before.")] = None,
    query: Annotated[
        str | None, typer.Option("--query", "-q", help="Part of the workflow's name, or the beginning of an id.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="So many at most.")] = 25,
    cursor: Annotated[str | None, typer.Option(help="What the last page gave as nextCursor.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All pages.")] = False,
    output: FormatOption = Format.TABLE,
) -> None:
    """Executions, newest first."""
    with connected(context) as api:
        filters = {
            "workflowId": finding.workflow(api, workflow)["workflowId"] if workflow else None,
            "status": state or None,
            "trigger": trigger,
            "from": values.instant(since),
            "to": values.instant(until),
            "q": query,
        }
        if everything:
            answer = api.whole("/executions", **filters)
        else:
            answer = api.get("/executions", **filters, limit=limit, cursor=cursor)
    show(answer, output, _rows)


@app.command("show")
def show_(context: typer.Context, execution: ExecutionArgument, output: FormatOption = Format.TABLE) -> None:
    """One execution: its nodes, jobs, approvals, variables, and what it waits for."""
    with connected(context) as api:
        detail = api.get(f"/executions/{finding.execution_id(api, execution)}")
    show(detail, output, _detail)


@app.command()
def watch(
    context: typer.Context,
    execution: ActiveArgument,
    ask: AskOption = True,
    timeout: TimeoutOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Follow an execution to its end; the exit code says how it ended. Ctrl-C stops the watching and nothing else."""
    with connected(context) as api:
        follow(api, finding.execution_id(api, execution), output, ask=ask, timeout=timeout)


@app.command()
def logs(
    context: typer.Context,
    execution: ExecutionArgument,
    job: Annotated[
        str | None,
        typer.Option(
            "--job",
            "-j",
            metavar="NODE",
            autocompletion=completing.nodes,
            help="The output of this node's last job instead (check@each[2]: of an item), or of the job of this id.",
        ),
    ] = None,
    stream: Annotated[
        Stream | None, typer.Option(help="Which output of the job; else body of http.request, stdout of all others.")
    ] = None,
    keep_on: Annotated[bool, typer.Option("--follow", "-f", help="Go on until it has ended.")] = False,
    output: FormatOption = Format.TABLE,
) -> None:
    """Every decision of an execution in words; with --job what that job wrote, byte for byte."""
    with connected(context) as api:
        identity = finding.execution_id(api, execution)
        if job is not None:
            found = finding.job_of(api, identity, job)
            _output(api, identity, found["jobId"], stream or MAIN_STREAM.get(found["actionType"], "stdout"), keep_on)
        elif output is not Format.TABLE:
            if keep_on:
                raise Misused(
                    "--follow is for people: without --output it prints lines.",
                    hint="`runyard events --follow` is for programs.",
                )
            entries = list(Journal(api, identity).news())
            show({"items": entries, "nextCursor": None}, output, lambda _: Text())
        else:
            _log(api, identity, keep_on)


@app.command()
def cancel(
    context: typer.Context,
    execution: ActiveArgument,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Stands in the log.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Also stop jobs that run, instead of letting them end.")] = False,
    output: FormatOption = Format.TABLE,
) -> None:
    """Nothing new starts; running jobs run to their end."""
    with connected(context) as api:
        identity = finding.execution_id(api, execution)
        answer = api.command("POST", f"/executions/{identity}/cancel", {"reason": reason, "force": force})
    show(answer, output, lambda told: Text.assemble(status(told["status"]), f"  {told['executionId']}"))


@app.command()
def rerun(
    context: typer.Context,
    execution: FinishedArgument,
    from_node: Annotated[
        str | None,
        typer.Option(
            "--from-node", metavar="NODE", help="Begin there, with the results before it.", autocompletion=completing.nodes
        ),
    ] = None,
    variable: Annotated[
        list[str] | None, typer.Option("--var", "-v", metavar="KEY=VALUE", help="Another value of an input.")
    ] = None,
    watch_it: Annotated[bool, typer.Option("--watch", "-w", help="Follow the new one to its end.")] = False,
    ask: AskOption = True,
    timeout: TimeoutOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Start it again, as a new execution."""
    with connected(context) as api:
        identity = finding.execution_id(api, execution)
        inputs = _inputs_of(api, identity) if variable else None
        body: Json = {"variables": values.variables(variable or [], [], inputs)}
        warn(values.unknown(body["variables"], inputs))
        if from_node:
            body["fromNode"] = from_node
        started = api.command("POST", f"/executions/{identity}/rerun", body)
        if watch_it:
            follow(api, started["executionId"], output, ask=ask, timeout=timeout)
            return
    show(
        started,
        output,
        lambda answer: Text(f"Started {answer['executionId']}.\nFollow it with: runyard watch {short(answer['executionId'])}"),
    )


def warn(text: str) -> None:
    if text:
        errors().print(Text(plain(text), style="yellow"))


def follow(api: Api, identity: str, form: Format, *, ask: bool, timeout: float | None) -> None:
    """To its end; the process ends as the execution did."""
    view: View = Silent()
    if form is Format.TABLE:
        view = Moving() if console().is_terminal else Lines(api, identity)
    asker = Asker(api) if ask and form is Format.TABLE and can_ask() else None
    try:
        detail = Watch(api, identity, view, asker=asker, timeout_seconds=timeout).to_the_end()
    except KeyboardInterrupt:
        name = short(identity)
        words = f"\nExecution {identity} goes on.\nCome back: runyard watch {name}\nStop it:   runyard cancel {name}"
        errors().print(Text(words))
        raise
    show(detail, form, outcome)
    raise typer.Exit(FINISHED[detail["status"]])


def _log(api: Api, identity: str, keep_on: bool) -> None:
    if keep_on:
        Watch(api, identity, Lines(api, identity)).to_the_end()
        return
    for entry in Journal(api, identity).news():
        say(line(entry))


def _output(api: Api, execution: str, job: str, stream: str, keep_on: bool) -> None:
    """The bytes, and while the job runs those that come. What is missing is said, and the exit code is still 0."""
    path = f"/executions/{execution}/jobs/{job}/output"
    offset = 0
    while True:
        answer = api.answer("GET", path, query={"stream": stream, "offset": offset, "limit": CHUNK_BYTES})
        write_bytes(answer.content)
        if missing := answer.headers.get("X-Output-Missing"):
            start, _, end = missing.partition("-")
            if int(end) <= int(answer.headers["X-Output-Next-Offset"]):
                errors().print(Text(f"… {int(end) - int(start):,} bytes are missing here …", style="yellow"))
        before, offset = offset, int(answer.headers["X-Output-Next-Offset"])
        if offset > before:
            continue
        sealed = answer.headers["X-Output-Sealed"] == "true"
        if sealed or not keep_on or not _may_write(api, execution, job):
            return
        time.sleep(POLL_SECONDS)


def _may_write(api: Api, execution: str, job: str) -> bool:
    return api.get(f"/executions/{execution}/jobs/{job}")["finishedAt"] is None


def _inputs_of(api: Api, execution: str) -> object:
    row = api.get(f"/executions/{execution}")
    return api.get(f"/workflows/{row['workflowId']}/versions/{row['version']}")["document"].get("inputs")


def _rows(answer: Json) -> RenderableType:
    rows = table(
        answer["items"],
        ("ID", lambda row: short(row["executionId"])),
        ("WORKFLOW", lambda row: row["workflowName"]),
        ("STATUS", lambda row: status(row["status"])),
        ("TRIGGER", lambda row: row["trigger"]["type"]),
        ("STARTED", lambda row: moment(row["startedAt"])),
        ("TIME", lambda row: duration(row["durationMs"])),
        ("JOBS", lambda row: f"{row['jobs']['completed']}/{row['jobs']['total']}"),
        ("WHAT", _what),
        nothing="No executions match.",
    )
    if not answer["nextCursor"]:
        return rows
    return Group(rows, Text("There are more: --limit, --all, or a narrower filter.", style="bright_black"))


def _what(row: Json) -> str:
    """What it waits for, else what runs, or why it failed. An older gateway tells less."""
    if now := row["waiting"] or row.get("running"):
        return str(now[0]["detail"])
    error = row.get("error")
    return str(error["message"]) if error else ""


def _detail(detail: Json) -> RenderableType:
    parts: list[RenderableType] = [
        facts(
            ("Execution", detail["executionId"]),
            ("Workflow", f"{detail['workflowName']}, version {detail['version']}"),
            ("Status", status(detail["status"])),
            ("Now", detail["banner"] if detail["finishedAt"] is None else None),
            ("Error", detail["error"]["message"] if detail["error"] else None),
            ("Started", f"{when(detail['startedAt'])} by {detail['startedBy']} ({detail['trigger']['type']})"),
            ("Ended", when(detail["finishedAt"])),
            ("Time", duration(detail["durationMs"])),
            ("Re-run of", detail["rerunOf"]),
            ("Part of", detail["parentExecutionId"]),
            ("Re-runs", [each["executionId"] for each in detail["reruns"]]),
            (
                "Subworkflows",
                [f"{each['executionId']} ({each['workflowName']}, {each['status']})" for each in detail["children"]],
            ),
            ("Variables", detail["variables"]),
        ),
        Text(),
        table(
            [node for node in detail["nodes"] if node["status"] != "pending"],
            ("NODE", lambda node: node["nodeId"]),
            ("NAME", lambda node: node["name"]),
            ("TYPE", lambda node: node["type"]),
            ("STATUS", lambda node: status(node["status"])),
            ("ITEMS", lambda node: f"{node['progress']['completed']}/{node['progress']['total']}" if node["progress"] else ""),
            nothing="No node has begun.",
        ),
    ]
    if detail["jobs"]:
        parts += [
            Text(),
            table(
                detail["jobs"],
                ("JOB OF", job_name),
                ("RUNS", lambda job: job["actionType"]),
                ("TRY", lambda job: job["attempt"]),
                ("STATUS", lambda job: status(job["status"])),
                ("AGENT", lambda job: job["agent"]),
                ("TIME", lambda job: duration(job["durationMs"])),
                ("OUTPUT", lambda job: first_line(job["error"]["message"] if job["error"] else job["output"])),
            ),
        ]
    if detail["jobsCursor"]:
        parts.append(Text(f"… of {detail['jobCounts']['total']} jobs the first {len(detail['jobs'])}", style="bright_black"))
    if detail["approvals"]:
        parts += [
            Text(),
            table(
                detail["approvals"],
                ("APPROVAL", lambda each: short(each["approvalId"])),
                ("ASKS", lambda each: each["message"]),
                ("STATUS", lambda each: status(each["status"])),
                ("BY", lambda each: each["respondedBy"]),
                ("NOTE", lambda each: each["responseNote"]),
            ),
        ]
    return Group(*parts)
