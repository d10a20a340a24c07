"""Messages nobody could handle: looked at, sent again, dropped."""

import json
from typing import Annotated, Literal

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from runyard_cli import completing
from runyard_cli.asking import YesOption, sure
from runyard_cli.client import Api, Json
from runyard_cli.errors import Misused, NotFound, Refused
from runyard_cli.output import Format, FormatOption, errors, moment, plain, show, status, table, when
from runyard_cli.session import connected

app = typer.Typer(help="Messages nobody could handle: looked at, sent again, dropped.", no_args_is_help=True)

Status = Literal["waiting", "retried", "dropped"]
IdsArgument = Annotated[
    list[str] | None,
    typer.Argument(help="Their ids, or the beginnings of those.", autocompletion=completing.parked_messages),
]
QueueOption = Annotated[str | None, typer.Option(help="Only those that came for this queue.")]
MatchOption = Annotated[str | None, typer.Option("--match", "-m", help="Only those with this in their reason or kind.")]
AllOption = Annotated[bool, typer.Option("--all", help="All that wait, as far as --queue and --match say.")]
SHOWN_DIGITS = 12


@app.command("list")
def list_parked(
    context: typer.Context,
    queue: QueueOption = None,
    match: MatchOption = None,
    state: Annotated[Status, typer.Option("--status", "-s", help="What was done with them.")] = "waiting",
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    cursor: Annotated[str | None, typer.Option(help="What the last page gave as nextCursor.")] = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Those parked last come first."""
    with connected(context) as api:
        answer = api.get("/parked-messages", queue=queue, q=match, status=state, limit=limit, cursor=cursor)
    show(answer, output, _rows)


@app.command("show")
def show_parked(
    context: typer.Context,
    message: Annotated[
        str, typer.Argument(help="Its id, or the beginning of that.", autocompletion=completing.parked_messages)
    ],
    output: FormatOption = Format.TABLE,
) -> None:
    """One of them, with its body."""
    with connected(context) as api:
        show(api.get(f"/parked-messages/{_id(api, message)}"), output, _detail)


@app.command()
def retry(
    context: typer.Context,
    messages: IdsArgument = None,
    everything: AllOption = False,
    queue: QueueOption = None,
    match: MatchOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Send them again to the queues they came for. What still cannot be handled comes back to the list."""
    with connected(context) as api:
        done = []
        for identity in _chosen(api, messages, everything, queue, match):
            try:
                done.append(api.command("POST", f"/parked-messages/{identity}/retry"))
            except Refused as refusal:
                if not everything:
                    raise
                errors().print(Text(plain(f"{identity[:SHOWN_DIGITS]}: {refusal.message}"), style="red"))
    show({"items": done, "nextCursor": None}, output, _rows)


@app.command()
def drop(
    context: typer.Context,
    messages: IdsArgument = None,
    everything: AllOption = False,
    queue: QueueOption = None,
    match: MatchOption = None,
    yes: YesOption = False,
    output: FormatOption = Format.TABLE,
) -> None:
    """Forget their bodies: they will never be handled."""
    with connected(context) as api:
        chosen = _chosen(api, messages, everything, queue, match)
        if chosen:
            sure(
                "1 message will be lost for good." if len(chosen) == 1 else f"{len(chosen):,} messages will be lost for good.",
                yes,
            )
        for identity in chosen:
            api.command("DELETE", f"/parked-messages/{identity}")
    show({"dropped": chosen}, output, lambda answer: Text(f"{len(answer['dropped']):,} dropped"))


def _chosen(api: Api, messages: list[str] | None, everything: bool, queue: str | None, match: str | None) -> list[str]:
    if bool(messages) == everything:
        raise Misused("Say which messages, or --all.", hint="`runyard admin parked list` shows them.")
    if messages:
        return [_id(api, text) for text in messages]
    pages = api.pages("/parked-messages", queue=queue, q=match)
    return [row["messageId"] for page in pages for row in page["items"]]


def _id(api: Api, text: str) -> str:
    text = text.lower()
    if len(text) == 64:
        return text
    pages = (api.pages("/parked-messages", status=state) for state in ("waiting", "retried", "dropped"))
    found = [row for each in pages for page in each for row in page["items"] if row["messageId"].startswith(text)]
    if not found:
        raise NotFound(f"No parked message is called {text!r}.", hint="`runyard admin parked list` shows them.")
    if len(found) > 1:
        words = [f"{row['messageId']}  {row['queue']}  {row['kind']}" for row in found]
        raise Misused("That could be any of these:", problems=words[:20], hint="Give more of the id.")
    return str(found[0]["messageId"])


def _rows(answer: Json) -> RenderableType:
    return table(
        answer["items"],
        ("ID", lambda row: row["messageId"][:SHOWN_DIGITS]),
        ("STATUS", lambda row: status(row["status"])),
        ("PARKED", lambda row: moment(row["parkedAt"])),
        ("TIMES", lambda row: str(row["times"])),
        ("QUEUE", lambda row: row["queue"]),
        ("KIND", lambda row: row["kind"]),
        ("REASON", lambda row: row["reason"]),
    )


def _detail(row: Json) -> RenderableType:
    facts = {
        "id": row["messageId"],
        "status": row["status"] + (f" by {row['settledBy']}" if row["settledBy"] else ""),
        "queue": row["queue"],
        "kind": row["kind"],
        "tenant": row["ofTenant"] and f"{row['ofTenant']} (as it says itself)",
        "sender": row["sender"],
        "reason": row["reason"],
        "attempts": f"{row['attempts']}, parked {row['times']} times",
        "first": when(row["firstParkedAt"]),
        "last": when(row["parkedAt"]),
        "retry": "possible" if row["retryable"] else "not possible",
    }
    lines: list[RenderableType] = [Text(plain(f"{name + ':':<10} {value}")) for name, value in facts.items() if value]
    return Group(*lines, Text(), Text(_readable(row["body"])))


def _readable(body: str) -> str:
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        return plain(body)
