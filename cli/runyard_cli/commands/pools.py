"""Pools: agents that jobs may choose from."""

from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from runyard_cli import completing
from runyard_cli.client import Json, in_path
from runyard_cli.commands.agents import held
from runyard_cli.output import Format, FormatOption, job_name, moment, short, show, table
from runyard_cli.session import connected

app = typer.Typer(help="Pools: made, listed, paused, deleted.", invoke_without_command=True)

PoolArgument = Annotated[str, typer.Argument(metavar="POOL", help="Its name.", autocompletion=completing.pools)]


@app.callback()
def list_pools(context: typer.Context, output: FormatOption = Format.TABLE) -> None:
    """Pools, by name."""
    if context.invoked_subcommand:
        return
    with connected(context) as api:
        answer = api.whole("/pools")
    show(answer, output, _rows)


@app.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Letters, digits, dots, hyphens and underscores.")],
    description: Annotated[str, typer.Option("--description", "-d", help="What it is for.")] = "",
    output: FormatOption = Format.TABLE,
) -> None:
    """A new pool, which has no agents yet."""
    with connected(context) as api:
        show(api.command("POST", "/pools", {"name": name, "description": description}), output, _one)


@app.command()
def jobs(context: typer.Context, pool: PoolArgument, output: FormatOption = Format.TABLE) -> None:
    """The jobs that its agents have now, and those that wait for one, with why."""
    with connected(context) as api:
        show(api.get(f"/pools/{in_path(pool)}/jobs"), output, _jobs)


@app.command()
def pause(
    context: typer.Context,
    pool: PoolArgument,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Executions that wait say it.")] = "",
    output: FormatOption = Format.TABLE,
) -> None:
    """Send nothing new to its agents."""
    with connected(context) as api:
        show(api.command("POST", f"/pools/{in_path(pool)}/pause", {"reason": reason}), output, _one)


@app.command()
def resume(context: typer.Context, pool: PoolArgument, output: FormatOption = Format.TABLE) -> None:
    """Send jobs to its agents again."""
    with connected(context) as api:
        show(api.command("POST", f"/pools/{in_path(pool)}/resume"), output, _one)


@app.command()
def delete(context: typer.Context, pool: PoolArgument, output: FormatOption = Format.TABLE) -> None:
    """Delete a pool that nothing needs; one that has agents or jobs is left as it is."""
    with connected(context) as api:
        api.command("DELETE", f"/pools/{in_path(pool)}")
    show({"deleted": pool}, output, lambda answer: Text(f"Pool {answer['deleted']} was deleted."))


def _jobs(answer: Json) -> RenderableType:
    waiting = answer["waiting"]
    parts: list[RenderableType] = [held(answer["held"])]
    if waiting["total"]:
        parts += [
            Text(),
            table(
                waiting["reasons"],
                ("WAIT", lambda row: f"{row['jobs']:,}"),
                ("SINCE", lambda row: moment(row["since"])),
                ("FOR", lambda row: row["reason"]),
            ),
            Text(),
            table(
                waiting["items"],
                ("EXECUTION", lambda job: short(job["executionId"])),
                ("WORKFLOW", lambda job: job["workflowName"]),
                ("NODE", job_name),
                ("RUNS", lambda job: job["actionType"]),
                ("SINCE", lambda job: moment(job["waitingSince"])),
            ),
        ]
        if (missing := waiting["total"] - len(waiting["items"])) > 0:
            parts.append(Text(f"… and {missing:,} more", style="bright_black"))
    return Group(*parts)


def _one(row: Json) -> RenderableType:
    return _rows({"items": [row]})


def _rows(answer: Json) -> RenderableType:
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
