"""Numbers as the table shows them: percentiles, and text with the right unit."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of the table: `figure` is its number in the list of figures (`B1`)."""

    figure: str
    what: str
    value: str
    detail: str = ""


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest of `values` that at least `percent` of them do not exceed."""
    ordered = sorted(values)
    place = -(-len(ordered) * percent // 100)
    return ordered[max(0, int(place) - 1)]


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def duration(seconds: float) -> str:
    if seconds >= 10:
        return f"{seconds:.1f} s"
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.1 else f"{seconds * 1000:.1f} ms"


def p50_p99(seconds: Sequence[float]) -> str:
    return f"{duration(percentile(seconds, 50))} / {duration(percentile(seconds, 99))}"


def rate(number: float) -> str:
    return f"{number:,.0f}/s" if number >= 100 else f"{number:.1f}/s"


def mebibytes(size: float) -> str:
    return f"{size / 2**20:.0f} MiB"


def markdown(rows: Sequence[Row]) -> str:
    """One table, columns aligned for a terminal."""
    cells = [("", "figure", "value", "detail"), *((row.figure, row.what, row.value, row.detail) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(3)]
    lines = [
        "| " + " | ".join([*(line[column].ljust(widths[column]) for column in range(3)), line[3]]).rstrip() + " |"
        for line in cells
    ]
    lines.insert(1, "|" + "|".join(["-" * (width + 2) for width in widths] + ["---"]) + "|")
    return "\n".join(lines)
