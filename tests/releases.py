"""What earlier releases left behind (`tests/golden/release.py`), as tests use it."""

import json
import lzma
import subprocess
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from runyard_shared.clock import SystemClock
from runyard_standalone.postgres_binaries import binaries_for

DIRECTORY = Path(__file__).parent / "golden" / "releases"
Json = dict[str, Any]


@dataclass(frozen=True)
class Release:
    directory: Path

    @property
    def name(self) -> str:
        return self.directory.name

    @cached_property
    def _kept(self) -> Json:
        return dict(json.loads(self._read("answers.json")))

    @property
    def ids(self) -> Json:
        """Of what was made, by name."""
        return dict(self._kept["ids"])

    @property
    def answers(self) -> Json:
        """What its API said, by path."""
        return dict(self._kept["answers"])

    @cached_property
    def statements(self) -> list[str]:
        """Every SQL statement that its services sent."""
        return list(json.loads(self._read("statements.json")))

    def restore(self, database_url: str) -> None:
        """Its database, into an empty one."""
        command: list[str | Path] = [binaries_for(None) / "psql", "-v", "ON_ERROR_STOP=1", "-qX", "-d", database_url]
        subprocess.run(command, input=self._read("database.sql"), check=True, stdout=subprocess.DEVNULL)

    def _read(self, name: str) -> bytes:
        return lzma.decompress((self.directory / f"{name}.xz").read_bytes())


class ClockSetTo:
    """The machine's clock, set to another time."""

    def __init__(self, at: datetime) -> None:
        self._difference = at - SystemClock().now()

    def now(self) -> datetime:
        return SystemClock().now() + self._difference


def releases() -> list[Release]:
    """The oldest first."""
    return [Release(each) for each in sorted(DIRECTORY.iterdir()) if each.is_dir()]
