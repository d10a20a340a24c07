"""How an execution looks in a terminal while it runs: what the API says of it, drawn. Knows nothing of streams and keys."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from runyard_cli.client import Json
from runyard_cli.output import duration, first_line, plain, short, status

ACTIVE_JOBS = {"pending", "dispatched", "running"}
TROUBLE = {"failed", "timeout"}
MOST_ROWS = 40


def picture(detail: Json, since_ms: float, output: Sequence[str] = (), speaker: str = "", note: str = "") -> RenderableType:
    """`since_ms`: how long ago the API said this. `output`: the last lines of the job `speaker`."""
    active = detail["finishedAt"] is None
    age = since_ms if active else 0
    head = Text.assemble(
        (plain(detail["workflowName"]), "bold"),
        (f" v{detail['version']}  {short(detail['executionId'])}  ", "bright_black"),
        status(detail["status"]),
        (f"  {duration(detail['durationMs'] + age)}", "bright_black"),
    )
    parts: list[RenderableType] = [head, _jobs_bar(detail), Text(), _nodes(detail, age)]
    if active and detail["waiting"]:
        parts += [Text(), Text(plain(detail["banner"]), style="magenta")]
    if detail["error"]:
        parts += [Text(), Text(plain(detail["error"]["message"]), style="red")]
    if output:
        parts += [Text(), Text(f"─ output of {speaker}" if speaker else "─ output", style="bright_black")]
        parts += [Text(f"  {line}", no_wrap=True, overflow="ellipsis") for line in output]
    if note:
        parts += [Text(), Text(note, style="yellow")]
    return Group(*parts)


def _jobs_bar(detail: Json) -> RenderableType:
    counts = detail["jobCounts"]
    row = Table.grid(padding=(0, 1))
    row.add_row(
        ProgressBar(total=max(counts["total"], 1), completed=counts["completed"], width=24),
        Text(f"{counts['completed']} of {counts['total']} jobs so far", style="bright_black"),
    )
    return row


def _nodes(detail: Json, age: float) -> Table:
    rows = Table(box=None, padding=(0, 2, 0, 0), header_style="bright_black", pad_edge=False)
    for name in ("NODE", "STATUS", "TRY", "AGENT"):
        rows.add_column(name, no_wrap=True)
    rows.add_column("TIME", justify="right", no_wrap=True, min_width=8)
    # the only column that gives way when the terminal is narrow
    rows.add_column("", ratio=1, no_wrap=True, overflow="ellipsis")
    jobs: dict[str, list[Json]] = {}
    for job in detail["jobs"]:
        jobs.setdefault(job["nodeId"], []).append(job)
    shown = [node for node in detail["nodes"] if node["status"] not in ("pending", "skipped")]
    for node in shown[-MOST_ROWS:]:
        own = [job for job in jobs.get(node["nodeId"], []) if not job["item"]]
        _node_row(rows, node, own[-1] if own else None, age)
    inner = [job for job in detail["jobs"] if job["item"] and job["status"] in ACTIVE_JOBS]
    for job in inner[:MOST_ROWS]:
        rows.add_row(
            Text(f"  {job['item']} {plain(job['nodeName'])}", style="bright_black"), status(job["status"]),
            _attempt(job), job["agent"] or "", duration(_elapsed(job, age)), "",
        )  # fmt: skip
    hidden = max(0, len(shown) - MOST_ROWS) + max(0, len(inner) - MOST_ROWS)
    waiting = sum(1 for node in detail["nodes"] if node["status"] == "pending")
    more = [f"{hidden} more" if hidden else "", f"{waiting} not reached yet" if waiting and not detail["finishedAt"] else ""]
    if words := ", ".join(part for part in more if part):
        rows.add_row(Text(f"… {words}", style="bright_black"))
    return rows


def _node_row(rows: Table, node: Json, job: Json | None, age: float) -> None:
    words, style = first_line(node["output"]) if isinstance(node["output"], dict | str) else "", "bright_black"
    if progress := node["progress"]:
        ended = progress["completed"] + progress["failed"] + progress["cancelled"]
        words = f"{ended} of {progress['total']} items" + (f", {progress['failed']} failed" if progress["failed"] else "")
    if job is not None:
        trouble = job["error"]["message"] if job["error"] else ""
        words = first_line(trouble) if trouble else first_line(job["output"]) or words
        style = "red" if job["status"] in TROUBLE else style
    state = job["status"] if job and node["status"] == "running" else node["status"]
    rows.add_row(
        plain(node["name"]),
        status(state),
        _attempt(job) if job else "",
        (job["agent"] or "") if job else "",
        duration(_elapsed(job, age)) if job else "",
        Text(words, style=style),
    )


def _attempt(job: Json) -> str:
    return str(job["attempt"]) if job["attempt"] > 1 else ""


def _elapsed(job: Json, age: float) -> float | None:
    """Of one that runs, also the time since the API was asked."""
    known: int | None = job["durationMs"]
    return known if known is None or job["finishedAt"] else known + age
