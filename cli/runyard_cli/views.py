"""What a user sees of an execution that is followed: a picture that moves in a terminal, lines of the log anywhere else."""

import time
from contextlib import AbstractContextManager, ExitStack, nullcontext
from types import TracebackType
from typing import Protocol, Self

from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from runyard_cli.client import Api, Json
from runyard_cli.journal import Journal, line
from runyard_cli.output import console, duration, errors, plain, say, status
from runyard_cli.picture import picture

OUTPUT_LINES = 6
LONGEST_LINE = 2_000
RESULT_LINES = 8


class View(AbstractContextManager["View"], Protocol):
    def changed(self, detail: Json, position: int | None) -> None:
        """The execution is as `detail` says; the log has been written up to `position`."""

    def output(self, job_id: str, text: str) -> None:
        """A running job said this."""

    def note(self, text: str) -> None:
        """Something about the following itself; empty: no longer."""

    def aside(self) -> AbstractContextManager[object]:
        """While it lasts, the screen is somebody else's."""


class Silent(AbstractContextManager["Silent"]):
    """For programs, which get the end only."""

    _noted = False

    def __exit__(self, *_: object) -> None:
        pass

    def changed(self, detail: Json, position: int | None) -> None:
        pass

    def output(self, job_id: str, text: str) -> None:
        pass

    def note(self, text: str) -> None:
        if text and not self._noted:
            errors().print(Text(text))
        self._noted = bool(text)

    def aside(self) -> AbstractContextManager[object]:
        return nullcontext()


class Lines(Silent):
    """Each decision is a line."""

    def __init__(self, api: Api, execution_id: str) -> None:
        self._journal = Journal(api, execution_id)

    def changed(self, detail: Json, position: int | None) -> None:
        for entry in self._journal.news(position):
            say(line(entry))


class Moving(AbstractContextManager["Moving"]):
    """A picture, times running."""

    def __init__(self) -> None:
        self._detail: Json | None = None
        self._told = 0.0
        self._speaker = ""
        self._lines: list[str] = []
        self._note = ""
        self._live = self._new_live()

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._live.stop()

    def changed(self, detail: Json, position: int | None) -> None:
        self._detail, self._told = detail, time.monotonic()
        running = {job["jobId"] for job in detail["jobs"] if job["status"] == "running"}
        if self._speaker and self._speaker not in running:
            self._speaker, self._lines = "", []

    def output(self, job_id: str, text: str) -> None:
        if job_id != self._speaker:
            self._speaker, self._lines = job_id, [""]
        first, *others = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self._lines[-1] = (self._lines[-1] + first)[-LONGEST_LINE:]
        self._lines = [*self._lines, *others][-OUTPUT_LINES - 1 :]

    def note(self, text: str) -> None:
        self._note = text

    def aside(self) -> AbstractContextManager[object]:
        stack = ExitStack()
        self._live.stop()
        stack.callback(self._resume)
        return stack

    def _resume(self) -> None:
        self._live = self._new_live()
        self._live.start(refresh=True)

    def _new_live(self) -> Live:
        return Live(get_renderable=self._draw, console=console(), refresh_per_second=8)

    def _draw(self) -> RenderableType:
        if self._detail is None:
            return Text(self._note or "…")
        names = [job["nodeName"] for job in self._detail["jobs"] if job["jobId"] == self._speaker]
        lines = [plain(each) for each in self._lines if each.strip()][-OUTPUT_LINES:]
        since = (time.monotonic() - self._told) * 1000
        return picture(self._detail, since, lines, plain(names[0]) if names else "", self._note)


def outcome(detail: Json) -> RenderableType:
    """How it ended, and what its last job wrote."""
    counts = detail["jobCounts"]
    words = f" after {duration(detail['durationMs'])}, {counts['completed']} of {counts['total']} jobs done"
    error = f": {plain(detail['error']['message'])}" if detail["error"] else ""
    parts = [Text.assemble(status(detail["status"]), words, error)]
    written = next((job["output"] for job in reversed(detail["jobs"]) if isinstance(job["output"], dict)), {})
    lines = str(written.get("stdout") or "").strip().splitlines()
    parts += [Text(f"  {plain(each)}") for each in lines[:RESULT_LINES]]
    if len(lines) > RESULT_LINES:
        parts.append(Text(f"  … {len(lines) - RESULT_LINES} more lines", style="bright_black"))
    return Group(*parts)
