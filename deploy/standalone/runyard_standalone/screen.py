"""Draws a timeline: a live table in a terminal, one line for each change anywhere else."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from runyard_standalone.timeline import Row, Timeline

LOOKS = {
    "pending": ("○", "bright_black"),
    "dispatched": ("◌", "cyan"),
    "running": ("●", "blue"),
    "waiting": ("◷", "magenta"),
    "completed": ("✔", "green"),
    "failed": ("✘", "red"),
    "timeout": ("✘", "red"),
    "cancelled": ("–", "bright_black"),
    "skipped": ("–", "bright_black"),
}
FAILED = {"failed", "timeout"}


class Screen:
    """Everything the user sees."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)
        self.live = self.console.is_terminal

    def say(self, text: str = "", style: str = "") -> None:
        if self.live:
            # an address is broken by the terminal, if it has to be, and stays one link
            self.console.print(Text(text, style=style), soft_wrap=True)
        else:
            print(text, flush=True)

    def watch(self, timeline: Timeline) -> AbstractContextManager[Any]:
        """While it lasts a terminal shows the timeline, durations running."""
        if not self.live:
            return nullcontext()
        return Live(get_renderable=lambda: table(timeline), console=self.console, refresh_per_second=10)

    def changed(self, row: Row | None) -> None:
        """For output that is no terminal: what has just happened."""
        if row is not None and not self.live:
            attempt = f"attempt {row.attempt}" if row.attempt else ""
            parts = f"{row.node:<22} {row.kind:<14} {row.status:<11} {attempt:<10} {row.agent:<8}"
            parts += f" {_duration(row.elapsed_ms):>8}  {row.detail}"
            print("  " + parts.rstrip(), flush=True)


def table(timeline: Timeline) -> Group:
    mark, colour = LOOKS.get(timeline.status, ("●", "blue"))
    head = Text.assemble(
        (timeline.title, "bold"),
        "  ",
        (f"{mark} {timeline.status}", colour),
        (f"  {_duration(timeline.elapsed_ms)}", "bright_black"),
    )
    rows = Table(box=None, padding=(0, 2, 0, 0), header_style="bright_black", pad_edge=False)
    rows.add_column("NODE", no_wrap=True)
    rows.add_column("RUNS", no_wrap=True, style="bright_black")
    rows.add_column("STATUS", no_wrap=True, min_width=12)
    rows.add_column("TRY", justify="right", no_wrap=True)
    rows.add_column("AGENT", no_wrap=True)
    rows.add_column("TIME", justify="right", no_wrap=True, min_width=8)
    # the only column that gives way when the terminal is narrow
    rows.add_column("", ratio=1, style="bright_black")
    for row in timeline.rows:
        mark, colour = LOOKS.get(row.status, ("?", "yellow"))
        rows.add_row(
            row.node,
            row.kind,
            Text(f"{mark} {row.status}", style=colour),
            str(row.attempt or ""),
            row.agent,
            _duration(row.elapsed_ms),
            Text(row.detail, style="red" if row.status in FAILED else "", no_wrap=True, overflow="ellipsis"),
            style="dim" if row.status == "skipped" else "",
        )
    return Group(head, "", rows)


def _duration(milliseconds: int | None) -> str:
    if milliseconds is None:
        return ""
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    seconds = milliseconds / 1000
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds // 60)} min {int(seconds % 60)} s"
