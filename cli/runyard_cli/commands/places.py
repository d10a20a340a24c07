"""Where jobs run and what they reach: agents, pools, connections."""

from typing import Annotated, Literal

import typer
from rich.console import RenderableType
from rich.text import Text

from runyard_cli import finding
from runyard_cli.client import Json
from runyard_cli.errors import ExitCode
from runyard_cli.output import Format, FormatOption, duration, moment, show, status, table, when
from runyard_cli.session import connected

agents = typer.Typer(help="Agents: listed, or drained and resumed.", invoke_without_command=True)
pools = typer.Typer(help="Pools: listed, or paused and resumed.", invoke_without_command=True)
connections = typer.Typer(help="Connections: listed, or tested by an agent.", invoke_without_command=True)

AgentStatus = Literal["new", "online", "draining", "offline", "revoked"]
NameArgument = Annotated[str, typer.Argument(help="Its name or id.")]


@agents.callback()
def list_agents(
    context: typer.Context,
    pool: Annotated[str | None, typer.Option(help="Only of this pool.")] = None,
    state: Annotated[AgentStatus | None, typer.Option("--status", "-s", help="Only those that are so.")] = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Agents, by name."""
    if context.invoked_subcommand:
        return
    with connected(context) as api:
        rows = [row for page in api.pages("/agents", pool=pool, status=state) for row in page["items"]]
    show({"items": rows, "nextCursor": None}, output, _agents)


@agents.command()
def drain(context: typer.Context, agent: NameArgument, output: FormatOption = Format.TABLE) -> None:
    """It finishes what it has, and gets nothing new."""
    with connected(context) as api:
        identity = finding.agent(api, agent)["agentId"]
        show(api.command("POST", f"/agents/{identity}/drain"), output, lambda row: _agents({"items": [row]}))


@agents.command("resume")
def resume_agent(context: typer.Context, agent: NameArgument, output: FormatOption = Format.TABLE) -> None:
    """It gets jobs again."""
    with connected(context) as api:
        identity = finding.agent(api, agent)["agentId"]
        show(api.command("POST", f"/agents/{identity}/resume"), output, lambda row: _agents({"items": [row]}))


@pools.callback()
def list_pools(context: typer.Context, output: FormatOption = Format.TABLE) -> None:
    """Pools, by name."""
    if context.invoked_subcommand:
        return
    with connected(context) as api:
        rows = [row for page in api.pages("/pools") for row in page["items"]]
    show({"items": rows, "nextCursor": None}, output, _pools)


@pools.command()
def pause(
    context: typer.Context,
    pool: Annotated[str, typer.Argument(help="Its name.")],
    reason: Annotated[str, typer.Option("--reason", "-r", help="Executions that wait say it.")] = "",
    output: FormatOption = Format.TABLE,
) -> None:
    """Send nothing new to its agents."""
    with connected(context) as api:
        show(api.command("POST", f"/pools/{pool}/pause", {"reason": reason}), output, lambda row: _pools({"items": [row]}))


@pools.command("resume")
def resume_pool(
    context: typer.Context, pool: Annotated[str, typer.Argument(help="Its name.")], output: FormatOption = Format.TABLE
) -> None:
    """Send jobs to its agents again."""
    with connected(context) as api:
        show(api.command("POST", f"/pools/{pool}/resume"), output, lambda row: _pools({"items": [row]}))


@connections.callback()
def list_connections(
    context: typer.Context,
    kind: Annotated[str | None, typer.Option(help="Only of this kind.")] = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Connections, by name; never their secrets."""
    if context.invoked_subcommand:
        return
    with connected(context) as api:
        rows = [row for page in api.pages("/connections", kind=kind) for row in page["items"]]
    show(
        {"items": rows, "nextCursor": None},
        output,
        lambda answer: table(
            answer["items"],
            ("NAME", lambda row: row["name"]),
            ("KIND", lambda row: row["kind"]),
            ("ENABLED", lambda row: row["enabled"]),
            ("POOLS", lambda row: row["pools"] or "any"),
            ("SECRETS", lambda row: row["secrets"]),
            ("LAST TEST", _tested),
            nothing="There is no connection.",
        ),
    )


@connections.command()
def test(
    context: typer.Context,
    connection: NameArgument,
    agent: Annotated[str | None, typer.Option(help="The agent that is to try it; else any that may.")] = None,
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
            status("ok" if told["ok"] else "failed"), f"  {told['message']} ({told['agent']}, {duration(told['durationMs'])})"
        ),
    )
    if not answer["ok"]:
        raise typer.Exit(ExitCode.FAILED)


def _agents(answer: Json) -> RenderableType:
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
        nothing="There is no agent.",
    )


def _pools(answer: Json) -> RenderableType:
    return table(
        answer["items"],
        ("NAME", lambda row: row["name"]),
        ("AGENTS", lambda row: f"{row['online']} of {row['agents']} online"),
        ("JOBS", lambda row: f"{row['running']}/{row['capacity']}"),
        ("WAITING", lambda row: row["waiting"]),
        ("PAUSED", lambda row: ": ".join(filter(None, (f"by {row['pausedBy']}", row["pauseReason"]))) if row["paused"] else ""),
        ("DESCRIPTION", lambda row: row["description"]),
        nothing="There is no pool.",
    )


def _tested(row: Json) -> str:
    tested = row["tested"]
    return f"{'ok' if tested['ok'] else 'failed'}, {when(tested['at'])}: {tested['message']}" if tested else ""
