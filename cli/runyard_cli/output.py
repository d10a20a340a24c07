"""What a command prints: a table for people, or the API's answer as JSON or YAML for programs.

Colours only in a terminal, and not with NO_COLOR. Where nobody looks, a table is as wide as what it holds: nothing is cut off
that `grep` or `awk` would miss. Text from elsewhere cannot move the cursor: control characters are shown, not sent.
"""

import io
import json
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text
from ruamel.yaml import YAML

from runyard_cli.client import Json
from runyard_cli.rows import Rows

WIDE = 10_000


class ReaderGone(Exception):
    """Whoever read standard output has what they wanted (`runyard list | head -1`): no error, and the end."""


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


FormatOption = Annotated[
    Format, typer.Option("--output", "-o", envvar="RUNYARD_OUTPUT", help="For people, or the API's answer for programs.")
]

LOOKS = {
    "pending": ("○", "bright_black"),
    "dispatched": ("◌", "cyan"),
    "running": ("●", "blue"),
    "retried": ("✔", "green"),
    "dropped": ("✘", "bright_black"),
    "waiting": ("◷", "magenta"),
    "paused": ("◷", "magenta"),
    "completed": ("✔", "green"),
    "approved": ("✔", "green"),
    "created": ("✔", "green"),
    "updated": ("✔", "green"),
    "ok": ("✔", "green"),
    "done": ("✔", "green"),
    "online": ("●", "green"),
    "failed": ("✘", "red"),
    "timeout": ("✘", "red"),
    "rejected": ("✘", "red"),
    "refused": ("✘", "red"),
    "broken": ("✘", "red"),
    "offline": ("○", "red"),
    "behind": ("◷", "yellow"),
    "draining": ("◷", "yellow"),
    "rebuilding": ("◷", "blue"),
}
"""Sign and colour of a status; the word stands beside them."""


def console() -> Console:
    """Standard output."""
    wide = None if sys.stdout.isatty() else WIDE
    return Console(highlight=False, markup=False, emoji=False, width=wide, soft_wrap=wide is not None)


def errors() -> Console:
    """Standard error: all that is not the answer."""
    return Console(highlight=False, markup=False, emoji=False, stderr=True, soft_wrap=True)


def show(answer: Any, form: Format, people: Callable[[Any], RenderableType]) -> None:
    """The answer, in the form that was asked for."""
    match form:
        case Format.JSON:
            write(json.dumps(answer, indent=2, ensure_ascii=False) + "\n")
        case Format.YAML:
            write(yaml_text(answer))
        case Format.TABLE:
            show_renderable(people(answer))


def show_renderable(what: RenderableType) -> None:
    out = console()
    with out.capture() as captured:
        out.print(what)
    lines = captured.get().splitlines()
    write("\n".join(line.rstrip() for line in lines) + "\n")


def say(what: RenderableType) -> None:
    """A line for people."""
    out = console()
    with out.capture() as captured:
        out.print(what)
    write(captured.get())


def write(text: str) -> None:
    """To standard output, at once: the next program in the pipe may be waiting for it."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise ReaderGone from None


def write_bytes(content: bytes) -> None:
    try:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise ReaderGone from None


def yaml_text(answer: Any) -> str:
    yaml = YAML(typ="safe")
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    yaml.width = 120
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    out = io.StringIO()
    yaml.dump(answer, out)
    return out.getvalue()


Column = tuple[str, Callable[[Json], Any]]


def table(rows: Sequence[Json], *columns: Column, nothing: str = "Nothing found.") -> RenderableType:
    """A row for each, a cell for each column."""
    if not rows:
        return Text(nothing, style="bright_black")
    names = [name for name, _ in columns]
    return Rows(names, [[cell(value(row)) for _, value in columns] for row in rows])


def facts(*pairs: tuple[str, Any]) -> Table:
    """One thing, a line for each of its properties that there is."""
    made = Table(box=None, padding=(0, 2, 0, 0), show_header=False, pad_edge=False)
    made.add_column(style="bright_black", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in pairs:
        if value not in (None, "", [], {}):
            made.add_row(name, cell(value))
    return made


def cell(value: Any) -> Text:
    if isinstance(value, Text):
        return value
    if value is None:
        return Text("")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, list):
        return Text(plain(", ".join(str(each) for each in value)))
    if isinstance(value, dict):
        return Text(plain(json.dumps(value, ensure_ascii=False)))
    return Text(plain(str(value)))


def status(word: str | None) -> Text:
    mark, colour = LOOKS.get(word or "", ("", ""))
    return Text(f"{mark} {word}".strip() if word else "", style=colour)


def plain(text: str) -> str:
    """Without what a terminal would obey."""
    return "".join(each if each in "\n\t" or each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def short(identity: str | None) -> str:
    """The last eight characters: an id's beginning is its time, which neighbours share."""
    return (identity or "")[-8:]


def job_name(job: Json) -> str:
    """Its node and, of an iteration, which: as `runyard logs --job` takes it."""
    return str(job["nodeId"]) + (f"@{job['item']}" if job["item"] else "")


def when(text: str | None) -> str:
    """An instant in the zone of this machine."""
    if not text:
        return ""
    at = datetime.fromisoformat(text).astimezone()
    return at.strftime("%Y-%m-%d %H:%M:%S")


def moment(text: str | None) -> str:
    """An instant in a table: in a terminal, where columns are dear, without what the reader knows."""
    if not text or not sys.stdout.isatty():
        return when(text)
    at, now = datetime.fromisoformat(text).astimezone(), datetime.now().astimezone()
    if at.date() == now.date():
        return at.strftime("%H:%M:%S")
    return at.strftime("%m-%d %H:%M" if at.year == now.year else "%Y-%m-%d")


def clock(text: str) -> str:
    return datetime.fromisoformat(text).astimezone().strftime("%H:%M:%S")


def duration(milliseconds: float | None) -> str:
    if milliseconds is None:
        return ""
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, hours = int(seconds // 60), int(seconds // 3600)
    return f"{minutes} min {int(seconds % 60)} s" if hours == 0 else f"{hours} h {minutes % 60} min"


def first_line(value: Any, longest: int = 100) -> str:
    """What came out of a job, in one line."""
    if isinstance(value, dict):
        value = value.get("stdout") or (f"HTTP {value['statusCode']}" if "statusCode" in value else "")
    lines = str(value if value is not None else "").strip().splitlines()
    first = plain(lines[0].strip()) if lines else ""
    more = f" (+{len(lines) - 1} lines)" if len(lines) > 1 else ""
    return (first if len(first) <= longest else first[: longest - 1] + "…") + more
