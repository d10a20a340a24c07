"""A table that fits its terminal. Ids, times and names stay whole; where not all columns fit side by side, the longest text is
broken over lines if it has room enough for that, and stands below its row if not."""

from collections.abc import Iterator, Sequence

from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

GAP = 2
NARROWEST = 24
"""So much room a text needs to be read in a column."""
DIM = "bright_black"


class Rows:
    """`cells`: for each row one for each name; the first names the row, and is always in it."""

    def __init__(self, names: Sequence[str], cells: Sequence[Sequence[Text]]) -> None:
        self._names = names
        self._cells = cells

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        widths, below = self._layout(options.max_width)
        head = self._table(widths, [[Text(self._names[at], style=DIM) for at in widths]])
        if not below:
            for row in self._cells:
                head.add_row(*(row[at] for at in widths))
            yield head
            return
        yield head
        for row in self._cells:
            yield self._table(widths, [[row[at] for at in widths]])
            yield from self._below(row, below)

    def _layout(self, room: int) -> tuple[dict[int, int], list[int]]:
        """The width of each column that stays, by its place, and the places of those that go below."""
        widths = {
            at: max([Text(name).cell_len, *(_longest_line(row[at]) for row in self._cells)])
            for at, name in enumerate(self._names)
        }
        below: list[int] = []
        while (missing := sum(widths.values()) + GAP * (len(widths) - 1) - room) > 0:
            longest = max(widths, key=lambda at: (widths[at], at))
            if longest == 0 or widths[longest] - missing >= NARROWEST:
                widths[longest] = max(widths[longest] - missing, 1)
                break
            del widths[longest]
            below.append(longest)
        return widths, sorted(below)

    def _table(self, widths: dict[int, int], rows: Sequence[Sequence[Text]]) -> Table:
        made = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, show_header=False)
        for width in widths.values():
            made.add_column(width=width, overflow="fold")
        for row in rows:
            made.add_row(*row)
        return made

    def _below(self, row: Sequence[Text], places: Sequence[int]) -> Iterator[Padding]:
        lines = Table.grid(padding=(0, GAP, 0, 0))
        lines.add_column(no_wrap=True)
        lines.add_column(overflow="fold")
        for at in places:
            if row[at].plain:
                lines.add_row(Text(self._names[at].lower(), style=DIM), row[at])
        if lines.row_count:
            yield Padding(lines, (0, 0, 0, GAP))


def _longest_line(text: Text) -> int:
    return max((line.cell_len for line in text.split()), default=0)
