"""Approvals: what waits for people, and their answers."""

from typing import Annotated, Literal

import typer
from rich.text import Text

from runyard_cli import completing, finding
from runyard_cli.client import Api, Json
from runyard_cli.output import Format, FormatOption, moment, short, show, status, table
from runyard_cli.session import connected

app = typer.Typer()

Status = Literal["pending", "approved", "rejected", "expired", "cancelled"]
ApprovalArgument = Annotated[
    str,
    typer.Argument(
        metavar="APPROVAL",
        help="Its id or the end of it, or that of the execution that waits for it.",
        autocompletion=completing.approvals,
    ),
]
NoteOption = Annotated[str, typer.Option("--note", "-n", help="Stands in the log, and whoever waits reads it.")]


@app.command()
def approvals(
    context: typer.Context,
    mine: Annotated[bool, typer.Option("--mine", help="Only those that you may answer and have not.")] = False,
    state: Annotated[Status, typer.Option("--status", "-s", help="Those that are so.")] = "pending",
    execution: Annotated[
        str | None, typer.Option("--execution", "-e", help="Only of this execution.", autocompletion=completing.executions)
    ] = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """What waits for people, oldest first."""
    with connected(context) as api:
        identity = finding.execution_id(api, execution) if execution else None
        answer = api.whole("/approvals", status=state, mine="true" if mine else None, executionId=identity)
    show(
        answer,
        output,
        lambda page: table(
            page["items"],
            ("ID", lambda row: short(row["approvalId"])),
            ("WORKFLOW", lambda row: row["workflowName"]),
            ("EXECUTION", lambda row: short(row["executionId"])),
            ("ASKS", lambda row: row["message"]),
            ("STATUS", lambda row: status(row["status"])),
            ("OF", lambda row: row["approvers"] or "anybody who may run it"),
            ("VOTES", lambda row: f"{len(row['votes'])}/{row['minApprovals']}"),
            ("ASKED", lambda row: moment(row["requestedAt"])),
            ("UNTIL", lambda row: moment(row["expiresAt"])),
            nothing="Nothing waits." if state == "pending" else "Nothing found.",
        ),
    )


@app.command()
def approve(
    context: typer.Context, approval: ApprovalArgument, note: NoteOption = "", output: FormatOption = Format.TABLE
) -> None:
    """Say yes. Of several answers the first counts, and the others are told whose it was."""
    with connected(context) as api:
        _answer(api, "approve", approval, note, output)


@app.command()
def reject(
    context: typer.Context, approval: ApprovalArgument, note: NoteOption = "", output: FormatOption = Format.TABLE
) -> None:
    """Say no; a note tells why."""
    with connected(context) as api:
        _answer(api, "reject", approval, note, output)


def _answer(api: Api, command: str, text: str, note: str, form: Format) -> None:
    identity = finding.approval_id(api, text)
    show(api.command("POST", f"/approvals/{identity}/{command}", {"note": note, "via": "api"}), form, _told)


def _told(answer: Json) -> Text:
    missing = answer["minApprovals"] - answer["approvals"]
    if answer["status"] == "pending":
        return Text(f"Noted: {answer['approvals']} of {answer['minApprovals']} approvals; {missing} more are needed.")
    return Text.assemble(status(answer["status"]), f" by {answer['respondedBy']}")
