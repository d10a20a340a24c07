"""What was done, on disk: the one place that says whether an event was handled.

A line for each event that was handled, in the order of handling, and beside the file how far it is settled: for each source a
position up to which everything was handled, and the size of the file at that time. Whatever is behind that in the file was
handled too. A process that dies leaves at most half a line, which counts for nothing.
"""

import json
import os
from pathlib import Path
from typing import Any

Event = dict[str, Any]


class Ledger:
    """`whole`: keep the events themselves, not only which they were."""

    def __init__(self, file: Path, *, whole: bool) -> None:
        self._whole = whole
        self._settled_file = file.with_name(file.name + ".position")
        self.positions: dict[str, int] = {}
        self._ahead: set[tuple[str, int]] = set()
        """Handled beyond the positions."""
        settled = json.loads(self._settled_file.read_text()) if self._settled_file.exists() else {"positions": {}, "size": 0}
        self.positions.update(settled["positions"])
        self._file = file.open("ab")
        with file.open("rb") as lines:
            lines.seek(settled["size"])
            good = settled["size"]
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                good += len(line)
                self._ahead.add(_key(json.loads(line)))
        self._file.truncate(good)

    @property
    def unsettled(self) -> int:
        """How many ids it has in memory."""
        return len(self._ahead)

    def knows(self, event: Event) -> bool:
        source, number = key = _key(event)
        return number <= self.positions.get(source, 0) or key in self._ahead

    def add(self, events: list[Event]) -> None:
        """Safe on disk when it returns."""
        for event in events:
            line = event if self._whole else {"source": event["source"], "id": event["id"]}
            self._file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
            self._ahead.add(_key(event))
        self._file.flush()
        os.fsync(self._file.fileno())

    def settle(self, source: str, position: int) -> None:
        """Everything of the source up to `position` was handled."""
        self.positions[source] = max(position, self.positions.get(source, 0))
        self._ahead = {(each, number) for each, number in self._ahead if number > self.positions.get(each, 0)}
        # Lines of what is still ahead must be found again, so the size counts only when there is none.
        if not self._ahead:
            content = {"positions": self.positions, "size": self._file.tell()}
            new = self._settled_file.with_suffix(".new")
            new.write_text(json.dumps(content))
            with new.open("rb") as written:
                os.fsync(written.fileno())
            new.replace(self._settled_file)

    def close(self) -> None:
        self._file.close()


def _key(event: Event) -> tuple[str, int]:
    return event["source"], int(event["id"])
