"""The log of an execution, every decision in words, read on from where it was left."""

from collections.abc import Iterator

from rich.text import Text

from runyard_cli.client import PAGE, Api, Json
from runyard_cli.output import clock, plain

_LEVELS = {"error": "red", "warning": "yellow"}


class Journal:
    def __init__(self, api: Api, execution_id: str) -> None:
        self._api = api
        self._path = f"/executions/{execution_id}/log"
        self._cursor: str | None = None
        self._told = 0

    def news(self, at_least: int | None = None) -> Iterator[Json]:
        """What came since the last call; all that there is up to the position `at_least`, which is waited for."""
        while True:
            page = self._api.get(self._path, limit=PAGE, cursor=self._cursor, minPosition=at_least)
            # a page that was not full is read again: its end is where something new will be
            fresh = [entry for entry in page["items"] if entry["position"] > self._told]
            yield from fresh
            if fresh:
                self._told = fresh[-1]["position"]
            if not page["nextCursor"]:
                return
            self._cursor = page["nextCursor"]


def line(entry: Json) -> Text:
    """One entry, as it is printed."""
    item = f" {entry['item']}" if entry["item"] else ""
    style = _LEVELS.get(entry["level"], "")
    return Text.assemble(
        (clock(entry["at"]), "bright_black"),
        f" {entry['level']:<7}",
        (item, "bright_black"),
        f" {plain(entry['message'])}",
        style=style,
    )
