import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from runyard_standalone.processes import Processes, runs

FOREVER = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture
def records() -> dict[str, Any]:
    return {}


@pytest.fixture
def sleeper(records: dict[str, Any], tmp_path: Path) -> Iterator[Processes]:
    processes = Processes(records)
    processes.start("sleeper", FOREVER, {}, tmp_path / "log")
    yield processes
    processes.end(["sleeper"], signal.SIGKILL, 10)


@pytest.mark.parametrize("correction", [-1.0, 0.0, 1.0, 3600.0])
def test_a_process_is_found_and_ended_though_the_clock_was_corrected_meanwhile(
    correction: float, sleeper: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = sys.modules[psutil.Process.__module__]._psplatform
    booted = psutil.boot_time()
    monkeypatch.setattr(platform, "boot_time", lambda: booted + correction)

    process = sleeper.find("sleeper")
    assert process is not None

    sleeper.end(["sleeper"], signal.SIGKILL, 10)
    assert not runs(process)
    assert sleeper.find("sleeper") is None


def test_a_process_is_found_by_another_command_that_reads_the_records(sleeper: Processes, records: dict[str, Any]) -> None:
    mine, theirs = sleeper.find("sleeper"), Processes(json.loads(json.dumps(records))).find("sleeper")
    assert mine is not None
    assert mine == theirs


def test_a_stranger_who_got_the_pid_is_left_alone(sleeper: Processes, records: dict[str, Any]) -> None:
    stranger = sleeper.find("sleeper")
    assert stranger is not None
    pid, started = records["sleeper"]
    records["gone"] = [pid, started - 100]

    assert sleeper.find("gone") is None
    sleeper.end(["gone"], signal.SIGKILL, 10)
    assert runs(stranger)
