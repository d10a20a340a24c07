"""Agents: where jobs run."""

from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from runyard_cli import completing, finding
from runyard_cli.asking import YesOption, sure
from runyard_cli.client import Json
from runyard_cli.confidential import KeyFile, KeyFileOption, with_key_file
from runyard_cli.errors import Misused
from runyard_cli.output import Format, FormatOption, duration, job_name, moment, plain, short, show, status, table
from runyard_cli.session import connected

app = typer.Typer(help="Agents: made, listed, drained, given up.", invoke_without_command=True)


class Status(StrEnum):
    NEW = "new"
    ONLINE = "online"
    DRAINING = "draining"
    OFFLINE = "offline"
    REVOKED = "revoked"


AgentArgument = Annotated[str, typer.Argument(metavar="AGENT", help="Its name or id.", autocompletion=completing.agents)]
TagOption = Annotated[list[str] | None, typer.Option("--tag", "-t", help="Nodes can ask for it; may be repeated.")]


@app.callback()
def list_agents(
    context: typer.Context,
    pool: Annotated[str | None, typer.Option(help="Only of this pool.", autocompletion=completing.pools)] = None,
    state: Annotated[list[Status] | None, typer.Option("--status", "-s", help="May be repeated.")] = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Agents, by name."""
    if context.invoked_subcommand:
        return
    with connected(context) as api:
        answer = api.whole("/agents", pool=pool, status=state or None)
    nothing = "No agent is so." if pool or state else "There is no agent: runyard agents create NAME"
    show(answer, output, lambda page: _rows(page, nothing))


@app.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Letters, digits, dots, hyphens and underscores.")],
    pool: Annotated[str, typer.Option(help="Whose jobs it runs.", autocompletion=completing.pools)] = "default",
    tag: TagOption = None,
    key_file: KeyFileOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Make one known. Its key is shown this once, with the command that starts it on its host."""
    with KeyFile(key_file) as file, connected(context) as api:
        answer = file.keep(api.command("POST", "/agents", {"name": name, "pool": pool, "tags": tag or []}))
    show(answer, output, lambda made: _key(made, f"Agent {made['name']} of the pool {made['pool']} was made."))


@app.command()
def jobs(context: typer.Context, agent: AgentArgument, output: FormatOption = Format.TABLE) -> None:
    """The jobs that it has now."""
    with connected(context) as api:
        answer = api.get(f"/agents/{finding.agent(api, agent)['agentId']}/jobs")
    show(answer, output, held)


@app.command()
def change(
    context: typer.Context,
    agent: AgentArgument,
    pool: Annotated[str | None, typer.Option(help="Its pool from now on.", autocompletion=completing.pools)] = None,
    tag: TagOption = None,
    no_tags: Annotated[bool, typer.Option("--no-tags", help="Take all its tags away.")] = False,
    output: FormatOption = Format.TABLE,
) -> None:
    """Give it another pool, or other tags instead of those that it has."""
    if (pool, tag or None, no_tags) == (None, None, False) or (tag and no_tags):
        raise Misused("Say what to change: --pool, and either --tag or --no-tags.")
    body: Json = {"pool": pool} if pool else {}
    if tag or no_tags:
        body["tags"] = tag or []
    with connected(context) as api:
        identity = finding.agent(api, agent)["agentId"]
        show(api.command("PATCH", f"/agents/{identity}", body), output, _one)


@app.command()
def drain(context: typer.Context, agent: AgentArgument, output: FormatOption = Format.TABLE) -> None:
    """It finishes what it has, and gets nothing new."""
    with connected(context) as api:
        identity = finding.agent(api, agent)["agentId"]
        show(api.command("POST", f"/agents/{identity}/drain"), output, _one)


@app.command()
def resume(context: typer.Context, agent: AgentArgument, output: FormatOption = Format.TABLE) -> None:
    """It gets jobs again."""
    with connected(context) as api:
        identity = finding.agent(api, agent)["agentId"]
        show(api.command("POST", f"/agents/{identity}/resume"), output, _one)


@app.command("rotate-key")
def rotate_key(
    context: typer.Context,
    agent: AgentArgument,
    key_file: KeyFileOption = None,
    yes: YesOption = False,
    output: FormatOption = Format.TABLE,
) -> None:
    """A new key, shown this once. Whoever uses the old one is cut off at once: drain first if jobs must not be lost."""
    with KeyFile(key_file, replace=True) as file, connected(context) as api:
        row = finding.agent(api, agent)
        sure(f"The old key of {row['name']} will open nothing any more{_lost(row)}.", yes)
        answer = file.keep(api.command("POST", f"/agents/{row['agentId']}/rotate-key"))
    show(answer, output, lambda made: _key(made, f"The old key of {made['name']} opens nothing any more."))


@app.command()
def revoke(context: typer.Context, agent: AgentArgument, yes: YesOption = False, output: FormatOption = Format.TABLE) -> None:
    """Cut it off at once and for good. History keeps its name, and another one can be made under it."""
    with connected(context) as api:
        row = finding.agent(api, agent)
        sure(f"{row['name']} will be cut off for good{_lost(row)}.", yes)
        show(api.command("POST", f"/agents/{row['agentId']}/revoke"), output, _one)


def held(answer: Json) -> RenderableType:
    """The jobs of an agent, or of those of a pool."""
    rows = table(
        answer["items"],
        ("EXECUTION", lambda job: short(job["executionId"])),
        ("WORKFLOW", lambda job: job["workflowName"]),
        ("NODE", job_name),
        ("RUNS", lambda job: job["actionType"]),
        ("STATUS", lambda job: status(job["status"])),
        ("AGENT", lambda job: job["agent"]),
        ("TIME", lambda job: duration(job["durationMs"])),
        nothing="No job." if not answer["total"] else "They were sent just now: look again.",
    )
    missing = answer["total"] - len(answer["items"])
    return Group(rows, Text(f"… and {missing:,} more", style="bright_black")) if answer["items"] and missing > 0 else rows


def _lost(row: Json) -> str:
    jobs = {0: "", 1: ", and the job that it has will be lost"}
    return jobs.get(row["running"], f", and the {row['running']} jobs that it has will be lost")


def _key(answer: Json, done: str) -> RenderableType:
    """What was made, its key, and how to go on."""
    lines = [done, ""]
    if "key" in answer:
        file = "runyard-agent.key"
        lines += ["Its key, which is not shown again:", "", f"  {answer['key']}", ""]
        lines += ["On its host put the key into a file that nobody else can read, and start the agent:", ""]
        lines += [f"  install -m 600 /dev/stdin {file}     # paste the key, Enter, Ctrl-D"]
        lines += [f"  {with_key_file(answer['command'], file)}"]
    else:
        lines += [f"Its key is in {answer['keyFile']}, for you alone to read. On its host, with this file there:", ""]
        lines += [f"  {answer['command']}"]
    return Text(plain("\n".join(lines)))


def _one(row: Json) -> RenderableType:
    return _rows({"items": [row]})


def _rows(answer: Json, nothing: str = "") -> RenderableType:
    return table(
        answer["items"],
        ("NAME", lambda row: row["name"]),
        ("STATUS", lambda row: status(row["status"])),
        ("POOL", lambda row: row["pool"]),
        ("TAGS", lambda row: row["tags"]),
        ("JOBS", lambda row: f"{row['running']}/{row['capacity']}"),
        ("HEALTH", lambda row: row["health"]),
        ("VERSION", lambda row: row["version"]),
        ("HEARD OF", lambda row: moment(row["lastHeartbeatAt"])),
        ("WHY", lambda row: row["reason"]),
        nothing=nothing,
    )
