"""Everything that happens in the tenant, for programs and for people who look over their shoulder."""

import json
from typing import Annotated, Literal

import typer
from rich.text import Text

from runyard_cli import values
from runyard_cli.client import Json
from runyard_cli.output import Format, FormatOption, clock, errors, plain, say, short, write, yaml_text
from runyard_cli.session import connected
from runyard_cli.stream import LOST
from runyard_cli.stream import events as stream

app = typer.Typer()

Log = Literal["orchestrator", "dispatcher"]


@app.command()
def events(
    context: typer.Context,
    keep_on: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what happens from now on.")] = False,
    kind: Annotated[
        list[str] | None, typer.Option("--type", help="The beginning of their topics: job. or job.completed; may be repeated.")
    ] = None,
    subject: Annotated[str | None, typer.Option(help="Of one execution, workflow, agent, pool or connection: its id.")] = None,
    log: Annotated[Log, typer.Option(help="Executions and workflows, or agents, pools and connections.")] = "orchestrator",
    since: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="From then on: 2h, 2026-11-23, an instant.")
    ] = None,
    after: Annotated[int | None, typer.Option(min=0, metavar="POSITION", help="After this position of the log.")] = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """A line for each event; as JSON a CloudEvent in each line. Without --follow those that there are.

    --follow without --from and --after begins with what happens next. A lost connection is made again, and nothing is missed.
    """
    query: Json = {"log": log, "type": kind or None, "subject": subject, "from": values.instant(since), "after": after}
    with connected(context) as api:
        if not keep_on:
            for page in api.pages("/events.json", **query):
                for event in page["items"]:
                    _print(event, output)
            return
        away = False
        for sent in stream(api, "/events", **query):
            if sent.name == LOST:
                if not away:
                    errors().print(Text(f"Connection lost ({sent.data['reason']}), connecting again…", style="yellow"))
                away = True
            else:
                away = False
                _print(sent.data, output)


def _print(event: Json, form: Format) -> None:
    match form:
        case Format.JSON:
            write(json.dumps(event, ensure_ascii=False) + "\n")
        case Format.YAML:
            write("---\n" + yaml_text(event))
        case Format.TABLE:
            topic = event["type"].removeprefix("runyard.").rpartition(".v")[0]
            what = json.dumps(event["data"], ensure_ascii=False) if "data" in event else event.get("dataref", "")
            line = Text.assemble(
                (f"{event['sequence']:>8}  {clock(event['time'])}  ", "bright_black"),
                (f"{topic:<28}", "bold"), f" {short(event['subject'])}  ", (plain(what), "bright_black"),
            )  # fmt: skip
            line.no_wrap, line.overflow = True, "ellipsis"
            say(line)
